"""Thresholds that do not flicker. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator_performance._monitor.config import Threshold

__all__ = ["Alert", "Thresholds"]


@dataclass(frozen=True, slots=True)
class Alert:
    """A measure that became too high, or well again.

    Attributes:
        metric: Its name.
        state: `firing` or `cleared`.
        value: What was measured.
        above: The threshold.
        since: Monotonic seconds of the monitor's clock.
    """

    metric: str
    state: Literal["firing", "cleared"]
    value: float
    above: float
    since: float


class _Watch:
    """One threshold: its state, and how many samples in a row speak against it."""

    def __init__(self, threshold: Threshold) -> None:
        self.threshold = threshold
        self.clear_below = threshold.above * 0.9 if threshold.clear_below is None else threshold.clear_below
        self.alert: Alert | None = None
        self._against = 0

    def judge(self, value: float, now: float) -> Alert | None:
        if self.alert is None:
            self._against = self._against + 1 if value > self.threshold.above else 0
        else:
            self._against = self._against + 1 if value < self.clear_below else 0
        if self._against < self.threshold.samples:
            return None
        self._against = 0
        state: Literal["firing", "cleared"] = "firing" if self.alert is None else "cleared"
        changed = Alert(self.threshold.metric, state, value, self.threshold.above, now)
        self.alert = changed if state == "firing" else None
        return changed


class Thresholds:
    """All thresholds of a monitor."""

    def __init__(self, thresholds: tuple[Threshold, ...]) -> None:
        self._watches = [_Watch(each) for each in thresholds]

    @property
    def active(self) -> list[Alert]:
        """What is too high now."""
        return [each.alert for each in self._watches if each.alert is not None]

    def judge(self, measures: Mapping[str, float], now: float) -> list[Alert]:
        """What changed with these measures; a measure that is missing changes nothing."""
        changed: list[Alert] = []
        for watch in self._watches:
            value = measures.get(watch.threshold.metric)
            if value is not None and (alert := watch.judge(value, now)) is not None:
                changed.append(alert)
        return changed
