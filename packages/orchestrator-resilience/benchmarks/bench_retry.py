"""What retries and places cost while everything is well, over awaiting the call bare."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare
from orchestrator_resilience.backpressure_handler import BoundedQueue, Bulkhead
from orchestrator_resilience.config import BulkheadConfig, QueueConfig, RetryConfig
from orchestrator_resilience.retry_utils import Retry, RetryBudget


async def bare() -> None:
    pass


def retries() -> Report:
    """A budget has to be told to everything inside the call: setting a context variable is half of what the retry costs then."""
    alone = Retry(budget=None)
    paid = Retry(budget=RetryBudget())
    timed = Retry(RetryConfig(attempt_seconds=5), budget=None)
    return compare(
        "a call that needs no retry",
        baseline=Contender("bare await", bare),
        contenders=[
            Contender("without budget", lambda: alone.call(bare)),
            Contender("with budget", lambda: paid.call(bare)),
            Contender("with a limit per attempt", lambda: timed.call(bare)),
        ],
        gates={"without budget": Gate(at_most=5), "with budget": Gate(at_most=12)},
    )


def places() -> Report:
    """A place that is free, and an item through an empty queue."""
    fixed = Bulkhead("fixed")
    adaptive = Bulkhead("adaptive", BulkheadConfig(kind="gradient"))
    queue: BoundedQueue[int] = BoundedQueue(QueueConfig(), on_drop=lambda _: None)

    async def through() -> None:
        await queue.put(1)
        await queue.get()

    return compare(
        "a call that finds a place",
        baseline=Contender("bare await", bare),
        contenders=[
            Contender("fixed limit", lambda: fixed.call(bare)),
            Contender("adaptive limit", lambda: adaptive.call(bare)),
            Contender("queue, in and out", through),
        ],
    )


def benches() -> Iterable[Bench]:
    yield retries
    yield places
