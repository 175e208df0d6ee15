"""Circuit breakers: pybreaker, aiobreaker, purgatory, hyx."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import aiobreaker
import aiobreaker.circuitbreaker
import aiobreaker.state
import hyx.circuitbreaker.states
import purgatory
import purgatory.domain.model
import pybreaker
from hyx.circuitbreaker import consecutive_breaker
from orchestrator_resilience.circuit_breaker import CircuitBreaker, CircuitOpen
from orchestrator_resilience.config import CircuitBreakerConfig

from cases import Seen, bare, case, cost, expected, wall_clock

RECOVERY = 0.05
Call = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


def ours(failures: int = 2, **settings: Any) -> CircuitBreaker:
    settings = {"probes": 1, "recovery_seconds": RECOVERY} | settings
    return CircuitBreaker("peer", CircuitBreakerConfig(window="consecutive", consecutive_failures=failures, **settings))


def pybreaker_call() -> Call:
    return pybreaker.CircuitBreaker(fail_max=2, reset_timeout=RECOVERY).call_async


def aiobreaker_call() -> Call:
    return aiobreaker.CircuitBreaker(fail_max=2, timeout_duration=timedelta(seconds=RECOVERY)).call_async


def purgatory_call() -> Call:
    factory = purgatory.AsyncCircuitBreakerFactory(default_threshold=2, default_ttl=RECOVERY)

    async def call(function: Callable[[], Awaitable[Any]]) -> Any:
        async with await factory.get_breaker("peer"):
            return await function()

    return call


def hyx_call() -> Call:
    breaker = consecutive_breaker(Exception, failure_threshold=2, recovery_time_secs=RECOVERY, recovery_threshold=1)

    async def call(function: Callable[[], Awaitable[Any]]) -> Any:
        async with breaker:
            return await function()

    return call


CALLS: dict[str, Callable[[], Call]] = {
    "pybreaker": pybreaker_call,
    "aiobreaker": aiobreaker_call,
    "purgatory": purgatory_call,
    "hyx": hyx_call,
}


async def down() -> None:
    raise OSError("down")


async def fine() -> str:
    return "fine"


async def trip(call: Call) -> None:
    for _ in range(2):
        await expected(call(down))


# -- the healthy path


async def healthy(call: Call) -> Seen:
    return await cost(lambda: call(bare), at_most=8)


for name, make in CALLS.items():
    case(
        name,
        "the healthy path is cheap",
        there=lambda make=make: asyncio.run(healthy(make())),
        here=lambda: asyncio.run(healthy(ours().call)),
    )

# -- half-open


async def stampede(call: Call) -> Seen:
    """Trip it, wait, let 100 callers come at once while the dependency is still down."""
    await trip(call)
    await asyncio.sleep(1.2 * RECOVERY)
    calls = 0

    async def slow() -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.02)
        raise OSError("still down")

    await asyncio.gather(*(expected(call(slow)) for _ in range(100)))
    return Seen(f"{calls} of 100 callers reach the sick dependency", calls == 1)


for name, make in CALLS.items():
    case(
        name,
        "half-open lets one probe through",
        there=lambda make=make: asyncio.run(stampede(make())),
        here=lambda: asyncio.run(stampede(ours().call)),
    )


async def failed_trial(call: Call, state: Callable[[], str]) -> Seen:
    await trip(call)
    await asyncio.sleep(1.2 * RECOVERY)
    await expected(call(down))
    return Seen(f"after a failed trial the circuit is {state()}", state() == "open")


async def pybreaker_trial() -> Seen:
    breaker = pybreaker.CircuitBreaker(fail_max=2, reset_timeout=RECOVERY)
    return await failed_trial(breaker.call_async, lambda: breaker.current_state)


async def our_trial() -> Seen:
    breaker = ours()
    return await failed_trial(breaker.call, lambda: breaker.state)


case("pybreaker", "a failed trial opens the circuit again", there=pybreaker_trial, here=our_trial)

# -- cancellation


async def cancelling(call: Call) -> Seen:
    ended = False

    async def work() -> None:
        nonlocal ended
        await asyncio.sleep(0.05)
        ended = True

    async def caller() -> None:
        await call(work)

    task = asyncio.create_task(caller())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.1)
    return Seen("the work runs on to its end" if ended else "the work is cancelled too", not ended)


case(
    "pybreaker",
    "cancelling the caller cancels the call",
    there=lambda: asyncio.run(cancelling(pybreaker_call())),
    here=lambda: asyncio.run(cancelling(ours().call)),
)


async def two_cancelled(call: Call) -> Seen:
    async def hang() -> None:
        await asyncio.sleep(10)

    for _ in range(2):
        task = asyncio.ensure_future(call(hang))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    error = await expected(call(fine))
    return Seen("two cancelled calls open the circuit" if error else "cancelled calls do not count", error is None)


case(
    "purgatory",
    "cancellation is no failure",
    there=lambda: asyncio.run(two_cancelled(purgatory_call())),
    here=lambda: asyncio.run(two_cancelled(ours().call)),
)


def interrupted(call: Callable[[Callable[[], Any]], Any], state: Callable[[], str]) -> Seen:
    def stop() -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        # Whatever the breaker makes of it.
        with contextlib.suppress(BaseException):
            call(stop)
    return Seen(f"after two interrupts the circuit is {state()}", state() == "closed")


def pybreaker_interrupted() -> Seen:
    breaker = pybreaker.CircuitBreaker(fail_max=2)
    return interrupted(breaker.call, lambda: breaker.current_state)


def our_interrupted() -> Seen:
    breaker = ours()
    return interrupted(breaker.call_sync, lambda: breaker.state)


case("pybreaker", "an interrupt is no failure", there=pybreaker_interrupted, here=our_interrupted)

# -- decorators


async def decorated(breaker: Any, state: Callable[[], str]) -> Seen:
    @breaker
    async def call() -> None:
        raise OSError("down")

    for _ in range(20):
        await expected(call())
    return Seen(f"after 20 failures the circuit is {state()}", state() == "open")


async def pybreaker_decorated() -> Seen:
    breaker = pybreaker.CircuitBreaker(fail_max=2)
    return await decorated(breaker, lambda: breaker.current_state)


async def our_decorated() -> Seen:
    breaker = ours(recovery_seconds=60.0)
    return await decorated(breaker, lambda: breaker.state)


case("pybreaker", "the decorator works on async def", there=pybreaker_decorated, here=our_decorated)

# -- threads


def threads(call: Callable[[Callable[[], None]], Any]) -> Seen:
    """Eight threads with a call of 50 ms each."""
    workers = [threading.Thread(target=call, args=(lambda: time.sleep(0.05),)) for _ in range(8)]
    began = time.perf_counter()
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    times = (time.perf_counter() - began) / 0.05
    return Seen(f"8 threads take {times:.1f} times as long as one", times < 3)


case(
    "pybreaker",
    "no lock is held during a call",
    there=lambda: threads(pybreaker.CircuitBreaker().call),
    here=lambda: threads(ours().call_sync),
)

# -- exclusions


class Meant(abc.ABC, Exception):
    """An error class whose metaclass is not `type`."""


async def excluded(call: Call) -> Seen:
    for _ in range(10):
        await expected(call(down))
    passed = 0

    async def count() -> None:
        nonlocal passed
        passed += 1

    await expected(call(count))
    return Seen("every error is excluded" if passed else "only its own errors are excluded", not passed)


case(
    "pybreaker",
    "an excluded class with a metaclass excludes only itself",
    there=lambda: asyncio.run(excluded(pybreaker.CircuitBreaker(fail_max=2, exclude=[Meant]).call_async)),
    here=lambda: asyncio.run(excluded(ours(excluded=(Meant,), recovery_seconds=60.0).call)),
)
case(
    "aiobreaker",
    "an excluded class with a metaclass excludes only itself",
    there=lambda: asyncio.run(excluded(aiobreaker.CircuitBreaker(fail_max=2, exclude=[Meant]).call_async)),
    here=lambda: asyncio.run(excluded(ours(excluded=(Meant,), recovery_seconds=60.0).call)),
)


async def tripping(call: Call) -> Seen:
    error = None
    for _ in range(2):
        error = await expected(call(down))
    return Seen(f"the caller sees {type(error).__name__}", isinstance(error, OSError))


case(
    "pybreaker",
    "the tripping call tells its own error",
    there=lambda: asyncio.run(tripping(pybreaker_call())),
    here=lambda: asyncio.run(tripping(ours().call)),
)

# -- clocks

_DATED = {
    "pybreaker": (pybreaker,),
    "aiobreaker": (aiobreaker.circuitbreaker, aiobreaker.state),
    "purgatory": (),
    "hyx": (hyx.circuitbreaker.states,),
}


async def set_back(make: Callable[[], Call], *modules: Any) -> Seen:
    """The circuit opens, somebody sets the clock an hour back, and the recovery time passes."""
    with wall_clock(*modules) as clock:
        call = make()
        await trip(call)
        clock.shift = -3600
        await asyncio.sleep(1.2 * RECOVERY)
        error = await expected(call(fine))
    return Seen("the circuit stays open for an hour more" if error else "it recovers in its time", error is None)


for name, make in CALLS.items():
    case(
        name,
        "a clock set back changes nothing",
        there=lambda make=make, name=name: asyncio.run(set_back(make, *_DATED[name])),
        here=lambda: asyncio.run(set_back(lambda: ours().call)),
    )


async def in_tokyo(call: Call, when: Callable[[Any], object]) -> Seen:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    try:
        await trip(call)
        error = await expected(call(fine))
        told = when(error)
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()
    return Seen("the refusal says when to come back" if told else "the refusal does not know when", told is not None)


case(
    "aiobreaker",
    "a refusal knows when to come back, in every time zone",
    there=lambda: asyncio.run(
        in_tokyo(
            aiobreaker.CircuitBreaker(fail_max=2, timeout_duration=timedelta(seconds=60)).call_async,
            lambda error: error.reopen_time,
        )
    ),
    here=lambda: asyncio.run(
        in_tokyo(
            ours(recovery_seconds=60.0).call,
            lambda error: error.retry_after if isinstance(error, CircuitOpen) else None,
        )
    ),
)
