"""OpenSLO v1 documents (openslo.com, specification of `openslo/v1`) as objectives.

Read are the kinds SLO, SLI, AlertPolicy and AlertCondition, in place or by reference; others are passed over. What the specification allows and this package
cannot keep (time slices, calendar windows) is refused, not approximated. Queries are selectors of counters, or of a histogram for a threshold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

from orchestrator_monitoring._slo.documents import Document, Fields
from orchestrator_monitoring._slo.indicators import Indicator, LatencyIndicator, RatioIndicator
from orchestrator_monitoring._slo.loading import made
from orchestrator_monitoring._slo.objectives import BurnRule, Severity, Slo
from orchestrator_monitoring._slo.selectors import Selector

if TYPE_CHECKING:
    from orchestrator_monitoring._metrics.catalogue import Catalogue

__all__ = ["read_openslo"]

_KINDS: Final = ("SLO", "SLI", "AlertPolicy", "AlertCondition")
_SEVERITIES: Final[Mapping[str, Severity]] = {
    "page": "page",
    "critical": "page",
    "ticket": "ticket",
    "warning": "ticket",
}
_Known = Mapping[tuple[str, str], Fields]


def read_openslo(documents: Sequence[Document], catalogue: Catalogue | None) -> list[Slo]:
    """The objectives of these documents.

    Raises:
        SloRefused: A document cannot be kept as it says; with file, line and reason.
    """
    known: dict[tuple[str, str], Fields] = {}
    for document in documents:
        root = document.root()
        if root.text("apiVersion") != "openslo/v1":
            root.refuse("apiVersion must be openslo/v1", "apiVersion")
        kind, name = root.text("kind"), _name(root)
        if kind not in _KINDS:
            continue
        if (kind, name) in known:
            root.refuse(f"there are two {kind} called {name}")
        known[kind, name] = root
    return [slo for (kind, name), root in known.items() if kind == "SLO" for slo in _slos(root, name, known, catalogue)]


def _name(root: Fields) -> str:
    metadata = root.table("metadata")
    if metadata is None:
        root.refuse("metadata is missing")
    return metadata.text("name")


def _slos(root: Fields, name: str, known: _Known, catalogue: Catalogue | None) -> Iterator[Slo]:
    spec = _spec(root)
    method = spec.text("budgetingMethod", "Occurrences")
    if method != "Occurrences":
        spec.refuse(f"budgetingMethod {method} is not kept: events are counted, not time slices", "budgetingMethod")
    window, indicator = _window(spec), _referred(spec, "indicator", "SLI", known)
    rules = tuple(_rules(spec, known)) or None
    objectives = list(spec.tables("objectives"))
    if not objectives:
        spec.refuse("objectives is missing", "objectives")
    for number, each in enumerate(objectives, 1):
        own = re.sub(r"[^a-z0-9_]", "_", name.lower()) + (f"_{number}" if len(objectives) > 1 else "")
        values: dict[str, object] = {
            "name": own,
            "indicator": _indicator(_spec(indicator), each),
            "objective": _target(each),
            "window": window,
            "rules": rules,
            "description": spec.text("description", ""),
        }
        yield made(each, catalogue, **values)


def _spec(fields: Fields) -> Fields:
    spec = fields.table("spec")
    if spec is None:
        fields.refuse("spec is missing")
    return spec


def _referred(fields: Fields, what: str, kind: str, known: _Known) -> Fields:
    """What stands there, or what a reference names."""
    inline = fields.table(what)
    if inline is not None:
        return inline
    if f"{what}Ref" not in fields:
        fields.refuse(f"{what} is missing, and {what}Ref too")
    name = fields.text(f"{what}Ref")
    if (kind, name) not in known:
        fields.refuse(f"no {kind} is called {name}", f"{what}Ref")
    return known[kind, name]


def _window(spec: Fields) -> int:
    windows = list(spec.tables("timeWindow"))
    if len(windows) != 1:
        spec.refuse("timeWindow must hold one window", "timeWindow")
    if not windows[0].flag("isRolling", default=False):
        windows[0].refuse("only a rolling window is kept: isRolling must be true")
    return windows[0].seconds("duration")


def _target(objective: Fields) -> float:
    if "targetPercent" in objective:
        return round(objective.number("targetPercent") / 100, 12)
    return objective.number("target")


def _indicator(spec: Fields, objective: Fields) -> Indicator:
    ratio, threshold = spec.table("ratioMetric"), spec.table("thresholdMetric")
    if (ratio is None) == (threshold is None):
        spec.refuse("an indicator has either ratioMetric or thresholdMetric")
    if threshold is not None:
        if objective.text("op", "lte") != "lte":
            objective.refuse("a threshold is kept for op lte: events that took at most value seconds are good", "op")
        return LatencyIndicator(_query(threshold), objective.number("value"))
    assert ratio is not None  # noqa: S101 - either of the two
    if not ratio.flag("counter", default=True):
        ratio.refuse("only counters are kept: counter must be true", "counter")
    good, bad, total = ratio.table("good"), ratio.table("bad"), ratio.table("total")
    part = good or bad
    if total is None or part is None:
        ratio.refuse("ratioMetric needs total, and good or bad")
    return RatioIndicator(_query(total), _query(part), good=good is not None)


def _query(fields: Fields) -> Selector:
    source = fields.table("metricSource")
    if source is None:
        fields.refuse("metricSource is missing")
    spec = _spec(source)
    return spec.parsed("query", Selector.parse)


def _rules(spec: Fields, known: _Known) -> Iterator[BurnRule]:
    policies = spec.raw("alertPolicies")
    if policies is None:
        return
    if not isinstance(policies, list):
        spec.refuse("alertPolicies must be a list", "alertPolicies")
    for index, each in enumerate(cast("list[object]", policies)):
        yield from _conditions(_listed(spec, ("alertPolicies", index), each, "AlertPolicy", known), known)


def _listed(spec: Fields, at: tuple[str, int], value: object, kind: str, known: _Known) -> Fields:
    """A member of a list, in one of the three ways that the specification has: a name, a reference, or the thing itself."""
    path = (*spec.path, *at)
    reference = {"AlertPolicy": "alertPolicyRef", "AlertCondition": "conditionRef"}[kind]
    if isinstance(value, dict):
        fields = Fields(spec.document, cast("dict[str, object]", value), path)
        if reference not in fields:
            return fields
        value = fields.text(reference)
    if not isinstance(value, str) or (kind, value) not in known:
        spec.document.refuse(path, f"no {kind} is called {value}")
    return known[kind, value]


def _conditions(policy: Fields, known: _Known) -> Iterator[BurnRule]:
    spec = _spec(policy)
    conditions = spec.raw("conditions")
    if not isinstance(conditions, list) or not conditions:
        spec.refuse("conditions must be a list", "conditions")
    for index, each in enumerate(cast("list[object]", conditions)):
        yield _rule(_spec(_listed(spec, ("conditions", index), each, "AlertCondition", known)))


def _rule(spec: Fields) -> BurnRule:
    condition = spec.table("condition")
    if condition is None:
        spec.refuse("condition is missing")
    if condition.text("kind", "burnrate").lower() != "burnrate":
        condition.refuse("only conditions of kind burnrate are kept", "kind")
    if condition.text("op", "gt") not in {"gt", "gte"}:
        condition.refuse("a burn rate is too high above its threshold: op must be gt or gte", "op")
    severity = spec.text("severity").lower()
    if severity not in _SEVERITIES:
        spec.refuse(f"severity must be one of {', '.join(_SEVERITIES)}", "severity")
    long = condition.seconds("lookbackWindow")
    return BurnRule(
        factor=condition.number("threshold"), long=long, short=max(60, long // 12), severity=_SEVERITIES[severity]
    )
