"""What this package tells the audit: every sign-in, refusal and change, with its real reason."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Final

from orchestrator_kernel.exceptions import Detail
from orchestrator_kernel.models import AuditEvent, Outcome, Severity
from orchestrator_kernel.ports import AuditSink, Clock

__all__ = ["ANONYMOUS", "Auditor", "LogSink"]

logger = logging.getLogger(__name__)

ANONYMOUS: Final = "anonymous"


class LogSink:
    """An `AuditSink` that writes to the log `orchestrator_auth.audit`; for services that keep no audit trail of their own."""

    async def record(self, event: AuditEvent) -> None:
        facts = {
            "actor": event.actor,
            "outcome": str(event.outcome),
            "resource": event.resource,
            "tenant": event.tenant,
        }
        level = logging.INFO if event.outcome is Outcome.SUCCESS else logging.WARNING
        logger.log(
            level, event.type, extra={**facts, **{f"audit_{name}": each for name, each in event.details.items()}}
        )


class Auditor:
    """Makes the events, stamped and numbered."""

    def __init__(self, sink: AuditSink, *, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock

    async def record(
        self,
        kind: str,
        *,
        actor: str = ANONYMOUS,
        outcome: Outcome = Outcome.SUCCESS,
        resource: str = "",
        tenant: str | None = None,
        severity: Severity = Severity.LOW,
        details: Mapping[str, Detail] | None = None,
    ) -> None:
        """Return once the event is kept.

        Raises:
            DatabaseError: It could not be kept; then the action is not to succeed either.
        """
        event = AuditEvent(
            id=uuid.uuid4().hex,
            type=kind,
            occurred_at=self._clock.now(),
            actor=actor,
            action=kind.rpartition(".")[2],
            outcome=outcome,
            resource=resource,
            severity=severity,
            tenant=tenant,
            details=details or {},
        )
        await self._sink.record(event)

    async def refuse(
        self, kind: str, reason: str, *, actor: str = ANONYMOUS, severity: Severity = Severity.MEDIUM, **facts: Detail
    ) -> None:
        """Record a refusal with its real reason."""
        await self.record(
            kind, actor=actor, outcome=Outcome.DENIED, severity=severity, details={"reason": reason, **facts}
        )
