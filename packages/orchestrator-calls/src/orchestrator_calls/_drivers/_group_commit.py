"""Group commit: writers share transactions, and each goes on after its own has been made durable.

While one batch is being committed, the next one gathers. Nothing is acknowledged early; with many writers the cost of a commit is
shared by all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orchestrator_calls._drivers._sql_batch import Batch, Bind, Work
from orchestrator_calls.journal import JournalUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["Commits", "GroupCommit", "LoopCommits", "ThreadCommits", "cause"]


class Commits(Protocol):
    """Makes batches durable, one after the other, on one connection."""

    async def commit(self, works: Sequence[Work]) -> list[object]:
        """All of them in one transaction; the result of each. On an error nothing was kept, or nobody can tell."""
        ...

    async def close(self) -> None:
        """Let the connection go."""
        ...


class LoopCommits:
    """Commits through an async driver."""

    def __init__(self, engine: AsyncEngine, batch: Batch) -> None:
        self._engine = engine
        self._batch = batch
        self._connection: AsyncConnection | None = None

    async def commit(self, works: Sequence[Work]) -> list[object]:
        connection = self._connection or await self._engine.connect()
        self._connection = None
        try:
            results = await self._run(connection, works)
        except BaseException:
            with suppress(SQLAlchemyError, OSError):  # it is of no use any more; the next commit makes another
                await connection.invalidate()
                await connection.close()
            raise
        self._connection = connection
        return results

    async def _run(self, connection: AsyncConnection, works: Sequence[Work]) -> list[object]:
        """Declarations have a transaction of their own: they wait for those of other processes, which must not wait for our locks."""
        binds = [work for work in works if isinstance(work, Bind)]
        bound = iter(await self._transaction(connection, binds) if binds else ())
        others = [work for work in works if not isinstance(work, Bind)]
        written = iter(await self._transaction(connection, others) if others else ())
        return [next(bound if isinstance(work, Bind) else written) for work in works]

    async def _transaction(self, connection: AsyncConnection, works: Sequence[Work]) -> list[object]:
        appends = self._batch.only_appends(works)
        # Where the isolation level is kept by the driver, as asyncpg does, changing it costs nothing.
        await connection.execution_options(isolation_level="AUTOCOMMIT" if appends else "READ COMMITTED")
        if appends:
            results = await connection.run_sync(self._batch.run_at_once, appends)
        else:
            results = await connection.run_sync(self._batch.run, works)
        await connection.commit()
        return results

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


class ThreadCommits:
    """Commits on a thread of its own: a whole batch costs one change of threads, where an async driver makes one per statement."""

    def __init__(self, engine: Engine, batch: Batch) -> None:
        self._engine = engine
        self._batch = batch
        self._thread = ThreadPoolExecutor(1, "journal")
        self._connection: Connection | None = None

    async def commit(self, works: Sequence[Work]) -> list[object]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, works)

    def _commit(self, works: Sequence[Work]) -> list[object]:
        connection = self._connection or self._engine.connect()
        self._connection = None
        try:
            results = self._batch.run(connection, works)
            connection.commit()
        except BaseException:
            with suppress(SQLAlchemyError):  # as above
                connection.invalidate()
                connection.close()
            raise
        self._connection = connection
        return results

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()


@dataclass(slots=True)
class _Queued:
    work: Work
    done: asyncio.Future[object] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class GroupCommit:
    """Gathers writes into batches of at most `max_batch` and commits them.

    `start` and `close` belong to it; between them any number of tasks may `submit`.
    """

    def __init__(self, commits: Commits, max_batch: int) -> None:
        self._commits = commits
        self._max_batch = max_batch
        self._queue: asyncio.Queue[_Queued | None] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._writer = asyncio.create_task(self._write(), name="journal writer")

    async def close(self) -> None:
        """Write what is queued, then stop."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._queue.put_nowait(None)
            # Whoever loses patience with closing must not cut off a write.
            await asyncio.shield(writer)

    async def submit(self, work: Work) -> object:
        """The result of `work`, once it is durable. A caller that goes away does not take it back.

        Raises:
            JournalUnavailable: It was not kept, or nobody can tell; submitting the same again does no harm.
        """
        if self._writer is None:
            raise JournalUnavailable("the journal is not open")
        queued = _Queued(work)
        queued.done.add_done_callback(_seen)
        self._queue.put_nowait(queued)
        return await asyncio.shield(queued.done)

    async def _write(self) -> None:
        while batch := await self._gather():
            try:
                await self._commit(batch)
            except Exception as error:  # noqa: BLE001 - the writer outlives every write; its caller gets the error
                await self._each_alone(batch, error)
        await self._commits.close()

    async def _gather(self) -> list[_Queued]:
        """What is queued now, one at least; nothing at the end."""
        batch: list[_Queued] = []
        queued = await self._queue.get()
        while queued is not None:
            batch.append(queued)
            if len(batch) >= self._max_batch or self._queue.empty():
                return batch
            queued = self._queue.get_nowait()
        if batch:
            self._queue.put_nowait(None)
        return batch

    async def _commit(self, batch: list[_Queued]) -> None:
        results = await self._commits.commit([queued.work for queued in batch])
        for queued, result in zip(batch, results, strict=True):
            if not queued.done.done():
                queued.done.set_result(result)

    async def _each_alone(self, batch: list[_Queued], error: Exception) -> None:
        """One write that the database refuses must not spoil the others of its batch."""
        refused = isinstance(error, DBAPIError) and not error.connection_invalidated
        for queued in batch:
            if len(batch) == 1 or not refused:
                _fail(queued, error)
                continue
            try:
                await self._commit([queued])
            except Exception as own:  # noqa: BLE001 - as above
                _fail(queued, own)


def _fail(queued: _Queued, error: Exception) -> None:
    if not queued.done.done():
        failure = JournalUnavailable(f"the journal did not take the write: {cause(error)}")
        failure.__cause__ = error
        queued.done.set_exception(failure)


def cause(error: Exception) -> str:
    """What the driver said, without the statement and its values."""
    return str(error.orig) if isinstance(error, DBAPIError) else str(error)


def _seen(done: asyncio.Future[object]) -> None:
    """Whoever waited has got the error; nobody has to, if they went away."""
    if not done.cancelled():
        done.exception()
