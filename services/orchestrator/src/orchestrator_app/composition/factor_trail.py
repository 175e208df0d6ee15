"""What happened to one person's second factor, read from the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from orchestrator_kernel.models import AuditEvent
from orchestrator_security.audit_logging import AuditQuery, show_audit

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["AuditedFactors"]

_PAGE: Final = 500
_MOST_PAGES: Final = 20


@dataclass(frozen=True, slots=True)
class AuditedFactors:
    """A `FactorTrail` over the audit log. It looks through the newest 10,000 events of second factors, whoever's they are."""

    engine: AsyncEngine = field(repr=False)

    async def of_user(self, user_id: str, *, before: datetime | None, limit: int) -> Sequence[AuditEvent]:
        found: list[AuditEvent] = []
        until = before
        for _ in range(_MOST_PAGES):
            page = await show_audit(self.engine, AuditQuery(event_type="mfa.", until=until, limit=_PAGE))
            found += [event for event in page if event.resource == f"user:{user_id}"]
            if len(found) >= limit or len(page) < _PAGE:
                break
            until = page[-1].occurred_at
        return found[:limit]
