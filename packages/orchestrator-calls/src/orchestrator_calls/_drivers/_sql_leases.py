"""Who owns which call, in SQL: every statement decides for itself, by the database's clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Executable, bindparam, delete, literal_column, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from orchestrator_calls._drivers._group_commit import cause
from orchestrator_calls._drivers._sql_batch import call_row, channel, notify
from orchestrator_calls.events import ORCHESTRATOR, TERMINAL, CallState
from orchestrator_calls.journal import CallRow, Fenced, JournalUnavailable, Lease
from orchestrator_calls.tables import CALL, EVENT, PROCESS

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["SqlLeases"]

logger = logging.getLogger(__name__)

LISTEN_AGAIN: Final = 1.0
"""Seconds until a lost listening connection is made anew; polling decides meanwhile."""

_MICROS: Final = {
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
}
"""The database's clock in microseconds since 1970."""

_OPEN: Final = [state.value for state in CallState if state not in TERMINAL]

_NEWS: Final = text(
    "SELECT c.call_id AS of_call, c.owner, c.epoch, c.taken, e.* "
    "FROM unnest(CAST(:calls AS text[]), CAST(:positions AS bigint[])) AS w(call_id, position) "
    "JOIN calls_call c ON c.call_id = w.call_id "
    "LEFT JOIN LATERAL (SELECT * FROM calls_event v WHERE v.call_id = w.call_id AND v.position > w.position "
    "AND (:own OR v.source <> :ours)) e ON true ORDER BY e.position"
)
"""One descent of the index per call, and no row that is known already; owner and events as of one moment."""

_TEXTS: Final = postgresql.ARRAY(CALL.c.call_id.type)
_NUMBERS: Final = postgresql.ARRAY(EVENT.c.position.type)


