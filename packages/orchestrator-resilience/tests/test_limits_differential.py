"""The same programs for limits' memory storage and for ours: one request after the other, the decisions agree.

Two differences are meant. A fixed window that limits has refused a request of several units stays full for smaller ones (the refused units
are counted): programs of the fixed window use one unit. And limits' time can go back: here it does not.
"""

from __future__ import annotations

import random
import threading
import types

import pytest
from limits import RateLimitItemPerMinute
from limits.storage import memory
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from orchestrator_resilience.rate_limiter import RateLimiter

KINDS = {"fixed-window": FixedWindowRateLimiter, "sliding-window": MovingWindowRateLimiter}


class Idle(threading.Timer):
    """limits forgets old keys in a thread, and again whenever a key is used; the thread would only add chance."""

    def start(self) -> None:
        pass

    def is_alive(self) -> bool:
        return True


@pytest.fixture
def limits_time(clock, monkeypatch):
    monkeypatch.setattr(memory, "time", types.SimpleNamespace(time=clock.monotonic))
    monkeypatch.setattr(memory.threading, "Timer", Idle)


def program(seed: int, strategy: str, clock) -> tuple[int, int]:
    chance = random.Random(seed)
    amount = chance.choice([1, 3, 10])
    theirs = KINDS[strategy](memory.MemoryStorage())
    item = RateLimitItemPerMinute(amount)
    ours = RateLimiter(f"{amount}/minute", strategy=strategy, clock=clock)
    allowed = refused = 0
    for _ in range(40):
        # Never a whole window: there, limits' moving window counts an entry in one of its two answers and not in the other.
        clock.time += chance.choice([0.0, 0.0, 0.25, 1.0, 13.5, 60.0, 61.0]) * chance.uniform(0.99, 1.01)
        key, cost = chance.choice("ab"), 1 if strategy == "fixed-window" else chance.choice([1, 1, 2, 11])
        decision = ours.hit_now(key, cost=cost)
        assert decision.allowed == theirs.hit(item, key, cost=cost)
        assert decision.remaining == theirs.get_window_stats(item, key).remaining
        allowed, refused = allowed + decision.allowed, refused + (not decision.allowed)
    return allowed, refused


def programs(count: int, strategy: str, clock) -> None:
    outcomes = [program(seed, strategy, clock) for seed in range(count)]
    assert min(sum(each[0] for each in outcomes), sum(each[1] for each in outcomes)) > count


@pytest.mark.parametrize("strategy", KINDS)
def test_programs_agree(strategy, clock, limits_time):
    programs(300, strategy, clock)


@pytest.mark.soak
@pytest.mark.parametrize("strategy", KINDS)
def test_ten_thousand_programs_agree(strategy, clock, limits_time):
    programs(10_000, strategy, clock)
