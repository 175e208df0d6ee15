"""Objectives and counters for tests."""

from __future__ import annotations

from orchestrator_monitoring.slo_monitor import BurnRule, RatioIndicator, Selector, Slo

DAY = 86_400
RATIO = RatioIndicator(Selector.parse("calls_total"), Selector.parse('calls_total{outcome="failed"}'))


def slo(objective: float = 0.999, *, name: str = "calls", rules: tuple[BurnRule, ...] | None = None, **more) -> Slo:
    return Slo(name=name, indicator=RATIO, objective=objective, rules=rules, **more)


class Counters:
    """A process's counters."""

    def __init__(self) -> None:
        self.bad = 0.0
        self.good = 0.0

    def add(self, *, bad: float = 0.0, good: float = 0.0) -> None:
        self.bad += bad
        self.good += good

    def read(self):
        yield "calls_total", {"outcome": "failed"}, self.bad
        yield "calls_total", {"outcome": "completed"}, self.good
        yield "other_total", {"outcome": "failed"}, 1e9
