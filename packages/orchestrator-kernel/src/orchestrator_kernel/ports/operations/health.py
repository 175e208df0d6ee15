"""How the parts of a service are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orchestrator_kernel.models import HealthStatus


class HealthReader(Protocol):
    """What the health checks last found."""

    async def health(self) -> Sequence[HealthStatus]:
        """One answer per component; cheap to ask for often.

        Raises:
            OrchestratorError: It cannot be told now.
        """
        ...
