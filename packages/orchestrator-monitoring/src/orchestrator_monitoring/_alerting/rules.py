"""Alert rules as data, refused when they could never fire; and what they find."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from orchestrator_kernel.models import Severity
from orchestrator_monitoring._alerting.routing import AlertingRefused
from orchestrator_monitoring._alerting.states import Condition
from orchestrator_monitoring._slo.durations import duration_text
from orchestrator_monitoring._slo.indicators import Counts, Indicator, RatioIndicator, Reading
from orchestrator_monitoring._slo.selectors import Selector

__all__ = [
    "AlertRule",
    "Check",
    "ConditionSource",
    "EventsCheck",
    "Found",
    "GaugeCheck",
    "RatioCheck",
    "WindowedCheck",
    "gauge_values",
    "rule_condition",
]

_name = re.compile(r"[a-z][a-z0-9_]{0,55}").fullmatch
_COUNTED_PREFIX: Final = "rule:"


@dataclass(frozen=True, slots=True)
class RatioCheck:
    """The bad share of events is too high.

    Attributes:
        indicator: What is counted.
        window: Seconds.
        above: The share above which it is too high, from 0 to below 1.
        min_events: Fewer say nothing.
    """

    indicator: Indicator
    window: int
    above: float
    min_events: int = 1


@dataclass(frozen=True, slots=True)
class EventsCheck:
    """There are too many events.

    Attributes:
        selector: A counter.
        window: Seconds.
        above: How many are still all right.
    """

    selector: Selector
    window: int
    above: float

    @property
    def indicator(self) -> Indicator:
        """The same as a ratio whose total is asked for."""
        return RatioIndicator(self.selector, self.selector)


@dataclass(frozen=True, slots=True)
class GaugeCheck:
    """A gauge of some process is too high, or too low.

    Attributes:
        selector: A gauge.
        bound: Beyond it something is wrong.
        direction: above or below.
        combine: How several series of one process become one value.
    """

    selector: Selector
    bound: float
    direction: Literal["above", "below"] = "above"
    combine: Literal["sum", "max", "min"] = "sum"

    def wrong(self, value: float) -> bool:
        """Whether a value is beyond the bound."""
        return value > self.bound if self.direction == "above" else value < self.bound


Check: TypeAlias = RatioCheck | EventsCheck | GaugeCheck


@dataclass(frozen=True, slots=True)
class WindowedCheck:
    """What a rule counts, for the store of samples."""

    name: str
    indicator: Indicator
    windows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """When somebody is told, besides the objectives.

    Attributes:
        name: Lower case, digits and underscores; the `alertname`.
        check: What is looked at.
        severity: How bad it is.
        hold: Seconds for which it must last (`for`).
        labels: Added to the alert.
        summary: One line for people.
        description: More, and what to do.
        runbook: A URL, or empty.

    Raises:
        AlertingRefused: A value is out of range, or the rule could never fire; says why.
    """

    name: str
    check: Check
    severity: Severity
    hold: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    summary: str = ""
    description: str = ""
    runbook: str = ""

    def __post_init__(self) -> None:
        for complaint in _complaints(self):
            raise AlertingRefused(f"{self.name}: {complaint}", details={"rule": self.name})

    @property
    def counted(self) -> WindowedCheck | None:
        """What is to be sampled for it; None for a gauge."""
        if isinstance(self.check, GaugeCheck):
            return None
        return WindowedCheck(_COUNTED_PREFIX + self.name, self.check.indicator, (self.check.window,))


def _complaints(rule: AlertRule) -> Iterable[str]:
    check = rule.check
    if _name(rule.name) is None:
        yield "the name must be lower-case letters, digits and underscores, 56 at most"
    if not 0 <= rule.hold <= 86_400:
        yield "for must be at most a day"
    if set(rule.labels) & {"alertname", "severity", "process"}:
        yield "the labels alertname, severity and process are set by the alert itself"
    if isinstance(check, GaugeCheck):
        return
    if not 60 <= check.window <= 3 * 86_400:
        yield "the window must be 1m to 3d"
    if isinstance(check, EventsCheck):
        if check.above < 0:
            yield "above must not be negative"
    elif not 0 <= check.above < 1:
        yield f"it can never fire: no share of events is above {check.above:g}; write a share from 0 to below 1"
    elif check.min_events < 1:
        yield "min_events must be at least 1"


@dataclass(frozen=True, slots=True)
class Found:
    """What a source found.

    Attributes:
        conditions: What is wrong.
        judged: The rules that could be judged; alerts of the others stay as they are.
    """

    conditions: tuple[Condition, ...]
    judged: frozenset[str]


class ConditionSource(Protocol):
    """Something that tells what is wrong."""

    @property
    def name(self) -> str:
        """Names it in the alert that says that it failed."""
        ...

    @property
    def rules(self) -> frozenset[str]:
        """All rules that it can judge."""
        ...

    async def find(self, now: float) -> Found:
        """What is wrong now (Unix seconds).

        Raises:
            OrchestratorError: It cannot tell.
        """
        ...


def rule_condition(
    rule: AlertRule, *, counts: Counts | None = None, process: str = "", value: float | None = None
) -> Condition | None:
    """What a rule says of these events, or of this value of a process; None if all is well."""
    shown = value
    match rule.check:
        case GaugeCheck() as check:
            if value is None or not check.wrong(value):
                return None
            what = f"{value:.4g}, {check.direction} {check.bound:g}"
        case RatioCheck() as check:
            shown = None if counts is None else check.indicator.error_ratio(counts)
            if counts is None or shown is None or shown <= check.above or counts.total < check.min_events:
                return None
            what = f"{shown:.2%} of {counts.total:.0f} in {duration_text(check.window)}, above {check.above:.4g}"
        case EventsCheck() as check:
            shown = None if counts is None else counts.total
            if shown is None or shown <= check.above:
                return None
            what = f"{shown:.0f} in {duration_text(check.window)}, above {check.above:g}"
    return Condition(
        rule=rule.name,
        severity=rule.severity,
        labels={**rule.labels, **({"process": process} if process else {})},
        summary=f"{rule.summary or rule.name}: {what}",
        description=rule.description,
        runbook=rule.runbook,
        value=shown,
        hold=rule.hold,
    )


def gauge_values(rules: Sequence[AlertRule], readings: Iterable[Reading]) -> dict[str, float]:
    """What the gauges that rules watch show in this process, by rule; a gauge without series is not there."""
    values: dict[str, list[float]] = {}
    watched = [(rule.name, rule.check.selector) for rule in rules if isinstance(rule.check, GaugeCheck)]
    for metric, labels, value in readings:
        for name, selector in watched:
            if selector.accepts(metric, labels):
                values.setdefault(name, []).append(value)
    how: Mapping[str, Callable[[Iterable[float]], float]] = {"sum": sum, "max": max, "min": min}
    checks = {rule.name: rule.check for rule in rules}
    found: dict[str, float] = {}
    for name, each in values.items():
        check = checks[name]
        if isinstance(check, GaugeCheck):
            found[name] = how[check.combine](each)
    return found
