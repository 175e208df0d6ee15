"""The cache of async code: what is kept is written, invalidated, divided among tenants, warmed and swept here; how it is found is in `read_through`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.models import require_identifier
from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_performance._cache.config import CacheConfig
from orchestrator_performance._cache.read_through import ReadThrough
from orchestrator_performance._cache.shared import Invalidation
from orchestrator_performance._cache.stats import CacheStats
from orchestrator_performance._cache.store import Room
from orchestrator_performance._cache.values import MISSING, Loaded, Shared, WarmUp
from orchestrator_performance._cache.weight import approximate_weight

__all__ = ["Cache"]

V = TypeVar("V")

_SWEEP_EVERY, _SWEEP_PAUSE = 0.5, 0.0045
"""Seconds between sweeps, and between two slices of one: nine times a slice, so a tenth of one core at most."""


class Cache(ReadThrough[V]):
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
        self._clock = clock or SystemClock()
        self._given = shared
        self._parent = _parent
        self._room: Room = _parent._room if _parent is not None else Room(config)  # noqa: SLF001 - its own kind
        super().__init__(
            config,
            self._room,
            shared=shared,
            weigh=weigh,
            clock=self._clock,
            partition=_partition,
            times=None if _parent is None else (_parent.load_times, _parent.shared_times),
        )
        self._partitions: dict[str, Cache[V]] = {}
        self._gone = CacheStats()
        self._sweeper: asyncio.Task[None] | None = None
        self.space = config.name if self._shared is None else self._shared.space
        """Under which this cache's keys stand in the second level."""
        if self._shared is not None:
            self._shared.join(self)

    # -- writing

    async def put(self, key: Hashable, value: V, *, ttl: float | None = None, tags: tuple[str, ...] = ()) -> bool:
        """Keep a value in both levels; False if this process refused it because it is too heavy.

        Raises:
            NotSerializable: The second level's serializer cannot write it.
        """
        self._flights.detach(key)
        stamp = None if self._shared is None else await self._shared.stamp(self._shared.name(key))
        return await self._keep(key, value, ttl, tags, shared_stamp=stamp)

    async def remove(self, *keys: Hashable) -> bool:
        """Forget keys, in all processes; False if the others cannot be told before the second level is back."""
        for key in keys:
            self._flights.detach(key)
            self._store.forget(key)
        return self._shared is None or not keys or await self._shared.tell(*map(self._shared.name, keys))

    async def invalidate(self, *tags: str) -> bool:
        """Forget what carries one of the tags, in all processes and partitions, what is being loaded included; as for `remove`."""
        for each in self._all:
            each._store.invalidate(tags, self._now())  # noqa: SLF001 - its own kind
        return self._shared is None or not tags or await self._shared.tell(tags=tags)

    async def clear(self) -> bool:
        """Forget everything, in all processes, partitions included; as for `remove`."""
        for each in self._all:
            each.missed()
        return self._shared is None or await self._shared.tell()

    def invalidated(self, what: Invalidation) -> None:
        """Another process removed something; called by the second level."""
        if not what.names and not what.tags:
            self.missed()
        if what.tags:
            self._store.invalidate(what.tags, self._now())
        for name in what.names:
            entry = self._store.names.get(name)
            if entry is not None:
                self._flights.detach(entry.key)
                self._store.forget(entry.key)

    def missed(self) -> None:
        """Believe nothing that is here; called by the second level, too, when invalidations may have been missed."""
        self._flights.detach_all()
        self._store.clear()
        self._table = self._store.table

    async def shed(self, share: float = 1.0) -> int:
        """Forget this share of what is in this process, least valuable first; the bytes given back. For a memory budget."""
        before = self._room.bytes
        while self._room.shrink_to(int(before * (1 - share))):  # noqa: ASYNC110 - it waits for nobody, it lets others run
            await asyncio.sleep(0)
        return before - self._room.bytes

    # -- partitions, warming

    @property
    def _all(self) -> tuple[Cache[V], ...]:
        return (self, *self._partitions.values())

    def partition(self, name: str) -> Cache[V]:
        """The cache of one tenant: keys and tags of its own, the room shared fairly, which means that who takes the most gives way first.

        Raises:
            ConfigurationError: This is a partition itself.
        """
        if self._parent is not None:
            raise ConfigurationError("a partition has no partitions")
        require_identifier(name, "partition")
        found = self._partitions.pop(name, None)
        if found is None:
            while len(self._partitions) >= self.config.max_partitions:
                self._let_go(next(iter(self._partitions)))
            found = Cache(
                self.config, shared=self._given, weigh=self._weigh, clock=self._clock, _parent=self, _partition=name
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
            self._shared.leave(self)

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
                    self._log("a key was not warmed", error)
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
        # The tools of measurement are imported now, and not while the first caller waits.
        _ = self.load_times.histogram
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name=f"cache {self.config.name}")
        if self._shared is not None:
            await self._shared.start()

    async def close(self) -> None:
        """End what runs. The second level keeps what it has: other processes use it."""
        if self._sweeper is not None:
            await cancel(self._sweeper)
            self._sweeper = None
        for each in self._all:
            await each._flights.close()  # noqa: SLF001 - its own kind
            if each._shared is not None:  # noqa: SLF001
                each._shared.leave(each)  # noqa: SLF001

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_EVERY)
            for store in list(self._room.stores):
                while store.sweep(self._now()):  # noqa: ASYNC110 - likewise
                    await asyncio.sleep(_SWEEP_PAUSE)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
