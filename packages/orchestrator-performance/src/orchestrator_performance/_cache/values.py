"""What callers and caches say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from orchestrator_performance._cache.serializers import Serializer
from orchestrator_performance._cache.shared import Sealing, SharedLevel

__all__ = ["MISSING", "Loaded", "Missing", "Shared", "WarmUp"]

V = TypeVar("V")


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
