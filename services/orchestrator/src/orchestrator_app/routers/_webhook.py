"""Reading a signed request: the raw body, verified before anything is parsed."""

from __future__ import annotations

import json
import logging
import uuid
from typing import cast

from fastapi import Request
from fastapi.requests import HTTPConnection

from orchestrator_app.composition.metrics import Metrics
from orchestrator_kernel.exceptions import OrchestratorError, ValidationError
from orchestrator_kernel.models import AuditEvent, Outcome, Severity
from orchestrator_kernel.ports import AuditSink, Clock, WebhookRefused, WebhookRequest, WebhookSender, WebhookVerifier
from orchestrator_utils.correlation import current

__all__ = ["InvalidJson", "parsed", "proved", "signed_by", "verified_body"]

logger = logging.getLogger(__name__)


class InvalidJson(ValidationError):
    """The body is not JSON, or not UTF-8, or too deep."""

    default_code = "invalid_json"
    default_status = 400


async def verified_body(
    request: Request, verifier: WebhookVerifier, *, door: str, metrics: Metrics, audit: AuditSink, clock: Clock
) -> bytes:
    """The raw body of a request whose sender is proved.

    Raises:
        WebhookRefused: 401 or 413; the reason goes to the log and the audit, never to the sender.
    """
    body = await request.body()
    await proved(signed_by(request, body), verifier, door=door, metrics=metrics, audit=audit, clock=clock)
    return body


def signed_by(connection: HTTPConnection, body: bytes = b"", *, url: str = "", method: str = "") -> WebhookRequest:
    """What the sender signed; `url` where it is not the one that reached us, `method` for a handshake."""
    return WebhookRequest(
        method=method or str(connection.scope["method"]),
        url=url or str(connection.url),
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in connection.headers.raw],
        body=body,
    )


async def proved(
    signed: WebhookRequest, verifier: WebhookVerifier, *, door: str, metrics: Metrics, audit: AuditSink, clock: Clock
) -> WebhookSender:
    """The sender of a request.

    Raises:
        WebhookRefused: It is not proved; the reason goes to the log and the audit.
    """
    try:
        return verifier.verify(signed)
    except WebhookRefused as refusal:
        metrics.webhook_refused(door)
        logger.warning("webhook refused", extra={"door": door, "reason": refusal.reason})
        await _audit(audit, clock, door, refusal)
        raise


async def _audit(audit: AuditSink, clock: Clock, door: str, refusal: WebhookRefused) -> None:
    correlation = current()
    event = AuditEvent(
        id=f"refused-{uuid.uuid4().hex}",
        type="webhook.failed",
        occurred_at=clock.now(),
        actor="anonymous",
        action="send",
        outcome=Outcome.DENIED,
        resource=f"door:{door}",
        severity=Severity.MEDIUM,
        correlation_id=correlation.correlation_id if correlation else None,
        details={"reason": refusal.reason},
    )
    try:
        await audit.record(event)
    except OrchestratorError:
        logger.exception("an audit event could not be kept", extra={"audit_id": event.id})


def parsed(body: bytes) -> object:
    """The JSON value of a verified body.

    Raises:
        InvalidJson: It is none.
    """
    try:
        return cast("object", json.loads(body, parse_constant=_no_constant))
    except (ValueError, RecursionError):
        raise InvalidJson("The body is not valid JSON.") from None


def _no_constant(name: str) -> object:
    raise ValueError(name)
