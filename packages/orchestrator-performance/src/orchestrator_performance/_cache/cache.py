"""The cache of async code: the process first, then the shared store, then the loader, once for all who ask.

What a hit does is in `get_or_load`: one look into a table, one look at the clock. All else is in methods of its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import require_identifier
from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_performance._cache.config import CacheConfig
from orchestrator_performance._cache.entry import Entry
from orchestrator_performance._cache.flights import Flight, Flights
from orchestrator_performance._cache.freshness import Verdict
from orchestrator_performance._cache.keys import name_of
from orchestrator_performance._cache.serializers import NotSerializable, Serializer
from orchestrator_performance._cache.shared import OUT, Envelope, Invalidation, Sealing, SharedLevel, SharedValue
from orchestrator_performance._cache.stats import CacheStats
from orchestrator_performance._cache.store import Room, Store
from orchestrator_performance._cache.weight import approximate_weight

__all__ = ["MISSING", "Cache", "Loaded", "Missing", "Shared", "WarmUp"]

logger = logging.getLogger(__name__)

V = TypeVar("V")
_HOLD_OFF: Final = 1.0
"""Seconds after a failed renewal before the next."""

Load = Callable[[], Awaitable["V | Loaded[V]"]]


class Missing:
    """The type of `MISSING`."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
"""What a lookup answers when there is nothing; None is a value."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[V]):
    """What a loader returns when it knows how long its value holds.

    Attributes:
        value: The value.
        ttl: How long it is fresh, seconds; None for the cache's own.
        tags: Under which it can be invalidated, besides those of the call.
    """

    value: V
    ttl: float | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shared(Generic[V]):
    """A second level for a cache.

    Attributes:
        level: The store, see `redis_level`.
        serializer: Turns values into bytes.
        sealing: Seals them; plain without.
        key_secret: Makes the names of keys in the store such that nobody can find a key by trying.
    """

    level: SharedLevel
    serializer: Serializer[V]
    sealing: Sealing | None = None
    key_secret: bytes = b""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How warming went: keys by what became of them."""

    loaded: int
    present: int
    failed: int


