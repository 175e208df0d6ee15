"""Unit tests for `promtool test rules`, generated with the rules: every threshold of every objective, one per cent above and below it.

What is expected is what `judge` says of the same series, for every objective that counts them: a test that passes shows that both back ends agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from orchestrator_monitoring._slo.budgets import judge
from orchestrator_monitoring._slo.durations import duration_text
from orchestrator_monitoring._slo.examples import Example, example_series
from orchestrator_monitoring._slo.indicators import counted
from orchestrator_monitoring._slo.loading import SloSet
from orchestrator_monitoring._slo.objectives import BurnRule, Slo
from orchestrator_monitoring._slo.rules import BUDGET_ALERTS, alert_name, rule_groups
from orchestrator_monitoring._slo.yaml_text import Plain, yaml_text

__all__ = ["rule_test_files"]

_EDGE: Final = 0.01
_PER_STEP: Final = 10_000_000
"""Events per step: whole numbers, because a sum of fractions that rounds down looks like a counter's reset."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One alert, on series whose error ratio is `ratio` until `recovered` seconds before the end, and 0 from then on."""

    slo: Slo
    alert: str
    span: int
    ratio: float
    note: str
    recovered: int = 0
    events: float | None = None

    @property
    def step(self) -> int:
        """Seconds between samples, so that the short window of the rule holds several."""
        return max(60, self.span // 720)


@dataclass(frozen=True, slots=True)
class _Series:
    """A counter that grows by `first` for `steady` steps, and by `then` from there to `count`."""

    example: Example
    first: float
    then: float
    steady: int
    count: int

    @property
    def values(self) -> str:
        """In promtool's notation."""
        text = f"0+{self.first:.12g}x{self.steady}"
        if self.count > self.steady:
            text += f" {self.first * self.steady + self.then:.15g}+{self.then:.12g}x{self.count - self.steady - 1}"
        return text

    def increase(self, steps: int) -> float:
        """Over the last steps."""
        late = self.count - self.steady
        return min(late, steps) * self.then + max(min(steps, self.count) - late, 0) * self.first


def rule_test_files(slos: SloSet, rules_file: str) -> dict[str, str]:
    """Test files by name; several, because promtool has one evaluation interval per file and the windows differ by a thousand.

    Series of more than 36 hours make promtool compact its store while rules are evaluated, and once in some thousand alerts
    one of them is missing then (seen with 2.42): run a file that failed again before you believe it.

    Args:
        slos: The objectives without their planned maintenance: the tests must not depend on today's date.
        rules_file: What the rule file is called, relative to the tests.
    """
    by_span: dict[int, list[_Case]] = {}
    for slo in slos.slos:
        for case in _cases(slo):
            by_span.setdefault(case.span, []).append(case)
    return {
        f"slo-tests-{duration_text(span)}.yml": yaml_text(
            {
                "rule_files": [rules_file],
                "evaluation_interval": duration_text(span),
                "tests": [_test(case, slos) for case in cases],
            }
        )
        for span, cases in sorted(by_span.items())
    }


def _cases(slo: Slo) -> Iterator[_Case]:
    for rule in slo.burn_rules:
        yield from _burn_cases(slo, rule)
    for name, share in BUDGET_ALERTS.items():
        for factor in (1 + _EDGE, 1 - _EDGE):
            if share * slo.budget * factor <= 1:
                yield _Case(slo, name, slo.window, share * slo.budget * factor, _percent(factor))


def _burn_cases(slo: Slo, rule: BurnRule) -> Iterator[_Case]:
    name, threshold = alert_name(rule), slo.threshold(rule)
    yield _Case(slo, name, rule.long, min(threshold * (1 + _EDGE), 1.0), _percent(1 + _EDGE))
    yield _Case(slo, name, rule.long, threshold * (1 - _EDGE), _percent(1 - _EDGE))
    yield _Case(slo, name, rule.long, 1.0, "recovered", recovered=rule.short)
    if slo.min_events > 1:
        yield _Case(slo, name, rule.long, 1.0, "fewer events than min_events", events=slo.min_events - 0.5)
        yield _Case(slo, name, rule.long, 1.0, "just enough events", events=slo.min_events + 0.5)


def _percent(factor: float) -> str:
    return f"{factor:.0%} of the threshold"


def _test(case: _Case, slos: SloSet) -> Plain:
    series = list(_series(case))
    firing = [each for slo in slos.slos for each in _expected(slo, case, series)]
    return {
        "name": f"{case.slo.name} {case.alert} {case.note}",
        "interval": duration_text(case.step),
        "input_series": [{"series": _text(each.example), "values": each.values} for each in series],
        "alert_rule_test": [{"eval_time": duration_text(case.span), "alertname": case.alert, "exp_alerts": firing}],
    }


def _series(case: _Case) -> Iterator[_Series]:
    count = case.span // case.step
    steady = count - case.recovered // case.step
    each = _PER_STEP if case.events is None else case.events / count
    ratio = case.slo.indicator.ratio
    bad = each * case.ratio if case.events is not None else float(round(each * case.ratio))
    by_role = {"all": (each, each), "bad": (bad, 0.0), "fine": (each - bad, each)}
    named = {"part": "fine", "rest": "bad"} if ratio.good else {"part": "bad", "rest": "fine"}
    for role, example in example_series(ratio).items():
        yield _Series(example, *by_role[named.get(role, role)], steady, count)


def _text(example: Example) -> str:
    name, labels = example
    return f"{name}{{{','.join(f'{label}={json.dumps(value)}' for label, value in labels.items())}}}"


def _expected(slo: Slo, case: _Case, series: Sequence[_Series]) -> Iterator[Plain]:
    """The alert as this objective has it, if it fires."""
    counts = {
        seconds: counted(slo.indicator, [(*each.example, each.increase(seconds // case.step)) for each in series])
        for seconds in slo.windows
        if seconds >= 2 * case.step
    }
    report = judge(slo, counts)
    firing = {alert_name(burn.rule) for burn in report.burns if burn.firing}
    if report.events >= slo.min_events:
        firing |= {name for name, share in BUDGET_ALERTS.items() if report.consumed >= share - 1e-9}
    for rule in _alerts(slo):
        if rule["alert"] == case.alert and case.alert in firing:
            yield {"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]}


def _alerts(slo: Slo) -> Iterable[Mapping[str, Plain]]:
    for group in rule_groups(SloSet((slo,))):
        rules = cast("Mapping[str, Sequence[Mapping[str, Plain]]]", group)["rules"]
        yield from (rule for rule in rules if "alert" in rule)
