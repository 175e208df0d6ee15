"""The journal in SQL: SQLite (one process) or PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Select, delete, literal, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from orchestrator_calls._drivers._file_lock import FileLock
from orchestrator_calls._drivers._group_commit import Commits, GroupCommit, LoopCommits, ThreadCommits, cause
from orchestrator_calls._drivers._sql_batch import (
    KEYS_PER_QUERY,
    Append,
    Batch,
    Bind,
    Mark,
    Save,
    Values,
    Work,
    call_row,
)
from orchestrator_calls._drivers._sql_leases import SqlLeases
from orchestrator_calls._kept import not_declared, require_own
from orchestrator_calls.engine import create_writing_engine
from orchestrator_calls.events import TERMINAL, CallState, Event, EventType
from orchestrator_calls.journal import (
    Appended,
    CallOfAnotherTenant,
    CallRow,
    Fenced,
    JournalUnavailable,
    Lease,
    News,
    Snapshot,
)
from orchestrator_calls.tables import CALL, EVENT, SNAPSHOT, from_micros, to_micros
from orchestrator_kernel.exceptions import DatabaseError
from orchestrator_kernel.ports import Clock, Erased, Json, Sealer, SealScope, SystemClock

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["PURPOSE", "SqlJournal"]

PURPOSE = "calls.journal"
"""The purpose under which payloads are sealed."""

_KNOWN_CALLS = 10_000


class SqlJournal:
    """A `SharedJournal` on an async SQLAlchemy engine.

    Writers of all calls share commits, and every append returns after its own. On a SQLite file the commits run on a thread of the
    journal's own.

    Args:
        engine: On SQLite, made by `orchestrator_calls.engine.create_engine`, which asks for WAL and synchronous=FULL.
        sealer: Seals payloads per data subject.
        clock: Tells the times in the list of calls.
        max_batch: How many writes share one commit at most; 1 gives each its own.
        process: The name of this process among those that share the journal: letters and digits, 40 at most.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        clock: Clock | None = None,
        *,
        max_batch: int = 256,
        process: str = "",
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._clock = clock or SystemClock()
        self._max_batch = max_batch
        self._process = process
        # A statement that only reads needs no transaction of its own on a server: two round trips less.
        server = engine.dialect.name == "postgresql"
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT") if server else engine
        self._leases = SqlLeases(engine)
        self._lock: FileLock | None = None
        self._writing: GroupCommit | None = None
        self._known: OrderedDict[str, CallRow] = OrderedDict()

    async def open(self) -> None:
        """Start writing; the tables must be there.

        Raises:
            ConfigurationError: The database is SQLite in memory, or another process works on the file.
            JournalUnavailable: The database cannot be reached, or the tables are not there.
        """
        commits = self._commits()
        await self._fetch(select(EVENT.c.position).limit(1))
        if self._engine.dialect.name == "sqlite":
            self._lock = FileLock(Path(str(self._engine.url.database)))
            self._lock.acquire()
        self._writing = GroupCommit(commits, self._max_batch)
        self._writing.start()

    async def close(self) -> None:
        """Write what is queued, then stop."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing.close()
        if self._lock is not None:
            self._lock.release()

    def _commits(self) -> Commits:
        batch = Batch(self._engine.dialect.name, self._process)
        engine = create_writing_engine(self._engine)
        return LoopCommits(self._engine, batch) if engine is None else ThreadCommits(engine, batch)

    # --- writing ------------------------------------------------------------------------------------------------------------

    async def bind(self, tenant: str, call_id: str, caller: str = "", *, owner: str = "") -> CallRow:
        now = to_micros(self._clock.now())
        values: Values = {
            "call_id": call_id,
            "tenant": tenant,
            "subject": caller if caller and await self._can_seal(tenant, caller) else call_id,
            "caller": caller,
            "state": CallState.INITIALIZING.value,
            "owner": owner,
            "created_at": now,
            "updated_at": now,
        }
        row = cast("CallRow", await self._submit(Bind(values)))
        if row.tenant != tenant:
            raise CallOfAnotherTenant(f"call {call_id} belongs to another tenant")
        self._know(row)
        return row

    async def append(self, events: Sequence[Event], *, lease: Lease | None = None, sender: str = "") -> list[Appended]:
        del sender  # it is this process
        if not events:
            return []
        subjects = [(await self._row_of(event)).subject for event in events]
        try:
            rows = await self._sealed(events, subjects)
        except Erased:
            # The sender of what was kept before the erasure gets the same answer as then; nothing new is kept.
            known = await self._kept_before(events)
            if known is None:
                raise
            return known
        outcomes = cast("list[tuple[int, bool]] | None", await self._submit(Append(rows, lease)))
        if outcomes is None:
            raise _fenced(lease)
        there = await self._at([position for position, duplicate in outcomes if duplicate])
        return [
            Appended(there[position] if duplicate else replace(event, position=position), duplicate)
            for event, (position, duplicate) in zip(events, outcomes, strict=True)
        ]

    async def mark(self, call_id: str, state: CallState, caller: str = "", *, lease: Lease | None = None) -> None:
        values: Values = {"state": state.value, "updated_at": to_micros(self._clock.now())}
        changed = await self._submit(Mark(call_id, values, caller, lease))
        if changed is None:
            raise _fenced(lease)
        if not changed:
            raise not_declared(call_id)

    async def save(self, call_id: str, snapshot: Snapshot, *, lease: Lease | None = None) -> None:
        row = await self._row(call_id)
        sealed = await self._seal(snapshot.data, SealScope(row.tenant, row.subject, PURPOSE))
        values: Values = {"call_id": call_id, "position": snapshot.position, "payload": sealed}
        if await self._submit(Save(values, lease)) is None:
            raise _fenced(lease)

    async def forget(self, call_id: str) -> bool:
        self._known.pop(call_id, None)
        try:
            async with self._engine.begin() as connection:
                for table in (SNAPSHOT, EVENT):
                    await connection.execute(delete(table).where(table.c.call_id == call_id))
                gone = await connection.execute(delete(CALL).where(CALL.c.call_id == call_id))
        except (SQLAlchemyError, OSError) as error:
            raise JournalUnavailable(f"the call cannot be deleted: {cause(error)}") from error
        return gone.rowcount > 0

    async def _submit(self, work: Work) -> object:
        if self._writing is None:
            raise JournalUnavailable("the journal is not open")
        return await self._writing.submit(work)

    # --- sealing ------------------------------------------------------------------------------------------------------------

    async def _row_of(self, event: Event) -> CallRow:
        """The call's row: tenant and subject never change, so it is asked for once."""
        row = await self._row(event.call_id)
        require_own(row, event)
        return row

    async def _row(self, call_id: str) -> CallRow:
        row = self._known.get(call_id) or await self.call(call_id)
        if row is None:
            raise not_declared(call_id)
        self._know(row)
        return row

    def _know(self, row: CallRow) -> None:
        self._known[row.call_id] = row
        self._known.move_to_end(row.call_id)
        while len(self._known) > _KNOWN_CALLS:
            self._known.popitem(last=False)

    async def _can_seal(self, tenant: str, subject: str) -> bool:
        try:
            await self._seal(b"", SealScope(tenant, subject, PURPOSE))
        except Erased:
            return False
        return True

    async def _seal(self, data: bytes, scope: SealScope) -> bytes:
        with _keys():
            return await self._sealer.seal(data, scope)

    async def _open(self, sealed: bytes, scope: SealScope) -> bytes:
        with _keys():
            return await self._sealer.open(sealed, scope)

    async def _sealed(self, events: Sequence[Event], subjects: Sequence[str]) -> list[Values]:
        pairs = list(zip(events, subjects, strict=True))
        if len(pairs) == 1:
            return [await self._values(*pairs[0])]
        # Together, so that a sealer that asks its key store is asked once.
        return list(await asyncio.gather(*(self._values(event, subject) for event, subject in pairs)))

    async def _values(self, event: Event, subject: str) -> Values:
        data = json.dumps(event.payload, separators=(",", ":")).encode()
        return {
            "tenant": event.tenant,
            "event_id": event.id,
            "call_id": event.call_id,
            "type": event.type.value,
            "source": event.source,
            "sequence": event.sequence,
            "occurred_at": to_micros(event.occurred_at),
            "received_at": to_micros(event.received_at),
            "payload": await self._seal(data, SealScope(event.tenant, subject, PURPOSE)),
        }

    async def _kept_before(self, events: Sequence[Event]) -> list[Appended] | None:
        """The events as they are kept, if every one of them is."""
        kept: list[Appended] = []
        for event in events:
            wanted = select(EVENT).where(EVENT.c.tenant == event.tenant, EVENT.c.event_id == event.id)
            rows = await self._fetch(wanted)
            if not rows:
                return None
            kept.append(Appended(await self._event(rows[0]), duplicate=True))
        return kept

    # --- reading ------------------------------------------------------------------------------------------------------------

    async def read(self, call_id: str, *, after: int = 0) -> list[Event]:
        wanted = select(EVENT).where(EVENT.c.call_id == call_id, EVENT.c.position > after).order_by(EVENT.c.position)
        return await self._events(await self._fetch(wanted))

    async def snapshot(self, call_id: str) -> Snapshot | None:
        rows = await self._fetch(select(SNAPSHOT).where(SNAPSHOT.c.call_id == call_id))
        if not rows:
            return None
        row = await self._row(call_id)
        try:
            data = await self._open(rows[0].payload, SealScope(row.tenant, row.subject, PURPOSE))
        except Erased:
            return None
        return Snapshot(rows[0].position, data)

    async def call(self, call_id: str) -> CallRow | None:
        rows = await self._fetch(select(CALL).where(CALL.c.call_id == call_id))
        return call_row(rows[0]) if rows else None

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
        query = select(CALL).order_by(CALL.c.created_at.desc(), CALL.c.call_id.desc()).limit(limit)
        if tenant is not None:
            query = query.where(CALL.c.tenant == tenant)
        if caller is not None:
            query = query.where(CALL.c.caller == caller)
        if open_only:
            query = query.where(CALL.c.state.not_in([state.value for state in TERMINAL]))
        if ended_before is not None:
            over = CALL.c.state.in_([state.value for state in TERMINAL])
            query = query.where(over, CALL.c.updated_at < to_micros(ended_before))
        if before is not None:
            last = literal(to_micros(before.created_at)), literal(before.call_id)
            query = query.where(tuple_(CALL.c.created_at, CALL.c.call_id) < tuple_(*last))
        return [call_row(row) for row in await self._fetch(query)]

    # --- sharing ------------------------------------------------------------------------------------------------------------

    async def beat(self, owner: str, seconds: float) -> None:
        await self._leases.beat(owner, seconds)

    async def claim(self, call_id: str, owner: str, *, force: bool = False) -> Lease | None:
        lease = await self._leases.claim(call_id, owner, force=force)
        if lease is None and await self.call(call_id) is None:
            raise not_declared(call_id)
        return lease

    async def claim_orphans(self, owner: str, limit: int) -> list[tuple[CallRow, Lease]]:
        return await self._leases.claim_orphans(owner, limit)

    async def release(self, owner: str) -> None:
        await self._leases.release(owner)

    async def took(self, lease: Lease, position: int) -> None:
        await self._leases.took(lease, position)

    async def news(self, after: Mapping[str, int], *, own: bool = False) -> dict[str, News]:
        found = await self._leases.news(after, own=own)
        # All calls together, so that a sealer that asks its key store is asked once, and not call by call.
        events = await asyncio.gather(*(self._events(rows) for _, _, rows in found.values()))
        return {
            call_id: News(lease, taken, each)
            for (call_id, (lease, taken, _)), each in zip(found.items(), events, strict=True)
        }

    def hint(self, owner: str, call_id: str, sender: str) -> None:
        self._leases.hint(owner, call_id, sender)

    def listening(self, owner: str, heard: Callable[[str, str], None]) -> AbstractAsyncContextManager[None]:
        return self._leases.listening(owner, heard)

    # --- rows ---------------------------------------------------------------------------------------------------------------

    async def _at(self, positions: Sequence[int]) -> dict[int, Event]:
        found: dict[int, Event] = {}
        for start in range(0, len(positions), KEYS_PER_QUERY):
            wanted = select(EVENT).where(EVENT.c.position.in_(positions[start : start + KEYS_PER_QUERY]))
            found.update({row.position: await self._event(row) for row in await self._fetch(wanted)})
        return found

    async def _fetch(self, query: Select[Any]) -> Sequence[Row[Any]]:
        try:
            async with self._reading.connect() as connection:
                rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
                return rows
        except (SQLAlchemyError, OSError) as error:
            raise JournalUnavailable(f"the journal cannot be read: {cause(error)}") from error

    async def _events(self, rows: Sequence[Row[Any]]) -> list[Event]:
        return [await self._event(row) for row in rows]

    async def _event(self, row: Row[Any]) -> Event:
        known = await self._row(row.call_id)
        try:
            data = await self._open(row.payload, SealScope(row.tenant, known.subject, PURPOSE))
            payload = cast("dict[str, Json]", json.loads(data))
        except Erased:
            payload = {"erased": True}
        return Event(
            id=row.event_id,
            call_id=row.call_id,
            tenant=row.tenant,
            type=EventType(row.type),
            source=row.source,
            sequence=row.sequence,
            occurred_at=from_micros(row.occurred_at),
            received_at=from_micros(row.received_at),
            payload=payload,
            position=row.position,
        )


def _fenced(lease: Lease | None) -> Fenced:
    return Fenced(f"call {lease.call_id if lease else ''} is owned by another process")


@contextmanager
def _keys() -> Generator[None, None, None]:
    """While the key store is away the journal is: nothing can be kept or read, and it is tried again."""
    try:
        yield
    except DatabaseError as error:
        raise JournalUnavailable(f"the keys of the journal cannot be had: {error.message}") from error
