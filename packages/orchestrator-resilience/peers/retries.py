"""Retries: tenacity and stamina."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import stamina
import tenacity
from orchestrator_resilience.config import RetryConfig
from orchestrator_resilience.retry_utils import Retry, RetryBudget

from cases import Seen, bare, case, cost, expected

Decorator = Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]


def four_attempts_tenacity() -> Decorator:
    return tenacity.retry(stop=tenacity.stop_after_attempt(4), wait=tenacity.wait_none(), reraise=True)


def four_attempts_stamina() -> Decorator:
    return stamina.retry(on=OSError, attempts=4, wait_initial=0, wait_max=0, wait_jitter=0)


async def layers(decorators: list[Decorator]) -> Seen:
    """Three nested layers of four attempts each, 200 calls of users, and a dependency that is down."""
    calls = 0

    async def dependency() -> None:
        nonlocal calls
        calls += 1
        raise ConnectionResetError("down")

    inner: Callable[..., Awaitable[Any]] = dependency
    for each in decorators:
        outer = inner

        async def layer(outer: Callable[..., Awaitable[Any]] = outer) -> None:
            await outer()

        inner = each(layer)
    for _ in range(200):
        await expected(inner())
    return Seen(f"a call of a user becomes {calls / 200:.3g} calls of the dependency", calls <= 240)


def our_layers() -> Seen:
    budget = RetryBudget()
    config = RetryConfig(attempts=4, base_seconds=1e-6, max_seconds=1e-6, idempotent=True)
    return asyncio.run(layers([Retry(config, budget=budget) for _ in range(3)]))


for name, make in {"tenacity": four_attempts_tenacity, "stamina": four_attempts_stamina}.items():
    case(
        name,
        "three layers do not multiply an outage",
        there=lambda make=make: asyncio.run(layers([make() for _ in range(3)])),
        here=our_layers,
    )


async def hanging(decorator: Decorator) -> Seen:
    """0.1 seconds in all, and a dependency that does not answer."""

    @decorator
    async def call() -> None:
        await asyncio.sleep(0.5)

    began = time.perf_counter()
    await expected(call())
    took = time.perf_counter() - began
    return Seen(f"the caller has waited {took:.1f} s of 0.1", took < 0.2)


async def late(decorator: Decorator) -> Seen:
    """0.1 seconds in all, and a pause of 0.3 between two attempts."""
    attempts: list[float] = []
    began = time.perf_counter()

    @decorator
    async def call() -> None:
        attempts.append(time.perf_counter() - began)
        raise ConnectionResetError("down")

    await expected(call())
    last = attempts[-1]
    text = f"the last attempt starts at {last:.1f} s, the time is over at 0.1"
    return Seen(text, last < 0.1)


PAUSE = {"base_seconds": 0.3, "max_seconds": 0.3, "jitter": "decorrelated"}


def our_hanging() -> Seen:
    return asyncio.run(hanging(Retry(RetryConfig(total_seconds=0.1), budget=None)))


def our_late() -> Seen:
    return asyncio.run(late(Retry(RetryConfig(total_seconds=0.1, idempotent=True, **PAUSE), budget=None)))


def limited_tenacity() -> Decorator:
    return tenacity.retry(stop=tenacity.stop_after_delay(0.1), wait=tenacity.wait_fixed(0.3), reraise=True)


def limited_stamina() -> Decorator:
    return stamina.retry(on=OSError, attempts=None, timeout=0.1, wait_initial=0.3, wait_max=0.3, wait_jitter=0)


for name, make in {"tenacity": limited_tenacity, "stamina": limited_stamina}.items():
    case(
        name,
        "the total time ends a hanging attempt",
        there=lambda make=make: asyncio.run(hanging(make())),
        here=our_hanging,
    )
case(
    "tenacity",
    "no attempt starts after the total time",
    there=lambda: asyncio.run(late(limited_tenacity())),
    here=our_late,
)


for name, make in {"tenacity": four_attempts_tenacity, "stamina": four_attempts_stamina}.items():
    case(
        name,
        "the healthy path is cheap",
        there=lambda make=make: asyncio.run(cost(make()(bare), at_most=20)),
        here=lambda: asyncio.run(cost(Retry(budget=RetryBudget())(bare), at_most=20)),
    )
