"""An audit event as one line of JSON, always the same for the same event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from orchestrator_kernel.exceptions import Detail
from orchestrator_kernel.models import AuditEvent, Outcome, Severity

__all__ = ["event_members", "read_document", "write_document"]


def event_members(event: AuditEvent) -> dict[str, object]:
    """The event as JSON's values, every member named."""
    return {
        "id": event.id,
        "type": event.type,
        "occurred_at": event.occurred_at.isoformat(),
        "actor": event.actor,
        "action": event.action,
        "outcome": event.outcome.value,
        "resource": event.resource,
        "severity": event.severity.value,
        "tenant": event.tenant,
        "correlation_id": event.correlation_id,
        "details": dict(event.details),
    }


def write_document(event: AuditEvent) -> str:
    """The event in ASCII, keys sorted, empty members left out."""
    kept = {name: value for name, value in event_members(event).items() if value not in ("", None, {})}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"))


def read_document(document: str) -> AuditEvent:
    """The event of a document that `write_document` made.

    Raises:
        ValueError: It is none.
    """
    try:
        members = cast("Mapping[str, Any]", json.loads(document))
        details = cast("Mapping[str, Detail]", members.get("details", dict[str, Detail]()))
        return AuditEvent(
            id=members["id"],
            type=members["type"],
            occurred_at=datetime.fromisoformat(members["occurred_at"]),
            actor=members.get("actor", ""),
            action=members.get("action", ""),
            outcome=Outcome(members["outcome"]),
            resource=members.get("resource", ""),
            severity=Severity(members["severity"]),
            tenant=members.get("tenant"),
            correlation_id=members.get("correlation_id"),
            details=details,
        )
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("the document is no audit event") from error
