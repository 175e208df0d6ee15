"""The layers of a pipeline: each takes the next one and answers a function of the same shape. Composed once, when the pipeline is built."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from orchestrator_kernel.exceptions import RateLimitError
from orchestrator_kernel.ports import Clock
from orchestrator_resilience._bulkhead import Bulkhead
from orchestrator_resilience._context import current_deadline
from orchestrator_resilience._priorities import Priority
from orchestrator_resilience._rate_algorithms import Decision, Pace
from orchestrator_resilience._timeouts import TimeLimits
from orchestrator_resilience.circuit_breaker import CircuitBreaker, Observer
from orchestrator_resilience.config import CircuitBreakerConfig
from orchestrator_resilience.deadlines import DeadlineExceeded
from orchestrator_resilience.events import DecisionObserver
from orchestrator_resilience.pipeline_config import PipelineConfig
from orchestrator_resilience.rate_limiter import RateLimiter, SharedStorage, parse_limits
from orchestrator_resilience.retry_utils import AttemptTimedOut, Hedge, Retry, RetryBudget
from orchestrator_resilience.shared_breaker import BreakerStore, SharedCircuitBreaker

Function: TypeAlias = Callable[..., Awaitable[Any]]
Layer: TypeAlias = Callable[[Function, tuple[Any, ...], dict[str, Any]], Coroutine[Any, Any, Any]]


class OverRate(RateLimitError):
    """Our own limit for calls to this dependency is used up; it was not asked."""

    default_code = "over_rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What a pipeline is connected with, whatever its configuration."""

    budget: RetryBudget | None
    clock: Clock
    observers: tuple[Observer, ...] = ()
    decision_observers: tuple[DecisionObserver, ...] = ()
    breaker_store: BreakerStore | None = None
    rate_storage: SharedStorage | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What has state. Shared by all variants of a pipeline."""

    name: str
    config: PipelineConfig
    wiring: Wiring
    limiter: RateLimiter | None
    pace: Pace | None
    bulkhead: Bulkhead | None
    breaker: CircuitBreaker | None

    @property
    def budget(self) -> RetryBudget | None:
        return self.wiring.budget

    @property
    def clock(self) -> Clock:
        return self.wiring.clock


def make_parts(name: str, config: PipelineConfig, wiring: Wiring, before: Parts | None = None) -> Parts:
    """Build what the configuration asks for; what it asks for as before is kept with its state."""
    old = None if before is None else before.config
    limiter = pace = bulkhead = breaker = None
    if before is not None and old is not None:
        if (old.rate_limit, old.rate_strategy) == (config.rate_limit, config.rate_strategy):
            limiter, pace = before.limiter, before.pace
        bulkhead = before.bulkhead if old.bulkhead == config.bulkhead else None
        breaker = before.breaker if old.breaker == config.breaker else None
    if config.rate_limit is not None and limiter is None and pace is None:
        limiter, pace = _make_limit(config.rate_limit, config, wiring)
    if config.bulkhead is not None and bulkhead is None:
        bulkhead = Bulkhead(name, config.bulkhead, clock=wiring.clock, observers=wiring.decision_observers)
    if config.breaker is not None and breaker is None:
        breaker = _make_breaker(name, config.breaker, wiring)
    return Parts(name, config, wiring, limiter, pace, bulkhead, breaker)


def _make_limit(limits: str, config: PipelineConfig, wiring: Wiring) -> tuple[RateLimiter | None, Pace | None]:
    items, strategy = parse_limits(limits), config.rate_strategy
    if wiring.rate_storage is not None:
        return RateLimiter(limits, strategy=strategy, storage=wiring.rate_storage), None
    if strategy == "gcra" and len(items) == 1:
        return None, Pace(items[0].amount, float(items[0].get_expiry()))
    return RateLimiter(limits, strategy=strategy, clock=wiring.clock), None


def _make_breaker(name: str, config: CircuitBreakerConfig, wiring: Wiring) -> CircuitBreaker:
    if wiring.breaker_store is None:
        return CircuitBreaker(name, config, clock=wiring.clock, observers=wiring.observers)
    return SharedCircuitBreaker(
        name, config, store=wiring.breaker_store, clock=wiring.clock, observers=wiring.observers
    )


def compose(parts: Parts, *, priority: Priority, idempotent: bool) -> Layer:
    """The layers that the configuration asks for, in its order, around the call itself."""
    layer: Layer = _invoke
    makers: dict[str, Callable[[Layer], Layer]] = {
        "deadline": lambda inner: _deadline(parts, inner),
        "rate_limit": lambda inner: _rate_limit(parts, inner),
        "bulkhead": lambda inner: _bulkhead(parts, inner, priority),
        "breaker": lambda inner: _breaker(parts, inner),
        "retry": lambda inner: _retry(parts, inner, idempotent=idempotent),
        "hedge": lambda inner: _hedge(parts, inner, idempotent=idempotent),
        "time_limit": lambda inner: _time_limit(parts, inner),
    }
    for name in reversed(parts.config.order):
        layer = makers[name](layer)
    return layer


async def _invoke(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return await function(*args, **kwargs)


def too_late(parts: Parts) -> DeadlineExceeded:
    """The error of a call whose deadline came."""
    seconds = parts.config.deadline_seconds or 0.0
    return DeadlineExceeded(f"{parts.name} had {seconds:g} s in all", details={"dependency": parts.name})


def took_too_long(parts: Parts) -> AttemptTimedOut:
    """The error of an attempt that reached its time limit."""
    seconds = parts.config.time_limit_seconds or 0.0
    return AttemptTimedOut(f"{parts.name} took longer than {seconds:g} s")


def _deadline(parts: Parts, inner: Layer) -> Layer:
    """The deadline that is there may be earlier than ours; then its own timer ends the call, and nothing is started after it."""
    seconds, name = parts.config.deadline_seconds, parts.name
    limits = TimeLimits(seconds or 0.0)

    async def layer(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        now, outer = asyncio.get_running_loop().time(), current_deadline.get()
        if outer is not None and outer <= now:
            raise DeadlineExceeded(f"no time is left for {name}", details={"dependency": name})
        if seconds is None or (outer is not None and outer <= now + seconds):
            return await inner(function, args, kwargs)
        limit = limits.begin()
        token = current_deadline.set(limit.ends)
        try:
            return await limits.bound(limit, inner(function, args, kwargs), lambda: too_late(parts))
        finally:
            current_deadline.reset(token)

    return layer


def _rate_limit(parts: Parts, inner: Layer) -> Layer:
    name, hit = parts.name, _hitter(parts)
    if hit is None:
        return inner

    async def layer(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        decision = await hit()
        if not decision.allowed:
            raise OverRate(
                f"our limit of calls to {name} is used up",
                details={"dependency": name},
                retry_after=decision.retry_after,
            )
        return await inner(function, args, kwargs)

    return layer


def _hitter(parts: Parts) -> Callable[[], Awaitable[Decision]] | None:
    pace, limiter, monotonic = parts.pace, parts.limiter, parts.clock.monotonic
    if pace is not None:

        async def hit_pace() -> Decision:
            return pace.hit(monotonic())

        return hit_pace
    # In a shared storage, a service of this name stands beside the clients of other limiters.
    return None if limiter is None else functools.partial(limiter.hit, "dependency", parts.name)


def _bulkhead(parts: Parts, inner: Layer, priority: Priority) -> Layer:
    bulkhead = parts.bulkhead
    if bulkhead is None:
        return inner

    async def layer(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        started = bulkhead.enter_now()
        if started is None:
            started = await bulkhead.enter(priority)
        try:
            result = await inner(function, args, kwargs)
        except BaseException as error:
            bulkhead.leave(started, error)
            raise
        bulkhead.leave(started, None)
        return result

    return layer


def _breaker(parts: Parts, inner: Layer) -> Layer:
    breaker = parts.breaker
    if breaker is None:
        return inner
    return lambda function, args, kwargs: breaker.call(inner, function, args, kwargs)


def make_retry(parts: Parts, *, idempotent: bool) -> Retry | None:
    """The pipeline's retries, if it has any."""
    config = parts.config.retry
    if config is None:
        return None
    return Retry(
        replace(config, idempotent=idempotent),
        name=parts.name,
        budget=parts.budget,
        clock=parts.clock,
        observers=parts.wiring.decision_observers,
    )


def _retry(parts: Parts, inner: Layer, *, idempotent: bool) -> Layer:
    retry = make_retry(parts, idempotent=idempotent)
    if retry is None:
        return inner
    return lambda function, args, kwargs: retry.call(inner, function, args, kwargs)


def _hedge(parts: Parts, inner: Layer, *, idempotent: bool) -> Layer:
    config = parts.config.hedge
    if config is None or not idempotent:
        return inner
    hedge = Hedge(
        config, name=parts.name, idempotent=True, budget=parts.budget, observers=parts.wiring.decision_observers
    )
    return lambda function, args, kwargs: hedge.call(inner, function, args, kwargs)


def _time_limit(parts: Parts, inner: Layer) -> Layer:
    seconds = parts.config.time_limit_seconds
    if seconds is None:
        return inner
    limits = TimeLimits(seconds)

    def layer(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Any]:
        return limits.bound(limits.begin(), inner(function, args, kwargs), lambda: took_too_long(parts))

    return layer
