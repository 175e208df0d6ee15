"""Times that do not count: what happens in a planned maintenance spends no budget and fires nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator_monitoring._slo.objectives import SloRefused

__all__ = ["Maintenance", "excluded"]


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A span of time.

    Attributes:
        starts: Unix seconds.
        ends: Unix seconds, after `starts`.
        slos: Names of objectives; empty means all.
        reason: For people.

    Raises:
        SloRefused: It does not end after it starts, or takes longer than 31 days.
    """

    starts: float
    ends: float
    slos: frozenset[str] = frozenset()
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.starts < self.ends <= self.starts + 31 * 86_400:
            raise SloRefused("a maintenance must end after it starts, and within 31 days")

    def covers(self, slo: str) -> bool:
        """Whether it is for this objective."""
        return not self.slos or slo in self.slos


def excluded(windows: Iterable[Maintenance], slo: str, since: float, until: float) -> bool:
    """Whether events counted between two instants touch a maintenance of this objective."""
    return any(each.covers(slo) and since < each.ends and until > each.starts for each in windows)
