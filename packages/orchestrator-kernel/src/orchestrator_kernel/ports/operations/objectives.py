"""Service level objectives, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class ObjectiveState(StrEnum):
    """What an objective's budget tells."""

    MET = "met"
    BURNING = "burning"
    EXHAUSTED = "exhausted"
    NO_TRAFFIC = "no_traffic"
    TOO_FEW_EVENTS = "too_few_events"


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRate:
    """How fast the budget goes: 1 spends it exactly within the objective's window. None without enough traffic."""

    window_seconds: float
    rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One objective and where it stands.

    Attributes:
        target: The share of good events that is promised, above 0 and below 1.
        window_seconds: Over which it is promised.
        achieved: The share of good events in the window; None without traffic.
        budget_left: The share of the error budget that is left: 1 untouched, 0 used up, negative beyond. None without enough traffic.
        burn: Burn rates, shortest window first.
        exhausted_at: When the budget is used up if it goes on like this; None if it does not, or nobody can tell.
        events: In the window.
        min_events: With fewer, the objective judges nothing and no alert can fire.
    """

    id: str
    title: str
    state: ObjectiveState
    target: float
    window_seconds: float
    achieved: float | None = None
    budget_left: float | None = None
    burn: tuple[BurnRate, ...] = ()
    exhausted_at: datetime | None = None
    events: int = 0
    min_events: int = 1


class ObjectiveReader(Protocol):
    """The objectives of a service."""

    async def objectives(self) -> Sequence[Objective]:
        """All of them, in their order.

        Raises:
            OrchestratorError: They cannot be told now.
        """
        ...
