"""Budgets, burn rates, alerts and forecasts; pure."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slo_support import slo

from orchestrator_monitoring._slo.forecasts import error_ratio_interval
from orchestrator_monitoring.slo_monitor import Counts, HourCounts, default_slos, forecast, judge

HOUR = 3600


def everywhere(made, bad: float, total: float = 1_000_000):
    part = total - bad if made.indicator.ratio.good else bad
    return {window: Counts(part, total) for window in made.windows}


@given(st.floats(0, 1), st.sampled_from(default_slos().slos))
def test_the_budget_is_a_continuous_figure(ratio: float, made) -> None:
    report = judge(made, everywhere(made, ratio * 1e6))
    assert report.consumed == pytest.approx(ratio / made.budget, rel=1e-9, abs=1e-9)
    assert report.remaining == pytest.approx(1 - report.consumed)
    assert report.sli == pytest.approx(1 - ratio)


@pytest.mark.parametrize(
    ("bad", "consumed", "conformance", "freeze"),
    [
        (0, 0, "compliant", False),
        (250, 0.25, "compliant", False),
        (900, 0.9, "at_risk", False),
        (960, 0.96, "at_risk", True),
        (1000, 1, "violated", True),
        (1500, 1.5, "violated", True),
    ],
)
def test_conformance(bad: float, consumed: float, conformance: str, freeze: bool) -> None:
    report = judge(slo(0.999), everywhere(slo(0.999), bad))
    assert (report.consumed, report.conformance, report.freeze) == (pytest.approx(consumed), conformance, freeze)


def test_every_alert_of_every_default_flips_within_one_per_cent_of_its_threshold() -> None:
    for made in default_slos().slos:
        for rule in made.burn_rules:
            threshold = made.threshold(rule)
            for factor, fires in ((min(1.01, 1 / threshold), True), (0.99, False)):
                report = judge(made, everywhere(made, threshold * factor * 1e6))
                assert next(each for each in report.burns if each.rule == rule).firing is fires


def test_both_windows_must_burn() -> None:
    made = slo(0.999)
    quiet, loud = Counts(0, 1000), Counts(500, 1000)
    for long, short, firing in ((loud, loud, True), (loud, quiet, False), (quiet, loud, False)):
        page = judge(made, {3600: long, 300: short}).burns[0]
        assert page.firing is firing


def test_no_traffic_is_no_burn_and_says_so() -> None:
    report = judge(slo(0.999), {})
    assert (report.conformance, report.sli, report.consumed) == ("unknown", None, 0.0)
    assert not any(burn.firing for burn in report.burns)
    assert "no traffic in 30d" in report.note
    assert all("nothing burns" in burn.note for burn in report.burns)


def test_few_events_fire_nothing_and_say_so() -> None:
    made = slo(0.999, min_events=10)
    report = judge(made, everywhere(made, 9, 9))
    assert not any(burn.firing for burn in report.burns)
    assert "fewer than min_events = 10" in report.burns[0].note
    assert judge(made, everywhere(made, 1, 1)).note.startswith("only 1 event in")
    assert all(burn.firing for burn in judge(made, everywhere(made, 10, 10)).burns)


def test_more_good_events_than_events_are_no_negative_errors() -> None:
    made = default_slos().find("goal_conversion")
    assert made is not None
    assert judge(made, {window: Counts(20, 10) for window in made.windows}).consumed == 0


def steady(ratio: float, hours: int, per_hour: float = 1000) -> list[HourCounts]:
    return [HourCounts(ratio * per_hour, per_hour)] * hours


def test_a_forecast_of_an_even_burn() -> None:
    # Ten times the pace: 30 days of budget in 3 days, of which one is gone.
    found = forecast(steady(0.0, 696) + steady(0.01, 24), budget=0.001, window=720 * HOUR)
    assert found.expected == pytest.approx(2 * 24 * HOUR, rel=0.02)
    assert found.earliest is not None
    assert found.latest is not None
    assert found.earliest < found.expected < found.latest


def test_what_is_within_the_pace_lasts() -> None:
    assert forecast(steady(0.0005, 720), budget=0.001, window=720 * HOUR).expected is None
    assert forecast(steady(0.002, 720), budget=0.001, window=720 * HOUR).expected == 0.0
    assert "no traffic" in forecast([], budget=0.001, window=720 * HOUR).note


def test_old_errors_leave_the_window() -> None:
    # A bad day that is about to leave, then slightly too many errors: without the leaving the budget would be gone tomorrow.
    history = steady(0.025, 24) + steady(0.0, 672) + steady(0.0015, 24)
    found = forecast(history, budget=0.001, window=720 * HOUR)
    assert found.expected == pytest.approx(19 * 24 * HOUR, rel=0.01)


@pytest.mark.parametrize("clump", [1, 40])
def test_the_interval_holds_the_truth_as_often_as_it_says(clump: int) -> None:
    """Independent errors, and errors that come forty at a time."""
    rng, truth, held, rounds = random.Random(7), 0.02, 0, 300
    for _ in range(rounds):
        hours = [
            HourCounts(sum(clump for _ in range(1000 // clump) if rng.random() < truth), 1000.0) for _ in range(24)
        ]
        low, high = error_ratio_interval(hours)
        held += low <= truth <= high
    assert held / rounds >= 0.86
