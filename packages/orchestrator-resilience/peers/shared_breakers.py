"""Circuit breakers whose state is in Redis: pybreaker and purgatory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import purgatory
import pybreaker
import redis
from orchestrator_resilience.config import CircuitBreakerConfig
from orchestrator_resilience.shared_breaker import SharedCircuitBreaker, open_breaker_store
from purgatory.service._async.unit_of_work import AsyncRedisUnitOfWork

from cases import Seen, bare, case, expected
from servers import GONE, valkey

Call = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


async def down() -> None:
    await asyncio.sleep(0.01)
    raise OSError("down")


def ours(url: str, failures: int = 5) -> SharedCircuitBreaker:
    config = CircuitBreakerConfig(window="consecutive", consecutive_failures=failures)
    return SharedCircuitBreaker("peer", config, store=open_breaker_store(url))


# -- a store that is gone


def pybreaker_gone() -> Seen:
    try:
        storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, redis.Redis.from_url(GONE))
        pybreaker.CircuitBreaker(state_storage=storage).call(lambda: None)
    except redis.exceptions.ConnectionError:
        return Seen("the breaker cannot be made", good=False)
    return Seen("the call goes through", good=True)


def our_gone() -> Seen:
    error = asyncio.run(expected_of(lambda: ours(GONE).call(bare)))
    return Seen("the call goes through" if error is None else f"the caller gets {error!r}", error is None)


async def expected_of(make: Callable[[], Awaitable[Any]]) -> BaseException | None:
    return await expected(make())


case("pybreaker", "a store that is gone is no error of the caller's", there=pybreaker_gone, here=our_gone)

# -- what a good call asks of the store


def commands(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.info("stats")["total_commands_processed"])


def asked(url: str, before: int) -> Seen:
    # Less those that count, and a handful to connect.
    per_call = max(0, commands(url) - before - 20) / 1000
    return Seen(
        f"1000 good calls are {1000 * per_call:.0f} commands to the store, all waited for"
        if per_call > 1
        else f"1000 good calls are {1000 * per_call:.0f} commands to the store",
        per_call < 0.1,
    )


def pybreaker_asked() -> Seen:
    with valkey() as url:
        storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, redis.Redis.from_url(url))
        breaker = pybreaker.CircuitBreaker(state_storage=storage)
        before = commands(url)
        for _ in range(1000):
            breaker.call(lambda: None)
        return asked(url, before)


def our_asked() -> Seen:
    with valkey() as url:

        async def steps() -> Seen:
            breaker = ours(url)
            before = commands(url)
            for _ in range(1000):
                await breaker.call(bare)
            await asyncio.sleep(0.5)
            return asked(url, before)

        return asyncio.run(steps())


case("pybreaker", "a healthy call does not wait for the store", there=pybreaker_asked, here=our_asked)

# -- failures at once


async def fifty(call: Call) -> Seen:
    """A threshold of 5, and 50 calls that fail at the same time."""
    await asyncio.gather(*(expected(call(down)) for _ in range(50)))
    error = await expected(call(bare))
    return Seen(
        "50 failures at once open the circuit" if error else "after 50 failures at once it is closed", error is not None
    )


def purgatory_fifty() -> Seen:
    with valkey() as url:

        async def steps() -> Seen:
            factory = purgatory.AsyncCircuitBreakerFactory(default_threshold=5, uow=AsyncRedisUnitOfWork(url))
            await factory.initialize()

            async def call(function: Callable[[], Awaitable[Any]]) -> Any:
                async with await factory.get_breaker("peer"):
                    return await function()

            return await fifty(call)

        return asyncio.run(steps())


def our_fifty() -> Seen:
    with valkey() as url:

        async def steps() -> Seen:
            return await fifty(ours(url).call)

        return asyncio.run(steps())


case("purgatory", "failures at the same time are counted together", there=purgatory_fifty, here=our_fifty)
