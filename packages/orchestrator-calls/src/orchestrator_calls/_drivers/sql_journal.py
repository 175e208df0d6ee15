"""The journal in SQL: SQLite (one process) or PostgreSQL.

Writers of all calls share commits: while one batch is being made durable, the next one gathers. Every append returns after its own
commit, so nothing is acknowledged early; with many calls the cost of a commit is shared by all of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Insert, Select, literal, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orchestrator_calls.events import TERMINAL, CallState, Event, EventType
from orchestrator_calls.journal import Appended, CallOfAnotherTenant, CallRow, JournalUnavailable
from orchestrator_calls.tables import CALL, EVENT, from_micros, to_micros
from orchestrator_kernel.ports import Clock, Erased, Json, Sealer, SealScope, SystemClock

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["PURPOSE", "SqlJournal"]

PURPOSE = "calls.journal"
"""The purpose under which payloads are sealed."""

Values = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Bind:
    values: Values


@dataclass(frozen=True, slots=True)
class _Append:
    rows: list[Values]


@dataclass(frozen=True, slots=True)
class _Mark:
    call_id: str
    values: Values


_Work = _Bind | _Append | _Mark


@dataclass(slots=True)
class _Queued:
    work: _Work
    done: asyncio.Future[object] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class SqlJournal:
    """A `Journal` on an async SQLAlchemy engine.

    Args:
        engine: On SQLite, made by `orchestrator_calls.engine.create_engine`, which asks for WAL and synchronous=FULL.
        sealer: Seals payloads per data subject.
        clock: Tells the times in the list of calls.
        max_batch: How many writes share one commit at most; 1 gives each its own.
    """

    def __init__(
        self, engine: AsyncEngine, sealer: Sealer, clock: Clock | None = None, *, max_batch: int = 256
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._clock = clock or SystemClock()
        self._max_batch = max_batch
        self._queue: asyncio.Queue[_Queued | None] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None
        self._subjects: dict[str, str] = {}
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._batch = _Batch(
            dialect.insert(CALL).on_conflict_do_nothing(), dialect.insert(EVENT).on_conflict_do_nothing()
        )

    async def open(self) -> None:
        """Start writing; the tables must be there.

        Raises:
            JournalUnavailable: The database cannot be reached.
        """
        try:
            async with self._engine.connect() as connection:
                await connection.execute(select(EVENT.c.position).limit(1))
        except (SQLAlchemyError, OSError) as error:
            raise JournalUnavailable(f"the journal cannot be opened: {_cause(error)}") from error
        self._writer = asyncio.create_task(self._write(), name="journal writer")

    async def close(self) -> None:
        """Write what is queued, then stop."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._queue.put_nowait(None)
            await writer

    # --- writing ------------------------------------------------------------------------------------------------------------

    async def bind(self, tenant: str, call_id: str, caller: str = "") -> CallRow:
        now = to_micros(self._clock.now())
        values: Values = {
            "call_id": call_id,
            "tenant": tenant,
            "subject": caller or call_id,
            "caller": caller,
            "state": CallState.INITIALIZING.value,
            "created_at": now,
            "updated_at": now,
        }
        row = cast("CallRow", await self._submit(_Bind(values)))
        if row.tenant != tenant:
            raise CallOfAnotherTenant(f"call {call_id} belongs to another tenant")
        self._subjects[call_id] = row.subject
        return row

    async def append(self, events: Sequence[Event]) -> list[Appended]:
        rows = [await self._row(event) for event in events]
        outcomes = cast("list[tuple[int, bool]]", await self._submit(_Append(rows)))
        appended: list[Appended] = []
        for event, (position, duplicate) in zip(events, outcomes, strict=True):
            kept = await self._at(position) if duplicate else replace(event, position=position)
            appended.append(Appended(kept, duplicate))
        return appended

    async def mark(self, call_id: str, state: CallState, caller: str = "") -> None:
        values: Values = {"state": state.value, "updated_at": to_micros(self._clock.now())}
        await self._submit(_Mark(call_id, {**values, "caller": caller} if caller else values))
        if state in TERMINAL:
            self._subjects.pop(call_id, None)

    async def _row(self, event: Event) -> Values:
        subject = self._subjects.get(event.call_id)
        if subject is None:
            row = await self.call(event.call_id)
            if row is None:
                raise JournalUnavailable(f"call {event.call_id} is not declared", retryable=False)
            subject = self._subjects[event.call_id] = row.subject
        data = json.dumps(event.payload, ensure_ascii=False, separators=(",", ":")).encode()
        return {
            "tenant": event.tenant,
            "event_id": event.id,
            "call_id": event.call_id,
            "type": event.type.value,
            "source": event.source,
            "sequence": event.sequence,
            "occurred_at": to_micros(event.occurred_at),
            "received_at": to_micros(event.received_at),
            "payload": await self._sealer.seal(data, SealScope(event.tenant, subject, PURPOSE)),
        }

    async def _submit(self, work: _Work) -> object:
        if self._writer is None:
            raise JournalUnavailable("the journal is not open")
        queued = _Queued(work)
        self._queue.put_nowait(queued)
        # A caller that goes away does not take back what is queued: it may be in the transaction already.
        return await asyncio.shield(queued.done)

    async def _write(self) -> None:
        connection: AsyncConnection | None = None
        while True:
            batch = await self._gather()
            if not batch:
                break
            try:
                if connection is None:
                    connection = await self._engine.connect()
                await self._commit(connection, batch)
            except Exception as error:  # noqa: BLE001 - the writer outlives every write; its caller gets the error
                if connection is not None:
                    await _discard(connection)
                    connection = None
                await self._each_alone(batch, error)
        if connection is not None:
            await connection.close()

    async def _gather(self) -> list[_Queued]:
        first = await self._queue.get()
        batch: list[_Queued] = []
        while first is not None:
            batch.append(first)
            if len(batch) >= self._max_batch or self._queue.empty():
                break
            first = self._queue.get_nowait()
        if first is None and batch:
            self._queue.put_nowait(None)
        return batch

    async def _commit(self, connection: AsyncConnection, batch: list[_Queued]) -> None:
        results = await connection.run_sync(self._batch.run, [queued.work for queued in batch])
        await connection.commit()
        for queued, result in zip(batch, results, strict=True):
            if not queued.done.done():
                queued.done.set_result(result)

    async def _each_alone(self, batch: list[_Queued], error: Exception) -> None:
        """One write that the database refuses must not spoil the others of its batch."""
        if len(batch) == 1 or not isinstance(error, DBAPIError) or error.connection_invalidated:
            for queued in batch:
                _fail(queued, error)
            return
        for queued in batch:
            try:
                async with self._engine.connect() as connection:
                    await self._commit(connection, [queued])
            except Exception as own:  # noqa: BLE001 - as above
                _fail(queued, own)

    # --- reading ------------------------------------------------------------------------------------------------------------

    async def read(self, call_id: str) -> list[Event]:
        row = await self.call(call_id)
        if row is None:
            return []
        rows = await self._fetch(select(EVENT).where(EVENT.c.call_id == call_id).order_by(EVENT.c.position))
        return [await self._event(each, row.subject) for each in rows]

    async def call(self, call_id: str) -> CallRow | None:
        rows = await self._fetch(select(CALL).where(CALL.c.call_id == call_id))
        return _call_row(rows[0]) if rows else None

    async def calls(
        self,
        *,
        tenant: str | None = None,
        caller: str | None = None,
        open_only: bool = False,
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
        if before is not None:
            last = literal(to_micros(before.created_at)), literal(before.call_id)
            query = query.where(tuple_(CALL.c.created_at, CALL.c.call_id) < tuple_(*last))
        return [_call_row(row) for row in await self._fetch(query)]

    async def _at(self, position: int) -> Event:
        rows = await self._fetch(select(EVENT).where(EVENT.c.position == position))
        row = await self.call(rows[0].call_id)
        return await self._event(rows[0], row.subject if row else "")

    async def _fetch(self, query: Select[Any]) -> Sequence[Row[Any]]:
        try:
            async with self._engine.connect() as connection:
                rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
                return rows
        except (SQLAlchemyError, OSError) as error:
            raise JournalUnavailable(f"the journal cannot be read: {_cause(error)}") from error

    async def _event(self, row: Row[Any], subject: str) -> Event:
        try:
            data = await self._sealer.open(row.payload, SealScope(row.tenant, subject, PURPOSE))
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


@dataclass(frozen=True, slots=True)
class _Batch:
    """Runs the writes of one transaction: one statement for all rows of a kind."""

    insert_call: Insert
    insert_event: Insert

    def run(self, connection: Connection, works: Sequence[_Work]) -> list[object]:
        binds = [work.values for work in works if isinstance(work, _Bind)]
        rows = [row for work in works if isinstance(work, _Append) for row in work.rows]
        calls = self._bind(connection, binds) if binds else {}
        positions = self._append(connection, rows) if rows else iter(())
        return [self._result(connection, work, calls, positions) for work in works]

    @staticmethod
    def _result(
        connection: Connection, work: _Work, calls: Mapping[object, CallRow], positions: Iterator[tuple[int, bool]]
    ) -> object:
        if isinstance(work, _Bind):
            return calls[work.values["call_id"]]
        if isinstance(work, _Append):
            return list(islice(positions, len(work.rows)))
        return connection.execute(update(CALL).where(CALL.c.call_id == work.call_id).values(work.values)).rowcount

    def _bind(self, connection: Connection, binds: list[Values]) -> dict[object, CallRow]:
        connection.execute(self.insert_call, binds)
        wanted = select(CALL).where(CALL.c.call_id.in_([values["call_id"] for values in binds]))
        return {row.call_id: _call_row(row) for row in connection.execute(wanted)}

    def _append(self, connection: Connection, rows: list[Values]) -> Iterator[tuple[int, bool]]:
        """Position and duplicate of each row, in their order."""
        inserted = connection.execute(
            self.insert_event.returning(EVENT.c.tenant, EVENT.c.event_id, EVENT.c.position), rows
        )
        new = {(row.tenant, row.event_id): row.position for row in inserted}
        keys = [(row["tenant"], row["event_id"]) for row in rows]
        known = {**self._positions(connection, [key for key in keys if key not in new]), **new}
        for key in keys:
            yield known[key], new.pop(key, None) is None

    @staticmethod
    def _positions(connection: Connection, keys: list[tuple[object, object]]) -> dict[tuple[object, object], int]:
        if not keys:
            return {}
        wanted = tuple_(EVENT.c.tenant, EVENT.c.event_id).in_(keys)
        found = connection.execute(select(EVENT.c.tenant, EVENT.c.event_id, EVENT.c.position).where(wanted))
        return {(row.tenant, row.event_id): row.position for row in found}


def _call_row(row: Row[Any]) -> CallRow:
    return CallRow(
        call_id=row.call_id,
        tenant=row.tenant,
        subject=row.subject,
        caller=row.caller,
        state=CallState(row.state),
        created_at=from_micros(row.created_at),
        updated_at=from_micros(row.updated_at),
    )


def _fail(queued: _Queued, error: Exception) -> None:
    if not queued.done.done():
        failure = JournalUnavailable(f"the journal did not take the write: {_cause(error)}")
        failure.__cause__ = error
        queued.done.set_exception(failure)


def _cause(error: Exception) -> str:
    """What the driver said, without the statement and its values."""
    return str(error.orig) if isinstance(error, DBAPIError) else str(error)


async def _discard(connection: AsyncConnection) -> None:
    try:
        await connection.invalidate()
        await connection.close()
    except (SQLAlchemyError, OSError):
        return  # it was broken; the pool makes a new one
