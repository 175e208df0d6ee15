"""The kinds of security events: how grave each is, how long it is kept, and whether it may be lost in a crash."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from orchestrator_kernel.models import Severity

__all__ = ["AuditKind", "LawfulBasis", "Rule", "retention_days", "rule_of"]

_SHORT, _USUAL, _LONG = 90, 365, 2555


class LawfulBasis(StrEnum):
    """Why personal data may be processed (GDPR article 6, paragraph 1)."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTERESTS = "vital_interests"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTERESTS = "legitimate_interests"


class AuditKind(StrEnum):
    """What happened."""

    LOGIN_SUCCESS = "auth.login.success"
    LOGIN_FAILURE = "auth.login.failure"
    LOGOUT = "auth.logout"
    TOKEN_REFRESH = "auth.token.refresh"  # noqa: S105 - a name
    TOKEN_REVOKE = "auth.token.revoke"  # noqa: S105 - a name
    ACCESS_GRANTED = "authz.access.granted"
    ACCESS_DENIED = "authz.access.denied"
    PERMISSION_CHECK = "authz.permission.check"
    ROLE_ASSIGNMENT = "authz.role.assignment"
    DATA_READ = "data.read"
    DATA_CREATE = "data.create"
    DATA_UPDATE = "data.update"
    DATA_DELETE = "data.delete"
    DATA_EXPORT = "data.export"
    PII_ACCESS = "pii.access"
    PII_REDACTION = "pii.redaction"
    PII_RETENTION = "pii.retention"
    CONFIG_CHANGE = "system.config.change"
    ADMIN_ACTION = "system.admin.action"
    SECURITY_VIOLATION = "system.security.violation"
    CALL_START = "business.call.start"
    CALL_END = "business.call.end"
    BOOKING_ACCESS = "business.booking.access"
    PAYMENT_PROCESS = "business.payment.process"
    WEBHOOK_RECEIVED = "webhook.received"
    WEBHOOK_PROCESSED = "webhook.processed"
    WEBHOOK_FAILED = "webhook.failed"


@dataclass(frozen=True, slots=True)
class Rule:
    """How events of a kind are treated.

    Attributes:
        severity: When the caller says nothing else.
        retention_days: How long the record is kept.
        must_keep: The action it tells of waits until it is kept, and does not happen if it cannot be.
    """

    severity: Severity
    retention_days: int
    must_keep: bool


_LOW, _MEDIUM, _HIGH, _CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL

_RULES: Final = {
    AuditKind.LOGIN_SUCCESS: Rule(_LOW, _SHORT, must_keep=True),
    AuditKind.LOGIN_FAILURE: Rule(_MEDIUM, _SHORT, must_keep=True),
    AuditKind.LOGOUT: Rule(_LOW, _SHORT, must_keep=False),
    AuditKind.TOKEN_REFRESH: Rule(_LOW, _SHORT, must_keep=False),
    AuditKind.TOKEN_REVOKE: Rule(_MEDIUM, _SHORT, must_keep=True),
    AuditKind.ACCESS_GRANTED: Rule(_LOW, _SHORT, must_keep=False),
    AuditKind.ACCESS_DENIED: Rule(_MEDIUM, _SHORT, must_keep=True),
    AuditKind.PERMISSION_CHECK: Rule(_LOW, _SHORT, must_keep=False),
    AuditKind.ROLE_ASSIGNMENT: Rule(_HIGH, _SHORT, must_keep=True),
    AuditKind.DATA_READ: Rule(_LOW, _USUAL, must_keep=False),
    AuditKind.DATA_CREATE: Rule(_LOW, _USUAL, must_keep=False),
    AuditKind.DATA_UPDATE: Rule(_LOW, _USUAL, must_keep=False),
    AuditKind.DATA_DELETE: Rule(_MEDIUM, _USUAL, must_keep=True),
    AuditKind.DATA_EXPORT: Rule(_HIGH, _USUAL, must_keep=True),
    AuditKind.PII_ACCESS: Rule(_MEDIUM, _LONG, must_keep=True),
    AuditKind.PII_REDACTION: Rule(_LOW, _LONG, must_keep=False),
    AuditKind.PII_RETENTION: Rule(_MEDIUM, _LONG, must_keep=True),
    AuditKind.CONFIG_CHANGE: Rule(_HIGH, _USUAL, must_keep=True),
    AuditKind.ADMIN_ACTION: Rule(_HIGH, _USUAL, must_keep=True),
    AuditKind.SECURITY_VIOLATION: Rule(_CRITICAL, _LONG, must_keep=True),
    AuditKind.CALL_START: Rule(_LOW, _USUAL, must_keep=False),
    AuditKind.CALL_END: Rule(_LOW, _USUAL, must_keep=False),
    AuditKind.BOOKING_ACCESS: Rule(_MEDIUM, _LONG, must_keep=True),
    AuditKind.PAYMENT_PROCESS: Rule(_HIGH, _LONG, must_keep=True),
    AuditKind.WEBHOOK_RECEIVED: Rule(_LOW, _USUAL, must_keep=False),
    AuditKind.WEBHOOK_PROCESSED: Rule(_LOW, _USUAL, must_keep=False),
    AuditKind.WEBHOOK_FAILED: Rule(_MEDIUM, _USUAL, must_keep=False),
}


def rule_of(kind: AuditKind) -> Rule:
    """How events of `kind` are treated."""
    return _RULES[kind]


def retention_days(event_type: str) -> int:
    """How long an event of that type is kept; a year for types that are none of ours."""
    try:
        return _RULES[AuditKind(event_type)].retention_days
    except ValueError:
        return _USUAL
