"""Loads over time: as many arrivals as they say, when they say."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_performance.benchmarking import BenchmarkError
from orchestrator_performance.benchmarking.patterns import (
    Pattern,
    constant,
    parse_pattern,
    ramp,
    random_steps,
    sine,
    spike,
    steps,
)

RATES = st.floats(0.5, 50)


def between(arrivals: list[float], start: float, end: float) -> int:
    return sum(start <= each < end for each in arrivals)


@given(RATES, RATES, st.floats(1, 20))
def test_arrivals_rise_lie_inside_and_are_as_many_as_expected(first: float, second: float, seconds: float):
    low, high = sorted((first, second))
    for pattern in (
        constant(first, seconds),
        ramp(first, second, seconds),
        steps([first, second], seconds / 2),
        spike(low, high, at=seconds / 4, lasts=seconds / 4, seconds=seconds),
        sine(high, low, seconds / 2, seconds),
        random_steps(low, high, every=seconds / 5, seconds=seconds),
    ):
        arrivals = list(pattern)
        assert arrivals[0] == 0
        assert all(one < other for one, other in pairwise(arrivals))
        assert all(0 <= each <= seconds for each in arrivals)
        assert len(arrivals) == math.ceil(round(pattern.expected(seconds), 6))
        for number, at in enumerate(arrivals):
            assert pattern.expected(at) == pytest.approx(number, abs=1e-5)


def test_a_ramp_up_has_three_quarters_in_its_second_half_and_down_in_its_first():
    up, down = list(ramp(0, 100, 20)), list(ramp(100, 0, 20))
    assert between(up, 10, 20) / len(up) == pytest.approx(0.75, abs=0.01)
    assert between(down, 0, 10) / len(down) == pytest.approx(0.75, abs=0.01)
    assert len(up) == len(down) == 1_000


def test_a_spike_is_where_it_was_put():
    arrivals = list(spike(10, 200, at=5, lasts=2, seconds=20))
    assert between(arrivals, 5, 7) == pytest.approx(400, abs=1)
    assert between(arrivals, 0, 5) == pytest.approx(50, abs=1)


def test_a_sine_gathers_in_the_first_half_of_its_period():
    arrivals = list(sine(50, 50, 10, 10))
    # over half a period the mean of the sine is 2 / pi
    assert between(arrivals, 0, 5) == pytest.approx(250 + 250 * 2 / math.pi, abs=1)


def test_random_steps_are_the_same_for_a_seed():
    one, same, other = (list(random_steps(5, 50, every=2, seconds=20, seed=seed)) for seed in (1, 1, 2))
    assert one == same != other


def test_irregular_arrivals_follow_the_rate():
    pattern = ramp(0, 2_000, 10)
    arrivals = list(pattern.irregular(seed=7))
    assert arrivals == list(pattern.irregular(seed=7))
    assert len(arrivals) == pytest.approx(10_000, rel=0.05)
    assert between(arrivals, 5, 10) / len(arrivals) == pytest.approx(0.75, abs=0.02)
    assert len({round(second - first, 6) for first, second in pairwise(arrivals[-500:])}) > 100


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("constant:50", constant(50, 20)),
        ("ramp:10..200", ramp(10, 200, 20)),
        ("spike:20..200@10+5", spike(20, 200, at=10, lasts=5, seconds=20)),
        ("step:10,50,100,150", steps([10, 50, 100, 150], 5)),
        ("sine:50~30/20", sine(50, 30, 20, 20)),
        ("random:10..100/5", random_steps(10, 100, every=5, seconds=20)),
    ],
)
def test_a_pattern_as_it_is_typed(typed: str, same: Pattern):
    assert list(parse_pattern(typed, 20)) == list(same)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "constant",
        "constant:",
        "constant:-1",
        "constant:nan",
        "ramp:1-2",
        "ramp:0..0",
        "spike:1..2@19+5",
        "spike:1..2",
        "step:",
        "sine:10~20/5",
        "sine:10~5/0",
        "random:9..1/5",
        "random:1..9/0",
        "burst:9",
    ],
)
def test_what_is_no_pattern_is_refused(typed: str):
    with pytest.raises(BenchmarkError):
        parse_pattern(typed, 20)
