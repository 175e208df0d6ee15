"""Caches: in the process, and behind it in a store that processes share.

What the user types:

    cache = Cache[Profile](CacheConfig(name="profiles", ttl=60, stale_if_error=600))
    profile = await cache.get_or_load(user_id, lambda: read_profile(user_id), tags=("profiles",))

- However many ask for a key at the same time, it is loaded once (`_cache/flights.py`); the cancelled caller alone is cancelled.
- Which entry leaves is decided by W-TinyLFU (`_cache/policy.py`), within a number of entries and of bytes.
- Values are loaded anew before they expire (XFetch), given away while they are (`stale_while_revalidate`) or when that fails (`stale_if_error`).
- A second level (`redis_level`, extra `[redis]`) is asked within a time limit; while it is out, it costs a miss and not a wait. Values go
  there as JSON, MessagePack or bytes, never as pickles, and sealed if asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance._cache.cache import Cache
from orchestrator_performance._cache.config import CacheConfig
from orchestrator_performance._cache.decorators import CachedCoroutine, CachedFunction, cached
from orchestrator_performance._cache.flights import LoadAbandoned, LoadTooSlow
from orchestrator_performance._cache.keys import UnkeyableArgument, key_of_call
from orchestrator_performance._cache.memory_cache import MemoryCache
from orchestrator_performance._cache.serializers import (
    BytesSerializer,
    JsonSerializer,
    MsgpackSerializer,
    NotSerializable,
    Serializer,
)
from orchestrator_performance._cache.shared import Outage, Sealing, SharedLevel
from orchestrator_performance._cache.stats import CacheStats
from orchestrator_performance._cache.values import MISSING, Loaded, Missing, Shared, WarmUp
from orchestrator_performance._cache.weight import approximate_weight

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = [
    "MISSING",
    "BytesSerializer",
    "Cache",
    "CacheConfig",
    "CacheStats",
    "CachedCoroutine",
    "CachedFunction",
    "JsonSerializer",
    "LoadAbandoned",
    "LoadTooSlow",
    "Loaded",
    "MemoryCache",
    "Missing",
    "MsgpackSerializer",
    "NotSerializable",
    "Outage",
    "Sealing",
    "Serializer",
    "Shared",
    "SharedLevel",
    "UnkeyableArgument",
    "WarmUp",
    "approximate_weight",
    "cached",
    "key_of_call",
    "redis_level",
]


def redis_level(
    client: Redis | str,
    *,
    prefix: str = "orchestrator:cache",
    time_limit_seconds: float = 0.05,
    longest_seconds: float = 7 * 86400.0,
) -> SharedLevel:
    """A second level in Redis or Valkey (extra `[redis]`); several caches may share it. Nothing is connected before `start`, or the first use.

    Args:
        client: A client of redis-py's asyncio half, such as a pool of `connection_pools` has one; or a URL.
        prefix: In front of all keys; processes with the same prefix share what they cache.
        time_limit_seconds: How long an answer is waited for.
        longest_seconds: No value is kept longer; an invalidation is remembered for so long.

    Raises:
        ConfigurationError: The extra is not installed, or the URL is none.
    """
    try:
        from orchestrator_performance._drivers.redis_level import RedisLevel  # noqa: PLC0415 - the driver is an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError("the second level needs the extra: install orchestrator-performance[redis]") from error
    return RedisLevel(client, prefix=prefix, time_limit_seconds=time_limit_seconds, longest_seconds=longest_seconds)
