"""Rate limits in Redis or Valkey, shared by many processes (extra `[redis]`), and by each of them alone while the store cannot be asked.

One script decides about all limits of a request, on the server's clock, and answers all that the sender has to know. A decision never takes
longer than `time_limit_seconds`, whatever the store does.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import math
import os
import secrets
import socket
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

from limits.aio.storage import Storage

from orchestrator_kernel.ports import Clock
from orchestrator_resilience._clocks import direct
from orchestrator_resilience._drivers.redis_link import RedisLink, Script, StoreLost, Word
from orchestrator_resilience._local_share import Share, SharedLimit, decide_alone
from orchestrator_resilience._rate_algorithms import Decision, decided
from orchestrator_resilience._validation import count, not_negative, positive

__all__ = ["RedisRates"]

logger = logging.getLogger(__name__)

# Keys whose use is told to a store at once.
_BATCH = 500
_HEARTBEAT = 0.5
_SETTLING_BEAT = 0.05


_INCR = """
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
if count == tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return count
"""


def _source(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


@functools.cache
def _node(pid: int) -> str:
    """This process, among all that share a store. By process id, for a forked process is another one."""
    return f"{socket.gethostname()}-{pid}-{secrets.token_hex(4)}"


class RedisRates(Storage):
    """A store of rate limits. Share one object among the limiters of a process; for one event loop at a time.

    Args:
        uri: `async+shared+` and a `redis://`, `rediss://` or `unix://` URL.
        prefix: In front of all keys; processes with the same prefix share their limits.
        time_limit_seconds: How long a decision may wait for the store.
        expected_nodes: How many processes share the limits, until the store has said so.
        settle_seconds: How long a process waits, after the store is back, for the others to find that out, before it takes the
            store's word again.
        clock: Where the time of the process's own share comes from.
        observers: Told `store_lost` and `store_back`.

    Raises:
        ConfigurationError: A value is out of range, or the URL is none.
    """

    STORAGE_SCHEME = [f"async+shared+{each}" for each in ("redis", "rediss", "unix")]  # noqa: RUF012 - as limits reads it

    def __init__(
        self,
        uri: str,
        *,
        prefix: str = "orchestrator",
        time_limit_seconds: float = 0.03,
        expected_nodes: int = 1,
        settle_seconds: float = 1.0,
        clock: Clock | None = None,
        observers: Iterable[Callable[[str], None]] = (),
    ) -> None:
        super().__init__(uri)
        count("expected_nodes", expected_nodes)
        positive("time_limit_seconds", time_limit_seconds)
        not_negative("settle_seconds", settle_seconds)
        self._decide, self._nodes = Script(_source("rates.lua")), Script(_source("nodes.lua"))
        self._gcra, self._incr = Script(_source("gcra.lua")), Script(_INCR)
        self._prefix = prefix
        self._limit = time_limit_seconds
        self._settle = settle_seconds
        self._monotonic = direct(clock).monotonic
        self._observers = tuple(observers)
        self._share = Share(expected_nodes, 0)
        self._mark: bytes | None = None
        self._limits: WeakSet[SharedLimit] = WeakSet()
        self._was_lost = False
        self.shared = False
        """Whether the store decides at the moment, and not each process by itself."""
        self._link = RedisLink(
            uri.removeprefix("async+shared+"),
            [self._decide, self._gcra, self._nodes, self._incr],
            time_limit_seconds=time_limit_seconds,
            heartbeat_seconds=_HEARTBEAT,
            on_beat=self._beat,
            on_lost=self._lost,
        )

    def register(self, limit: SharedLimit) -> None:
        """Take a limiter's limit into the accounts."""
        self._limits.add(limit)

    async def ready(self, seconds: float = 1.0) -> bool:
        """Connect, before the first decision has to; whether the store decides from now on. Waits no longer than told."""
        self._link.start()
        try:
            async with asyncio.timeout(seconds):
                await self._link.tried.wait()
        except TimeoutError:
            return False
        return self.shared

    async def decide(
        self, limits: Sequence[SharedLimit], identity: tuple[str, ...], cost: int, *, count: bool = True
    ) -> list[Decision]:
        """The decision of each limit: counted by all of them, or by none; or not at all, only to look."""
        if not self._link.tried.is_set():
            await self.ready(self._limit)
        if self.shared:
            keys = [self._key(identity, limit) for limit in limits]
            arguments: list[Word] = [cost, "decide" if count else "look"]
            for limit in limits:
                arguments += limit.words
            try:
                told = await self._link.run(self._script(limits), keys, arguments)
            except StoreLost:
                pass
            else:
                return self._read(limits, identity, cost if count else 0, told)
        return decide_alone(limits, identity, self._monotonic(), cost, self._share, count=count)

    def _script(self, limits: Sequence[SharedLimit]) -> Script:
        return self._gcra if len(limits) == 1 and limits[0].strategy == "gcra" else self._decide

    def _read(self, limits: Sequence[SharedLimit], identity: tuple[str, ...], cost: int, told: bytes) -> list[Decision]:
        decisions: list[Decision] = []
        numbers = map(int, told.split())
        # Four by four, from one iterator.
        for limit, allowed, left, reset, retry in zip(limits, numbers, numbers, numbers, numbers, strict=True):
            wait = retry / 1e6 if retry >= 0 else math.inf
            decisions.append(decided(bool(allowed), limit.burst, reset / 1e6, wait, left, 0.0))
        if cost and all(each.allowed for each in decisions):
            now = self._monotonic()
            for limit in limits:
                limit.allowed_by_store(identity, now, cost, self._share)
        return decisions

    def _key(self, identity: tuple[str, ...], limit: SharedLimit) -> str:
        # All limits of one identity in one slot of a cluster; a `:` in a name cannot make two identities one.
        name = ":".join([each.replace("%", "%25").replace(":", "%3A").replace("}", "%7D") for each in identity])
        return f"{self._prefix}:{{{name}}}:{limit.strategy}:{limit.amount}/{limit.period:g}:{limit.burst}"

    async def forget(self, limits: Sequence[SharedLimit], identity: tuple[str, ...]) -> None:
        """Forget what the identity has used, here and in the store.

        Raises:
            StoreLost: The store could not be told.
        """
        for limit in limits:
            limit.clear(identity)
        if not self._link.tried.is_set():
            await self.ready(self._limit)
        await self._link.send("DEL", *[self._key(identity, limit) for limit in limits])

    async def aclose(self) -> None:
        """Close the connection."""
        await self._link.aclose()
        self.shared = False

    # -- losing the store, and coming back to it

    def _lost(self, reason: str | None) -> None:
        self.shared = False
        if reason is None:
            return
        self._was_lost = True
        logger.warning(
            "the store of rate limits is lost, this process decides by itself (1/%d of each limit): %s",
            self._share.nodes,
            reason,
        )
        self._tell("store_lost")

    async def _beat(self) -> None:
        """Say that this process is alive, learn how many are; the first time on a connection, take the store's word again."""
        nodes, rank, mark = await self._alive()
        if not self.shared:
            await self._come_back(nodes, mark)
            nodes, rank, mark = await self._alive()
        self._share, self._mark = Share(nodes, rank), mark
        if not self.shared:
            self.shared = True
            if self._was_lost:
                self._was_lost = False
                logger.warning("the store of rate limits is back: %d processes share them", nodes)
                self._tell("store_back")

    async def _alive(self) -> tuple[int, int, bytes]:
        arguments: list[Word] = [_node(os.getpid()), round(_HEARTBEAT * 4000), secrets.token_hex(8)]
        keys = [f"{self._prefix}:{{nodes}}", f"{self._prefix}:{{nodes}}:mark"]
        told = await self._link.send("EVALSHA", self._nodes.sha, len(keys), *keys, *arguments)
        nodes, rank, mark = cast("tuple[int, int, bytes]", tuple(told))
        return nodes, rank, mark

    async def _come_back(self, nodes: int, mark: bytes) -> None:
        """Tell the store what it has missed, and wait until the others have done so, too."""
        await self._pay(forgotten=self._mark is not None and mark != self._mark)
        loop = asyncio.get_running_loop()
        until = loop.time() + (self._settle if self._was_lost else 0.0)
        while nodes < self._share.nodes and loop.time() < until:
            await asyncio.sleep(_SETTLING_BEAT)
            nodes, _, _ = await self._alive()
        await self._pay(forgotten=False)

    async def _pay(self, *, forgotten: bool) -> None:
        now = self._monotonic()
        debts = ((limit, *debt) for limit in list(self._limits) for debt in limit.debts(now, forgotten=forgotten))
        for batch in iter(lambda: list(itertools.islice(debts, _BATCH)), []):
            try:
                await asyncio.gather(*[self._charge(limit, key, units) for limit, key, units in batch])
            except StoreLost:
                for limit, key, units in batch:
                    limit.unpaid(key, now, units)
                raise

    def _charge(self, limit: SharedLimit, key: Hashable, units: int) -> asyncio.Future[Any]:
        name = self._key(cast("tuple[str, ...]", key), limit)
        return self._link.send("EVALSHA", self._decide.sha, 1, name, units, "charge", *limit.words)

    def _tell(self, event: str) -> None:
        for observer in self._observers:
            try:
                observer(event)
            except Exception:
                logger.exception("an observer of the store of rate limits failed")

    # -- what limits asks of a storage

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return StoreLost

    async def _ready(self) -> RedisLink:
        if not self._link.tried.is_set():
            await self.ready(self._limit)
        return self._link

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        link = await self._ready()
        return cast("int", await link.run(self._incr, [self._counter(key)], [amount, expiry]))

    async def get(self, key: str) -> int:
        link = await self._ready()
        return int(await link.send("GET", self._counter(key)) or 0)

    async def get_expiry(self, key: str) -> float:
        link = await self._ready()
        left = cast("int", await link.send("PTTL", self._counter(key)))
        return time.time() + max(0, left) / 1000  # limits compares it with the wall clock

    async def check(self) -> bool:
        link = await self._ready()
        try:
            await link.send("PING")
        except StoreLost:
            return False
        return True

    async def reset(self) -> int | None:
        return None  # counters of others may be in the same database

    async def clear(self, key: str) -> None:
        link = await self._ready()
        await link.send("DEL", self._counter(key))

    def _counter(self, key: str) -> str:
        return f"{self._prefix}:counter:{key}"
