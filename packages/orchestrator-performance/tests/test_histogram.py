"""The histogram against a sorted list."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_performance.benchmarking import BenchmarkError, LatencyHistogram

latencies = st.one_of(
    st.floats(min_value=0, max_value=1e6),
    st.floats(min_value=1e-7, max_value=10),
    st.floats(min_value=0, allow_infinity=False, allow_nan=False),
)
many = st.lists(latencies, min_size=1, max_size=200)


def sorted_list_percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return next(value for rank, value in enumerate(ordered, 1) if rank * 100 >= percent * len(ordered) * (1 - 1e-12))


@given(many, st.one_of(st.sampled_from([0, 50, 90, 99, 99.9, 100]), st.floats(0, 100)))
def test_percentile_is_within_one_percent_of_the_sorted_list(values: list[float], percent: float):
    true = sorted_list_percentile(values, percent)
    found = LatencyHistogram.of(values).percentile(percent)
    assert abs(found - true) <= max(true / 128, 1e-9)


@given(many)
def test_count_and_extremes_are_exact(values: list[float]):
    histogram = LatencyHistogram.of(values)
    assert (histogram.count, histogram.minimum, histogram.maximum) == (len(values), min(values), max(values))
    assert histogram.percentile(100) == max(values)


@given(many, st.lists(st.floats(0, 100), min_size=2, max_size=5))
def test_percentiles_never_fall(values: list[float], percents: list[float]):
    histogram = LatencyHistogram.of(values)
    found = [histogram.percentile(percent) for percent in sorted(percents)]
    assert found == sorted(found)


@given(st.lists(latencies), st.lists(latencies), st.lists(latencies))
def test_merging_is_recording_into_one(a: list[float], b: list[float], c: list[float]):
    first, second, third = map(LatencyHistogram.of, (a, b, c))
    assert first.merged(second).merged(third) == LatencyHistogram.of(a + b + c)
    assert first.merged(second) == second.merged(first)
    assert first == LatencyHistogram.of(a)


@given(many, many)
def test_recording_what_is_sorted_is_recording_each(before: list[float], values: list[float]):
    histogram = LatencyHistogram.of(before)
    histogram.record_sorted([])
    histogram.record_sorted(sorted(values))
    assert histogram == LatencyHistogram.of(before + values)
    assert histogram.count == len(before) + len(values)


@pytest.mark.parametrize("values", [[-1.0, 2.0], [1.0, math.inf], [math.nan]])
def test_what_is_sorted_and_no_latency_is_refused(values: list[float]):
    histogram = LatencyHistogram()
    with pytest.raises(BenchmarkError):
        histogram.record_sorted(values)
    assert histogram.count == 0


@given(latencies, st.integers(1, 1000))
def test_recording_many_at_once_is_recording_each(value: float, count: int):
    once = LatencyHistogram()
    once.record(value, count)
    assert once == LatencyHistogram.of([value] * count)


@given(st.lists(latencies))
def test_storing_loses_nothing(values: list[float]):
    histogram = LatencyHistogram.of(values)
    assert LatencyHistogram.from_json(json.loads(json.dumps(histogram.as_json()))) == histogram


def test_a_million_latencies_of_a_day_stay_small():
    histogram = LatencyHistogram()
    for step in range(20_000):
        histogram.record(1e-6 * 1.0012**step if step < 18_000 else 1.0, 50)
    assert histogram.count == 1_000_000
    assert len(list(histogram)) < 3_000


def test_percentiles_follow_nearest_rank():
    histogram = LatencyHistogram.of([1.0] * 999 + [2.0])
    assert histogram.percentile(99.9) == pytest.approx(1.0, rel=0.01)
    assert histogram.percentile(99.91) == 2.0


def test_an_empty_histogram_is_all_zero():
    empty = LatencyHistogram()
    assert (empty.count, empty.minimum, empty.maximum, empty.percentile(99)) == (0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("value", [-1e-9, math.inf, math.nan])
def test_impossible_latencies_are_refused(value: float):
    with pytest.raises(BenchmarkError, match="finite number of seconds"):
        LatencyHistogram().record(value)


@pytest.mark.parametrize("percent", [-0.1, 100.1, math.nan])
def test_impossible_percentiles_are_refused(percent: float):
    with pytest.raises(BenchmarkError, match="between 0 and 100"):
        LatencyHistogram.of([1.0]).percentile(percent)


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"minimum": 0.0, "maximum": 1.0, "buckets": None},
        {"minimum": 0.0, "maximum": 1.0, "buckets": [[1]]},
        {"minimum": 0.0, "maximum": 1.0, "buckets": [[1, 0]]},
        {"minimum": 0.0, "maximum": 1.0, "buckets": [[10**9, 1]]},
        {"minimum": 0.0, "maximum": 1.0, "buckets": [["1", 1]]},
        {"minimum": 5.0, "maximum": 1.0, "buckets": [[0, 1]]},
        {"minimum": 0.0, "maximum": math.inf, "buckets": [[0, 1]]},
    ],
)
def test_a_damaged_store_is_refused(stored: dict[str, object]):
    with pytest.raises(BenchmarkError):
        LatencyHistogram.from_json(stored)
