"""OpenSLO v1: whole documents, references over files, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator_monitoring.slo_monitor import BurnRule, LatencyIndicator, RatioIndicator, SloRefused, load_slos

RATIO = """
apiVersion: openslo/v1
kind: SLO
metadata:
  name: call-success
spec:
  description: Calls end well.
  service: calls
  budgetingMethod: Occurrences
  timeWindow:
    - duration: 28d
      isRolling: true
  indicator:
    metadata:
      name: calls
    spec:
      ratioMetric:
        counter: true
        bad:
          metricSource:
            type: Prometheus
            spec:
              query: calls_total{outcome="failed"}
        total:
          metricSource:
            type: Prometheus
            spec:
              query: calls_total
  objectives:
    - displayName: Enough
      target: 0.99
"""

REFERRED = """
apiVersion: openslo/v1
kind: SLI
metadata: {name: latency}
spec:
  thresholdMetric:
    metricSource:
      spec: {query: answer_seconds}
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast}
spec:
  severity: page
  condition: {kind: burnrate, op: gt, threshold: 10, lookbackWindow: 1h, alertAfter: 5m}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: usual}
spec:
  alertWhenBreaching: true
  conditions:
    - conditionRef: fast
    - kind: AlertCondition
      metadata: {name: slow}
      spec:
        severity: ticket
        condition: {kind: burnrate, op: gte, threshold: 1, lookbackWindow: 3d}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: calls}
spec: {description: passed over}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: latency}
spec:
  indicatorRef: latency
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
    - {op: lte, value: 2.5, target: 0.95}
    - {op: lte, value: 5, targetPercent: 99}
  alertPolicies: [usual]
"""


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_ratio_of_counters(tmp_path: Path) -> None:
    (slo,) = load_slos(write(tmp_path, "a.yaml", RATIO)).slos
    assert (slo.name, slo.objective, slo.window, slo.description) == (
        "call_success",
        0.99,
        28 * 86_400,
        "Calls end well.",
    )
    assert isinstance(slo.indicator, RatioIndicator)
    assert str(slo.indicator.part) == 'calls_total{outcome="failed"}'
    assert [each.factor for each in slo.burn_rules] == [13.44, 5.6, 2.8, 0.9333333333]


def test_references_and_several_objectives(tmp_path: Path) -> None:
    parts = REFERRED.split("---")
    files = [write(tmp_path, f"{number}.yml", text) for number, text in enumerate(reversed(parts))]
    first, second = load_slos(*files).slos
    assert (first.name, second.name) == ("latency_1", "latency_2")
    assert isinstance(second.indicator, LatencyIndicator)
    assert (second.indicator.within, second.objective) == (5, 0.99)
    assert first.burn_rules == (
        BurnRule(factor=10, long=3600, short=300, severity="page"),
        BurnRule(factor=1, long=3 * 86_400, short=21_600, severity="ticket"),
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("target: 0.99", "target: 0.9", 30, "can never fire"),
        ("openslo/v1", "openslo/v2", 2, "apiVersion must be openslo/v1"),
        ("Occurrences", "Timeslices", 9, "events are counted, not time slices"),
        ("isRolling: true", "isRolling: false", 11, "only a rolling window"),
        ("counter: true", "counter: false", 18, "only counters"),
        ("query: calls_total{", "query: sum(calls_total{", 23, "no metric name|does not end"),
        ("duration: 28d", "duration: 1M", 11, "no duration"),
        ("        total:\n", "        totals:\n", 17, "needs total"),
        ("  indicator:\n", "  indicators:\n", 6, "indicator is missing, and indicatorRef too"),
        ("      target: 0.99", "      target: 0.99\n      target: 0.5", 32, "stands there twice"),
        ("spec:\n  description", "spec: [\n  description", 8, "no YAML"),
    ],
)
def test_what_is_not_kept_is_refused_with_its_line(tmp_path: Path, old: str, new: str, line: int, reason: str) -> None:
    assert old in RATIO
    file = write(tmp_path, "a.yaml", RATIO.replace(old, new, 1))
    with pytest.raises(SloRefused, match=reason) as refused:
        load_slos(file)
    assert str(refused.value).startswith(f"{file}:{line}: ")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("indicatorRef: latency", "indicatorRef: latencies", "no SLI is called latencies"),
        ("alertPolicies: [usual]", "alertPolicies: [unusual]", "no AlertPolicy is called unusual"),
        ("conditionRef: fast", "conditionRef: faster", "no AlertCondition is called faster"),
        ("threshold: 10", "threshold: 25", "can never fire"),
        ("severity: page", "severity: loud", "severity must be one of"),
        ("op: lte, value: 2.5", "op: gt, value: 2.5", "op lte"),
        ("kind: burnrate, op: gt", "kind: other, op: gt", "burnrate"),
        ("metadata: {name: calls}", "metadata: {names: calls}", "name is missing"),
        ("kind: AlertPolicy\nmetadata: {name: usual}", "kind: SLI\nmetadata: {name: latency}", "two SLI"),
    ],
)
def test_references_that_lead_nowhere_and_alerts_that_cannot_fire(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    assert old in REFERRED
    file = write(tmp_path, "a.yaml", REFERRED.replace(old, new, 1))
    with pytest.raises(SloRefused, match=reason) as refused:
        load_slos(file)
    assert str(refused.value).startswith(f"{file}:")
