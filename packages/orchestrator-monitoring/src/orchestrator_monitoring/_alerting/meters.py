"""What alerting measures about itself."""

from __future__ import annotations

from typing import Final, Protocol

from orchestrator_kernel.models import Severity
from orchestrator_monitoring._metrics.declarations import Counter, Gauge, Histogram, Metric
from orchestrator_monitoring._metrics.label_bounds import AtMost, OneOf

__all__ = ["ALERT_METRICS", "DELIVERIES", "EVALUATED_AT", "EVALUATION", "FIRING", "Meters", "NoMeters"]

FIRING: Final = Gauge(
    "orchestrator_alerts_firing",
    "Alerts that fire.",
    labels={"severity": OneOf(*(each.value for each in Severity))},
    across="max",
)
DELIVERIES: Final = Counter(
    "orchestrator_alert_notifications_total",
    "Tries to hand a notice to a receiver, by how they ended.",
    labels={"receiver": AtMost(50), "outcome": OneOf("sent", "retried", "refused")},
)
EVALUATION: Final = Histogram(
    "orchestrator_alert_evaluation_seconds", "How long an evaluation of all rules took.", unit="seconds"
)
EVALUATED_AT: Final = Gauge(
    "orchestrator_alert_evaluation_timestamp_seconds",
    "When all rules were last evaluated, in Unix seconds.",
    unit="seconds",
    across="max",
)
ALERT_METRICS: Final[tuple[Metric, ...]] = (FIRING, DELIVERIES, EVALUATION, EVALUATED_AT)
"""What alerting exports, for the catalogue."""


class Meters(Protocol):
    """Is told what to measure."""

    def evaluated(self, *, at: float, seconds: float, firing: dict[Severity, int]) -> None:
        """An evaluation is done."""
        ...

    def delivered(self, receiver: str, outcome: str) -> None:
        """A try to hand over a notice ended: sent, retried or refused."""
        ...


class NoMeters:
    """Measures nothing."""

    def evaluated(self, *, at: float, seconds: float, firing: dict[Severity, int]) -> None:
        pass

    def delivered(self, receiver: str, outcome: str) -> None:
        pass
