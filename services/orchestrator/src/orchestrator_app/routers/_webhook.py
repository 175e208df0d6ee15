"""Reading a signed request: the raw body, verified before anything is parsed."""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.requests import HTTPConnection

from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.routers._services import Audit, Counters, Time
from orchestrator_kernel.exceptions import OrchestratorError, ValidationError
from orchestrator_kernel.models import AuditEvent, Outcome, Severity
from orchestrator_kernel.ports import AuditSink, Clock, WebhookRefused, WebhookRequest, WebhookSender, WebhookVerifier
from orchestrator_utils.correlation import current

__all__ = ["InvalidJson", "Proving", "Senders", "parsed", "signed_by"]

logger = logging.getLogger(__name__)


class InvalidJson(ValidationError):
    """The body is not JSON, or not UTF-8, or too deep."""

    default_code = "invalid_json"
    default_status = 400


@dataclass(frozen=True, slots=True)
class Senders:
    """Proves who sent a request; who cannot be proved is counted, logged and audited, and learns no reason."""

    metrics: Metrics
    audit: AuditSink
    clock: Clock

    async def body(self, request: Request, verifier: WebhookVerifier, *, door: str) -> bytes:
        """The raw body of a request whose sender is proved.

        Raises:
            WebhookRefused: 401 or 413.
        """
        body = await request.body()
        await self.prove(signed_by(request, body), verifier, door=door)
        return body

    async def prove(self, signed: WebhookRequest, verifier: WebhookVerifier, *, door: str) -> WebhookSender:
        """The sender of what was signed.

        Raises:
            WebhookRefused: It is not proved.
        """
        try:
            return verifier.verify(signed)
        except WebhookRefused as refusal:
            self.metrics.webhook_refused(door)
            logger.warning("webhook refused", extra={"door": door, "reason": refusal.reason})
            await _audit(self.audit, self.clock, door, refusal)
            raise


async def _senders(metrics: Counters, audit: Audit, clock: Time) -> Senders:
    return Senders(metrics, audit, clock)


Proving = Annotated[Senders, Depends(_senders)]


def signed_by(connection: HTTPConnection, body: bytes = b"", *, url: str = "", method: str = "") -> WebhookRequest:
    """What the sender signed; `url` where it is not the one that reached us, `method` for a handshake."""
    return WebhookRequest(
        method=method or str(connection.scope["method"]),
        url=url or str(connection.url),
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in connection.headers.raw],
        body=body,
    )


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
