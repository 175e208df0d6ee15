"""Objectives: what is refused and why, and how files are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slo_support import DAY, RATIO, slo

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring.metrics import Catalogue, Counter, Histogram, OneOf
from orchestrator_monitoring.slo_monitor import (
    BurnRule,
    LatencyIndicator,
    Matcher,
    Selector,
    SloRefused,
    default_slos,
    duration_text,
    load_slos,
    seconds_of,
    standard_rules,
)

PAGE = BurnRule(factor=14.4, long=3600, short=300, severity="page")


def test_a_page_that_can_never_fire_is_refused_with_the_reason() -> None:
    with pytest.raises(SloRefused, match=r"14.4x over 1h can never fire.*90 % a total outage burns at 10x.*reachable"):
        slo(0.90, rules=(PAGE,))


@given(st.floats(0.01, 0.9999), st.floats(0.1, 100.0))
def test_a_rule_is_accepted_exactly_when_a_total_outage_would_fire_it(objective: float, factor: float) -> None:
    rule = BurnRule(factor=factor, long=3600, short=300, severity="page")
    reachable = factor * round(1 - objective, 12) < 1
    try:
        made = slo(round(objective, 9), rules=(rule,))
    except SloRefused:
        assert not reachable or factor * round(1 - round(objective, 9), 12) >= 1
    else:
        assert made.threshold(rule) <= 1


def test_the_standard_rules_are_the_workbooks() -> None:
    rules = standard_rules(30 * DAY)
    assert [(each.factor, each.long, each.short, each.severity) for each in rules] == [
        (14.4, 3600, 300, "page"),
        (6, 21_600, 1800, "page"),
        (3, DAY, 7200, "ticket"),
        (1, 3 * DAY, 21_600, "ticket"),
    ]
    assert [each.factor for each in standard_rules(28 * DAY)] == [13.44, 5.6, 2.8, 0.9333333333]
    assert [each.factor for each in standard_rules(30 * DAY, objective=0.15)] == [1]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"objective": 1.0}, "between 0 and 100 %"),
        ({"objective": 0.0}, "between 0 and 100 %"),
        ({"name": "Call success"}, "lower-case"),
        ({"window": 3600}, "1 to 92 days"),
        ({"min_events": 0}, "min_events"),
        ({"rules": ()}, "no alert"),
        ({"rules": (PAGE, PAGE)}, "same severity"),
        ({"rules": (BurnRule(factor=1, long=300, short=3600, severity="page"),)}, "shorter than the long"),
        ({"rules": (BurnRule(factor=0, long=3600, short=300, severity="page"),)}, "positive"),
        ({"rules": (BurnRule(factor=14.4, long=3 * DAY, short=300, severity="page"),)}, "whole budget is spent"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(SloRefused, match=reason):
        slo(**{"objective": 0.999, **values})


def test_the_nine_defaults_count_what_the_catalogue_declares() -> None:
    from orchestrator_monitoring.business_metrics import BUSINESS_METRICS
    from orchestrator_monitoring.health import HEALTH_METRICS
    from orchestrator_monitoring.http_metrics import HTTP_METRICS

    found = default_slos(Catalogue(BUSINESS_METRICS, HEALTH_METRICS, HTTP_METRICS))
    assert [each.name for each in found.slos] == [
        "api_availability",
        "api_latency",
        "call_success",
        "action_availability",
        "action_latency",
        "auth_success",
        "database_availability",
        "caller_satisfaction",
        "goal_conversion",
    ]


FILE = """
[[slo]]
name = "calls"
objective = 99.9
total = 'calls_total'
bad = 'calls_total{outcome="failed"}'

[[slo]]
name = "quick"
objective = 95
window = "28d"
latency = 'answer_seconds{route="/x"}'
within = "250ms"
alert = [{ severity = "page", burn = 5, long = "1h" }]

