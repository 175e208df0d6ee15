"""What a decision of the shared limiter costs over one raw GET on the same server (needs the extra `[redis]` and the wheel of a Valkey)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import redis.asyncio

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare
from orchestrator_resilience.rate_limiter import RateLimiter, open_storage
from orchestrator_testing.servers import valkey


def decisions() -> Report:
    """The gate: one decision at most 1.4 raw GETs, guard, accounts of this process and time limit included."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(valkey()).url
        client, storage = redis.asyncio.Redis.from_url(url), open_storage(url)
        strategies = ("gcra", "token-bucket", "fixed-window", "sliding-window-counter")
        limiters = {each: RateLimiter("1000000000/second", strategy=each, storage=storage) for each in strategies}
        three = RateLimiter("1000000000/second; 1000000000/minute; 1000000000/hour", storage=storage)
        return compare(
            "a decision in Valkey",
            baseline=Contender("raw GET", lambda: client.get("key")),
            contenders=[
                *[Contender(name, lambda limiter=limiter: limiter.hit("caller")) for name, limiter in limiters.items()],
                Contender("gcra, three limits", lambda: three.hit("caller")),
            ],
            gates={"gcra": Gate(at_most=1.4)},
            clock="wall",
        )


def benches() -> Iterable[Bench]:
    yield decisions
