"""One pipeline per dependency, and the registry of them.

What the user types:

    manager = ResilienceManager({"tts_service": PipelineConfig(deadline_seconds=5, breaker=CircuitBreakerConfig())})
    audio = await manager.pipeline("tts_service").call(client.speak, "Hello")

From the outside in: deadline, rate limit, bulkhead, breaker, retry, hedge, time limit, and around all of them a fallback where there is one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar

from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.ports import Clock
from orchestrator_resilience._bulkhead import BulkheadSnapshot
from orchestrator_resilience._clocks import direct
from orchestrator_resilience._fast_path import FastCalls, make_path
from orchestrator_resilience._layers import Function, Layer, OverRate, Parts, Wiring, compose, make_parts
from orchestrator_resilience._priorities import Priority, Shed
from orchestrator_resilience._retry_budget import resolve
from orchestrator_resilience.circuit_breaker import BreakerSnapshot, CircuitBreaker, CircuitOpen, Observer
from orchestrator_resilience.deadlines import DeadlineExceeded, remaining
from orchestrator_resilience.events import Decision, DecisionObserver, tell
from orchestrator_resilience.pipeline_config import PipelineConfig
from orchestrator_resilience.rate_limiter import SharedStorage
from orchestrator_resilience.retry_utils import AttemptTimedOut, Budget
from orchestrator_resilience.shared_breaker import BreakerStore

__all__ = [
    "Health",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The policies of a process at one moment.

    Attributes:
        healthy: Whether calls to all dependencies go through.
        notes: What is not as it should be, for people: circuits that are not closed, stores that do not answer.
        stores_out: The shared stores that do not answer: `circuits`, `rate_limits`.
    """

    healthy: bool
    notes: tuple[str, ...]
    stores_out: tuple[str, ...] = ()


