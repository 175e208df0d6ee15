"""The median's interval against a full enumeration of resamples."""

from __future__ import annotations

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_performance.benchmarking import BenchmarkError, estimate_median

seconds = st.floats(min_value=1e-9, max_value=1e3)


def quantile(values: list[float], probability: float) -> float:
    """The smallest of the values that at least this share of them do not exceed."""
    ordered = sorted(values)
    return next(value for rank, value in enumerate(ordered, 1) if rank / len(ordered) >= probability)


@given(st.lists(seconds, min_size=1, max_size=5), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_interval_is_the_bootstrap_of_all_resamples(values: list[float], confidence: float):
    resamples = list(itertools.product(values, repeat=len(values)))
    low = quantile([statistics.median_low(resample) for resample in resamples], (1 - confidence) / 2)
    high = quantile([statistics.median_high(resample) for resample in resamples], (1 + confidence) / 2)
    found = estimate_median(values, confidence)
    assert (found.low, found.high) == (low, high)


@given(st.lists(seconds, min_size=1, max_size=200))
def test_estimate_is_ordered_and_made_of_the_values(values: list[float]):
    found = estimate_median(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    assert found.median == pytest.approx(statistics.median(values))
    assert {found.low, found.high} <= set(values)


@given(st.lists(seconds, min_size=2, max_size=60), st.floats(0.5, 0.9), st.floats(0.91, 0.999))
def test_more_confidence_needs_a_wider_interval(values: list[float], less: float, more: float):
    narrow, wide = estimate_median(values, less), estimate_median(values, more)
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=99).filter(lambda values: len(values) % 2))
def test_swapping_baseline_and_contender_mirrors_the_interval(logarithms: list[float]):
    there = estimate_median([2.0**value for value in logarithms])
    back = estimate_median([2.0**-value for value in logarithms])
    assert back.median == pytest.approx(1 / there.median)
    assert (back.low, back.high) == pytest.approx((1 / there.high, 1 / there.low))


def test_a_thousand_values_pin_the_median_down():
    found = estimate_median(range(1, 1002), 0.99)
    assert (found.low, found.median, found.high) == (460, 501, 542)


@pytest.mark.parametrize(("values", "confidence"), [([], 0.9), ([1.0], 0.0), ([1.0], 1.0), ([1.0], float("nan"))])
def test_nonsense_is_refused(values: list[float], confidence: float):
    with pytest.raises(BenchmarkError):
        estimate_median(values, confidence)
