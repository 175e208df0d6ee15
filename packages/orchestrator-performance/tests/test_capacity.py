"""How much is carried: searched, predicted, and when a demand reaches it."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_performance.benchmarking import BenchmarkError
from orchestrator_performance.benchmarking.capacity import (
    Bracket,
    find_capacity,
    forecast_reaching,
    predict_capacity,
)


def search(capacity: int, **options: float) -> Bracket:
    async def carries(load: int) -> bool:
        return load <= capacity

    return asyncio.run(find_capacity(carries, **{"start": 1, "most": 10_000, **options}))  # type: ignore[arg-type]


@given(st.integers(0, 20_000), st.integers(1, 500))
def test_a_search_ends_with_a_narrow_bracket_around_the_truth(capacity: int, start: int):
    found = search(capacity, start=start)
    assert found.carried <= capacity
    if capacity >= 10_000:
        assert (found.carried, found.refused) == (10_000, None)
    else:
        assert found.refused is not None
        assert capacity < found.refused
        assert found.refused - found.carried <= max(1, found.carried * 0.1)
    assert len(found.trials) <= 30


def test_nothing_is_tried_twice():
    loads = [load for load, _ in search(777).trials]
    assert len(loads) == len(set(loads))


@pytest.mark.parametrize("options", [{"start": 0}, {"start": 5, "most": 4}, {"resolution": 0}])
def test_a_search_without_sense_is_refused(options: dict[str, float]):
    with pytest.raises(BenchmarkError):
        search(5, **options)


def queue(capacity: float, loads: list[float], noise: float = 0.0, seed: int = 1) -> list[tuple[float, float]]:
    draw = random.Random(seed)
    return [(load, 4.6 / (capacity - load) * draw.uniform(1 - noise, 1 + noise)) for load in loads]


def test_the_capacity_of_a_queue_is_read_from_a_few_loads():
    found = predict_capacity(queue(100, [30, 50, 60, 70, 80]), limit=0.5)
    assert found.value.median == pytest.approx(100 - 4.6 / 0.5)
    assert found.beyond


def test_the_interval_holds_the_truth_most_of_the_time():
    truth, held = 100 - 4.6 / 0.5, 0
    for seed in range(60):
        points = queue(100, [30, 40, 50, 60, 65, 70, 75, 80, 85], noise=0.15, seed=seed)
        interval = predict_capacity(points, limit=0.5).value
        held += interval.low <= truth <= interval.high
    assert held >= 48


def test_wild_points_do_not_move_it():
    points = [*queue(100, [30, 40, 50, 55, 60, 65, 70, 80]), (45, 9.0), (35, 9.0)]
    assert predict_capacity(points, limit=0.5).value.median == pytest.approx(90.8, rel=0.05)


def test_times_that_do_not_rise_predict_nothing():
    with pytest.raises(BenchmarkError, match="no queue"):
        predict_capacity([(load, 0.01) for load in (10, 20, 30, 40, 50)], limit=0.5)


def test_few_points_are_refused():
    with pytest.raises(BenchmarkError, match="at least 5 points"):
        predict_capacity([(10, 0.1), (20, 0.2), (30, 0.3)], limit=0.5)


def test_a_growing_demand_reaches_the_capacity():
    draw = random.Random(3)
    history = [(day, 100 + 2 * day + draw.uniform(-5, 5)) for day in range(30)]
    found = forecast_reaching(history, capacity=300)
    assert found is not None
    assert found.value.low <= 100 <= found.value.high
    assert found.value.median == pytest.approx(100, abs=5)
    assert found.beyond


def test_a_falling_demand_never_does_and_a_short_history_says_nothing():
    assert forecast_reaching([(day, 100 - day) for day in range(10)], capacity=300) is None
    with pytest.raises(BenchmarkError, match="at least 7"):
        forecast_reaching([(1, 1), (2, 2)], capacity=300)
