"""One of several processes that share a limit: asks as fast as told, and prints what it saw. Run by test_redis_faults.py."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from pathlib import Path

from orchestrator_resilience.rate_limiter import RateLimiter, open_storage

SCHEDULE = Path("/proc/self/schedstat")


def kept_waiting() -> float:
    """Seconds in which this process could have run and the machine ran others; not the limiter's."""
    try:
        return int(SCHEDULE.read_text().split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0


async def main(url: str, limits: str, strategy: str, nodes: str, length: str) -> None:
    changes: list[tuple[float, str]] = []
    storage = open_storage(
        url, expected_nodes=int(nodes), observers=[lambda event: changes.append((time.time(), event))]
    )
    limiter = RateLimiter(limits, strategy=strategy, storage=storage)
    asked: list[tuple[float, float, bool, bool]] = []
    while not await storage.ready():
        await asyncio.sleep(0.1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    ends = float(sys.stdin.readline()) + float(length)
    while time.time() < ends:
        began = time.perf_counter() - kept_waiting()
        decision = await limiter.hit("caller")
        took = time.perf_counter() - kept_waiting() - began
        asked.append((time.time(), took, decision.allowed, storage.shared))
        await asyncio.sleep(0.004)
    await limiter.aclose()
    sys.stdout.write(json.dumps({"asked": asked, "changes": changes}))


if __name__ == "__main__":
    logging.disable()
    asyncio.run(main(*sys.argv[1:]))
