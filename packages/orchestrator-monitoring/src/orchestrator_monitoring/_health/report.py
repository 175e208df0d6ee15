"""What is answered to who asks for the health: a report, and its form as `application/health+json`.

The form is that of draft-inadarei-api-health-check-06, an expired draft that many tools read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestrator_kernel.models import HealthState, HealthStatus
from orchestrator_kernel.ports import Json
from orchestrator_monitoring._health.checks import Change, Need

__all__ = ["MEDIA_TYPE", "ComponentReport", "HealthReport"]

MEDIA_TYPE: Final = "application/health+json"
_WORDS: Final = {HealthState.HEALTHY: "pass", HealthState.DEGRADED: "warn", HealthState.UNHEALTHY: "fail"}
_OK: Final = 200
_UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentReport:
    """How one component is.

    Attributes:
        status: What was found last.
        since: When its state changed last; None while it has not.
        observed: What was measured, and `unit` of what.
        history: What was found before, oldest first; empty unless it was asked for.
        changes: When its state changed, oldest first; empty unless it was asked for.
    """

    status: HealthStatus
    need: Need = Need.REQUIRED
    kind: str = "component"
    consequence: str = ""
    since: str | None = None
    observed: float | None = None
    unit: str = ""
    history: tuple[HealthStatus, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """How the process is, and why."""

    state: HealthState
    components: Mapping[str, ComponentReport] = field(default_factory=dict[str, ComponentReport])

    @property
    def http_status(self) -> int:
        """200 as long as work may be sent here, degraded or not; 503 otherwise."""
        return _UNAVAILABLE if self.state is HealthState.UNHEALTHY else _OK

    def document(self, *, version: str = "", service: str = "") -> dict[str, Json]:
        """As `application/health+json`; what the report has no room for there stands under `history` and `changes` of a check."""
        about = {"releaseId": version, "serviceId": service}
        return {
            "status": _WORDS[self.state],
            **{name: value for name, value in about.items() if value},
            "checks": {f"{name}:responseTime": [_told(each)] for name, each in self.components.items()},
        }


def _told(component: ComponentReport) -> dict[str, Json]:
    status = component.status
    told: dict[str, Json] = {
        "componentType": component.kind,
        "observedValue": round(status.duration * 1000, 3),
        "observedUnit": "ms",
        "status": _WORDS[status.state],
        "time": status.checked_at.isoformat(),
        "need": component.need.value,
    }
    if status.reason:
        told["output"] = status.reason
    if status.state is not HealthState.HEALTHY and component.consequence:
        told["consequence"] = component.consequence
    if component.observed is not None:
        told["measured"] = {"value": component.observed, "unit": component.unit}
    if component.history:
        told["history"] = [_looked(each) for each in component.history]
    if component.changes:
        told["changes"] = [_changed(each) for each in component.changes]
    return told


def _looked(status: HealthStatus) -> dict[str, Json]:
    return {
        "status": _WORDS[status.state],
        "time": status.checked_at.isoformat(),
        "ms": round(status.duration * 1000, 3),
        **({"output": status.reason} if status.reason else {}),
    }


def _changed(change: Change) -> dict[str, Json]:
    return {
        "from": _WORDS[change.before],
        "to": _WORDS[change.after],
        "time": change.at.isoformat(),
        **({"output": change.reason} if change.reason else {}),
    }
