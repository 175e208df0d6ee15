"""The journal: what happened, kept for good, each event once.

The journal is the authority. An event counts when `append` has returned; the same id appended again is told as a duplicate, which makes
the journal the replay store too. Payloads are personal and are sealed per data subject before they are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from orchestrator_calls.events import TERMINAL, CallState, Event
from orchestrator_kernel.exceptions import AuthorizationError, DatabaseError, ValidationError
from orchestrator_kernel.ports import Clock, Sealer, SystemClock

__all__ = [
    "Appended",
    "CallNotDeclared",
    "CallOfAnotherTenant",
    "CallRow",
    "Journal",
    "JournalUnavailable",
    "MemoryJournal",
    "erase_caller",
]


class JournalUnavailable(DatabaseError):
    """The journal cannot be written or read now; nothing was accepted."""

    default_code = "journal_unavailable"


class CallOfAnotherTenant(AuthorizationError):
    """The call id is in use by another tenant."""

    default_code = "call_of_another_tenant"


class CallNotDeclared(ValidationError):
    """The journal does not know the call; `bind` it first."""

    default_code = "call_not_declared"


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of one event: as it is kept, and whether it had been there before."""

    event: Event
    duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One call in the list of calls; holds nothing personal.

    Attributes:
        subject: The pseudonym under which the call's payloads are sealed: the caller's, or the call's own id while the caller is not known.
        caller: The caller's pseudonym, empty while it is not known.
    """

    call_id: str
    tenant: str
    subject: str
    caller: str
    state: CallState
    created_at: datetime
    updated_at: datetime


class Journal(Protocol):
    """An append-only store of events, and the list of calls."""

    async def bind(self, tenant: str, call_id: str, caller: str = "") -> CallRow:
        """Declare a call; the row that holds, which is the earlier one if there is one.

        `caller` is a pseudonym. A call that is declared with one is sealed under it, any other under the call's id; so is the call of a
        caller who was erased before, under whose name nothing can be sealed any more.

        Raises:
            CallOfAnotherTenant: The id is taken by another tenant.
            JournalUnavailable: It was not kept.
        """
        ...

    async def append(self, events: Sequence[Event]) -> list[Appended]:
        """Keep events of declared calls in this order, all or none, durable before it returns.

        An event whose id the tenant has already is not kept again: the answer holds the one that is there. Being cancelled takes nothing
        back that is on its way.

        Raises:
            CallNotDeclared, CallOfAnotherTenant: An event is of no declared call, or of one of another tenant; nothing was kept.
            JournalUnavailable: Nothing was kept.
            Erased: The call's data was erased; nothing was kept.
        """
        ...

    async def mark(self, call_id: str, state: CallState, caller: str = "") -> None:
        """Note the state, and the caller's pseudonym once it is known, in the list of calls; the events stay the authority.

        The first pseudonym stays.

        Raises:
            CallNotDeclared: There is no such call.
            JournalUnavailable: It was not kept.
        """
        ...

    async def read(self, call_id: str) -> list[Event]:
        """All events of a call in the order they were kept. An erased payload reads `{"erased": true}`."""
        ...

    async def call(self, call_id: str) -> CallRow | None:
        """One row of the list."""
        ...

    async def calls(
        self,
        *,
        tenant: str | None = None,
        caller: str | None = None,
        open_only: bool = False,
        limit: int = 100,
        before: CallRow | None = None,
    ) -> list[CallRow]:
        """Calls, newest first, of one tenant, of one caller's pseudonym, or all; `before` is the last row of the page before."""
        ...


class MemoryJournal:
    """A journal that lasts as long as the process: for tests, and for calls that nobody may keep."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._count = 0
        self._by_id: dict[tuple[str, str], Event] = {}
        self._by_call: dict[str, list[Event]] = {}
        self._rows: dict[str, CallRow] = {}

    async def bind(self, tenant: str, call_id: str, caller: str = "") -> CallRow:
        row = self._rows.get(call_id)
        if row is None:
            at = self._clock.now()
            row = CallRow(
                call_id=call_id,
                tenant=tenant,
                subject=caller or call_id,
                caller=caller,
                state=CallState.INITIALIZING,
                created_at=at,
                updated_at=at,
            )
            self._rows[call_id] = row
        if row.tenant != tenant:
            raise CallOfAnotherTenant(f"call {call_id} belongs to another tenant")
        return row

    async def append(self, events: Sequence[Event]) -> list[Appended]:
        for event in events:
            require_own(self._row(event.call_id), event)
        return [self._keep(event) for event in events]

    def _keep(self, event: Event) -> Appended:
        known = self._by_id.get((event.tenant, event.id))
        if known is not None:
            return Appended(known, duplicate=True)
        self._count += 1
        kept = replace(event, position=self._count)
        self._by_id[(event.tenant, event.id)] = kept
        self._by_call.setdefault(event.call_id, []).append(kept)
        return Appended(kept, duplicate=False)

    async def mark(self, call_id: str, state: CallState, caller: str = "") -> None:
        row = self._row(call_id)
        self._rows[call_id] = replace(row, state=state, caller=row.caller or caller, updated_at=self._clock.now())

    def _row(self, call_id: str) -> CallRow:
        row = self._rows.get(call_id)
        if row is None:
            raise not_declared(call_id)
        return row

    async def read(self, call_id: str) -> list[Event]:
        return list(self._by_call.get(call_id, ()))

    async def call(self, call_id: str) -> CallRow | None:
        return self._rows.get(call_id)

    async def calls(
        self,
        *,
        tenant: str | None = None,
        caller: str | None = None,
        open_only: bool = False,
        limit: int = 100,
        before: CallRow | None = None,
    ) -> list[CallRow]:
        rows = [
            row
            for row in sorted(self._rows.values(), key=_newest, reverse=True)
            if (tenant is None or row.tenant == tenant)
            and (caller is None or row.caller == caller)
            and not (open_only and row.state in TERMINAL)
            and (before is None or _newest(row) < _newest(before))
        ]
        return rows[:limit]


def not_declared(call_id: str) -> CallNotDeclared:
    """The error for a call that no row stands for."""
    return CallNotDeclared(f"call {call_id} is not declared", details={"call_id": call_id})


def require_own(row: CallRow, event: Event) -> None:
    """Refuse an event that is not of its call's tenant."""
    if row.tenant != event.tenant:
        raise CallOfAnotherTenant(f"call {row.call_id} belongs to another tenant")


def _newest(row: CallRow) -> tuple[datetime, str]:
    return row.created_at, row.call_id


async def erase_caller(journal: Journal, sealer: Sealer, tenant: str, caller: str) -> int:
    """Destroy every key under which something of the caller with this pseudonym is sealed; how many calls that makes unreadable."""
    subjects = {caller}
    count = 0
    before: CallRow | None = None
    while rows := await journal.calls(tenant=tenant, caller=caller, limit=500, before=before):
        subjects.update(row.subject for row in rows)
        count += len(rows)
        before = rows[-1]
    for subject in sorted(subjects):
        await sealer.destroy(tenant, subject)
    return count
