"""One of several processes that ask for the same value all the time: `xfetch_worker.py URL SECONDS TTL COST CALLERS PAUSE`.

Says that it is ready, begins when it is told to, and tells what it did, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from orchestrator_performance.caching import Cache, CacheConfig, JsonSerializer, Shared, redis_level


async def ask(url: str, seconds: float, ttl: float, cost: float, callers: int, pause: float) -> None:
    loads: list[tuple[float, float]] = []
    waited: list[float] = []
    level = redis_level(url, time_limit_seconds=2.0)

    async def load() -> float:
        began = time.monotonic()
        await asyncio.sleep(cost)
        loads.append((began, time.monotonic()))
        return began

    async def caller(cache: Cache[float], until: float) -> None:
        while time.monotonic() < until:
            asked = time.monotonic()
            await cache.get_or_load("k", load)
            waited.append(time.monotonic() - asked)
            await asyncio.sleep(pause)

    config = CacheConfig(name="xfetch", ttl=ttl, jitter=0, early=1)
    async with Cache[float](config, shared=Shared(level, JsonSerializer())) as cache:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        until = time.monotonic() + seconds
        await asyncio.gather(*[caller(cache, until) for _ in range(callers)])
    await level.close()
    told = {"loads": loads, "calls": len(waited), "waited": sum(each > cost / 2 for each in waited)}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1], *map(float, sys.argv[2:5]), int(sys.argv[5]), float(sys.argv[6])))
