"""How a cache of async code finds a value: the process first, then the shared store, then the loader, once for all who ask.

What a hit does is in `get_or_load`: one look into a table, one look at the clock. All else is in methods of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_performance._cache.config import CacheConfig
from orchestrator_performance._cache.entry import Entry
from orchestrator_performance._cache.flights import Flight, Flights
from orchestrator_performance._cache.freshness import Verdict
from orchestrator_performance._cache.second_level import second_level
from orchestrator_performance._cache.store import Room, Store
from orchestrator_performance._cache.values import MISSING, Loaded, Missing, Shared
from orchestrator_performance._timing import Timing

if TYPE_CHECKING:
    import asyncio

__all__ = ["Load", "ReadThrough"]

logger = logging.getLogger(__name__)

V = TypeVar("V")
Load = Callable[[], Awaitable["V | Loaded[V]"]]

_HOLD_OFF: Final = 1.0
"""Seconds after a failed renewal before the next."""


class ReadThrough(Generic[V]):
    """One store of values, and the loads that fill it. See `Cache`."""

    def __init__(
        self,
        config: CacheConfig,
        room: Room,
        *,
        shared: Shared[V] | None,
        weigh: Callable[[V], int],
        clock: Clock,
        partition: str | None,
        times: tuple[Timing, Timing] | None,
    ) -> None:
        self.config = config
        self._now = time.monotonic if isinstance(clock, SystemClock) else clock.monotonic
        self._weigh = weigh
        self._store = Store(config, room)
        self._table = self._store.table
        self._stats = self._store.stats
        self._shared = second_level(shared, config, partition, self._stats)
        self._flights: Flights[V] = Flights(config.load_seconds)
        self.load_times, self.shared_times = times or (Timing(), Timing())
        """How long loaders took, and the second level to be read; partitions included."""

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
        if found is MISSING and self._shared is not None and self._flights.of(key) is None:
            found, _ = await self._from_shared(key, self._store.moment())
        self._stats.misses += found is MISSING
        return found

    def peek(self, key: Hashable) -> V | Missing:
        """The value of `key` in this process, fresh or still to be given away; `MISSING` when there is none."""
        entry = self._table.get(key)
        if entry is None:
            return MISSING
        now = self._now()
        if now >= entry.calm and self._store.look(entry, now) in {Verdict.GONE, Verdict.IN_NEED}:
            return MISSING
        return self._use(entry)

    def _use(self, entry: Entry) -> V:
        entry.hits += 1
        self._stats.hits += 1
        self._stats.negative += entry.negative
        return cast("V", entry.value)

    async def _ask(
        self, key: Hashable, entry: Entry | None, load: Load[V], ttl: float | None, tags: tuple[str, ...]
    ) -> V:
        """The way of those who did not find a calm entry."""
        now = self._now()
        verdict = Verdict.GONE if entry is None else self._store.look(entry, now)
        if entry is None or verdict is Verdict.GONE:
            return await self._fly(key, load, ttl, tags)
        if verdict is Verdict.IN_NEED:
            return await self._fly_in_need(key, entry, load, ttl, tags)
        if verdict is not Verdict.FRESH:
            self._stats.stale += verdict is Verdict.STALE
            if now >= entry.retry and self._flights.of(key) is None:
                self._stats.early += verdict is Verdict.EARLY
                self._flights.start(key, partial(self._renew, key, entry, load, ttl, tags))
        return self._use(entry)

    # -- loading

    def _fly(self, key: Hashable, load: Load[V], ttl: float | None, tags: tuple[str, ...]) -> asyncio.Future[V]:
        """A future of the load that is under way, or of one that begins."""
        flight = self._flights.of(key)
        if flight is None:
            flight = self._flights.start(key, partial(self._load, key, load, ttl, tags))
        else:
            self._stats.joined += 1
        return flight.wait()

    async def _fly_in_need(
        self, key: Hashable, entry: Entry, load: Load[V], ttl: float | None, tags: tuple[str, ...]
    ) -> V:
        """Load, and if that fails give the old value away."""
        if self._now() >= entry.retry:
            try:
                return await self._fly(key, load, ttl, tags)
            except Exception as error:  # noqa: BLE001 - whatever it is, the old value is there for this case
                entry.retry = self._now() + _HOLD_OFF
                self._log("a value past its time is used, loading it failed", error)
        self._stats.in_need += 1
        return self._use(entry)

    async def _load(
        self, key: Hashable, load: Load[V], ttl: float | None, tags: tuple[str, ...], flight: Flight[V]
    ) -> V:
        """The value from the second level, or from the loader."""
        stamp, shared_stamp = self._store.moment(), None
        if self._shared is not None:
            value, shared_stamp = await self._from_shared(key, stamp, flight)
            if value is not MISSING:
                return cast("V", value)
        self._stats.misses += 1
        return await self._call(key, load, ttl, tags, flight, stamp, shared_stamp)

    async def _renew(
        self, key: Hashable, entry: Entry, load: Load[V], ttl: float | None, tags: tuple[str, ...], flight: Flight[V]
    ) -> V:
        """The value anew while the old one is given away; of several processes one loads, and the others find what it brought."""
        stamp, shared_stamp = self._store.moment(), None
        if self._shared is not None:
            # What another process has loaded anew is fresh for clearly longer than ours.
            newer = entry.fresh - self._now() + self.config.ttl * self.config.jitter + 0.01
            value, shared_stamp = await self._from_shared(key, stamp, flight, newer_than=newer)
            if value is not MISSING:
                return cast("V", value)
            seconds = min(self.config.load_seconds, max(_HOLD_OFF, 4 * entry.cost))
            if not await self._shared.lease(self._shared.name(key), seconds):
                entry.retry = self._now() + max(0.02, entry.cost / 4)
                return cast("V", entry.value)
        try:
            return await self._call(key, load, ttl, tags, flight, stamp, shared_stamp)
        except Exception as error:
            entry.retry = self._now() + max(_HOLD_OFF, entry.cost)
            if not flight.waiting:
                self._log("a value could not be loaded anew", error)
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
        except BaseException as error:
            self._stats.load_failures += 1
            if isinstance(error, Exception):
                self.load_times.record(self._now() - began, failed=True)
            raise
        cost = self._now() - began
        self.load_times.record(cost)
        if isinstance(loaded, Loaded):
            made = cast("Loaded[V]", loaded)
            value, ttl, tags = made.value, ttl if made.ttl is None else made.ttl, (*tags, *made.tags)
        else:
            value = loaded
        if flight.keep:
            await self._keep(key, value, ttl, tags, cost, stamp, shared_stamp, flight)
        return value

    async def _keep(
        self,
        key: Hashable,
        value: V,
        ttl: float | None,
        tags: tuple[str, ...],
        cost: float = 0.0,
        stamp: int | None = None,
        shared_stamp: int | None = None,
        flight: Flight[V] | None = None,
    ) -> bool:
        ttl = self.config.ttl if ttl is None else ttl
        ttl = min(ttl, self.config.negative_ttl) if value is None else ttl
        if ttl <= 0:
            return False
        shared = self._shared
        name = "" if shared is None else shared.name(key)
        weight = 0 if value is None else self._weigh(value)
        kept = self._store.put(
            key, value, now=self._now(), weight=weight, ttl=ttl, cost=cost, tags=tags, stamp=stamp, name=name
        )
        if shared is None or shared_stamp is None or weight > self.config.max_value_bytes:
            return kept
        data = await shared.seal(value, name)
        if data is None or (flight is not None and not flight.keep):
            return kept
        if not await shared.write(name, data, stamp=shared_stamp, ttl=ttl, cost=cost, tags=tags):
            # Invalidated by another process while it was loaded: whoever waits gets it, nobody later.
            self._store.forget(key)
        return kept

    async def _from_shared(
        self, key: Hashable, stamp: int, flight: Flight[V] | None = None, *, newer_than: float | None = None
    ) -> tuple[V | Missing, int | None]:
        """What the second level holds, kept in this process, too; and the stamp with which to write to it."""
        shared = self._shared
        if shared is None:
            return MISSING, None
        name = shared.name(key)
        began = self._now()
        found = await shared.read(name, newer_than=newer_than)
        self.shared_times.record(self._now() - began, failed=found.stamp is None)
        if found.value is not MISSING and (flight is None or flight.keep):
            value = cast("V", found.value)
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
        return found.value, found.stamp

    def _log(self, message: str, error: Exception) -> None:
        logger.warning(message, extra={"cache": self.config.name}, exc_info=error)
