"""What a protected call costs while the dependency is well, over awaiting or calling it bare."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare
from orchestrator_resilience.circuit_breaker import CircuitBreaker
from orchestrator_resilience.config import CircuitBreakerConfig


async def bare() -> None:
    pass


def awaited() -> Report:
    """The gate: a healthy call costs at most five bare awaits."""
    default = CircuitBreaker("default")
    timed = CircuitBreaker("timed", CircuitBreakerConfig(window="time", slow_call_seconds=2.0))
    guarded = CircuitBreaker("guarded")

    async def guard() -> None:
        async with guarded.guard():
            await bare()

    return compare(
        "a call through a closed circuit",
        baseline=Contender("bare await", bare),
        contenders=[
            Contender("call", lambda: default.call(bare)),
            Contender("call, time window and slow calls", lambda: timed.call(bare)),
            Contender("guard", guard),
        ],
        gates={"call": Gate(at_most=5)},
    )


def benches() -> Iterable[Bench]:
    yield awaited
