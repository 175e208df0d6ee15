"""Early recomputation by several processes with one second level: who goes ahead goes alone."""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from pathlib import Path

import pytest

from orchestrator_performance.caching import Cache, CacheConfig, JsonSerializer, Shared, redis_level

pytestmark = [pytest.mark.server, pytest.mark.slow]

WORKER = Path(__file__).parent / "xfetch_worker.py"
PROCESSES, CALLERS, PAUSE = 4, 4, 0.02
SECONDS, TTL, COST = 12.0, 2.0, 0.2


async def started(url: str) -> asyncio.subprocess.Process:
    """A worker that is ready."""
    words = map(str, (url, SECONDS, TTL, COST, CALLERS, PAUSE))
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    child = await asyncio.create_subprocess_exec(sys.executable, str(WORKER), *words, **pipes)
    assert child.stdout is not None
    assert await child.stdout.readline() == b"ready\n"
    return child


async def done(child: asyncio.subprocess.Process) -> dict:
    """What it tells when it has begun and ended."""
    out, _ = await child.communicate(b"begin\n")
    assert child.returncode == 0
    return json.loads(out)


async def test_of_many_processes_one_loads_a_value_ahead_of_its_time(valkey_database: str):
    """A value is fresh for 2 s and takes 0.2 s: whenever it is loaded anew one process does it, before its time, and nobody waits."""
    level = redis_level(valkey_database, time_limit_seconds=2.0)

    async def load() -> float:
        await asyncio.sleep(COST)
        return time.monotonic()

    children = await asyncio.gather(*[started(valkey_database) for _ in range(PROCESSES)])
    config = CacheConfig(name="xfetch", ttl=TTL, jitter=0, early=1)
    async with Cache[float](config, shared=Shared(level, JsonSerializer())) as cache:
        # Known before the first caller comes, with what it costs.
        loaded = await cache.get_or_load("k", load)
        found = await asyncio.gather(*map(done, children))
    await level.close()

    loads = sorted((began, ended) for each in found for began, ended in each["loads"])
    calls = sum(each["calls"] for each in found)
    # Never two at a time, and a process each time: of four that do not know of each other each would load.
    ends = [loaded, *(ended for _, ended in loads)]
    assert all(began >= ended for (began, _), ended in zip(loads, ends, strict=False)), loads
    assert sum(bool(each["loads"]) for each in found) > 1, "all take their turn"

    # As often, and as early, as XFetch says for all callers together.
    per_second = calls / SECONDS
    lead = COST * (math.log(per_second * COST) + 0.5772)
    expected = SECONDS / (TTL - lead + COST)
    assert expected * 0.6 <= len(loads) <= expected * 1.4, (len(loads), expected)
    leads = [ended + TTL - began for (began, _), ended in zip(loads, ends, strict=False)]
    assert sum(leads) / len(leads) == pytest.approx(lead, rel=0.4), (leads, lead)
    assert min(leads) > 0, "nobody found it past its time"

    # Whoever asked was answered at once: of old when it was being loaded.
    assert sum(each["waited"] for each in found) <= calls / 100
