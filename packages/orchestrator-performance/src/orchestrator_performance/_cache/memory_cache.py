"""The cache of code without an event loop: one process, any number of threads, the same limits and times."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, cast

from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_performance._cache.config import CacheConfig
from orchestrator_performance._cache.entry import Entry
from orchestrator_performance._cache.freshness import Verdict
from orchestrator_performance._cache.stats import CacheStats
from orchestrator_performance._cache.store import Room, Store
from orchestrator_performance._cache.values import MISSING, Loaded, Missing
from orchestrator_performance._cache.weight import approximate_weight

__all__ = ["MemoryCache"]

V = TypeVar("V")


class _Flight(Generic[V]):
    """One load under way, in the thread of whoever asked first."""

    __slots__ = ("done", "error", "keep", "value")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.error: Exception | None = None
        self.value: V | Missing = MISSING
        self.keep = True


class MemoryCache(Generic[V]):
    """Values by key, for threads. Expired ones leave with later writes, or by `sweep`.

    Args:
        config: Limits and times. `load_seconds` bounds nothing here: a thread cannot be told to stop.
        weigh: What a value weighs, in bytes; about right without.
        clock: Time.
    """

    def __init__(
        self,
        config: CacheConfig,
        *,
        weigh: Callable[[V], int] = approximate_weight,
        clock: Clock | None = None,
    ) -> None:
        self.config = config
        clock = clock or SystemClock()
        self._now = time.monotonic if isinstance(clock, SystemClock) else clock.monotonic
        self._weigh = weigh
        self._store = Store(config, Room(config))
        self._table = self._store.table
        self._stats = self._store.stats
        self._flights: dict[Hashable, _Flight[V]] = {}

    def get(self, key: Hashable) -> V | Missing:
        """The value of `key`, fresh or still to be given away; `MISSING` when there is none."""
        entry = self._table.get(key)
        if entry is not None and self._now() < entry.calm:
            entry.hits += 1
            self._stats.hits += 1
            return cast("V", entry.value)
        return self._look(entry)

    def _look(self, entry: Entry | None) -> V | Missing:
        if entry is None or self._store.look(entry, self._now()) in {Verdict.GONE, Verdict.IN_NEED}:
            self._stats.misses += 1
            return MISSING
        return self._hit(entry)

    def _hit(self, entry: Entry) -> V:
        entry.hits += 1
        self._stats.hits += 1
        self._stats.negative += entry.negative
        return cast("V", entry.value)

    def get_or_load(
        self, key: Hashable, load: Callable[[], V | Loaded[V]], *, ttl: float | None = None, tags: tuple[str, ...] = ()
    ) -> V:
        """The value of `key`; `load` is called when it is not there, in one thread for all that ask at that time.

        A value that is past its time and within `stale_while_revalidate` is given to everybody but the thread that loads it anew.

        Raises:
            Exception: What the loader raises, for all who wait for it.
        """
        entry = self._table.get(key)
        if entry is not None and self._now() < entry.calm:
            entry.hits += 1
            self._stats.hits += 1
            return cast("V", entry.value)
        return self._ask(key, entry, load, ttl, tags)

    def _ask(
        self,
        key: Hashable,
        entry: Entry | None,
        load: Callable[[], V | Loaded[V]],
        ttl: float | None,
        tags: tuple[str, ...],
    ) -> V:
        now = self._now()
        verdict = Verdict.GONE if entry is None else self._store.look(entry, now)
        if entry is not None and verdict is not Verdict.GONE:
            usable = verdict is Verdict.FRESH or now < entry.retry
            if usable or (verdict is not Verdict.IN_NEED and key in self._flights):
                self._stats.in_need += verdict is Verdict.IN_NEED
                self._stats.stale += verdict is Verdict.STALE
                return self._hit(entry)
            self._stats.early += verdict is Verdict.EARLY
            try:
                return self._load(key, load, ttl, tags)
            except Exception:  # noqa: BLE001 - whatever it is, the old value is there for this case
                entry.retry = self._now() + 1.0
                self._stats.in_need += 1
                return self._hit(entry)
        return self._load(key, load, ttl, tags)

    def _load(self, key: Hashable, load: Callable[[], V | Loaded[V]], ttl: float | None, tags: tuple[str, ...]) -> V:
        while True:
            mine: _Flight[V] = _Flight()
            flight = self._flights.setdefault(key, mine)
            if flight is mine:
                return self._fly(key, mine, load, ttl, tags)
            self._stats.joined += 1
            flight.done.wait()
            if flight.error is not None:
                raise flight.error.with_traceback(flight.error.__traceback__)
            if flight.value is not MISSING:
                return cast("V", flight.value)
            # The thread that loaded was ended from outside, so one of those who wait loads.

    def _fly(
        self,
        key: Hashable,
        flight: _Flight[V],
        load: Callable[[], V | Loaded[V]],
        ttl: float | None,
        tags: tuple[str, ...],
    ) -> V:
        stamp = self._store.moment()
        self._stats.misses += 1
        self._stats.loads += 1
        began = self._now()
        try:
            loaded = load()
            if isinstance(loaded, Loaded):
                made = cast("Loaded[V]", loaded)
                value, ttl, tags = made.value, ttl if made.ttl is None else made.ttl, (*tags, *made.tags)
            else:
                value = loaded
            if flight.keep:
                self._put(key, value, ttl, tags, cost=self._now() - began, stamp=stamp)
            flight.value = value
        except BaseException as error:
            self._stats.load_failures += 1
            if isinstance(error, Exception):
                flight.error = error
            raise
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.done.set()
        return value

    def _put(
        self,
        key: Hashable,
        value: V,
        ttl: float | None,
        tags: tuple[str, ...],
        *,
        cost: float = 0.0,
        stamp: int | None = None,
    ) -> bool:
        ttl = self.config.ttl if ttl is None else ttl
        if value is None:
            ttl = min(ttl, self.config.negative_ttl)
        if ttl <= 0:
            return False
        weight = 0 if value is None else self._weigh(value)
        return self._store.put(key, value, now=self._now(), weight=weight, ttl=ttl, cost=cost, tags=tags, stamp=stamp)

    def put(self, key: Hashable, value: V, *, ttl: float | None = None, tags: tuple[str, ...] = ()) -> bool:
        """Keep a value; False if it is too heavy."""
        self._detach(key)
        return self._put(key, value, ttl, tags)

    def _detach(self, key: Hashable) -> None:
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.keep = False

    def remove(self, *keys: Hashable) -> None:
        """Forget keys."""
        for key in keys:
            self._detach(key)
            self._store.forget(key)

    def invalidate(self, *tags: str) -> None:
        """Forget what carries one of the tags, what is being loaded included."""
        self._store.invalidate(tags, self._now())

    def clear(self) -> None:
        """Forget everything."""
        for key in list(self._flights):
            self._detach(key)
        self._store.clear()
        self._table = self._store.table

    def sweep(self, seconds: float = 0.0005) -> bool:
        """Remove what has expired, for about so long; True when there is more."""
        return self._store.sweep(self._now(), seconds)

    def stats(self) -> CacheStats:
        """What was counted."""
        return self._stats + CacheStats(items=self._store.items, bytes=self._store.bytes)
