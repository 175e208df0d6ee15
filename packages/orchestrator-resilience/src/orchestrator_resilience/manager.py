"""One pipeline per dependency, and the registry of them.

What the user types:

    manager = ResilienceManager({"tts_service": PipelineConfig(deadline_seconds=5, breaker=CircuitBreakerConfig())})
    audio = await manager.pipeline("tts_service").call(client.speak, "Hello")

From the outside in: deadline, rate limit, bulkhead, breaker, retry, hedge, time limit, and around all of them a fallback where there is one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar, cast

from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_resilience._bulkhead import BulkheadSnapshot
from orchestrator_resilience._layers import Layer, OverRate, Parts, compose, make_parts
from orchestrator_resilience._priorities import Priority, Shed
from orchestrator_resilience.circuit_breaker import BreakerSnapshot, CircuitBreaker, CircuitOpen, Observer
from orchestrator_resilience.deadlines import DeadlineExceeded
from orchestrator_resilience.pipeline_config import PipelineConfig
from orchestrator_resilience.retry_utils import AttemptTimedOut, RetryBudget

__all__ = [
    "Outcome",
    "OverRate",
    "Pipeline",
    "PipelineSnapshot",
    "ResilienceManager",
    "decided_by",
]

P = ParamSpec("P")
R = TypeVar("R")

Outcome: TypeAlias = Literal[
    "success", "failure", "deadline", "rate_limit", "bulkhead", "breaker", "time_limit", "fallback", "cancelled"
]
Fallback: TypeAlias = Callable[[Exception], Awaitable[Any]]

_REFUSALS: tuple[tuple[type[OrchestratorError], Outcome], ...] = (
    (OverRate, "rate_limit"),
    (Shed, "bulkhead"),
    (CircuitOpen, "breaker"),
)


def decided_by(error: BaseException, name: str) -> Outcome:
    """Which policy of the pipeline `name` ended a call; `failure` if it was the dependency, or another pipeline inside it."""
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    if isinstance(error, DeadlineExceeded):
        return "deadline"
    if isinstance(error, AttemptTimedOut):
        return "time_limit"
    if not isinstance(error, OrchestratorError) or error.details.get("dependency") != name:
        return "failure"
    for kind, outcome in _REFUSALS:
        if isinstance(error, kind):
            return outcome
    return "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSnapshot:
    """A pipeline at one moment.

    Attributes:
        healthy: Whether calls go through: the circuit is not open.
        outcomes: How many calls each policy has decided since the pipeline was made.
    """

    name: str
    healthy: bool
    outcomes: Mapping[str, int]
    breaker: BreakerSnapshot | None
    bulkhead: BulkheadSnapshot | None


class Pipeline:
    """The policies of one dependency, composed once. For one event loop.

    Args:
        name: The dependency.
        config: Which policies, and how.
        budget: The process's retry budget.
        fallback: Asked for a result when a call has ended with an error, whatever ended it; a cancellation is no error.
        clock: Where time comes from.
        observers: Told of the circuit's changes of state.
    """

    def __init__(
        self,
        name: str,
        config: PipelineConfig,
        *,
        budget: RetryBudget | None = None,
        fallback: Fallback | None = None,
        clock: Clock | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        self.name = name
        self._budget = budget
        self._fallback = fallback
        self._clock = clock or SystemClock()
        self._observers = tuple(observers)
        self._outcomes: Counter[str] = Counter()
        self._succeeded = 0
        self._parts: Parts
        self._variants: dict[tuple[Priority, bool], Layer]
        self._usual: Layer
        self.reconfigure(config)

    @property
    def config(self) -> PipelineConfig:
        """The present configuration."""
        return self._parts.config

    @property
    def breaker(self) -> CircuitBreaker | None:
        """The circuit breaker, if there is one."""
        return self._parts.breaker

    def reconfigure(self, config: PipelineConfig) -> None:
        """Take up another configuration, with fresh state. Calls under way end under the old one."""
        self._parts = make_parts(self.name, config, self._budget, self._clock, self._observers)
        self._variants = {}
        self._usual = self._variant(Priority.DEFAULT, self._idempotent)

    @property
    def _idempotent(self) -> bool:
        retry = self._parts.config.retry
        return retry is not None and retry.idempotent

    def _variant(self, priority: Priority, idempotent: bool) -> Layer:  # noqa: FBT001 - one place calls it
        key = (priority, idempotent)
        if key not in self._variants:
            self._variants[key] = compose(self._parts, priority=priority, idempotent=idempotent)
        return self._variants[key]

    async def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Await `function(*args, **kwargs)` under all policies."""
        try:
            result: R = await self._usual(function, args, kwargs)
        except BaseException as error:  # noqa: BLE001 - raised again, unless the fallback answers
            return cast("R", await self._ended(error))
        self._succeeded += 1
        return result

    async def call_as(
        self,
        function: Callable[[], Awaitable[R]],
        *,
        priority: Priority = Priority.DEFAULT,
        idempotent: bool | None = None,
    ) -> R:
        """`call` for one that is more or less important than usual, or idempotent where others are not."""
        layer = self._variant(priority, self._idempotent if idempotent is None else idempotent)
        try:
            result: R = await layer(function, (), {})
        except BaseException as error:  # noqa: BLE001 - raised again, unless the fallback answers
            return cast("R", await self._ended(error))
        self._succeeded += 1
        return result

    async def _ended(self, error: BaseException) -> Any:
        """Count the policy that ended a call; the fallback's answer, or the error again."""
        self._outcomes[decided_by(error, self.name)] += 1
        if self._fallback is None or not isinstance(error, Exception):
            raise error
        answer = await self._fallback(error)
        self._outcomes["fallback"] += 1
        return answer

    def reset(self) -> None:
        """Close the circuit, end a forced state, and forget what has been used of the rate limit."""
        if self._parts.breaker is not None:
            self._parts.breaker.reset()
        if self._parts.limiter is not None:
            self._parts.limiter.reset()

    def snapshot(self) -> PipelineSnapshot:
        """The pipeline now."""
        breaker, bulkhead = self._parts.breaker, self._parts.bulkhead
        return PipelineSnapshot(
            name=self.name,
            healthy=breaker is None or breaker.state not in {"open", "forced_open"},
            outcomes=MappingProxyType(
                {"success": self._succeeded, **self._outcomes} if self._succeeded else dict(self._outcomes)
            ),
            breaker=None if breaker is None else breaker.snapshot(),
            bulkhead=None if bulkhead is None else bulkhead.snapshot(),
        )


