"""The small values that every layer speaks of.

Values that are made often are frozen dataclasses; the identifier types are annotated strings for the pydantic models of the
layers above (`tenant: TenantId`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic.types import StringConstraints

from orchestrator_kernel.exceptions import Detail, ValidationError

__all__ = [
    "IDENTIFIER",
    "AuditEvent",
    "CallId",
    "EventId",
    "HealthState",
    "HealthStatus",
    "Identifier",
    "Outcome",
    "Problem",
    "Severity",
    "Tenant",
    "TenantId",
    "require_aware",
    "require_identifier",
]

IDENTIFIER: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,127}$"
"""What an identifier looks like: 1 to 128 characters, safe in URLs, logs, labels and file names."""

_identifier = re.compile(IDENTIFIER[:-1] + r"\Z")

Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
CallId = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
EventId = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
TenantId = Annotated[str, StringConstraints(pattern=IDENTIFIER)]


def require_identifier(value: str, name: str) -> str:
    """Return `value`, or raise `ValidationError` naming the field when it is no identifier."""
    if not _identifier.match(value):
        raise ValidationError(
            f"{name} must be 1 to 128 letters, digits or _ . : @ + - and begin with a letter or digit",
            details={"field": name},
        )
    return value


def require_aware(value: datetime, name: str) -> datetime:
    """Return `value`, or raise `ValidationError` when it carries no offset from UTC."""
    if value.utcoffset() is None:
        raise ValidationError(f"{name} must carry an offset from UTC", details={"field": name})
    return value


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer of the platform whose calls, people and settings are kept apart from all others."""

    id: str
    name: str = ""

    def __post_init__(self) -> None:
        require_identifier(self.id, "tenant id")


class Severity(StrEnum):
    """How much attention an event deserves."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Outcome(StrEnum):
    """How an audited action ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what to what, where, and how it ended.

    Attributes:
        id: Unique; recording the same id twice records it once.
        type: Dotted name, for example `auth.login.failure`.
        occurred_at: Aware UTC.
        actor: The principal's id, or `anonymous`, or the name of the component that acted.
        resource: What was acted on, as `kind:id`.
        details: Flat facts, already free of secrets and personal data.
    """

    id: str
    type: str
    occurred_at: datetime
    actor: str
    action: str
    outcome: Outcome
    resource: str = ""
    severity: Severity = Severity.LOW
    tenant: str | None = None
    correlation_id: str | None = None
    details: Mapping[str, Detail] = field(default_factory=dict[str, Detail])

    def __post_init__(self) -> None:
        require_identifier(self.id, "audit event id")
        require_identifier(self.type, "audit event type")
        require_aware(self.occurred_at, "occurred_at")


class HealthState(StrEnum):
    """The three answers of a health check."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStatus:
    """What one check found, when, and how long it took (seconds)."""

    component: str
    state: HealthState
    checked_at: datetime
    duration: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem document for an HTTP API (RFC 9457).

    Attributes:
        type: A URI reference that names the kind of problem; stable.
        title: The kind of problem in words; the same for every occurrence.
        status: The HTTP status code.
        detail: What went wrong this time; never the text of an internal cause.
        instance: The path of the request.
        code: The machine-readable name of the error.
        correlation_id: Under which the log holds the full story.
        extensions: Further flat members.
    """

    title: str
    status: int
    code: str
    type: str = "about:blank"
    detail: str = ""
    instance: str = ""
    correlation_id: str = ""
    extensions: Mapping[str, Detail] = field(default_factory=dict[str, Detail])

    def as_dict(self) -> dict[str, Detail]:
        """The members in the order of the RFC, empty ones left out, then the extensions, which never stand for a standard one."""
        members: dict[str, Detail] = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": self.instance,
            "code": self.code,
            "correlation_id": self.correlation_id,
        }
        extensions = {name: value for name, value in self.extensions.items() if name not in members}
        return {name: value for name, value in members.items() if value != ""} | extensions