class Pipeline(FastCalls):
    """The policies of one dependency, composed once. For one event loop.

    Args:
        name: The dependency.
        config: Which policies, and how.
        budget: For retries and hedges; the process's unless given, None for none.
        fallback: Asked for a result when a call has ended with an error, whatever ended it; a cancellation is no error.
        clock: Where time comes from.
        observers: Told of the circuit's changes of state.
        decision_observers: Told of every decision of a policy; not of calls that simply went well.
        breaker_store: Where circuits are shared with other processes; they are this process's own unless given.
        rate_storage: Where rate limits are shared with other processes; they are this process's own unless given.
    """

    def __init__(
        self,
        name: str,
        config: PipelineConfig,
        *,
        budget: Budget = "process",
        fallback: Fallback | None = None,
        clock: Clock | None = None,
        observers: Iterable[Observer] = (),
        decision_observers: Iterable[DecisionObserver] = (),
        breaker_store: BreakerStore | None = None,
        rate_storage: SharedStorage | None = None,
    ) -> None:
        self.name = name
        self._fallback = fallback
        self._decision_observers = tuple(decision_observers)
        self._wiring = Wiring(
            budget=resolve(budget),
            clock=direct(clock),
            observers=tuple(observers),
            decision_observers=self._decision_observers,
            breaker_store=breaker_store,
            rate_storage=rate_storage,
        )
        self._outcomes: Counter[str] = Counter()
        self._succeeded = 0
        self._variants: dict[tuple[Priority, bool], Layer]
        self._take_up(make_parts(name, config, self._wiring))

    @property
    def config(self) -> PipelineConfig:
        """The present configuration."""
        return self._parts.config

    @property
    def breaker(self) -> CircuitBreaker | None:
        """The circuit breaker, if there is one."""
        return self._parts.breaker

    def reconfigure(self, config: PipelineConfig) -> None:
        """Take up another configuration. Policies whose own part did not change keep their state; calls under way end under the old one."""
        self._take_up(make_parts(self.name, config, self._wiring, self._parts))

    def _take_up(self, parts: Parts) -> None:
        self._parts = parts
        self._variants = {}
        self._usual = self._variant(Priority.DEFAULT, self._idempotent)
        self._path = make_path(self._parts, self._usual, idempotent=self._idempotent)

    @property
    def _idempotent(self) -> bool:
        retry = self._parts.config.retry
        return retry is not None and retry.idempotent

    def _variant(self, priority: Priority, idempotent: bool) -> Layer:  # noqa: FBT001 - one place calls it
        key = (priority, idempotent)
        if key not in self._variants:
            self._variants[key] = self._observed(compose(self._parts, priority=priority, idempotent=idempotent))
        return self._variants[key]

    def _observed(self, layers: Layer) -> Layer:
        async def call(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            try:
                result = await layers(function, args, kwargs)
            except BaseException as error:  # noqa: BLE001 - raised again, unless the fallback answers
                return await self._ended(error)
            self._succeeded += 1
            return result

        return call

    def call_as(
        self,
        function: Callable[[], Awaitable[R]],
        *,
        priority: Priority = Priority.DEFAULT,
        idempotent: bool | None = None,
    ) -> Coroutine[Any, Any, R]:
        """`call` for one that is more or less important than usual, or idempotent where others are not."""
        layer = self._variant(priority, self._idempotent if idempotent is None else idempotent)
        return layer(function, (), {})

    async def _ended(self, error: BaseException) -> Any:
        """Count the policy that ended a call; the fallback's answer, or the error again."""
        # A cancellation by the deadline around this pipeline comes as such.
        late = isinstance(error, asyncio.CancelledError) and remaining() == 0
        outcome: Outcome = "deadline" if late else decided_by(error, self.name)
        self._count(outcome)
        if self._fallback is None or not isinstance(error, Exception):
            try:
                raise error
            finally:
                del error  # its traceback holds this frame
        answer = await self._fallback(error)
        self._count("fallback")
        return answer

    def _count(self, outcome: Outcome) -> None:
        self._outcomes[outcome] += 1
        if self._decision_observers:
            tell(self._decision_observers, Decision("pipeline", self.name, outcome))

    def reset(self) -> None:
        """Close the circuit, end a forced state, and forget what has been used of the rate limit."""
        if self._parts.breaker is not None:
            self._parts.breaker.reset()
        for limit in (self._parts.limiter, self._parts.pace):
            if limit is not None:
                limit.reset()

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
        budget: For retries and hedges; the process's unless given, None for none.
        fallbacks: By dependency.
        clock: Where time comes from.
        observers: Told of every circuit's changes of state.
        decision_observers: Told of every decision of a policy; not of calls that simply went well.
        breaker_store: Where circuits are shared with other processes; they are this process's own unless given.
        rate_storage: Where rate limits are shared with other processes; they are this process's own unless given.

    Raises:
        ConfigurationError: A fallback belongs to no dependency.
    """

    def __init__(
        self,
        configs: Mapping[str, PipelineConfig],
        *,
        budget: Budget = "process",
        fallbacks: Mapping[str, Fallback] | None = None,
        clock: Clock | None = None,
        observers: Iterable[Observer] = (),
        decision_observers: Iterable[DecisionObserver] = (),
        breaker_store: BreakerStore | None = None,
        rate_storage: SharedStorage | None = None,
    ) -> None:
        self.budget = resolve(budget)
        self._breaker_store = breaker_store
        self._rate_storage = rate_storage
        self._fallbacks = dict(fallbacks or {})
        self._clock = clock
        self._observers = tuple(observers)
        self._decision_observers = tuple(decision_observers)
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
            decision_observers=self._decision_observers,
            breaker_store=self._breaker_store,
            rate_storage=self._rate_storage,
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

    def health(self) -> Health:
        """What is not as it should be at the moment, in words."""
        states = {name: each.breaker.state for name, each in self._pipelines.items() if each.breaker is not None}
        notes = [f"the circuit of {name} is {state}" for name, state in sorted(states.items()) if state != "closed"]
        out: list[str] = []
        if self._breaker_store is not None and not self._breaker_store.up:
            out.append("circuits")
            notes.append("the store of circuits is out: this process judges by itself")
        if self._rate_storage is not None and not self._rate_storage.shared:
            out.append("rate_limits")
            notes.append("the store of rate limits is out: this process gives away its share of each limit")
        return Health(healthy=self.healthy(), notes=tuple(notes), stores_out=tuple(out))

    async def start(self) -> bool:
        """Connect to the stores, so that the first call does not have to; whether all are there. Needed by nobody."""
        found = True
        if self._breaker_store is not None:
            found = await self._breaker_store.ready()
        if self._rate_storage is not None:
            found = await self._rate_storage.ready() and found
        return found

    async def aclose(self) -> None:
        """Close the connections to the stores."""
        if self._breaker_store is not None:
            await self._breaker_store.aclose()
        if self._rate_storage is not None:
            await self._rate_storage.aclose()

    def snapshot(self) -> dict[str, PipelineSnapshot]:
        """All pipelines now."""
        return {name: self._pipelines[name].snapshot() for name in self.names}

    def reset(self) -> None:
        """Reset every pipeline."""
        for each in self._pipelines.values():
            each.reset()
