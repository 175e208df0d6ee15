"""The journal: what happened, kept for good, each event once.

The journal is the authority. An event counts when `append` has returned; the same id appended again is told as a duplicate, which makes
the journal the replay store too. Payloads are personal and are sealed per data subject before they are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from orchestrator_calls._kept import (
    Appended,
    CallNotDeclared,
    CallOfAnotherTenant,
    CallRow,
    Fenced,
    JournalUnavailable,
    Lease,
    News,
    Snapshot,
)
from orchestrator_calls._memory_journal import MemoryJournal
from orchestrator_calls.events import CallState, Event
from orchestrator_kernel.ports import Sealer

__all__ = [
    "Appended",
    "CallNotDeclared",
    "CallOfAnotherTenant",
    "CallRow",
    "Fenced",
    "Journal",
    "JournalUnavailable",
    "Lease",
    "MemoryJournal",
    "News",
    "SharedJournal",
    "Snapshot",
    "erase_caller",
    "forget_ended",
]


class Journal(Protocol):
    """An append-only store of events, and the list of calls."""

    async def bind(self, tenant: str, call_id: str, caller: str = "", *, owner: str = "") -> CallRow:
        """Declare a call; the row that holds, which is the earlier one if there is one.

        `caller` is a pseudonym. A call that is declared with one is sealed under it, any other under the call's id; so is the call of a
        caller who was erased before, under whose name nothing can be sealed any more. A new call belongs to the process `owner`.

        Raises:
            CallOfAnotherTenant: The id is taken by another tenant.
            JournalUnavailable: It was not kept.
        """
        ...

    async def append(self, events: Sequence[Event], *, lease: Lease | None = None, sender: str = "") -> list[Appended]:
        """Keep events of declared calls in this order, all or none, durable before it returns.

        An event whose id the tenant has already is not kept again: the answer holds the one that is there. Being cancelled takes nothing
        back that is on its way. Positions of one call grow in the order in which its events become visible.

        Args:
            events: All of the lease's call, if there is a lease.
            lease: Keep them only if the call is still owned like this; checked in the same transaction.
            sender: The process that appends; without a lease, the owner of the call is given a hint if that is another one.

        Raises:
            CallNotDeclared, CallOfAnotherTenant: An event is of no declared call, or of one of another tenant; nothing was kept.
            JournalUnavailable: Nothing was kept.
            Erased: The call's data was erased; nothing was kept.
            Fenced: Another process owns the call; nothing was kept.
        """
        ...

    async def mark(self, call_id: str, state: CallState, caller: str = "", *, lease: Lease | None = None) -> None:
        """Note the state, and the caller's pseudonym once it is known, in the list of calls; the events stay the authority.

        The first pseudonym stays.

        Raises:
            CallNotDeclared: There is no such call.
            Fenced: Another process owns the call.
            JournalUnavailable: It was not kept.
        """
        ...

    async def read(self, call_id: str, *, after: int = 0) -> list[Event]:
        """All events of a call behind a position, in the order they were kept. An erased payload reads `{"erased": true}`."""
        ...

    async def save(self, call_id: str, snapshot: Snapshot, *, lease: Lease | None = None) -> None:
        """Keep a snapshot in the place of the one before; sealed as events are. Raises as `mark`, and Erased."""
        ...

    async def snapshot(self, call_id: str) -> Snapshot | None:
        """The last snapshot; None when there is none, or what it is sealed with is gone."""
        ...

    async def forget(self, call_id: str) -> bool:
        """Delete all rows of a call; whether there were any."""
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
        ended_before: datetime | None = None,
        limit: int = 100,
        before: CallRow | None = None,
    ) -> list[CallRow]:
        """Calls, newest first, of one tenant, of one caller's pseudonym, or all; `before` is the last row of the page before.

        `ended_before` gives only calls that are over and were last changed before that instant.
        """
        ...


class SharedJournal(Journal, Protocol):
    """A journal that several processes share. Each call is owned by at most one of them.

    Who may own a call is decided by the database's clock alone: a process that has not beaten for its lease is dead to the others. Hints may
    get lost; polling with `news` decides.
    """

    async def beat(self, owner: str, seconds: float) -> None:
        """The process `owner` lives for `seconds` from now."""
        ...

    async def claim(self, call_id: str, owner: str, *, force: bool = False) -> Lease | None:
        """Own a call, under a new epoch: if nobody who lives owns it, or it is the process's own, or by `force`; None otherwise.

        Raises:
            CallNotDeclared: There is no such call.
            JournalUnavailable: Nobody can tell.
        """
        ...

    async def claim_orphans(self, owner: str, limit: int) -> list[tuple[CallRow, Lease]]:
        """Own up to `limit` open calls that nobody owns who lives."""
        ...

    async def release(self, owner: str) -> None:
        """Own nothing any more, so that others take over at once."""
        ...

    async def took(self, lease: Lease, position: int) -> None:
        """Tell those who wait that all outside events up to `position` are taken in. Raises Fenced."""
        ...

    async def news(self, after: Mapping[str, int], *, own: bool = False) -> dict[str, News]:
        """For each call what came behind a position: events from outside, or all with `own`."""
        ...

    def hint(self, owner: str, call_id: str, sender: str) -> None:
        """Tell the process `owner` that there is news of a call; may get lost, never raises. `sender` arrives there as it is given."""
        ...

    def listening(self, owner: str, heard: Callable[[str, str], None]) -> AbstractAsyncContextManager[None]:
        """Have `heard(call_id, sender)` called for each hint to `owner`, for as long as the context lasts."""
        ...


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


async def forget_ended(journal: Journal, ended_before: datetime, *, limit: int = 500) -> int:
    """Delete every row of calls that were over before an instant, `limit` at most; how many calls that were.

    The hook of a retention policy: it is called again until it says 0.
    """
    rows = await journal.calls(ended_before=ended_before, limit=limit)
    for row in rows:
        await journal.forget(row.call_id)
    return len(rows)
