"""What happened, kept as evidence: a signed hash chain in the application's database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.secrets import AppSecrets
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.ports import Clock, Redactor
from orchestrator_security.audit_logging import (
    AuditedRoute,
    AuditKey,
    AuditKeyring,
    AuditKind,
    AuditLog,
    AuditLogConfig,
    AuditSigner,
    LawfulBasis,
    SqlAuditSink,
    retention_days,
)
from orchestrator_utils.correlation import current

__all__ = ["AUDITED", "KINDS", "Auditing", "audit_keys", "audit_public_key", "kept_days", "make_audit"]

_CALL: Final = "call:{call_id}"

AUDITED: Final = (
    AuditedRoute(
        methods={"GET"},
        path="/v1/calls/{call_id}",
        kind=AuditKind.PII_ACCESS,
        action="read a transcript",
        resource=_CALL,
        lawful_basis=LawfulBasis.LEGITIMATE_INTERESTS,
    ),
    AuditedRoute(
        methods={"WEBSOCKET"},
        path="/v1/calls/{call_id}/events",
        kind=AuditKind.PII_ACCESS,
        action="watch a call",
        resource=_CALL,
        lawful_basis=LawfulBasis.LEGITIMATE_INTERESTS,
    ),
    *(
        AuditedRoute(
            methods={"GET"},
            path=path,
            kind=AuditKind.PII_ACCESS,
            action="read a transcript",
            resource=_CALL,
            lawful_basis=LawfulBasis.LEGITIMATE_INTERESTS,
        )
        for path in ("/console/calls/{call_id}", "/console/calls/{call_id}/events")
    ),
    AuditedRoute(methods={"POST"}, path="/console/test-call", kind=AuditKind.CALL_START, action="place a test call"),
    AuditedRoute(methods={"GET"}, path="/v1/calls", kind=AuditKind.DATA_READ, action="list calls"),
    AuditedRoute(methods={"GET"}, path="/auth/users", kind=AuditKind.DATA_READ, action="list people"),
    AuditedRoute(
        methods={"GET"},
        path="/auth/users/{user_id}",
        kind=AuditKind.DATA_READ,
        action="look at somebody",
        resource="user:{user_id}",
    ),
    AuditedRoute(methods={"POST"}, path="/v1/call/start", kind=AuditKind.CALL_START, action="announce a call"),
    AuditedRoute(
        methods={"POST"}, path="/v1/calls/{call_id}/end", kind=AuditKind.CALL_END, action="end a call", resource=_CALL
    ),
    AuditedRoute(
        methods={"POST"},
        path="/resilience/circuit-breakers/{name}/reset",
        kind=AuditKind.ADMIN_ACTION,
        action="reset",
        resource="circuit:{name}",
    ),
    AuditedRoute(
        methods={"POST"}, path="/resilience/circuit-breakers/reset-all", kind=AuditKind.ADMIN_ACTION, action="reset"
    ),
    AuditedRoute(
        methods={"POST"},
        path="/resilience/tts-clients/reset-circuit-breakers",
        kind=AuditKind.ADMIN_ACTION,
        action="reset",
    ),
    *(
        AuditedRoute(methods={"POST"}, path=path, kind=AuditKind.ADMIN_ACTION, action=action)
        for path, action in (
            ("/performance/optimize", "give memory back"),
            ("/performance/optimize/cache/clear", "clear caches"),
            ("/slo/evaluate", "evaluate objectives"),
            ("/monitoring/traces/flush", "send traces"),
        )
    ),
    AuditedRoute(
        methods={"POST"},
        path="/resilience/rate-limits/{client}/reset",
        kind=AuditKind.ADMIN_ACTION,
        action="reset",
        resource="rate_limit:{client}",
    ),
)
"""Requests that are recorded with how they ended; every 401 and 403 is recorded besides."""


KINDS: Final[Mapping[str, AuditKind]] = MappingProxyType(
    {
        "auth.api_key.failure": AuditKind.LOGIN_FAILURE,
        "mfa.verification": AuditKind.LOGIN_SUCCESS,
        "mfa.recovery_code_used": AuditKind.LOGIN_SUCCESS,
        "auth.session.end": AuditKind.LOGOUT,
        "api_key.change": AuditKind.ACCESS_DENIED,
        "user.created": AuditKind.DATA_CREATE,
        "api_key.created": AuditKind.DATA_CREATE,
        "mfa.enrollment": AuditKind.DATA_CREATE,
        "auth.password.change": AuditKind.DATA_UPDATE,
        "auth.password.changed": AuditKind.DATA_UPDATE,
        "auth.password.reset": AuditKind.DATA_UPDATE,
        "auth.password.reset_requested": AuditKind.DATA_UPDATE,
        "api_key.rotated": AuditKind.DATA_UPDATE,
        "mfa.secret_regenerated": AuditKind.DATA_UPDATE,
        "mfa.recovery_code_generated": AuditKind.DATA_UPDATE,
        "user.deleted": AuditKind.DATA_DELETE,
        "api_key.revoked": AuditKind.DATA_DELETE,
        "mfa.disabled": AuditKind.DATA_DELETE,
        "auth.first_admin": AuditKind.ADMIN_ACTION,
        "authz.user.management": AuditKind.ADMIN_ACTION,
        "user.disabled": AuditKind.ADMIN_ACTION,
        "user.enabled": AuditKind.ADMIN_ACTION,
        "auth.signing_key.rotated": AuditKind.CONFIG_CHANGE,
        "auth.signing_key.removed": AuditKind.CONFIG_CHANGE,
        "call.events.missing": AuditKind.WEBHOOK_FAILED,
    }
)
"""Of which kind an event is whose type is none of the kinds itself: it is kept as long as that kind."""


def kept_days(event_type: str) -> int:
    """How long an event of that type is kept, in days."""
    return retention_days(KINDS.get(event_type, event_type))


@dataclass(frozen=True, slots=True)
class Auditing:
    """The audit log: where it is kept, who writes to it, and the keys that prove it."""

    sink: SqlAuditSink
    log: AuditLog

    async def start(self) -> None:
        """Begin the chain if there is none, and take events.

        Raises:
            DatabaseError: The log cannot be written.
        """
        await self.sink.open()
        await self.log.start()

    async def stop(self) -> None:
        """Write what waits."""
        await self.log.stop()


def make_audit(
    settings: AppSettings, secrets: AppSecrets, databases: Databases, clock: Clock, redactor: Redactor
) -> Auditing:
    """The audit log in the application's database, signed with a key that the root key gives."""
    sink = SqlAuditSink(databases.data, _signer(secrets), clock=clock, retention=kept_days)
    log = AuditLog(
        sink,
        clock=clock,
        config=AuditLogConfig(service="orchestrator", region=settings.region),
        redactor=redactor,
        pseudonym_key=secrets.derive("audit pseudonyms"),
        correlation=_correlation,
    )
    return Auditing(sink, log)


def audit_keys(settings: AppSettings, secrets: AppSecrets) -> AuditKeyring:
    """The public keys that verify the log: those that signed before, and the one that signs now.

    Raises:
        ConfigurationError: A retired key is none.
    """
    retired = sorted(settings.security.retired_audit_keys.items(), key=lambda each: each[1])
    return AuditKeyring(
        [
            *(AuditKey(bytes.fromhex(public), retired_at=at) for public, at in retired),
            AuditKey(_signer(secrets).public),
        ]
    )


def audit_public_key(secrets: AppSecrets) -> bytes:
    """The public key that the log is signed with now; what verifies the log after the root key is changed."""
    return _signer(secrets).public


def _signer(secrets: AppSecrets) -> AuditSigner:
    return AuditSigner(secrets.derive("audit signatures"))


def _correlation() -> str | None:
    found = current()
    return found.correlation_id if found else None
