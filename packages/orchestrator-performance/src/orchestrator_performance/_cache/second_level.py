"""What one cache does with the shared store: names, envelopes, counts."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from orchestrator_performance._cache.config import CacheConfig
from orchestrator_performance._cache.keys import name_of
from orchestrator_performance._cache.serializers import NotSerializable
from orchestrator_performance._cache.shared import Envelope, Invalidation, Listener, SharedValue
from orchestrator_performance._cache.stats import CacheStats
from orchestrator_performance._cache.values import MISSING, Missing, Shared

__all__ = ["Found", "SecondLevel", "second_level"]

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Found(Generic[V]):
    """What a look into the shared store brought. Times in seconds from now.

    Attributes:
        value: `MISSING` when there is none that is fresh.
        stamp: With which a value that is loaded now is written; None when the store is out.
        fresh: How much longer it is fresh.
        last: How much longer it is of use.
        cost: How long loading it took.
        tags: What it was written with.
    """

    value: V | Missing
    stamp: int | None
    fresh: float = 0.0
    last: float = 0.0
    cost: float = 0.0
    tags: tuple[str, ...] = ()


class SecondLevel(Generic[V]):
    """The shared store, as one cache or partition uses it. Nothing here raises for a store that is out."""

    def __init__(self, shared: Shared[V], config: CacheConfig, partition: str | None, stats: CacheStats) -> None:
        self._level = shared.level
        self._secret = shared.key_secret
        self._config = config
        self._stats = stats
        self._envelope = Envelope(shared.serializer, shared.sealing, partition, f"cache.{config.name}")
        self.space = config.name if partition is None else f"{config.name}/{partition}"

    def name(self, key: Hashable) -> str:
        """The key's name in the store.

        Raises:
            UnkeyableArgument: The key cannot have one.
        """
        return name_of(key, self._secret)

    def join(self, listener: Listener) -> None:
        """Hear what other processes invalidate."""
        self._level.join(listener)

    def leave(self, listener: Listener) -> None:
        """Hear it no more."""
        self._level.leave(listener)

    async def start(self) -> None:
        """Connect."""
        await self._level.start()

    async def stamp(self, name: str) -> int | None:
        """The store's time; None when it is out."""
        found = await self._level.read(self.space, name)
        if not isinstance(found, SharedValue):
            self._stats.shared_errors += 1
            return None
        return found.stamp

    async def read(self, name: str, *, newer_than: float | None = None) -> Found[V]:
        """The value under a name, if it is fresh, and for longer than `newer_than` seconds from now if that is given."""
        found = await self._level.read(self.space, name)
        if not isinstance(found, SharedValue):
            self._stats.shared_errors += 1
            return Found(MISSING, None)
        # A value past its time is loaded anew by whoever finds it.
        if found.data is None or found.fresh <= 0 or (newer_than is not None and found.fresh <= newer_than):
            return Found(MISSING, found.stamp)
        try:
            value = cast("V", await self._envelope.open(found.data, name))
        except NotSerializable:
            self._stats.shared_broken += 1
            return Found(MISSING, found.stamp)
        self._stats.shared_hits += 1
        self._stats.negative += value is None
        return Found(value, found.stamp, found.fresh, found.last, found.cost, found.tags)

    async def seal(self, value: V, name: str) -> bytes | None:
        """The value in bytes; None when its subject was erased.

        Raises:
            NotSerializable: It has no bytes.
        """
        return await self._envelope.close(value, name)

    async def write(
        self, name: str, data: bytes, *, stamp: int, ttl: float, cost: float, tags: tuple[str, ...]
    ) -> bool:
        """Keep it; False if another process invalidated it since `stamp`."""
        last = ttl + self._config.grace
        stored = await self._level.write(
            self.space, name, data, stamp=stamp, fresh=ttl, last=last, cost=cost, tags=tags
        )
        self._stats.shared_errors += stored is None
        return stored is not False

    async def lease(self, name: str, seconds: float) -> bool:
        """Whether this process loads the name ahead of its time, and no other for so long."""
        return await self._level.lease(self.space, name, seconds)

    async def tell(self, *names: str, tags: tuple[str, ...] = ()) -> bool:
        """Invalidate in all processes: names, tags, or with neither everything; False if that has to wait."""
        told = await self._level.invalidate(Invalidation(self.space, names=names, tags=tags))
        self._stats.shared_errors += not told
        return told


def second_level(
    shared: Shared[Any] | None, config: CacheConfig, partition: str | None, stats: CacheStats
) -> SecondLevel[Any] | None:
    """The second level, if there is one."""
    return None if shared is None else SecondLevel(shared, config, partition, stats)
