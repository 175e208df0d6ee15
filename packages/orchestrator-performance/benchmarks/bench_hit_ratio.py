"""How often the eviction policy keeps what is asked for again, next to theine's W-TinyLFU, on the same traces in the same run."""

from __future__ import annotations

import bisect
import itertools
import random
import sys
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from orchestrator_performance._cache.entry import Entry
from orchestrator_performance._cache.policy import TinyLfu
from orchestrator_performance.benchmarking import Bench, BenchmarkError, Contender, Report, compare

COUNT = 200_000
SIZES = (200, 1000)
POINTS = 1.0
GATED = ("zipf 0.7", "zipf 0.9", "scan", "loop", "mixed")


def zipf(n: int, exponent: float, count: int, seed: int) -> list[int]:
    dice = random.Random(seed)
    weights = list(itertools.accumulate(1 / (i + 1) ** exponent for i in range(n)))
    return [bisect.bisect_left(weights, dice.random() * weights[-1]) for _ in range(count)]


def mixed() -> list[int]:
    """Popular keys, a scan, a loop, by turns."""
    popular, trace, at = zipf(30_000, 0.9, COUNT, 7), [], 0
    while len(trace) < COUNT:
        trace += popular[at : at + 20_000]
        at += 20_000
        trace += [2 * 10**6 + len(trace) + i // 3 for i in range(10_000)]
        trace += [10**7 + i % 1500 for i in range(10_000)]
    return trace[:COUNT]


def recency() -> list[int]:
    """Seven of ten accesses go to what was asked for lately."""
    dice, trace = random.Random(3), []
    for i in range(COUNT):
        back = int(dice.expovariate(1 / 300))
        trace.append(trace[-1 - back] if len(trace) > back and dice.random() < 0.7 else 10**8 + i)
    return trace


def traces(size: int) -> Iterator[tuple[str, list[int]]]:
    yield "zipf 0.7", zipf(50_000, 0.7, COUNT, 1)
    yield "zipf 0.9", zipf(50_000, 0.9, COUNT, 1)
    yield "scan", [key if i % 4 else 10**6 + i for i, key in enumerate(zipf(20_000, 1.0, COUNT, 2))]
    yield "loop", [i % (size * 11 // 10) for i in range(COUNT // 2)] + [i % (2 * size) for i in range(COUNT // 2)]
    yield "mixed", mixed()
    yield "shifting", [key + s * 3000 for s in range(10) for key in zipf(20_000, 0.9, COUNT // 10, s)]
    yield "recency", recency()


def ours(trace: list[int], size: int) -> float:
    policy, table, hits, entered = TinyLfu(size), dict[int, Entry](), 0, 0
    for key in trace:
        entry = table.get(key)
        if entry is not None:
            entry.hits += 1
            hits += 1
            continue
        entered += 1
        policy.asked = hits
        entry = table[key] = Entry(key, None, fresh=0, last=0, calm=0)
        policy.insert(entry, entered)
        while len(table) > size and (victim := policy.victim()) is not None:
            policy.gone(victim)
            del table[victim.key]
    return hits / len(trace)


def theine(trace: list[int], size: int) -> float:
    from theine import Cache

    cache, hits = Cache[int, int](size), 0
    for key in trace:
        _, found = cache.get(key)
        if found:
            hits += 1
        else:
            cache.set(key, 1)
    cache.close()
    return hits / len(trace)


def lru(trace: list[int], size: int) -> float:
    kept, hits = OrderedDict[int, None](), 0
    for key in trace:
        if key in kept:
            kept.move_to_end(key)
            hits += 1
        else:
            kept[key] = None
            if len(kept) > size:
                kept.popitem(last=False)
    return hits / len(trace)


def hit_ratios() -> Report:
    """The table of hit ratios goes to stderr; more than a point below theine on a trace of `GATED` ends the benchmark."""
    behind: list[str] = []
    print(f"{'trace':10} {'size':>5} {'ours':>7} {'theine':>7} {'LRU':>7}  hit ratio, %", file=sys.stderr)
    for size in SIZES:
        for name, trace in traces(size):
            mine, other = 100 * ours(trace, size), 100 * theine(trace, size)
            print(f"{name:10} {size:5} {mine:7.2f} {other:7.2f} {100 * lru(trace, size):7.2f}", file=sys.stderr)
            if name in GATED and mine < other - POINTS:
                behind.append(f"{name} of {size}: {mine:.2f} to {other:.2f}")
    if behind:
        raise BenchmarkError(f"more than {POINTS:g} point behind theine: {', '.join(behind)}")
    trace = zipf(50_000, 0.9, 5_000, 1)
    return compare(
        "5,000 accesses of a Zipf trace",
        baseline=Contender("theine", lambda: theine(trace, 1000)),
        contenders=[Contender("ours", lambda: ours(trace, 1000))],
        seconds=2,
    )


def benches() -> Iterable[Bench]:
    yield hit_ratios
