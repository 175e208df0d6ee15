"""Where security and compliance events go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orchestrator_kernel.models import AuditEvent


class AuditSink(Protocol):
    """Keeps audit events for good."""

    async def record(self, event: AuditEvent) -> None:
        """Return once the event is kept; the same id twice is kept once.

        Raises:
            DatabaseError: It could not be kept. The caller decides whether its own action may go on.
        """
        ...
