"""Alerts, as people see and answer them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from orchestrator_kernel.exceptions import ValidationError

if TYPE_CHECKING:
    from orchestrator_kernel.models import Severity


class UnknownAlert(ValidationError):
    """There is no such alert, or it is over."""

    default_code = "unknown_alert"
    default_status = 404


class AlertState(StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that wants attention.

    Attributes:
        id: Stable for as long as it is the same alert.
        title: What is wrong, in one line.
        detail: Figures and what to do; may be empty.
        labels: What it is about.
        since: When its state began.
        acknowledged_by: Who takes care of it; empty if nobody does.
        silenced_until: Until when nobody is told of it.
        runbook: A link to what to do; empty if there is none.
    """

    id: str
    title: str
    severity: Severity
    state: AlertState
    since: datetime
    detail: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    acknowledged_by: str = ""
    silenced_until: datetime | None = None
    runbook: str = ""


class Alerts(Protocol):
    """The alerts of a service, and what people do about them. Each change is told to the audit by who implements this."""

    async def alerts(self) -> Sequence[Alert]:
        """Those that are pending, firing, or were resolved lately; the most urgent first.

        Raises:
            OrchestratorError: They cannot be told now.
        """
        ...

    async def acknowledge(self, alert_id: str, *, by: str) -> None:
        """Note that `by` takes care of it; it escalates no further.

        Raises:
            UnknownAlert: There is none that fires under this id.
            OrchestratorError: It could not be kept.
        """
        ...

    async def silence(self, alert_id: str, *, by: str, seconds: float, reason: str) -> None:
        """Tell nobody of it for a time. Raises as `acknowledge`."""
        ...
