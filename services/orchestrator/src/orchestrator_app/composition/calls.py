"""The call runtime, put together from the settings."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import time
from zoneinfo import ZoneInfo

from orchestrator_app.composition.secrets import AppSecrets
from orchestrator_app.settings import AppSettings, TenantSettings
from orchestrator_calls.decide import Policy
from orchestrator_calls.dialogue.scripted import ScriptedResponder, load_script
from orchestrator_calls.journal import Journal
from orchestrator_calls.notices import GapSeen, Notice
from orchestrator_calls.responder import Responder
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.models import AuditEvent, Outcome, Severity
from orchestrator_kernel.ports import AuditSink, Clock, Speech

__all__ = ["GapAudit", "make_responders", "make_runtime"]

logger = logging.getLogger(__name__)


def make_responders(settings: AppSettings) -> dict[str, Responder]:
    """One responder per tenant; every script is read and checked now.

    Raises:
        ConfigurationError: A script is wrong; names its file and lines.
    """
    return {
        name: ScriptedResponder(load_script(tenant.script, values=_values(tenant)))
        for name, tenant in settings.tenants.items()
    }


def _values(tenant: TenantSettings) -> Mapping[str, time | str]:
    """What the script says of this tenant; the receptionist's script speaks of the house by the tenant's name."""
    named = {"hotel": tenant.name} if tenant.script is None and tenant.name else {}
    return {**named, **tenant.values}


def make_runtime(
    settings: AppSettings,
    secrets: AppSecrets,
    *,
    journal: Journal,
    responders: Mapping[str, Responder],
    speech: Speech | None,
    clock: Clock,
    observe: Callable[[Notice], None],
) -> CallRuntime:
    """The runtime; the journal must be open before it starts."""
    calls = settings.calls

    def voice(tenant: str, language: str) -> str | None:
        return settings.tenants[tenant].voices.get(language)

    return CallRuntime(
        journal=journal,
        responder=responders.__getitem__,
        speech=speech,
        clock=clock,
        policy=Policy(
            silence=calls.silence, max_duration=calls.max_duration, idle=calls.idle, reorder_window=calls.reorder_window
        ),
        voice=voice,
        pseudonym=secrets.pseudonym,
        zone=lambda tenant: ZoneInfo(settings.tenants[tenant].time_zone),
        language=lambda tenant: settings.tenants[tenant].languages[0],
        observe=observe,
        answer_timeout=calls.answer_timeout,
        max_calls=calls.max_calls,
        max_waiting=calls.max_waiting,
    )


class GapAudit:
    """Writes missing events of a provider to the audit; a failing audit is logged and does not stop a call."""

    def __init__(self, sink: AuditSink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def observe(self, notice: Notice) -> None:
        """Record gaps; everything else is ignored."""
        if not isinstance(notice, GapSeen):
            return
        event = AuditEvent(
            id=f"gap-{uuid.uuid4().hex}",
            type="call.events.missing",
            occurred_at=self._clock.now(),
            actor="orchestrator",
            action="detect",
            outcome=Outcome.FAILURE,
            resource=f"call:{notice.call_id}",
            severity=Severity.MEDIUM,
            tenant=notice.tenant,
            details={"source": notice.source, "missing": notice.missing, "detail": notice.detail},
        )
        task = asyncio.create_task(self._record(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _record(self, event: AuditEvent) -> None:
        try:
            await self._sink.record(event)
        except OrchestratorError:
            logger.exception("an audit event could not be kept", extra={"audit_id": event.id, "audit_type": event.type})

    async def close(self) -> None:
        """Wait for what is being recorded."""
        await asyncio.gather(*self._tasks)
