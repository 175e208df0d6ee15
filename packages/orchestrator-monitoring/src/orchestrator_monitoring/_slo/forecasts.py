"""When the budget will be spent if the present goes on, with an interval that says how sure that is.

The window rolls: old errors leave it while new ones come. For each hour ahead the forecast adds what the recent error ratio brings to what will still be inside,
and finds the first hour at which the budget is gone. The interval repeats that with the ends of an interval for the error ratio: the wider of Wilson's (1927), for
independent events, and one from the spread between hours (ratio estimator; Cochran, Sampling Techniques, chapter 6), because failures come in clumps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from orchestrator_monitoring._slo.objectives import HOUR

__all__ = ["Forecast", "HourCounts", "error_ratio_interval", "forecast"]

CONFIDENCE: Final = 0.9


@dataclass(frozen=True, slots=True)
class HourCounts:
    """The events of one hour: bad ones and all."""

    bad: float
    total: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds from now until the budget is spent.

    Attributes:
        expected: None: at the present rate it lasts.
        earliest: The near end of the interval; None: not even then.
        latest: The far end; None: perhaps never.
        confidence: Of the interval.
        basis: How many seconds of history the present rate is taken from.
        note: Why there is no forecast, where there is none.
    """

    expected: float | None
    earliest: float | None
    latest: float | None
    confidence: float
    basis: float
    note: str = ""


def error_ratio_interval(hours: Sequence[HourCounts], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Between which two ratios the true error ratio lies, with this confidence."""
    total = sum(each.total for each in hours)
    if total <= 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    ratio = min(sum(each.bad for each in hours) / total, 1.0)
    centre = (ratio + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(ratio * (1 - ratio) / total + z * z / (4 * total * total))
    spread = z * _clumped(hours, ratio, total)
    low, high = min(centre - half, ratio - spread), max(centre + half, ratio + spread)
    return max(low, 0.0), min(high, 1.0)


def _clumped(hours: Sequence[HourCounts], ratio: float, total: float) -> float:
    """The standard error of a ratio whose events come in hours that differ."""
    used = [each for each in hours if each.total > 0]
    if len(used) < 2:
        return 0.0
    squares = sum((each.bad - ratio * each.total) ** 2 for each in used)
    return math.sqrt(len(used) / (len(used) - 1) * squares) / total


def forecast(history: Sequence[HourCounts], *, budget: float, window: int, recent: int = 24) -> Forecast:
    """When the budget will be spent.

    Args:
        history: The hours of the window, oldest first; hours before the first may be missing.
        budget: The bad share that is allowed.
        window: The objective's window, seconds.
        recent: How many of the last hours tell the present rate.
    """
    basis = history[-recent:]
    pace = sum(each.total for each in basis) / max(len(basis), 1)
    seconds = float(len(basis) * HOUR)
    if pace <= 0:
        return Forecast(None, None, None, CONFIDENCE, seconds, f"no traffic in the last {recent} hours: nothing burns")
    ratio = sum(each.bad for each in basis) / sum(each.total for each in basis)
    low, high = error_ratio_interval(basis)
    expected, earliest, latest = (
        _spent_after(history, pace, each, budget, window // HOUR) for each in (ratio, high, low)
    )
    return Forecast(expected, earliest, latest, CONFIDENCE, seconds)


def _spent_after(history: Sequence[HourCounts], pace: float, ratio: float, budget: float, hours: int) -> float | None:
    """Seconds until the rolling window holds more bad events than its budget; None if that does not happen within a window's length."""
    bad, total = sum(each.bad for each in history), sum(each.total for each in history)
    over = bad - budget * total
    if over >= 0:
        return 0.0
    for ahead in range(1, hours + 1):
        leaving = _leaving(history, hours, ahead)
        before = over
        over += pace * (ratio - budget) - (leaving.bad - budget * leaving.total)
        if over >= 0:
            # Within the hour, evenly.
            return (ahead - 1 + before / (before - over)) * HOUR
    return None


def _leaving(history: Sequence[HourCounts], hours: int, ahead: int) -> HourCounts:
    """The hour that leaves the window in this step; before the first hour of the history there was nothing."""
    index = len(history) - hours + ahead - 1
    return history[index] if 0 <= index < len(history) else HourCounts(0.0, 0.0)
