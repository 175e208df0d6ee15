"""Reading what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orchestrator_kernel.models import AuditEvent


class AuditReader(Protocol):
    """Reads what an `AuditSink` keeps."""

    async def recent(self, limit: int) -> Sequence[AuditEvent]:
        """The newest events, newest first.

        Raises:
            OrchestratorError: They cannot be read now.
        """
        ...
