"""The same programs for stock pybreaker, one call at a time, and for the breaker: the states agree after every step."""

from __future__ import annotations

import contextlib
import random
from datetime import timedelta

import pytest

from orchestrator_resilience._engine import pybreaker
from orchestrator_resilience.circuit_breaker import CircuitBreaker, CircuitOpen
from orchestrator_resilience.config import CircuitBreakerConfig


class Excluded(Exception):
    pass


def fail() -> None:
    raise OSError("down")


def refuse() -> None:
    raise Excluded


CALLS = {"good": int, "bad": fail, "excluded": refuse}
STATES = {"closed": "closed", "open": "open", "half-open": "half_open"}


def outcome(call, function) -> str:
    try:
        call(function)
    except (pybreaker.CircuitBreakerError, CircuitOpen):
        return "refused"
    except (OSError, Excluded) as error:
        return type(error).__name__
    return "good"


def program(seed: int, clock) -> int:
    chance = random.Random(seed)
    failures, probes = chance.choice([1, 2, 5]), chance.choice([1, 2, 3])
    stock = pybreaker.CircuitBreaker(
        fail_max=failures, reset_timeout=30, success_threshold=probes, exclude=[Excluded], throw_new_error_on_trip=False
    )
    config = CircuitBreakerConfig(
        window="consecutive", consecutive_failures=failures, recovery_seconds=30, probes=probes, excluded=(Excluded,)
    )
    ours = CircuitBreaker("differential", config, clock=clock)
    tripped = 0
    for step in chance.choices(["good", "bad", "excluded", "wait", "open", "close"], [4, 6, 1, 3, 0.2, 0.2], k=40):
        if step == "wait":
            seconds = chance.choice([1.0, 29.0, 31.0])
            clock.time += seconds
            with contextlib.suppress(TypeError):  # never opened: there is no time to move
                stock._state_storage.opened_at -= timedelta(seconds=seconds)
        elif step == "close":
            stock.close()
            ours.reset()
        elif step == "open":
            stock.open()
            ours.engine.open()
            ours._renewed()
        else:
            assert outcome(ours.call_sync, CALLS[step]) == outcome(stock.call, CALLS[step])
        assert ours.state == STATES[stock.current_state]
        tripped += ours.state == "open"
    return tripped


def test_programs_agree(clock):
    assert sum(program(seed, clock) for seed in range(1_000)) > 1_000


@pytest.mark.soak
def test_ten_thousand_programs_agree(clock):
    assert sum(program(seed, clock) for seed in range(10_000, 20_000)) > 10_000
