"""What a hit costs, next to the call that it saves; and next to what others take for one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, acompare, compare
from orchestrator_performance.caching import Cache, CacheConfig, MemoryCache, cached


async def bare() -> int:
    return 1


def call() -> int:
    return 1


async def async_hits() -> Report:
    """An async hit next to a bare await."""
    import async_lru

    cache: Cache[int] = Cache(CacheConfig(name="hits", ttl=3600))
    await cache.put("k", 1)

    @cached(cache)
    async def ours(key: str) -> int:
        return len(key)

    @async_lru.alru_cache(maxsize=1000, ttl=3600)
    async def theirs(key: str) -> int:
        return len(key)

    return await acompare(
        "async hit with TTL",
        baseline=Contender("bare await", bare),
        contenders=[
            Contender("get_or_load", lambda: cache.get_or_load("k", bare)),
            Contender("@cached", lambda: ours("k")),
            Contender("async_lru", lambda: theirs("k")),
        ],
        gates={"get_or_load": Gate(at_most=5), "@cached": Gate(at_most=5)},
        seconds=2,
    )


def sync_hits() -> Report:
    """A hit with TTL next to a bare call."""
    import cachebox
    from theine import Cache as Theine

    memory: MemoryCache[int] = MemoryCache(CacheConfig(name="hits", ttl=3600))
    memory.put("k", 1)
    box = cachebox.TTLCache(1000, 3600)
    box["k"] = 1
    theine = Theine(1000)
    theine.set("k", 1)

    @cached(memory)
    def ours(key: str) -> int:
        return len(key)

    report = compare(
        "hit with TTL",
        baseline=Contender("bare call", call),
        contenders=[
            Contender("MemoryCache.get", lambda: memory.get("k")),
            Contender("@cached", lambda: ours("k")),
            Contender("cachebox get", lambda: box.get("k")),
            Contender("theine get", lambda: theine.get("k")),
        ],
        gates={"MemoryCache.get": Gate(at_most=25), "@cached": Gate(at_most=25)},
        seconds=2,
    )
    theine.close()
    return report


async def hundred_callers() -> Report:
    """A hundred callers of one cold key, next to a bare gather of a hundred."""

    async def one() -> int:
        await asyncio.sleep(0)
        return 1

    cache: Cache[int] = Cache(CacheConfig(name="flights", ttl=3600))

    async def gathered() -> None:
        await asyncio.gather(*[one() for _ in range(100)])

    async def together() -> None:
        await cache.remove("k")
        await asyncio.gather(*[cache.get_or_load("k", one) for _ in range(100)])

    return await acompare(
        "100 callers of a cold key",
        baseline=Contender("gather of 100", gathered),
        contenders=[Contender("single flight", together)],
        gates={"single flight": Gate(at_most=2.5)},
        seconds=2,
    )


def writing() -> Report:
    """A write into a full cache of 10,000, next to theine's and a bare dictionary."""
    from theine import Cache as Theine

    memory: MemoryCache[int] = MemoryCache(CacheConfig(name="writes", max_items=10_000))
    theine = Theine(10_000)
    numbers = iter(range(10**9))
    plain: dict[int, int] = {}
    for number in range(10_000):
        memory.put(-number, number)
        theine.set(-number, number)

    def into_dictionary() -> None:
        number = next(numbers)
        plain[number % 10_000] = number

    report = compare(
        "write into a full cache",
        baseline=Contender("dictionary", into_dictionary),
        contenders=[
            Contender("MemoryCache.put", lambda: memory.put(next(numbers), 1)),
            Contender("theine set", lambda: theine.set(next(numbers), 1)),
        ],
        seconds=2,
    )
    theine.close()
    return report


def benches() -> Iterable[Bench]:
    yield async_hits
    yield sync_hits
    yield hundred_callers
    yield writing