class Cache(Generic[V]):
    """Values by key, for one event loop. `async with` it, or call `start` and `close`; without, nothing sweeps in the background.

    Args:
        config: Limits and times.
        shared: The second level.
        weigh: What a value weighs, in bytes; about right without.
        clock: Time.
    """

    def __init__(
        self,
        config: CacheConfig,
        *,
        shared: Shared[V] | None = None,
        weigh: Callable[[V], int] = approximate_weight,
        clock: Clock | None = None,
        _parent: Cache[V] | None = None,
        _partition: str | None = None,
    ) -> None:
        self.config = config
        self._clock = clock or SystemClock()
        self._now = time.monotonic if isinstance(self._clock, SystemClock) else self._clock.monotonic
        self._weigh = weigh
        self._shared = shared
        self._parent = _parent
        self._partition = _partition
        self._room = _parent._room if _parent is not None else Room(config)  # noqa: SLF001 - its own kind
        self._store = Store(config, self._room)
        self._table = self._store.table
        self._stats = self._store.stats
        self._flights: Flights[V] = Flights(config.load_seconds)
        self._partitions: dict[str, Cache[V]] = {}
        self._gone = CacheStats()
        self._sweeper: asyncio.Task[None] | None = None
        self._envelope: Envelope | None = None
        if shared is not None:
            self._envelope = Envelope(shared.serializer, shared.sealing, _partition, f"cache.{config.name}")
            shared.level.join(self)

    # -- reading

    async def get_or_load(
        self, key: Hashable, load: Load[V], *, ttl: float | None = None, tags: tuple[str, ...] = ()
    ) -> V:
        """The value of `key`; `load` is called when it is nowhere, once for all who ask at that time.

        Args:
            key: What the value depends on. With a second level: strings, numbers and the like, see `key_of_call`.
            load: Brings the value, or `Loaded` with its own lifetime. None means "there is none" and is kept for `negative_ttl`.
            ttl: How long it is fresh; the cache's own when None.
            tags: Under which it can be invalidated.

        Raises:
            Exception: What the loader raises, for all who wait for it.
            LoadTooSlow: It took longer than `load_seconds`.
        """
        entry = self._table.get(key)
        if entry is not None and self._now() < entry.calm:
            entry.hits += 1
            self._stats.hits += 1
            return entry.value  # type: ignore[return-value]  # what is under a key was put there as V
        return await self._ask(key, entry, load, ttl, tags)

    async def get(self, key: Hashable) -> V | Missing:
        """The value of `key` in either level, without loading it; `MISSING` when there is none."""
        found = self.peek(key)
        if found is not MISSING:
            return found
        if self._shared is not None:
            flight = self._flights.of(key)
            if flight is None:
                value, _ = await self._from_shared(key)
                if value is not MISSING:
                    return value
        self._stats.misses += 1
        return MISSING

    def peek(self, key: Hashable) -> V | Missing:
        """The value of `key` in this process, fresh or still to be given away; `MISSING` when there is none."""
        entry = self._table.get(key)
        if entry is None:
            return MISSING
        now = self._now()
        if now >= entry.calm and self._store.look(entry, now) in {Verdict.GONE, Verdict.IN_NEED}:
            return MISSING
        return self._hit(entry)

    def _hit(self, entry: Entry) -> V:
        entry.hits += 1
        self._stats.hits += 1
        self._stats.negative += entry.negative
        return cast("V", entry.value)

    async def _ask(
        self, key: Hashable, entry: Entry | None, load: Load[V], ttl: float | None, tags: tuple[str, ...]
    ) -> V:
        """The way of those who did not find a calm entry."""
        needed: Entry | None = None
        if entry is not None:
            now = self._now()
            verdict = self._store.look(entry, now)
            if verdict is Verdict.FRESH:
                return self._hit(entry)
            if verdict in {Verdict.EARLY, Verdict.STALE}:
                if now >= entry.retry and self._flights.of(key) is None:
                    self._stats.early += verdict is Verdict.EARLY
                    self._flights.start(key, partial(self._renew, key, entry, load, ttl, tags))
                self._stats.stale += verdict is Verdict.STALE
                return self._hit(entry)
            if verdict is Verdict.IN_NEED:
                needed = entry
                if now < entry.retry:
                    return self._use_in_need(entry)
        flight = self._flights.of(key)
        if flight is None:
            flight = self._flights.start(key, partial(self._load, key, load, ttl, tags))
        else:
            self._stats.joined += 1
        try:
            return await flight.wait()
        except Exception as error:
            if needed is None:
                raise
            needed.retry = self._now() + _HOLD_OFF
            logger.warning(
                "a value past its time is used, loading it failed", extra={"cache": self.config.name}, exc_info=error
            )
            return self._use_in_need(needed)

    def _use_in_need(self, entry: Entry) -> V:
        self._stats.in_need += 1
        return self._hit(entry)

    # -- loading

    async def _load(
        self, key: Hashable, load: Load[V], ttl: float | None, tags: tuple[str, ...], flight: Flight[V]
    ) -> V:
        """The value from the second level, or from the loader."""
        stamp = self._store.moment()
        shared_stamp: int | None = None
        if self._shared is not None:
            value, shared_stamp = await self._from_shared(key, stamp=stamp, flight=flight)
            if value is not MISSING:
                return cast("V", value)
        self._stats.misses += 1
        return await self._call(key, load, ttl, tags, flight, stamp, shared_stamp)

    async def _renew(
        self,
        key: Hashable,
        entry: Entry,
        load: Load[V],
        ttl: float | None,
        tags: tuple[str, ...],
        flight: Flight[V],
    ) -> V:
        """The value anew while the old one is given away; of several processes one loads, and the others find what it brought."""
        stamp = self._store.moment()
        shared_stamp: int | None = None
        if self._shared is not None:
            value, shared_stamp = await self._from_shared(key, stamp=stamp, flight=flight, than=entry)
            if value is not MISSING:
                return cast("V", value)
            seconds = min(self.config.load_seconds, max(_HOLD_OFF, 4 * entry.cost))
            if not await self._shared.level.lease(self.space, self._name(key), seconds):
                entry.retry = self._now() + max(0.02, entry.cost / 4)
                return cast("V", entry.value)
        try:
            return await self._call(key, load, ttl, tags, flight, stamp, shared_stamp)
        except Exception as error:
            entry.retry = self._now() + max(_HOLD_OFF, entry.cost)
            if not flight.waiting:
                logger.warning("a value could not be loaded anew", extra={"cache": self.config.name}, exc_info=error)
            raise

    async def _call(
        self,
        key: Hashable,
        load: Load[V],
        ttl: float | None,
        tags: tuple[str, ...],
        flight: Flight[V],
        stamp: int,
        shared_stamp: int | None,
    ) -> V:
        """The value from the loader, kept unless it was invalidated meanwhile."""
        self._stats.loads += 1
        began = self._now()
        try:
            loaded = await load()
        except BaseException:
            self._stats.load_failures += 1
            raise
        cost = self._now() - began
        if isinstance(loaded, Loaded):
            made = cast("Loaded[V]", loaded)
            value, ttl, tags = made.value, ttl if made.ttl is None else made.ttl, (*tags, *made.tags)
        else:
            value = loaded
        if flight.keep:
            await self._keep(key, value, ttl, tags, cost=cost, stamp=stamp, shared_stamp=shared_stamp, flight=flight)
        return value

    async def _keep(
        self,
        key: Hashable,
        value: V,
        ttl: float | None,
        tags: tuple[str, ...],
        *,
        cost: float = 0.0,
        stamp: int | None = None,
        shared_stamp: int | None = None,
        flight: Flight[V] | None = None,
    ) -> bool:
        ttl = self._ttl(value, ttl)
        if ttl <= 0:
            return False
        name = self._name(key)
        weight = 0 if value is None else self._weigh(value)
        kept = self._store.put(
            key, value, now=self._now(), weight=weight, ttl=ttl, cost=cost, tags=tags, stamp=stamp, name=name
        )
        self._table = self._store.table
        if self._shared is None or self._envelope is None or shared_stamp is None:
            return kept
        if weight > self.config.max_value_bytes:
            return kept
        try:
            data = await self._envelope.close(value, name)
        except NotSerializable:
            self._stats.shared_broken += 1
            raise
        if data is None or (flight is not None and not flight.keep):
            return kept
        stored = await self._shared.level.write(
            self.space, name, data, stamp=shared_stamp, fresh=ttl, last=ttl + self.config.grace, cost=cost, tags=tags
        )
        self._count(stored)
        if stored is False:
            # Invalidated by another process while it was loaded: whoever waits gets it, nobody later.
            self._store.forget(key)
        return kept

    def _ttl(self, value: V, ttl: float | None) -> float:
        if value is None:
            return self.config.negative_ttl if ttl is None else min(ttl, self.config.negative_ttl)
        return self.config.ttl if ttl is None else ttl

    # -- the second level

    @property
    def space(self) -> str:
        """Under which this cache's keys stand in the second level."""
        return self.config.name if self._partition is None else f"{self.config.name}/{self._partition}"

    def _name(self, key: Hashable) -> str:
        return "" if self._shared is None else name_of(key, self._shared.key_secret)

    def _count(self, answer: object) -> None:
        if answer is None or answer is OUT:
            self._stats.shared_errors += 1

    async def _from_shared(
        self, key: Hashable, *, stamp: int | None = None, flight: Flight[V] | None = None, than: Entry | None = None
    ) -> tuple[V | Missing, int | None]:
        """What the second level holds, if it is newer `than` this, and the stamp with which to write to it; kept in this process, too."""
        shared, envelope = cast("Shared[V]", self._shared), cast("Envelope", self._envelope)
        stamp = self._store.moment() if stamp is None else stamp
        name = self._name(key)
        found = await shared.level.read(self.space, name)
        if not isinstance(found, SharedValue):
            self._count(OUT)
            return MISSING, None
        # A value past its time is loaded anew by whoever finds it.
        if found.data is None or found.fresh <= 0 or (than is not None and not self._newer(found, than)):
            return MISSING, found.stamp
        try:
            value = cast("V", await envelope.open(found.data, name))
        except NotSerializable:
            self._stats.shared_broken += 1
            return MISSING, found.stamp
        self._stats.shared_hits += 1
        self._stats.negative += value is None
        if flight is None or flight.keep:
            self._store.put(
                key,
                value,
                now=self._now(),
                weight=0 if value is None else self._weigh(value),
                ttl=found.fresh,
                cost=found.cost,
                tags=found.tags,
                stamp=stamp,
                name=name,
                jitter=0.0,
                grace=max(0.0, found.last - found.fresh),
            )
            self._table = self._store.table
        return value, found.stamp

    def _newer(self, found: SharedValue, than: Entry) -> bool:
        """Whether another process has loaded it anew already: it will be fresh for clearly longer than ours."""
        return self._now() + found.fresh > than.fresh + self.config.ttl * self.config.jitter + 0.01

    def invalidated(self, what: Invalidation) -> None:
        """Another process removed something; called by the second level."""
        if not what.names and not what.tags:
            self._clear_here()
        if what.tags:
            self._store.invalidate(what.tags, self._now())
        for name in what.names:
            entry = self._store.names.get(name)
            if entry is not None:
                self._flights.detach(entry.key)
                self._store.forget(entry.key)

    def missed(self) -> None:
        """Invalidations of others may have been missed; called by the second level."""
        self._clear_here()

    # -- writing

    async def put(self, key: Hashable, value: V, *, ttl: float | None = None, tags: tuple[str, ...] = ()) -> bool:
        """Keep a value in both levels; False if this process refused it because it is too heavy.

        Raises:
            NotSerializable: The second level's serializer cannot write it.
        """
        self._flights.detach(key)
        stamp: int | None = None
        if self._shared is not None:
            found = await self._shared.level.read(self.space, self._name(key))
            stamp = found.stamp if isinstance(found, SharedValue) else None
            self._count(found)
        return await self._keep(key, value, ttl, tags, shared_stamp=stamp)

    async def remove(self, *keys: Hashable) -> bool:
        """Forget keys, in all processes; False if the others cannot be told before the second level is back."""
        for key in keys:
            self._flights.detach(key)
            self._store.forget(key)
        if self._shared is None:
            return True
        return await self._tell(Invalidation(self.space, names=tuple(map(self._name, keys))))

    async def invalidate(self, *tags: str) -> bool:
        """Forget what carries one of the tags, in all processes, what is being loaded included; as for `remove`."""
        for each in (self, *self._partitions.values()):
            each._store.invalidate(tags, self._now())  # noqa: SLF001 - its own kind
        if self._shared is None:
            return True
        return await self._tell(Invalidation(self.space, tags=tags))

    async def clear(self) -> bool:
        """Forget everything, in all processes, partitions included; as for `remove`."""
        for each in (self, *self._partitions.values()):
            each._clear_here()  # noqa: SLF001 - its own kind
        if self._shared is None:
            return True
        return await self._tell(Invalidation(self.space))

    async def _tell(self, what: Invalidation) -> bool:
        told = await cast("Shared[V]", self._shared).level.invalidate(what)
        if not told:
            self._stats.shared_errors += 1
        return told

    def _clear_here(self) -> None:
        self._flights.detach_all()
        self._store.clear()
        self._table = self._store.table

    async def shed(self, share: float = 1.0) -> int:
        """Forget this share of what is in this process, least valuable first; the bytes given back. For a memory budget."""
        before = self._room.bytes
        while self._room.shrink_to(int(before * (1 - share))):
            await asyncio.sleep(0)
        return before - self._room.bytes

    # -- partitions, warming

    def partition(self, name: str) -> Cache[V]:
        """The cache of one tenant: keys and tags of its own, the room shared fairly, which means that who takes the most gives way first."""
        if self._parent is not None:
            raise ConfigurationError("a partition has no partitions")
        require_identifier(name, "partition")
        found = self._partitions.pop(name, None)
        if found is None:
            while len(self._partitions) >= self.config.max_partitions:
                self._let_go(next(iter(self._partitions)))
            found = Cache(
                self.config, shared=self._shared, weigh=self._weigh, clock=self._clock, _parent=self, _partition=name
            )
        # The last one asked for stands last.
        self._partitions[name] = found
        return found

    def _let_go(self, name: str) -> None:
        old = self._partitions.pop(name)
        self._gone += old.stats()
        self._gone.items = self._gone.bytes = 0
        old._leave()  # noqa: SLF001 - its own kind

    def _leave(self) -> None:
        self._flights.detach_all()
        self._store.close()
        self._table = self._store.table
        if self._shared is not None:
            self._shared.level.leave(self)

    async def warm(
        self,
        keys: Iterable[Hashable],
        load: Callable[[Any], Awaitable[V | Loaded[V]]],
        *,
        concurrency: int = 8,
        ttl: float | None = None,
    ) -> WarmUp:
        """Load what is not there yet, so many at a time. A key that fails is counted and left to the first caller."""
        loaded = present = failed = 0
        todo = iter(keys)

        async def work() -> None:
            nonlocal loaded, present, failed
            for key in todo:
                if self.peek(key) is not MISSING:
                    present += 1
                    continue
                try:
                    await self.get_or_load(key, partial(load, key), ttl=ttl)
                except Exception as error:  # noqa: BLE001 - one key does not keep the others cold
                    failed += 1
                    logger.warning("a key was not warmed", extra={"cache": self.config.name}, exc_info=error)
                else:
                    loaded += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
        return WarmUp(loaded, present, failed)

    # -- life

    def stats(self) -> CacheStats:
        """What was counted, partitions included."""
        own = self._stats + CacheStats(items=self._store.items, bytes=self._store.bytes)
        for each in self._partitions.values():
            own += each.stats()
        return own + self._gone

    async def start(self) -> None:
        """Sweep in the background from now on, and connect to the second level."""
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name=f"cache {self.config.name}")
        if self._shared is not None:
            await self._shared.level.start()

    async def close(self) -> None:
        """End what runs. The second level keeps what it has: other processes use it."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper
            self._sweeper = None
        for each in (self, *self._partitions.values()):
            await each._flights.close()  # noqa: SLF001 - its own kind
            if self._shared is not None:
                self._shared.level.leave(each)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            for store in list(self._room.stores):
                while store.sweep(self._now()):
                    # A pause between two slices as long as nine: a tenth of one core at most.
                    await asyncio.sleep(0.0045)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