class ResilienceManager:
    """All pipelines of a process, by name, with one retry budget.

    Args:
        configs: The dependencies.
        budget: The process's retry budget; a tenth unless given.
        fallbacks: By dependency.
        clock: Where time comes from.
        observers: Told of every circuit's changes of state.

    Raises:
        ConfigurationError: A fallback belongs to no dependency.
    """

    def __init__(
        self,
        configs: Mapping[str, PipelineConfig],
        *,
        budget: RetryBudget | None = None,
        fallbacks: Mapping[str, Fallback] | None = None,
        clock: Clock | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        self.budget = budget or RetryBudget()
        self._fallbacks = dict(fallbacks or {})
        self._clock = clock
        self._observers = tuple(observers)
        strangers = sorted(self._fallbacks.keys() - configs.keys())
        if strangers:
            raise ConfigurationError(
                f"fallbacks for unknown dependencies: {', '.join(strangers)}", details={"setting": "fallbacks"}
            )
        self._pipelines = {name: self._make(name, config) for name, config in configs.items()}

    def _make(self, name: str, config: PipelineConfig) -> Pipeline:
        return Pipeline(
            name,
            config,
            budget=self.budget,
            fallback=self._fallbacks.get(name),
            clock=self._clock,
            observers=self._observers,
        )

    @property
    def names(self) -> list[str]:
        """The dependencies, sorted."""
        return sorted(self._pipelines)

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of a dependency; the same object for as long as it is configured.

        Raises:
            ConfigurationError: There is none of that name.
        """
        found = self._pipelines.get(name)
        if found is None:
            known = ", ".join(self.names)
            raise ConfigurationError(
                f"no pipeline is configured for {name!r}; there are: {known}", details={"dependency": name}
            )
        return found

    def breaker(self, name: str) -> CircuitBreaker:
        """The circuit breaker of a dependency, to look at, force or reset.

        Raises:
            ConfigurationError: There is no such dependency, or it has no breaker.
        """
        breaker = self.pipeline(name).breaker
        if breaker is None:
            raise ConfigurationError(f"{name} has no circuit breaker", details={"dependency": name})
        return breaker

    def reload(self, configs: Mapping[str, PipelineConfig]) -> list[str]:
        """Take up a new set of configurations; answers the names whose configuration changed. Pipelines that did not change keep their state."""
        changed = [
            name
            for name, config in configs.items()
            if name not in self._pipelines or self._pipelines[name].config != config
        ]
        gone = self._pipelines.keys() - configs.keys()
        for name in changed:
            if name in self._pipelines:
                self._pipelines[name].reconfigure(configs[name])
            else:
                self._pipelines[name] = self._make(name, configs[name])
        for name in gone:
            del self._pipelines[name]
        return sorted([*changed, *gone])

    def healthy(self) -> bool:
        """Whether no circuit is open."""
        return all(each.snapshot().healthy for each in self._pipelines.values())

    def snapshot(self) -> dict[str, PipelineSnapshot]:
        """All pipelines now."""
        return {name: self._pipelines[name].snapshot() for name in self.names}

    def reset(self) -> None:
        """Reset every pipeline."""
        for each in self._pipelines.values():
            each.reset()
