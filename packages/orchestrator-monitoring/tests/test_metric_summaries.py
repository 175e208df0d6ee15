"""Figures from what was counted, for pages without a Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_monitoring.business_metrics import (
    BUSINESS_METRICS,
    ActionDone,
    BusinessMetrics,
    CallAnswered,
    CallEnded,
    CallStarted,
    GoalReached,
    Rated,
    StageTimed,
    Understood,
    WordsSpoken,
    summarize,
)
from orchestrator_monitoring.metrics import Metrics, estimate_quantile

BOUNDS = (0.1, 0.5, 1.0, 5.0)


@given(st.lists(st.floats(0.001, 5.0), min_size=1), st.floats(0.01, 0.99))
def test_an_estimate_lies_in_the_bucket_that_holds_the_quantile(values: list[float], quantile: float) -> None:
    buckets = {bound: float(sum(value <= bound for value in values)) for bound in BOUNDS} | {inf: float(len(values))}
    estimate = estimate_quantile(quantile, buckets)
    rank = quantile * len(values)
    true = sorted(values)[min(len(values) - 1, max(0, int(-(-rank // 1)) - 1))]
    assert estimate is not None
    at = bisect_left(BOUNDS, true)
    assert (0.0 if at == 0 else BOUNDS[at - 1]) <= estimate <= BOUNDS[at]


def test_nothing_observed_has_no_quantile_and_what_lies_beyond_is_told_as_the_last_bound() -> None:
    assert estimate_quantile(0.5, {1.0: 0.0, inf: 0.0}) is None
    assert estimate_quantile(0.5, {}) is None
    assert estimate_quantile(0.99, {1.0: 1.0, 2.0: 1.0, inf: 10.0}) == 2.0


def test_what_was_never_counted_is_null_and_not_zero() -> None:
    told = summarize(Metrics(BUSINESS_METRICS, registers={"tenants": bool}).read())
    assert told["calls"]["success_ratio"] is None  # type: ignore[index,call-overload]
    assert told["understanding"]["heard_ratio"] is None  # type: ignore[index,call-overload]
    assert told["satisfaction"] == {"answers": 0, "mean": None}
    assert told["turns"]["answer_seconds"] is None  # type: ignore[index,call-overload]


def test_figures_follow_from_what_was_counted_by_tenant_or_of_all() -> None:
    metrics = Metrics(BUSINESS_METRICS, registers={"tenants": bool})
    business = BusinessMetrics(metrics)
    for tenant, outcome, converted in (
        ("north", "completed", True),
        ("north", "completed", False),
        ("north", "failed", False),
        ("south", "abandoned", False),
    ):
        business.count(CallStarted(tenant, "agent"))
        business.count(CallAnswered(tenant))
        business.count(CallEnded(tenant, outcome, "dialogue", "media lost", 60.0, converted))  # type: ignore[arg-type]
    for fact in (
        Understood("north", "booking", 0.9),
        WordsSpoken("north", 10, 8),
        ActionDone("north", "book", "done", 1.0),
        GoalReached("north", "booking", 120.0, "EUR"),
        Rated("north", 4),
        Rated("south", 5),
        StageTimed("answer", 0.3),
    ):
        business.count(fact)
    everything = summarize(metrics.read())
    assert everything["calls"] == {
        "started": 4,
        "answered": 4,
        "in_progress": {},
        "ended": {"abandoned": 1, "completed": 2, "failed": 1},
        "success_ratio": pytest.approx(0.75),
        "abandoned_by_stage": {"dialogue": 1},
        "failed_by_reason": {"media lost": 1},
    }
    assert everything["turns"]["answer_seconds"]["p50"] == pytest.approx(0.25, abs=0.06)  # type: ignore[index,call-overload]
    north = summarize(metrics.read(), tenant="north")
    assert north["calls"]["success_ratio"] == pytest.approx(2 / 3)  # type: ignore[index,call-overload]
    assert north["goals"] == {
        "reached": {"booking": 1},
        "value": {"booking EUR": 120},
        "conversion_ratio": pytest.approx(1 / 3),
    }
    assert north["actions"] == {"book done": 1}
    assert north["understanding"] == {
        "intents": {"booking": 1},
        "misunderstandings": {},
        "heard_ratio": pytest.approx(0.8),
        "barge_ins": 0,
    }
    assert north["satisfaction"] == {"answers": 1, "mean": 4}
    assert "turns" not in north
