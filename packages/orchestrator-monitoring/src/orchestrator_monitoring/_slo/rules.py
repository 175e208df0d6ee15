"""Objectives as Prometheus recording and alerting rules (syntax of Prometheus 2), the same figures as `judge` computes.

Error ratios are taken over each whole window from the counters themselves, never averaged from shorter ones: an hour at night must not weigh as much as one at noon.
Without traffic there is no ratio, and nothing fires. Where a maintenance is planned, its minutes are left out of every window by a subquery.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator_monitoring._slo.budgets import AT_RISK
from orchestrator_monitoring._slo.durations import duration_text
from orchestrator_monitoring._slo.loading import SloSet
from orchestrator_monitoring._slo.maintenance import Maintenance
from orchestrator_monitoring._slo.objectives import DAY, BurnRule, Slo
from orchestrator_monitoring._slo.selectors import Matcher, Selector
from orchestrator_monitoring._slo.yaml_text import Plain, yaml_text

__all__ = [
    "BUDGET_ALERTS",
    "CONSUMED",
    "alert_name",
    "error_ratio_query",
    "events_query",
    "increase_query",
    "prometheus_rules",
    "ratio_series",
    "rule_groups",
]

CONSUMED: Final = "slo:error_budget_consumed:ratio"
"""Share of the budget that is spent, by `slo`."""

BUDGET_ALERTS: Final = {"SloBudgetNearlySpent": AT_RISK, "SloBudgetSpent": 1.0}
"""Alerts on the budget as a whole, and the share from which they fire."""


def alert_name(rule: BurnRule) -> str:
    """The `alertname` of a burn-rate rule: `SloBurnRate1hPage`."""
    return f"SloBurnRate{duration_text(rule.long)}{rule.severity.title()}"


def ratio_series(seconds: int) -> str:
    """The recorded error ratio of a window."""
    return f"slo:error_ratio:rate{duration_text(seconds)}"


def events_series(seconds: int) -> str:
    """The recorded number of events of a window."""
    return f"slo:events:increase{duration_text(seconds)}"


def error_ratio_query(slo: Slo, seconds: int, maintenance: Iterable[Maintenance] = ()) -> str:
    """The bad share of a window; empty without traffic."""
    ratio = slo.indicator.ratio
    total, part = (increase_query(each, seconds, _own(slo, maintenance)) for each in (ratio.total, ratio.part))
    # A counter that never counted has no series.
    share = f"({part} or {total} * 0) / ({total} > 0)"
    return f"clamp_min(1 - {share}, 0)" if ratio.good else f"clamp_max({share}, 1)"


def events_query(slo: Slo, seconds: int, maintenance: Iterable[Maintenance] = ()) -> str:
    """How many events a window has."""
    return increase_query(slo.indicator.ratio.total, seconds, _own(slo, maintenance))


def _own(slo: Slo, maintenance: Iterable[Maintenance]) -> list[Maintenance]:
    return [each for each in maintenance if each.covers(slo.name)]


def increase_query(selector: Selector, seconds: int, maintenance: Sequence[Maintenance]) -> str:
    """How much these counters grew over a window, all together, what they did in a maintenance left out."""
    if not maintenance:
        return f"sum(increase({selector}[{duration_text(seconds)}]))"
    step = 60 if seconds < DAY else 300
    outside = " and ".join(
        f"(vector(time()) <= {each.starts:.0f} or vector(time()) >= {each.ends + step:.0f})" for each in maintenance
    )
    counted = f"sum(increase({selector}[{duration_text(step)}])) and on() ({outside})"
    # Steps are counted at their ends, so the first one within the window is a step after its start.
    return f"sum_over_time(({counted})[{duration_text(seconds - 1)}:{duration_text(step)}])"


def prometheus_rules(slos: SloSet) -> str:
    """A rule file for all objectives."""
    comment = "Written by `orchestrator slo rules` from the objectives; change those, not this file."
    return yaml_text({"groups": rule_groups(slos)}, comment)


def rule_groups(slos: SloSet) -> list[Plain]:
    """The groups of a rule file: per objective one for its alerts, and a slower one for its budget."""
    groups: list[Plain] = []
    for slo in slos.slos:
        quick = [each for each in slo.windows if each != slo.window]
        alerts = [_burn_alert(slo, rule) for rule in slo.burn_rules]
        recorded = [rule for seconds in quick for rule in _window_rules(slo, seconds, slos.maintenance)]
        groups.append({"name": f"slo-{slo.name}", "interval": "30s", "rules": [*recorded, *alerts]})
        groups.append(
            {"name": f"slo-{slo.name}-budget", "interval": "5m", "rules": _budget_rules(slo, slos.maintenance)}
        )
    return groups


def _window_rules(slo: Slo, seconds: int, maintenance: Iterable[Maintenance]) -> list[Plain]:
    labels: Plain = {"slo": slo.name}
    rules: list[Plain] = [
        {"record": ratio_series(seconds), "expr": error_ratio_query(slo, seconds, maintenance), "labels": labels}
    ]
    if seconds == slo.window or any(rule.long == seconds for rule in slo.burn_rules):
        rules.append(
            {"record": events_series(seconds), "expr": events_query(slo, seconds, maintenance), "labels": labels}
        )
    return rules


def _of(slo: Slo, series: str) -> str:
    return str(Selector(series, (Matcher("slo", "=", slo.name),)))


def _burn_alert(slo: Slo, rule: BurnRule) -> Plain:
    above = f" > {slo.threshold(rule):.12g}"
    conditions = [_of(slo, ratio_series(each)) + above for each in (rule.long, rule.short)]
    conditions.append(f"{_of(slo, events_series(rule.long))} >= {slo.min_events}")
    what = f"{slo.name} burns its error budget at more than {rule.factor:g}x"
    return _alert(slo, alert_name(rule), " and ".join(conditions), rule.severity, what)


def _budget_rules(slo: Slo, maintenance: Iterable[Maintenance]) -> list[Plain]:
    consumed = f"{_of(slo, ratio_series(slo.window))} / {slo.budget:.12g}"
    rules = _window_rules(slo, slo.window, maintenance)
    rules.append({"record": CONSUMED, "expr": consumed, "labels": {"slo": slo.name}})
    enough = f"{_of(slo, events_series(slo.window))} >= {slo.min_events}"
    for name, share in BUDGET_ALERTS.items():
        what = f"{slo.name} has spent {share:.0%} of its error budget"
        # Within a rounding: 0.9 of a budget is rarely a number that floats can hold.
        rules.append(_alert(slo, name, f"{_of(slo, CONSUMED)} >= {share - 1e-9:.12g} and {enough}", "ticket", what))
    return rules


def _alert(slo: Slo, name: str, query: str, severity: str, summary: str) -> Plain:
    notes = {"summary": summary, "description": slo.description or slo.name}
    if slo.runbook:
        notes["runbook_url"] = slo.runbook
    return {
        "alert": name,
        "expr": query,
        "labels": {"slo": slo.name, "severity": severity},
        "annotations": {key: text.replace("{{", "{ {") for key, text in notes.items()},
    }
