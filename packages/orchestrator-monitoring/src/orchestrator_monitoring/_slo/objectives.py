"""An objective as a value, refused when one of its alerts could never fire.

Burn rate is how fast the error budget is spent, as a multiple of the even pace that would spend it exactly over the window; everything failing burns at
1 / (1 - objective), so no alert above that can fire (The Site Reliability Workbook, chapter 5, has the windows).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._slo.durations import duration_text
from orchestrator_monitoring._slo.indicators import Indicator

__all__ = ["DAY", "HOUR", "BurnRule", "Severity", "Slo", "SloRefused", "standard_rules"]

HOUR: Final = 3600
DAY: Final = 24 * HOUR
Severity: TypeAlias = Literal["page", "ticket"]
_name = re.compile(r"[a-z][a-z0-9_]{0,62}").fullmatch

# (share of the budget, long window, short window, severity): google's own numbers.
_WORKBOOK: Final[tuple[tuple[float, int, int, Severity], ...]] = (
    (0.02, HOUR, 300, "page"),
    (0.05, 6 * HOUR, 1800, "page"),
    (0.10, DAY, 2 * HOUR, "ticket"),
    (0.10, 3 * DAY, 6 * HOUR, "ticket"),
)


class SloRefused(ConfigurationError):
    """An objective, or a file of them, cannot be used; says where and why."""

    default_code = "slo_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRule:
    """Fires while the burn rate over the long and over the short window is above `factor`; the short one ends it soon after the trouble.

    Attributes:
        factor: Burn rate; above it.
        long: Seconds.
        short: Seconds.
        severity: page wakes somebody, ticket can wait until morning.
    """

    factor: float
    long: int
    short: int
    severity: Severity

    @property
    def name(self) -> str:
        """Names the rule among those of its objective."""
        return f"{self.severity}_{duration_text(self.long)}"


def standard_rules(window: int, *, objective: float | None = None) -> tuple[BurnRule, ...]:
    """The workbook's four rules for a window in seconds: 2 % of the budget in an hour, 5 % in six, 10 % in a day and in three.

    Args:
        window: The objective's window, seconds.
        objective: When it is given, only the rules that can fire with it.
    """
    rules = tuple(
        BurnRule(factor=round(share * window / long, 10), long=long, short=short, severity=severity)
        for share, long, short, severity in _WORKBOOK
        if long < window
    )
    if objective is None:
        return rules
    return tuple(rule for rule in rules if rule.factor * (1 - objective) < 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """A service level objective.

    Attributes:
        name: Lower case, digits and underscores; the value of the label `slo`.
        indicator: What is counted.
        objective: The good share that is promised, between 0 and 1.
        window: Seconds over which it is promised: 28 or 30 days, as a rule.
        rules: When somebody is told; `standard_rules(window)` when absent.
        min_events: The low-traffic guard: a rule is silent while its long window has fewer events.
        description: One sentence, for people.
        runbook: A URL, or empty.

    Raises:
        SloRefused: A value is out of range, or a rule can never fire; says why and what would do.
    """

    name: str
    indicator: Indicator
    objective: float
    window: int = 30 * DAY
    rules: tuple[BurnRule, ...] | None = None
    min_events: int = 1
    description: str = ""
    runbook: str = ""

    def __post_init__(self) -> None:
        if self.rules is None:
            object.__setattr__(self, "rules", standard_rules(self.window))
        for complaint in _complaints(self):
            raise SloRefused(f"{self.name}: {complaint}", details={"slo": self.name})

    @property
    def budget(self) -> float:
        """The bad share that is allowed."""
        return round(1 - self.objective, 12)

    @property
    def max_burn(self) -> float:
        """The burn rate of a total outage."""
        return 1 / self.budget

    @property
    def burn_rules(self) -> tuple[BurnRule, ...]:
        """The rules, none of them absent."""
        return self.rules or ()

    @property
    def windows(self) -> tuple[int, ...]:
        """All windows that are looked at, short to long, the objective's own last."""
        return tuple(sorted({each for rule in self.burn_rules for each in (rule.long, rule.short)} | {self.window}))

    def threshold(self, rule: BurnRule) -> float:
        """The error ratio above which a rule fires."""
        return round(rule.factor * self.budget, 12)


def _complaints(slo: Slo) -> Iterable[str]:
    if _name(slo.name) is None:
        yield "the name must be lower-case letters, digits and underscores, 63 at most"
    if not 0 < slo.objective < 1 or slo.budget < 1e-9:
        yield f"the objective must lie between 0 and 100 %, both excluded, not {slo.objective * 100:g} %"
    if not DAY <= slo.window <= 92 * DAY:
        yield f"the window must be 1 to 92 days, not {duration_text(slo.window)}"
    if slo.min_events < 1:
        yield "min_events must be at least 1"
    if not slo.burn_rules:
        yield "there is no alert: leave them out for the workbook's four, or give at least one"
    for rule in slo.burn_rules:
        yield from _rule_complaints(slo, rule)
    names = [rule.name for rule in slo.burn_rules]
    if len(set(names)) < len(names):
        yield "two alerts have the same severity and long window"


def _rule_complaints(slo: Slo, rule: BurnRule) -> Iterable[str]:
    what = f"the {rule.severity} at {rule.factor:g}x over {duration_text(rule.long)}"
    if rule.factor <= 0:
        yield f"{what}: a burn rate is positive"
    if not 60 <= rule.short < rule.long < slo.window:
        yield f"{what}: the short window must be at least 1m and shorter than the long one, and that shorter than the objective's"
    if rule.factor * slo.budget >= 1:
        yield (
            f"{what} can never fire: with an objective of {slo.objective * 100:g} % a total outage burns at {slo.max_burn:.4g}x; "
            f'lower the factor below that, or write policy = "reachable" to leave such alerts out'
        )
    if rule.factor * rule.long > slo.window:
        yield f"{what} fires only after the whole budget is spent; lower the factor to {slo.window / rule.long:g} or less"
