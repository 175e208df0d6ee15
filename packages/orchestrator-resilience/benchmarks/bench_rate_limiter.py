"""What a decision of the in-process limiter costs, alone and among a million live keys."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterable

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare
from orchestrator_resilience._rate_algorithms import Gcra
from orchestrator_resilience.rate_limiter import RateLimiter

KEYS = 1_000_000


def bare(key: str) -> str:
    return key


def decisions() -> Report:
    """The gate: at most eight bare calls for a decision of the algorithm; the ways around it are shown beside it."""
    gcra, limiters = (
        Gcra(1_000_000_000, 1.0),
        [RateLimiter(f"1000000000/second{more}") for more in ("", "; 1000000000/minute")],
    )
    monotonic = time.monotonic
    return compare(
        "a GCRA decision",
        baseline=Contender("bare call", lambda: bare("caller")),
        contenders=[
            Contender("Gcra.hit", lambda: gcra.hit("caller", monotonic())),
            Contender("RateLimiter.hit_now", lambda: limiters[0].hit_now("caller")),
            Contender("RateLimiter.hit_now, two limits", lambda: limiters[1].hit_now("caller")),
        ],
        gates={"Gcra.hit": Gate(at_most=8)},
    )


def many_keys() -> Report:
    """The gate: a thousand callers cost half as much again at most when they are among a million."""
    few, many = Gcra(10, 3600.0), Gcra(10, 3600.0)
    keys = [f"client-{number}" for number in range(KEYS)]
    for key in keys:
        many.hit(key, 0.0)
    for key in keys[:1000]:
        few.hit(key, 0.0)
    # Scattered callers pay the processor's cache and address misses on top; they are shown, without a gate.
    some, middle = itertools.cycle(keys[:1000]), itertools.cycle(keys[KEYS // 2 : KEYS // 2 + 1000])
    scattered = itertools.cycle(random.Random(1).sample(keys, 1000))
    return compare(
        "a GCRA decision among live keys",
        baseline=Contender("1,000 keys", lambda: few.hit(next(some), 1.0)),
        contenders=[
            Contender("1,000,000 keys", lambda: many.hit(next(middle), 1.0)),
            Contender("1,000,000 keys, scattered", lambda: many.hit(next(scattered), 1.0)),
        ],
        gates={"1,000,000 keys": Gate(at_most=1.5)},
    )


def benches() -> Iterable[Bench]:
    yield decisions
    yield many_keys
