"""What a call through a whole pipeline costs while everything is well, over awaiting it bare."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare
from orchestrator_resilience.config import BulkheadConfig, CircuitBreakerConfig, RetryConfig
from orchestrator_resilience.manager import Pipeline
from orchestrator_resilience.pipeline_config import PipelineConfig
from orchestrator_resilience.retry_utils import Retry, RetryBudget


async def bare() -> None:
    pass


def whole() -> Report:
    """The gate: at most twenty bare awaits for all policies but the hedge, which starts a task by its nature."""
    parts = {
        "rate_limit": "1000000000/second",
        "bulkhead": BulkheadConfig(),
        "breaker": CircuitBreakerConfig(),
        "retry": RetryConfig(),
    }
    everything = Pipeline(
        "everything", PipelineConfig(deadline_seconds=10, time_limit_seconds=5, **parts), budget=RetryBudget()
    )
    untimed = Pipeline("untimed", PipelineConfig(**parts), budget=RetryBudget())
    retry = Retry(budget=RetryBudget())
    return compare(
        "a call through a pipeline",
        baseline=Contender("bare await", bare),
        contenders=[
            Contender("retry with budget", lambda: retry.call(bare)),
            Contender("pipeline without time limits", lambda: untimed.call(bare)),
            Contender("pipeline", lambda: everything.call(bare)),
        ],
        gates={"pipeline": Gate(at_most=20)},
    )


def benches() -> Iterable[Bench]:
    yield whole
