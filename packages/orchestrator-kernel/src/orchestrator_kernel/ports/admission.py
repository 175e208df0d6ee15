"""Whether one more request may come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRequest:
    """Who asks for what.

    Attributes:
        route: The route's template, never the concrete path, so that paths cannot buy budgets.
        client: The verified identity, or the client's address when there is none.
        tenant: The tenant, where known.
        cost: How many units this request takes.
    """

    route: str
    client: str
    method: str = "POST"
    tenant: str | None = None
    cost: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionDecision:
    """The answer, with what the headers need (seconds)."""

    allowed: bool
    limit: int
    remaining: int
    reset_after: float
    retry_after: float = 0.0


class Admission(Protocol):
    """Counts requests and says no in time."""

    async def admit(self, request: AdmissionRequest) -> AdmissionDecision:
        """Decide and count in one step; a refused request is not counted. Never raises for a store that is down."""
        ...
