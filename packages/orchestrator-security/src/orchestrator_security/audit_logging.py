"""Security events that hold up as evidence: typed, complete, kept before the answer leaves, and chained so that no change goes unseen.

What the user types:

    sink = SqlAuditSink(engine, AuditSigner(seed), clock=clock)          # extra [sql]; or any other AuditSink
    log = AuditLog(sink, clock=clock)
    await log.record(AuditKind.LOGIN_FAILURE, action="sign in", outcome=Outcome.DENIED, actor="zoe")
    async with log.operation(AuditKind.DATA_EXPORT, action="export transcripts", actor=principal.id): ...
    app = AuditMiddleware(app, log=log, routes=[AuditedRoute(methods={"GET"}, path="/v1/calls/{id}", kind=AuditKind.DATA_READ)])

    await verify_audit(engine, AuditKeyring([AuditKey(public)]), now=clock.now())

`orchestrator_security._audit.chain` tells how records are bound together and what that proves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator_security._audit.documents import event_members
from orchestrator_security._audit.kinds import AuditKind, LawfulBasis, retention_days, rule_of
from orchestrator_security._audit.log import AuditLog, AuditLogConfig, Operation, audit_pseudonym
from orchestrator_security._audit.middleware import AuditedRoute, AuditMiddleware
from orchestrator_security._late import load

if TYPE_CHECKING:
    from orchestrator_security._audit.chain import AuditKey, AuditKeyring, AuditSigner, SignedHead
    from orchestrator_security._audit.verification import Finding, Verification
    from orchestrator_security._drivers.sql_audit import AuditStoreFailed, SqlAuditSink
    from orchestrator_security._drivers.sql_audit_reading import (
        AuditQuery,
        export_audit,
        show_audit,
        verify_audit,
        verify_export,
    )

__all__ = [
    "AuditKey",
    "AuditKeyring",
    "AuditKind",
    "AuditLog",
    "AuditLogConfig",
    "AuditMiddleware",
    "AuditQuery",
    "AuditSigner",
    "AuditStoreFailed",
    "AuditedRoute",
    "Finding",
    "LawfulBasis",
    "Operation",
    "SignedHead",
    "SqlAuditSink",
    "Verification",
    "audit_pseudonym",
    "event_members",
    "export_audit",
    "retention_days",
    "rule_of",
    "show_audit",
    "verify_audit",
    "verify_export",
]

_CHAIN, _VERIFICATION = "orchestrator_security._audit.chain", "orchestrator_security._audit.verification"
_SINK, _READING = "orchestrator_security._drivers.sql_audit", "orchestrator_security._drivers.sql_audit_reading"
_LATE = {
    **dict.fromkeys(["AuditKey", "AuditKeyring", "AuditSigner", "SignedHead"], _CHAIN),
    **dict.fromkeys(["Finding", "Verification"], _VERIFICATION),
    **dict.fromkeys(["AuditStoreFailed", "SqlAuditSink"], _SINK),
    **dict.fromkeys(["AuditQuery", "export_audit", "show_audit", "verify_audit", "verify_export"], _READING),
}


def __getattr__(name: str) -> object:
    """Load what needs cryptography or SQLAlchemy with its first use."""
    return load(name, _LATE, {"sqlalchemy": "sql"})
