"""Telling the audit what happened: who, what, where, how it ended, and why it was lawful."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, cast

from orchestrator_kernel.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ComplianceError,
    DatabaseError,
    Detail,
    OrchestratorError,
)
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.models import AuditEvent, Outcome, Severity
from orchestrator_kernel.ports import AuditSink, Clock, Redactor
from orchestrator_security._audit.kinds import AuditKind, LawfulBasis, rule_of
from orchestrator_security._tenant_key import tenant_key

__all__ = ["AuditLog", "AuditLogConfig", "Operation", "audit_pseudonym"]

logger = logging.getLogger(__name__)

_TOGETHER: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLogConfig:
    """How events are written.

    Attributes:
        service: The name of the service, and `region` where it runs; in every event.
        waiting: Events of kinds that may be lost in a crash, waiting to be written; beyond it their writers wait too.
        retry_seconds: Between two tries while the sink fails.
        stop_seconds: That stopping waits for the sink at most.
    """

    service: str = ""
    region: str = ""
    waiting: int = 10_000
    retry_seconds: float = 1.0
    stop_seconds: float = 10.0


@dataclass(slots=True)
class Operation:
    """An audited action while it runs; what is put into `details` or `resource` is recorded with it."""

    resource: str = ""
    details: dict[str, Detail] = field(default_factory=dict[str, Detail])


class AuditLog:
    """Makes events of the known kinds and hands them to a sink.

    `record` of a kind that must not be lost returns when the event is kept, and raises if it cannot be: the action must not happen then. Events of
    other kinds are written behind the caller's back while the log is started, and at once otherwise.

    Args:
        redactor: Takes personal data out of details and resources; of events about a call (`call:id`, or details that name a `call_id`) also what is
            known of the people in it.
        pseudonym_key: Under which a client's address and session become pseudonyms, see `audit_pseudonym`; without it they are left out.
        correlation: The current correlation id.
    """

    def __init__(
        self,
        sink: AuditSink,
        *,
        clock: Clock,
        config: AuditLogConfig | None = None,
        redactor: Redactor | None = None,
        pseudonym_key: bytes = b"",
        correlation: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._config = config or AuditLogConfig()
        self._redactor = redactor
        self._key = pseudonym_key
        self._correlation = correlation
        self._queue: asyncio.Queue[AuditEvent] = asyncio.Queue(self._config.waiting)
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Write events of kinds that may be lost in the background from now on."""
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())

    async def stop(self) -> None:
        """Write what waits, for `stop_seconds` at most; whatever is lost then is counted in the log."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            async with asyncio.timeout(self._config.stop_seconds):
                await self._queue.join()
        except TimeoutError:
            logger.error("audit events are lost: the sink did not take them", extra={"events": self._queue.qsize()})  # noqa: TRY400
        finally:
            await cancel(writer)

    async def record(
        self,
        kind: AuditKind,
        *,
        action: str,
        outcome: Outcome = Outcome.SUCCESS,
        actor: str = "anonymous",
        resource: str = "",
        tenant: str | None = None,
        subject: str = "",
        lawful_basis: LawfulBasis | None = None,
        client: str = "",
        session: str = "",
        severity: Severity | None = None,
        details: Mapping[str, Detail] | None = None,
        event_id: str = "",
    ) -> AuditEvent:
        """Record what happened.

        `actor` is the principal's id, or `anonymous`, or the component that acted; `resource` what was acted on, as `kind:id`; `subject` the
        pseudonym of the person whose data it was. `client` and `session` are kept as pseudonyms. The same `event_id` twice is recorded once; it is
        made up when empty.

        Raises:
            DatabaseError: The kind must not be lost, and the event could not be kept.
        """
        rule = rule_of(kind)
        said: dict[str, Detail] = {
            "service": self._config.service,
            "region": self._config.region,
            "client": audit_pseudonym(self._key, "client", client, tenant),
            "session": audit_pseudonym(self._key, "session", session, tenant),
            "subject": subject,
            "lawful_basis": lawful_basis.value if lawful_basis else "",
            "retention_days": rule.retention_days,
        }
        event = AuditEvent(
            id=event_id or uuid.uuid4().hex,
            type=kind.value,
            occurred_at=self._clock.now(),
            actor=actor,
            action=action,
            outcome=outcome,
            resource=resource,
            severity=severity or rule.severity,
            tenant=tenant,
            correlation_id=self._correlation(),
            details={**(details or {}), **{name: value for name, value in said.items() if value}},
        )
        event = self._redacted(event)
        if rule.must_keep or self._writer is None or self._queue.full():
            await self._sink.record(event)
        else:
            self._queue.put_nowait(event)
        return event

    @asynccontextmanager
    async def operation(
        self,
        kind: AuditKind,
        *,
        action: str,
        actor: str = "anonymous",
        resource: str = "",
        tenant: str | None = None,
        subject: str = "",
        lawful_basis: LawfulBasis | None = None,
        client: str = "",
    ) -> AsyncGenerator[Operation]:
        """Record how the block ends: success, denied (not known, not allowed, against a policy) or failure. Errors go on.

        Raises:
            DatabaseError: As `record`; the block's own error, if it had one, is its context.
        """
        running = Operation(resource)
        outcome = Outcome.SUCCESS
        try:
            yield running
        except (AuthenticationError, AuthorizationError, ComplianceError) as error:
            outcome = Outcome.DENIED
            running.details["error"] = error.code
            raise
        except BaseException as error:
            outcome = Outcome.FAILURE
            running.details["error"] = error.code if isinstance(error, OrchestratorError) else type(error).__name__
            raise
        finally:
            await self.record(
                kind,
                action=action,
                outcome=outcome,
                actor=actor,
                resource=running.resource,
                tenant=tenant,
                subject=subject,
                lawful_basis=lawful_basis,
                client=client,
                details=running.details,
            )

    def _redacted(self, event: AuditEvent) -> AuditEvent:
        if self._redactor is None:
            return event
        call = _call_of(event)
        details = cast("Mapping[str, Detail]", self._redactor.redact(dict(event.details), call=call))
        return replace(event, resource=self._redactor.redact_text(event.resource, call=call), details=details)

    async def _write_all(self) -> None:
        while True:
            events = [await self._queue.get()]
            while len(events) < _TOGETHER and not self._queue.empty():
                events.append(self._queue.get_nowait())
            await self._write(events)

    async def _write(self, events: list[AuditEvent]) -> None:
        """Until the sink took them all; it knows an event that comes again by its id."""
        failing = False
        while events:
            results = await asyncio.gather(*map(self._sink.record, events), return_exceptions=True)
            left: list[AuditEvent] = []
            for event, result in zip(events, results, strict=True):
                if isinstance(result, DatabaseError):
                    left.append(event)
                    continue
                self._queue.task_done()
                if result is not None:
                    logger.error("an audit event cannot be kept", extra={"audit_id": event.id}, exc_info=result)
            events = left
            if events:
                if not failing:
                    logger.error("the audit sink fails; events wait", extra={"events": len(events)})
                failing = True
                await self._clock.sleep(self._config.retry_seconds)


def audit_pseudonym(key: bytes, purpose: str, value: str, tenant: str | None = None) -> str:
    """How a client's address (purpose `client`) or a session is called in the audit: the same within a tenant, and between tenants another.

    Empty without a value or a key.
    """
    if not value or not key:
        return ""
    return hmac.new(tenant_key(key, tenant or ""), f"{purpose}:{value}".encode(), hashlib.sha256).hexdigest()[:24]


def _call_of(event: AuditEvent) -> str | None:
    """The call that an event is about: its resource, or the one that its details name."""
    kind, _, name = event.resource.partition(":")
    named = name if kind == "call" else event.details.get("call_id")
    return named if isinstance(named, str) and named else None
