"""The layers of a pipeline: each takes the next one and answers a function of the same shape. Composed once, when the pipeline is built."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from orchestrator_kernel.exceptions import RateLimitError
from orchestrator_kernel.ports import Clock
from orchestrator_resilience._bulkhead import Bulkhead
from orchestrator_resilience._priorities import Priority
from orchestrator_resilience._timeouts import TimeLimits
from orchestrator_resilience.circuit_breaker import CircuitBreaker, Observer
from orchestrator_resilience.deadlines import DeadlineExceeded, current_deadline, deadline
from orchestrator_resilience.pipeline_config import PipelineConfig
from orchestrator_resilience.rate_limiter import RateLimiter
from orchestrator_resilience.retry_utils import AttemptTimedOut, Hedge, Retry, RetryBudget

Function: TypeAlias = Callable[..., Awaitable[Any]]
Layer: TypeAlias = Callable[[Function, tuple[Any, ...], dict[str, Any]], Awaitable[Any]]


class OverRate(RateLimitError):
    """Our own limit for calls to this dependency is used up; it was not asked."""

    default_code = "over_rate"


@dataclass(frozen=True, slots=True)
class Parts:
    """What has state. Shared by all variants of a pipeline."""

    name: str
    config: PipelineConfig
    limiter: RateLimiter | None
    bulkhead: Bulkhead | None
    breaker: CircuitBreaker | None
    budget: RetryBudget | None
    clock: Clock


def make_parts(
    name: str, config: PipelineConfig, budget: RetryBudget | None, clock: Clock, observers: tuple[Observer, ...]
) -> Parts:
    """Build what the configuration asks for."""
    limit, bulkhead, breaker = config.rate_limit, config.bulkhead, config.breaker
    return Parts(
        name=name,
        config=config,
        limiter=None if limit is None else RateLimiter(limit, strategy=config.rate_strategy, clock=clock),
        bulkhead=None if bulkhead is None else Bulkhead(name, bulkhead, clock=clock),
        breaker=None if breaker is None else CircuitBreaker(name, breaker, clock=clock, observers=observers),
        budget=budget,
        clock=clock,
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


def _deadline(parts: Parts, inner: Layer) -> Layer:
    seconds = parts.config.deadline_seconds
    if seconds is None:
        return inner
    limits = TimeLimits(seconds)

    async def layer(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        limit = limits.begin()
        outer = current_deadline.get()
        if outer is not None and outer <= limit.ends:
            limits.end(limit)
            async with deadline(None):
                return await inner(function, args, kwargs)
        token = current_deadline.set(limit.ends)
        try:
            return await inner(function, args, kwargs)
        except asyncio.CancelledError as error:
            if limit.expired and limit.is_its_own():
                raise DeadlineExceeded(
                    f"{parts.name} had {seconds:g} s in all", details={"dependency": parts.name}
                ) from error
            raise
        finally:
            current_deadline.reset(token)
            limits.end(limit)

    return layer


def _rate_limit(parts: Parts, inner: Layer) -> Layer:
    limiter, name = parts.limiter, parts.name
    if limiter is None:
        return inner
    hit = limiter.hitter(name)

    async def layer(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        decision = hit()
        if not decision.allowed:
            raise OverRate(
                f"our limit of calls to {name} is used up",
                details={"dependency": name},
                retry_after=decision.retry_after,
            )
        return await inner(function, args, kwargs)

    return layer


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


def _retry(parts: Parts, inner: Layer, *, idempotent: bool) -> Layer:
    config = parts.config.retry
    if config is None:
        return inner
    retry = Retry(replace(config, idempotent=idempotent), budget=parts.budget, clock=parts.clock)
    return lambda function, args, kwargs: retry.call(inner, function, args, kwargs)


def _hedge(parts: Parts, inner: Layer, *, idempotent: bool) -> Layer:
    config = parts.config.hedge
    if config is None or not idempotent:
        return inner
    hedge = Hedge(config, idempotent=True, budget=parts.budget)
    return lambda function, args, kwargs: hedge.call(inner, function, args, kwargs)


def _time_limit(parts: Parts, inner: Layer) -> Layer:
    seconds = parts.config.time_limit_seconds
    if seconds is None:
        return inner
    limits = TimeLimits(seconds)

    async def layer(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        limit = limits.begin()
        try:
            return await inner(function, args, kwargs)
        except asyncio.CancelledError as error:
            if limit.expired and limit.is_its_own():
                raise AttemptTimedOut(f"{parts.name} took longer than {seconds:g} s") from error
            raise
        finally:
            limits.end(limit)

    return layer
