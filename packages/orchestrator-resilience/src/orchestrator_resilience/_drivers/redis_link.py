"""One connection to Redis or Valkey for all decisions of a process (extra `[redis]`).

Commands are sent one behind the other and answered in that order, so any number of callers share the connection, and a caller that is cancelled
costs nobody anything. An answer that takes too long, or a connection that breaks, is the loss of the store: everybody who waits is told at
once, later callers without waiting, and a task in the background looks for the store until it is back.
"""

# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, cast

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, RedisError, ResponseError

from orchestrator_resilience._validation import positive, refuse

__all__ = ["RedisLink", "Script", "StoreLost"]

logger = logging.getLogger(__name__)

Word: TypeAlias = str | int | bytes

# How late the event loop may be before a missing answer is looked for once more: it may be there and not read yet.
_LATE = 0.003
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_CONNECT = 1.0


class StoreLost(Exception):
    """The store did not answer in time, or cannot be reached."""


class Script:
    """A Lua script, known to the server by its hash."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = ""


class RedisLink:
    """The connection, kept for as long as the event loop runs and `aclose` is not called.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        scripts: Loaded whenever a connection is made.
        time_limit_seconds: No answer is waited for longer.
        heartbeat_seconds: How often `on_beat` is called while the store is there.
        on_beat: Called on a new connection before anybody uses it, and then at each heartbeat; may raise `StoreLost`.
        on_lost: Called when the store is lost, with the reason; without one when the connection is closed, as at the end of the event loop.

    Raises:
        ConfigurationError: The URL is none.
    """

    def __init__(
        self,
        url: str,
        scripts: Sequence[Script],
        *,
        time_limit_seconds: float,
        heartbeat_seconds: float,
        on_beat: Callable[[], Awaitable[None]],
        on_lost: Callable[[str | None], None],
    ) -> None:
        positive("time_limit_seconds", time_limit_seconds)
        positive("heartbeat_seconds", heartbeat_seconds)
        try:
            self._pool = ConnectionPool.from_url(url)
        except ValueError:
            raise refuse("storage", url.partition("://")[0] + "://", "redis://, rediss:// or unix:// URLs") from None
        self._scripts = scripts
        self._limit = time_limit_seconds
        self._heartbeat = heartbeat_seconds
        self._on_beat = on_beat
        self._on_lost = on_lost
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forget()

    def _forget(self) -> None:
        self._connection: AbstractConnection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._lost = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._reason = "not connected yet"
        self._told = False
        self._pause = _FIRST_PAUSE
        self.up = False
        """Whether the store is there and ready to be asked."""
        self.tried = asyncio.Event()
        """Set as soon as it is known whether the store is there."""

    def start(self) -> None:
        """Connect in the background, unless that is under way."""
        loop = asyncio.get_running_loop()
        if self._keeper is None:
            self._loop = loop
            self._keeper = loop.create_task(self._keep(), name="orchestrator-resilience store")

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Word]) -> Any:
        """The answer of a script.

        Raises:
            StoreLost: There is none, or not in time.
        """
        if not self.up:
            raise StoreLost(self._reason)
        try:
            return await self.send("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except NoScriptError:
            # Somebody has emptied the server's memory of scripts; this puts it back.
            return await self.send("EVAL", script.source, len(keys), *keys, *arguments)
        except ResponseError as error:
            # It loads its data, has no memory left, or has become a replica: there, and of no use.
            self._lose(str(error))
            raise StoreLost(str(error)) from error

    def send(self, *words: Word) -> asyncio.Future[Any]:
        """Send a command; the answer comes, or `StoreLost`, within the time limit."""
        connection, loop = self._connection, self._loop
        writer = None if connection is None else connection._writer  # noqa: SLF001
        if connection is None or writer is None or loop is None:
            raise StoreLost(self._reason)
        answer: asyncio.Future[Any] = loop.create_future()
        due = loop.time() + self._limit
        self._waiting.append((answer, due))
        # Written at once, and never waited for: a server that reads nothing is lost before much has piled up.
        writer.writelines(connection.pack_command(*words))
        if self._timer is None:
            self._timer = loop.call_at(due, self._overdue, due)
        return answer

    def _overdue(self, due: float) -> None:
        """The oldest answer should be here."""
        self._timer = None
        if not self._waiting or self._loop is None:
            return
        now, oldest = self._loop.time(), self._waiting[0][1]
        if oldest > now:
            self._timer = self._loop.call_at(oldest, self._overdue, oldest)
        elif now - due > _LATE:
            self._timer = self._loop.call_at(now + _LATE, self._overdue, now + _LATE)
        else:
            self._lose(f"no answer within {self._limit * 1000:g} ms")

    def _lose(self, reason: str) -> None:
        """Tell everybody who waits that there will be no answer."""
        waiting, self._waiting = self._waiting, deque()
        self.up, self._reason = False, reason
        self.tried.set()
        self._disconnect()
        for answer, _ in waiting:
            if not answer.done():
                answer.set_exception(StoreLost(reason))
                answer.exception()  # a caller that was cancelled does not ask
        self._lost.set()
        if not self._told:
            self._told = True
            self._on_lost(reason)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection._close()  # type: ignore[no-untyped-call]  # noqa: SLF001 - at once; the public way waits

    async def _keep(self) -> None:
        """Look for the store, stay with it, and look for it again."""
        try:
            while True:
                try:
                    await self._connect()
                    await self._stay()
                except (StoreLost, RedisError, OSError) as error:
                    self._lose(str(error) or type(error).__name__)
                await asyncio.sleep(self._pause * random.uniform(0.5, 1))
                self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        finally:
            self._told = True
            self._lose("closed")
            self._forget()
            self._on_lost(None)

    async def _connect(self) -> None:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        self._connection = connection
        try:
            async with asyncio.timeout(max(_CONNECT, self._limit)):
                await connection.connect()  # type: ignore[no-untyped-call]
        except TimeoutError:
            raise StoreLost(f"no connection within {max(_CONNECT, self._limit):g} s") from None

    async def _stay(self) -> None:
        """Use the connection until it is lost."""
        self._lost.clear()
        reader = asyncio.create_task(self._read())
        try:
            for script in self._scripts:
                script.sha = (await self.send("SCRIPT", "LOAD", script.source)).decode()
            await self._on_beat()
            self.up, self._told, self._pause = True, False, _FIRST_PAUSE
            self.tried.set()
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._heartbeat):
                        await self._lost.wait()
                if self._lost.is_set():
                    raise StoreLost(self._reason)
                await self._on_beat()
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    async def _read(self) -> None:
        connection = self._connection
        while connection is not None:
            answer: Any
            try:
                answer = cast("Any", await connection.read_response(disable_decoding=True, disconnect_on_error=False))
            except ResponseError as error:
                answer = error
            except (RedisError, OSError) as error:
                self._lose(str(error))
                return
            if not self._waiting:
                self._lose("an answer that nobody asked for")
                return
            future, _ = self._waiting.popleft()
            if future.done():
                continue
            if isinstance(answer, ResponseError):
                future.set_exception(answer)
                future.exception()
            else:
                future.set_result(answer)

    async def aclose(self) -> None:
        """Close the connection and look for no other one. `start` opens it again."""
        keeper = self._keeper
        if keeper is not None and self._loop is asyncio.get_running_loop():
            keeper.cancel()
            await asyncio.wait([keeper])