[[maintenance]]
starts = 2030-01-31T22:00:00Z
ends = 2030-02-01T00:00:00+00:00
slos = ["calls"]
"""


def test_the_short_form(tmp_path: Path) -> None:
    file = tmp_path / "slos.toml"
    file.write_text(FILE)
    first, second = load_slos(file).slos
    assert first == slo(0.999)
    assert second.indicator == LatencyIndicator(Selector.parse('answer_seconds{route="/x"}'), 0.25)
    assert second.burn_rules == (BurnRule(factor=5, long=3600, short=300, severity="page"),)
    assert (second.window, second.objective) == (28 * DAY, 0.95)
    assert load_slos(file).maintenance[0].slos == {"calls"}


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("objective = 99.9", "objective = 90", 2, "can never fire"),
        ("objective = 99.9", 'objective = "99.9"', 4, "must be a number"),
        ("objective = 95", "objectiv = 95", 8, "objective is missing"),
        ('window = "28d"', 'windows = "28d"', 11, "no member 'windows'"),
        ('window = "28d"', 'window = "28 days"', 11, "no duration"),
        ("bad = ", "sad = ", 2, "say what counts"),
        ("'calls_total{outcome=\"failed\"}'", "'calls_total{outcome=failed}'", 6, "cannot read 'outcome=failed'"),
        ("'calls_total{outcome=\"failed\"}'", "'calls_total'", 2, "nothing would ever change"),
        ('name = "quick"', 'name = "calls"', 9, "two objectives"),
        ("burn = 5", "burn = 30", 8, "can never fire"),
        ('slos = ["calls"]', 'slos = ["cals"]', 19, "no objective of this file"),
        ("2030-02-01T00:00:00+00:00", "2030-01-01T00:00:00+00:00", 16, "must end after it starts"),
        ("[[maintenance]]", "[[maintenance]", 16, "no TOML"),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_reason(
    tmp_path: Path, old: str, new: str, line: int, reason: str
) -> None:
    file = tmp_path / "slos.toml"
    assert old in FILE
    file.write_text(FILE.replace(old, new, 1))
    with pytest.raises(SloRefused, match=reason) as refused:
        load_slos(file)
    assert str(refused.value).startswith(f"{file}:{line}: ")


def test_a_metric_a_label_or_a_bucket_that_nobody_declares_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "slos.toml"
    file.write_text(FILE)
    calls = Counter("calls_total", "Calls.", labels={"outcome": OneOf("failed", "completed")})
    answers = Histogram(
        "answer_seconds", "Answers.", unit="seconds", labels={"route": OneOf("/x")}, buckets=(0.25, 1.0)
    )
    assert len(load_slos(file, catalogue=Catalogue([calls, answers])).slos) == 2
    for groups, reason in (
        ([answers], "no metric has a sample calls_total"),
        ([Counter("calls_total", "Calls."), answers], "has no label outcome"),
        (
            [
                calls,
                Histogram("answer_seconds", "A.", unit="seconds", labels={"route": OneOf("/x")}, buckets=(1.0, 2.0)),
            ],
            "0.25 is no bucket",
        ),
    ):
        with pytest.raises(SloRefused, match=reason) as refused:
            load_slos(file, catalogue=Catalogue(groups))
        assert f"{file}:" in str(refused.value)


@given(st.text(max_size=20), st.text(max_size=20))
def test_label_values_are_bound_whatever_they_hold(value: str, other: str) -> None:
    selector = Selector("calls_total").with_labels(tenant=value)
    assert Selector.parse(str(selector)) == selector
    assert selector.accepts("calls_total", {"tenant": value})
    assert selector.accepts("calls_total", {"tenant": other}) == (value == other)


@given(st.text(max_size=60))
def test_any_text_is_a_selector_or_a_value_error(text: str) -> None:
    try:
        selector = Selector.parse(text)
    except ValueError:
        return
    assert Selector.parse(str(selector)) == selector


@pytest.mark.parametrize("pattern", ["a|b", "5..", "x.*", "[a-c]+", "(a|b)c?"])
def test_patterns_match_whole_values(pattern: str) -> None:
    matcher = Matcher("label", "=~", pattern)
    assert not matcher.accepts("zz-" + pattern)
    assert Matcher("label", "!~", pattern).accepts("zz-" + pattern)


@pytest.mark.parametrize("pattern", ["(?i)a", "a{2}", r"\d", "[[:alpha:]]", "("])
def test_a_pattern_that_python_and_prometheus_may_read_differently_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Matcher("label", "=~", pattern)


def test_bounds_of_buckets_are_numbers() -> None:
    matcher = Matcher("le", "=", "3")
    assert matcher.accepts("3.0")
    assert matcher.accepts("3")
    assert not matcher.accepts("30")


@given(st.integers(1, 92 * DAY))
def test_durations_are_written_and_read_alike(seconds: int) -> None:
    assert seconds_of(duration_text(seconds)) == seconds


def test_latency_counts_the_bucket_out_of_the_count() -> None:
    ratio = LatencyIndicator(Selector.parse("x_seconds"), 2.5).ratio
    assert (str(ratio.total), str(ratio.part), ratio.good) == ("x_seconds_count", 'x_seconds_bucket{le="2.5"}', True)
    assert RATIO.ratio is RATIO


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_slos(tmp_path / "none.toml")
