"""From looks to a state: one bad look need not mean that a thing is gone, nor one good look that it is back. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_kernel.models import HealthState

__all__ = ["Judgement"]


@dataclass(slots=True)
class Judgement:
    """The state of one component.

    Attributes:
        fall: So many unhealthy looks in a row make it unhealthy.
        rise: So many healthy looks in a row make it healthy again.
        state: None before the first look.
    """

    fall: int = 1
    rise: int = 1
    state: HealthState | None = None
    bad: int = 0
    good: int = 0

    def look(self, seen: HealthState) -> HealthState:
        """Take a look in; the state after it."""
        self.bad = self.bad + 1 if seen is HealthState.UNHEALTHY else 0
        self.good = self.good + 1 if seen is HealthState.HEALTHY else 0
        self.state = self._after(seen)
        return self.state

    def _after(self, seen: HealthState) -> HealthState:
        if seen is HealthState.UNHEALTHY:
            # What was never seen well, or is down already, has no credit.
            down = self.bad >= self.fall or self.state in {None, HealthState.UNHEALTHY}
            return HealthState.UNHEALTHY if down else HealthState.DEGRADED
        if seen is HealthState.HEALTHY:
            up = self.good >= self.rise or self.state in {None, HealthState.HEALTHY}
            return HealthState.HEALTHY if up else HealthState.DEGRADED
        return HealthState.DEGRADED