class SqlLeases:
    """Ownership of calls on one database; each method is one statement in a transaction of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._server = engine.dialect.name == "postgresql"
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT") if self._server else engine
        self._now: ColumnElement[Any] = literal_column(_MICROS[engine.dialect.name])
        living = select(PROCESS.c.owner).where(PROCESS.c.lives_until > self._now)
        self._orphaned = CALL.c.owner.not_in(living)
        self._hints: list[tuple[str, str]] = []
        self._hinting: asyncio.Task[None] | None = None

    async def beat(self, owner: str, seconds: float) -> None:
        insert = (postgresql if self._server else sqlite).insert(PROCESS)
        until = self._now + round(seconds * 1_000_000)
        beat = insert.values(owner=owner, lives_until=until).on_conflict_do_update(
            index_elements=["owner"], set_={"lives_until": until}
        )
        await self._run(beat)

    async def claim(self, call_id: str, owner: str, *, force: bool) -> Lease | None:
        change = update(CALL).where(CALL.c.call_id == call_id).values(owner=owner, epoch=CALL.c.epoch + 1)
        if not force:
            change = change.where(or_(CALL.c.owner == owner, self._orphaned))
        rows = await self._run(change.returning(CALL.c.epoch))
        return Lease(call_id, owner, rows[0].epoch) if rows else None

    async def claim_orphans(self, owner: str, limit: int) -> list[tuple[CallRow, Lease]]:
        orphans = select(CALL.c.call_id).where(CALL.c.state.in_(_OPEN), CALL.c.owner != owner, self._orphaned)
        orphans = orphans.limit(limit).with_for_update(skip_locked=True)
        change = update(CALL).where(CALL.c.call_id.in_(orphans)).values(owner=owner, epoch=CALL.c.epoch + 1)
        rows = await self._run(change.returning(CALL))
        return [(call_row(row), Lease(row.call_id, owner, row.epoch)) for row in rows]

    async def release(self, owner: str) -> None:
        await self._run(update(CALL).where(CALL.c.owner == owner).values(owner="", epoch=CALL.c.epoch + 1))
        # What the dead leave behind goes with it.
        gone = PROCESS.c.lives_until < self._now - 3_600_000_000
        await self._run(delete(PROCESS).where(or_(PROCESS.c.owner == owner, gone)))

    async def took(self, lease: Lease, position: int) -> None:
        change = update(CALL).where(
            CALL.c.call_id == lease.call_id, CALL.c.owner == lease.owner, CALL.c.epoch == lease.epoch
        )
        if not await self._run(change.values(taken=position).returning(CALL.c.epoch)):
            raise Fenced(f"call {lease.call_id} is owned by another process")

    async def news(self, after: Mapping[str, int], *, own: bool) -> dict[str, tuple[Lease, int, list[Row[Any]]]]:
        """Owner, how far it has taken things in, and the rows of events behind a position in their order, by call."""
        if not self._server:
            return await self._news_in_two(after, own=own)
        query = _NEWS.bindparams(
            bindparam("calls", list(after), type_=_TEXTS),
            bindparam("positions", list(after.values()), type_=_NUMBERS),
            own=own,
            ours=ORCHESTRATOR,
        ).columns(CALL.c.call_id.label("of_call"), CALL.c.owner, CALL.c.epoch, CALL.c.taken, *EVENT.c)
        found: dict[str, tuple[Lease, int, list[Row[Any]]]] = {}
        for row in await self._run(query):
            _, _, rows = found.setdefault(row.of_call, (Lease(row.of_call, row.owner, row.epoch), row.taken, []))
            if row.position is not None:
                rows.append(row)
        return found

    async def _news_in_two(
        self, after: Mapping[str, int], *, own: bool
    ) -> dict[str, tuple[Lease, int, list[Row[Any]]]]:
        # The owners first: whoever lost a call between the two statements finds out the next time.
        owners = select(CALL.c.call_id, CALL.c.owner, CALL.c.epoch, CALL.c.taken).where(CALL.c.call_id.in_(list(after)))
        found: dict[str, tuple[Lease, int, list[Row[Any]]]] = {
            row.call_id: (Lease(row.call_id, row.owner, row.epoch), row.taken, []) for row in await self._run(owners)
        }
        wanted = [(EVENT.c.call_id == call_id) & (EVENT.c.position > low) for call_id, low in after.items()]
        query = select(EVENT).where(or_(*wanted)).order_by(EVENT.c.position)
        for row in await self._run(query if own else query.where(EVENT.c.source != ORCHESTRATOR)) if wanted else ():
            found[row.call_id][2].append(row)
        return found

    async def _run(self, statement: Executable) -> Sequence[Row[Any]]:
        try:
            async with self._engine.connect() as connection:
                result = await connection.execute(statement)
                rows: Sequence[Row[Any]] = result.all() if result.returns_rows else []
                await connection.commit()
                return rows
        except (SQLAlchemyError, OSError) as error:
            raise JournalUnavailable(f"the journal cannot be used: {cause(error)}") from error

    # --- hints --------------------------------------------------------------------------------------------------------------

    def hint(self, owner: str, call_id: str, sender: str) -> None:
        if not self._server:
            return
        self._hints.append((channel(owner), f"{call_id} {sender}"))
        if self._hinting is None or self._hinting.done():
            self._hinting = asyncio.create_task(self._hint(), name="journal hints out")

    async def _hint(self) -> None:
        """While some hints are sent, the next gather."""
        while self._hints:
            hints, self._hints = self._hints, []
            with suppress(JournalUnavailable):  # whoever is to be told polls
                await self._run(notify(hints))

    @asynccontextmanager
    async def listening(self, owner: str, heard: Callable[[str, str], None]) -> AsyncGenerator[None, None]:
        if not self._server:
            yield
            return
        task = asyncio.create_task(self._listen(owner, heard), name="journal hints")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, *([self._hinting] if self._hinting else []), return_exceptions=True)

    async def _listen(self, owner: str, heard: Callable[[str, str], None]) -> None:
        def notified(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            call_id, _, sender = str(payload).partition(" ")
            heard(call_id, sender)

        while True:
            try:
                async with self._engine.connect() as connection:
                    raw: Any = (await connection.get_raw_connection()).driver_connection
                    await raw.add_listener(channel(owner), notified)
                    try:
                        while not raw.is_closed():  # noqa: ASYNC110 - the driver tells nobody that it was closed
                            await asyncio.sleep(LISTEN_AGAIN)
                    finally:
                        if not raw.is_closed():
                            await raw.remove_listener(channel(owner), notified)
            except (SQLAlchemyError, OSError) as error:
                logger.warning("hints cannot be heard; polling goes on", exc_info=error)
            await asyncio.sleep(LISTEN_AGAIN)
