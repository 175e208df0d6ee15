"""What the engines get wrong under asyncio, each shown on the engine itself and then here, side by side."""

from __future__ import annotations

import threading
import time
import types
from abc import ABCMeta
from datetime import timedelta

import pytest
from limits import RateLimitItemPerMinute
from limits.storage import memory
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from orchestrator_resilience._engine import pybreaker
from orchestrator_resilience.circuit_breaker import CircuitBreaker
from orchestrator_resilience.config import CircuitBreakerConfig
from orchestrator_resilience.rate_limiter import RateLimiter


def breakers(**settings) -> tuple[pybreaker.CircuitBreaker, CircuitBreaker]:
    stock = pybreaker.CircuitBreaker(
        fail_max=3, exclude=list(settings.get("excluded", ())), throw_new_error_on_trip=False
    )
    return stock, CircuitBreaker("ours", CircuitBreakerConfig(window="consecutive", consecutive_failures=3, **settings))


async def test_a_decorated_coroutine_function_trips():
    stock, ours = breakers()

    async def fail() -> None:
        raise OSError("down")

    for _ in range(20):
        with pytest.raises(OSError, match="down"):
            await stock(fail)()
    assert stock.current_state == "closed"
    for _ in range(3):
        with pytest.raises(OSError, match="down"):
            await ours(fail)()
    assert ours.state == "open"


class Meta(Exception, metaclass=ABCMeta):
    pass


def test_an_excluded_class_with_a_metaclass_excludes_nothing_else():
    stock, ours = breakers(excluded=(Meta,))

    def fail() -> None:
        raise OSError("down")

    for _ in range(3):
        for call in (stock.call, ours.call_sync):
            with pytest.raises(OSError, match="down"):
                call(fail)
    assert (stock.current_state, ours.state) == ("closed", "open")


def test_an_interrupt_is_no_failure():
    stock, ours = breakers()

    def interrupted() -> None:
        raise KeyboardInterrupt

    for _ in range(3):
        for call in (stock.call, ours.call_sync):
            with pytest.raises(KeyboardInterrupt):
                call(interrupted)
    assert (stock.current_state, ours.state) == ("open", "closed")


def test_threads_do_not_wait_for_each_other():
    stock, ours = breakers()
    assert together(stock.call) == 1
    assert together(ours.call_sync) == 4


def together(call) -> int:
    """How many of four calls are ever under way at once."""
    running, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.2)
        with lock:
            running -= 1

    threads = [threading.Thread(target=call, args=(work,)) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return most


def test_a_wall_clock_that_goes_back_does_not_keep_a_circuit_open(clock):
    stock = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=30, throw_new_error_on_trip=False)
    config = CircuitBreakerConfig(window="consecutive", consecutive_failures=1, recovery_seconds=30, probes=1)
    ours = CircuitBreaker("ours", config, clock=clock)
    for call in (stock.call, ours.call_sync):
        with pytest.raises(ZeroDivisionError):
            call(lambda: 1 / 0)
    clock.time += 31
    # Half a minute has passed for both; for the wall, the clock was set back by an hour as well.
    stock._state_storage.opened_at += timedelta(hours=1) - timedelta(seconds=31)
    with pytest.raises(pybreaker.CircuitBreakerError):
        stock.call(int)
    assert ours.call_sync(int) == 0


@pytest.fixture
def wall(monkeypatch) -> types.SimpleNamespace:
    hands = types.SimpleNamespace(time_now=1e9)
    monkeypatch.setattr(memory, "time", types.SimpleNamespace(time=lambda: hands.time_now))
    return hands


@pytest.mark.parametrize(
    ("theirs", "strategy"), [(FixedWindowRateLimiter, "fixed-window"), (MovingWindowRateLimiter, "sliding-window")]
)
def test_a_wall_clock_that_is_set_gives_no_second_quota_and_takes_none_away(theirs, strategy, wall, clock):
    item, stock, ours = (
        RateLimitItemPerMinute(5),
        theirs(memory.MemoryStorage()),
        RateLimiter("5/minute", strategy=strategy, clock=clock),
    )
    for _ in range(5):
        assert stock.hit(item, "k")
        assert ours.hit_now("k").allowed
    wall.time_now += 3600  # set forward; no time has passed
    assert stock.hit(item, "k")
    assert not ours.hit_now("k").allowed
    wall.time_now -= 7200  # set back; then the window ends
    clock.time += 61
    wall.time_now += 61
    assert [stock.hit(item, "k") for _ in range(9)].count(True) < 5
    assert ours.hit_now("k").allowed


def test_a_refused_request_does_not_fill_a_fixed_window(clock):
    item, stock, ours = (
        RateLimitItemPerMinute(10),
        FixedWindowRateLimiter(memory.MemoryStorage()),
        RateLimiter("10/minute", strategy="fixed-window", clock=clock),
    )
    assert not stock.hit(item, "k", cost=11)
    assert not stock.hit(item, "k", cost=1)
    assert not ours.hit_now("k", cost=11).allowed
    assert ours.hit_now("k", cost=1).allowed
