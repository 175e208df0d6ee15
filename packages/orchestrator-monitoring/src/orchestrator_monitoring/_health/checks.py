"""What a check is, and what it may find."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import HealthState, require_identifier

__all__ = ["Change", "Check", "Finding", "Need", "Probe", "worst"]

_RANK: Final = {HealthState.HEALTHY: 0, HealthState.DEGRADED: 1, HealthState.UNHEALTHY: 2}


def worst(*states: HealthState) -> HealthState:
    """The worst of these; healthy when there are none."""
    return max(states, key=_RANK.__getitem__, default=HealthState.HEALTHY)


class Need(StrEnum):
    """What it means for the process when something is not there."""

    REQUIRED = "required"
    """Without it the process can do nothing of use: it is not ready, and should be given no work."""
    HELPFUL = "helpful"
    """Without it the process works, but worse: it is degraded, and stays ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a probe found out.

    Attributes:
        state: How it is.
        reason: Why, as a word or a code; may be shown to anybody, so never the text of an error.
        observed: What was measured, and `unit` of what; for example free bytes.
    """

    state: HealthState = HealthState.HEALTHY
    reason: str = ""
    observed: float | None = None
    unit: str = ""


Probe = Callable[[], Awaitable[Finding | None]]
"""Looks, and says what it found; None is healthy. An error it raises is unhealthy, with its code as the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to look at.

    Attributes:
        component: Its name: an identifier.
        probe: Looks at it.
        need: What the process is without it.
        kind: For people: `datastore`, `component`, `system` or another word.
        consequence: What is worse while it is not healthy, in one sentence.
        limit: Seconds that looking may take; then it is unhealthy.
        fresh: Seconds for which what was found is believed; nobody looks more often.
        fall: It is unhealthy after so many looks in a row that say so; degraded before.
        rise: It is healthy again after so many looks in a row that say so; degraded before.

    Raises:
        ValidationError: The component is no identifier.
        ConfigurationError: A number is not positive.
    """

    component: str
    probe: Probe
    need: Need = Need.HELPFUL
    kind: str = "component"
    consequence: str = ""
    limit: float = 2.0
    fresh: float = 5.0
    fall: int = 1
    rise: int = 1

    def __post_init__(self) -> None:
        require_identifier(self.component, "component")
        for name in ("limit", "fresh", "fall", "rise"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigurationError(
                    f"health check {self.component}: {name} must be positive", details={"component": self.component}
                )


@dataclass(frozen=True, slots=True)
class Change:
    """A component's state has changed, and when (UTC)."""

    component: str
    before: HealthState
    after: HealthState
    at: datetime
    reason: str = ""
    consequence: str = ""
