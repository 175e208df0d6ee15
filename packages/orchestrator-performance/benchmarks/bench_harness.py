"""What the harness itself costs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from orchestrator_performance.benchmarking import (
    Bench,
    Contender,
    Gate,
    LatencyHistogram,
    LatencyReport,
    Report,
    compare,
    open_loop,
)


def recording() -> Report:
    """A latency into the histogram, against keeping it in a list."""
    histogram, values = LatencyHistogram(), list[float]()
    return compare(
        "record a latency",
        baseline=Contender("list.append", lambda: values.append(0.0123), setup=values.clear),
        contenders=[Contender("LatencyHistogram.record", lambda: histogram.record(0.0123))],
        gates={"LatencyHistogram.record": Gate(at_most=40)},
    )


async def arrivals() -> LatencyReport:
    """A thousand empty operations a second: the lateness that the load generator adds."""
    return await open_loop("empty operation", arrive=lambda: asyncio.sleep(0), rate=1_000, gates=Gate(at_most_ms=20))


def benches() -> Iterable[Bench]:
    yield recording
    yield arrivals
