"""A journal in memory. Several runtimes of one process may share it: then each is to the others what a process is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator_calls._kept import (
    Appended,
    CallOfAnotherTenant,
    CallRow,
    Fenced,
    Lease,
    News,
    Snapshot,
    newest,
    not_declared,
    require_own,
)
from orchestrator_calls.events import ORCHESTRATOR, TERMINAL, CallState, Event
from orchestrator_kernel.ports import Clock, SystemClock

__all__ = ["MemoryJournal"]


@dataclass(slots=True)
class _Owner:
    name: str = ""
    epoch: int = 0
    taken: int = 0


class MemoryJournal:
    """A journal that lasts as long as the process: for tests, and for calls that nobody may keep."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._count = 0
        self._by_id: dict[tuple[str, str], Event] = {}
        self._by_call: dict[str, list[Event]] = {}
        self._rows: dict[str, CallRow] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._owners: dict[str, _Owner] = {}
        self._alive: dict[str, datetime] = {}
        self._listening: dict[str, Callable[[str, str], None]] = {}

    # --- keeping ------------------------------------------------------------------------------------------------------------

    async def bind(self, tenant: str, call_id: str, caller: str = "", *, owner: str = "") -> CallRow:
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
            self._owners[call_id] = _Owner(owner)
        if row.tenant != tenant:
            raise CallOfAnotherTenant(f"call {call_id} belongs to another tenant")
        return row

    async def append(self, events: Sequence[Event], *, lease: Lease | None = None, sender: str = "") -> list[Appended]:
        for event in events:
            require_own(self._row(event.call_id), event)
        self._require(lease)
        kept = [self._keep(event) for event in events]
        for call_id in {each.event.call_id for each in kept if not each.duplicate} if lease is None else ():
            owner = self._owners[call_id].name
            if owner not in {"", sender}:
                self.hint(owner, call_id, sender)
        return kept

    def _keep(self, event: Event) -> Appended:
        known = self._by_id.get((event.tenant, event.id))
        if known is not None:
            return Appended(known, duplicate=True)
        self._count += 1
        kept = replace(event, position=self._count)
        self._by_id[(event.tenant, event.id)] = kept
        self._by_call.setdefault(event.call_id, []).append(kept)
        return Appended(kept, duplicate=False)

    async def mark(self, call_id: str, state: CallState, caller: str = "", *, lease: Lease | None = None) -> None:
        row = self._row(call_id)
        self._require(lease)
        self._rows[call_id] = replace(row, state=state, caller=row.caller or caller, updated_at=self._clock.now())

    def _require(self, lease: Lease | None) -> None:
        if lease is None:
            return
        owner = self._owners[lease.call_id]
        if (owner.name, owner.epoch) != (lease.owner, lease.epoch):
            raise Fenced(f"call {lease.call_id} is owned by another process")

    def _row(self, call_id: str) -> CallRow:
        row = self._rows.get(call_id)
        if row is None:
            raise not_declared(call_id)
        return row

    async def save(self, call_id: str, snapshot: Snapshot, *, lease: Lease | None = None) -> None:
        self._row(call_id)
        self._require(lease)
        self._snapshots[call_id] = snapshot

    async def forget(self, call_id: str) -> bool:
        for event in self._by_call.pop(call_id, ()):
            del self._by_id[(event.tenant, event.id)]
        self._snapshots.pop(call_id, None)
        self._owners.pop(call_id, None)
        return self._rows.pop(call_id, None) is not None

    # --- reading ------------------------------------------------------------------------------------------------------------

    async def read(self, call_id: str, *, after: int = 0) -> list[Event]:
        return [event for event in self._by_call.get(call_id, ()) if event.position > after]

    async def snapshot(self, call_id: str) -> Snapshot | None:
        return self._snapshots.get(call_id)

    async def call(self, call_id: str) -> CallRow | None:
        return self._rows.get(call_id)

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
        rows = [
            row
            for row in sorted(self._rows.values(), key=newest, reverse=True)
            if (tenant is None or row.tenant == tenant)
            and (caller is None or row.caller == caller)
            and not (open_only and row.state in TERMINAL)
            and (ended_before is None or (row.state in TERMINAL and row.updated_at < ended_before))
            and (before is None or newest(row) < newest(before))
        ]
        return rows[:limit]

    # --- sharing ------------------------------------------------------------------------------------------------------------

    async def beat(self, owner: str, seconds: float) -> None:
        self._alive[owner] = self._clock.now() + timedelta(seconds=seconds)

    async def claim(self, call_id: str, owner: str, *, force: bool = False) -> Lease | None:
        self._row(call_id)
        held = self._owners[call_id]
        if not force and held.name not in {"", owner} and self._lives(held.name):
            return None
        return self._own(call_id, owner)

    def _lives(self, owner: str) -> bool:
        until = self._alive.get(owner)
        return until is not None and until > self._clock.now()

    def _own(self, call_id: str, owner: str) -> Lease:
        held = self._owners[call_id]
        held.name, held.epoch = owner, held.epoch + 1
        return Lease(call_id, owner, held.epoch)

    async def claim_orphans(self, owner: str, limit: int) -> list[tuple[CallRow, Lease]]:
        orphans = [
            row
            for row in self._rows.values()
            if row.state not in TERMINAL
            and (name := self._owners[row.call_id].name) != owner
            and not (name and self._lives(name))
        ]
        return [(row, self._own(row.call_id, owner)) for row in orphans[:limit]]

    async def release(self, owner: str) -> None:
        self._alive.pop(owner, None)
        for held in self._owners.values():
            if held.name == owner:
                held.name, held.epoch = "", held.epoch + 1

    async def took(self, lease: Lease, position: int) -> None:
        self._require(lease)
        held = self._owners[lease.call_id]
        held.taken = max(held.taken, position)

    async def news(self, after: Mapping[str, int], *, own: bool = False) -> dict[str, News]:
        return {
            call_id: News(
                Lease(call_id, held.name, held.epoch),
                held.taken,
                [
                    event
                    for event in self._by_call.get(call_id, ())
                    if event.position > position and (own or event.source != ORCHESTRATOR)
                ],
            )
            for call_id, position in after.items()
            if (held := self._owners.get(call_id)) is not None
        }

    def hint(self, owner: str, call_id: str, sender: str) -> None:
        heard = self._listening.get(owner)
        if heard is not None:
            heard(call_id, sender)

    @asynccontextmanager
    async def listening(self, owner: str, heard: Callable[[str, str], None]) -> AsyncGenerator[None, None]:
        self._listening[owner] = heard
        try:
            yield
        finally:
            self._listening.pop(owner, None)
