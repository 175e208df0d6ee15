"""From counted events to budget, burn and alerts; pure, and the same figures that the generated Prometheus rules compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from orchestrator_monitoring._slo.durations import duration_text
from orchestrator_monitoring._slo.indicators import Counts
from orchestrator_monitoring._slo.objectives import BurnRule, Slo

__all__ = ["AT_RISK", "FREEZE", "Burn", "Conformance", "SloReport", "WindowBurn", "judge"]

AT_RISK: Final = 0.9
"""Share of the budget from which an objective counts as at risk."""
FREEZE: Final = 0.95
"""Share of the budget from which changes had better wait."""
_ROUNDING: Final = 1e-9
"""A share such as 0.9 of a budget is rarely a number that floats can hold."""

Conformance: TypeAlias = Literal["compliant", "at_risk", "violated", "unknown"]


@dataclass(frozen=True, slots=True)
class WindowBurn:
    """How fast the budget was spent over one window.

    Attributes:
        window: Seconds.
        events: How many there were.
        error_ratio: The bad share; None without events.
        rate: The burn rate; 0 without events, because no traffic spends no budget.
    """

    window: int
    events: float
    error_ratio: float | None
    rate: float


@dataclass(frozen=True, slots=True)
class Burn:
    """One alert of an objective as it stands.

    Attributes:
        rule: Which.
        long: Over its long window.
        short: Over its short window.
        firing: Both are above the factor, and there were events enough.
        note: Why it is silent where that is not plain: no traffic, or too few events.
    """

    rule: BurnRule
    long: WindowBurn
    short: WindowBurn
    firing: bool
    note: str


@dataclass(frozen=True, slots=True)
class SloReport:
    """An objective as it stands.

    Attributes:
        slo: The objective.
        conformance: at_risk from 90 % of the budget on, violated when it is spent, unknown without a single event.
        sli: The good share over the window; None without events.
        events: In the window.
        bad: Events in the window that were bad.
        consumed: Share of the error budget that is spent, a continuous figure: 0.25 is a quarter, 1.5 is half more than there was.
        freeze: Changes had better wait.
        windows: The burn rate by window, short to long.
        burns: The alerts.
        note: What the figures do not say by themselves.
    """

    slo: Slo
    conformance: Conformance
    sli: float | None
    events: float
    bad: float
    consumed: float
    freeze: bool
    windows: tuple[WindowBurn, ...]
    burns: tuple[Burn, ...]
    note: str

    @property
    def remaining(self) -> float:
        """Share of the budget that is left; negative when more was spent than there was."""
        return 1 - self.consumed


def judge(slo: Slo, counts: Mapping[int, Counts]) -> SloReport:
    """An objective as it stands.

    Args:
        slo: The objective.
        counts: The events of each of `slo.windows`, by seconds.
    """
    windows = {seconds: _window(slo, seconds, counts.get(seconds, Counts(0.0, 0.0))) for seconds in slo.windows}
    whole = windows[slo.window]
    conformance: Conformance = "compliant"
    if whole.error_ratio is None:
        conformance = "unknown"
    elif whole.rate >= 1 - _ROUNDING:
        conformance = "violated"
    elif whole.rate >= AT_RISK - _ROUNDING:
        conformance = "at_risk"
    return SloReport(
        slo=slo,
        conformance=conformance,
        sli=None if whole.error_ratio is None else 1 - whole.error_ratio,
        events=whole.events,
        bad=(whole.error_ratio or 0.0) * whole.events,
        consumed=whole.rate,
        freeze=whole.rate >= FREEZE - _ROUNDING,
        windows=tuple(windows.values()),
        burns=tuple(_burn(slo, rule, windows) for rule in slo.burn_rules),
        note=_note(slo, whole),
    )


def _window(slo: Slo, seconds: int, counts: Counts) -> WindowBurn:
    ratio = slo.indicator.error_ratio(counts)
    return WindowBurn(seconds, max(counts.total, 0.0), ratio, (ratio or 0.0) / slo.budget)


def _burn(slo: Slo, rule: BurnRule, windows: Mapping[int, WindowBurn]) -> Burn:
    long, short = windows[rule.long], windows[rule.short]
    threshold = slo.threshold(rule)
    above = (long.error_ratio or 0.0) > threshold and (short.error_ratio or 0.0) > threshold
    enough = long.events >= slo.min_events
    note = ""
    if long.error_ratio is None:
        note = f"no traffic in {duration_text(rule.long)}: nothing burns"
    elif not enough:
        note = f"{_counted(long.events)} in {duration_text(rule.long)}, fewer than min_events = {slo.min_events}"
    return Burn(rule, long, short, above and enough, note)


def _note(slo: Slo, whole: WindowBurn) -> str:
    if whole.error_ratio is None:
        return f"no traffic in {duration_text(slo.window)}: nothing is measured, and no budget is spent"
    if whole.events < slo.min_events:
        return f"only {_counted(whole.events)} in {duration_text(slo.window)}: no alert can fire (min_events = {slo.min_events})"
    return ""


def _counted(events: float) -> str:
    number = f"{events:.4g}"
    return f"{number} event" if number == "1" else f"{number} events"
