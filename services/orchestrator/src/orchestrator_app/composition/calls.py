"""The call runtime, put together from the settings."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.secrets import AppSecrets
from orchestrator_app.composition.tenants import PerTenant, per_tenant
from orchestrator_app.settings import AppSettings, TenantSettings
from orchestrator_calls.actions import Actions
from orchestrator_calls.decide import Policy
from orchestrator_calls.dialogue.scripted import (
    House,
    OpeningHours,
    Script,
    ScriptedResponder,
    ScriptError,
    Span,
    load_script,
)
from orchestrator_calls.journal import Journal
from orchestrator_calls.notices import GapSeen, Notice
from orchestrator_calls.phrases import Phrase, default_phrase
from orchestrator_calls.responder import HangUp, Responder, Step, TurnContext
from orchestrator_calls.runtime import CallRuntime, PeersConfig
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.models import AuditEvent, Outcome, Severity
from orchestrator_kernel.ports import AuditSink, Clock, Speech

__all__ = ["GapAudit", "make_house", "make_peers", "make_responders", "make_runtime"]

logger = logging.getLogger(__name__)


def make_responders(settings: AppSettings) -> PerTenant[ScriptedResponder]:
    """One responder per tenant; every script is read and checked now, and those of later tenants before they are published.

    Raises:
        ConfigurationError: A script is wrong, and names its file and lines; or a notice lacks one of its languages.
    """
    return per_tenant(settings.tenants, _Scripts().responder)


class _Scripts:
    """The scripts of tenants; each is read and compiled once, as long as its file is the same."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[Path | None, int], Script] = {}

    def responder(self, name: str, tenant: TenantSettings) -> ScriptedResponder:
        try:
            script = self._of(tenant.script).with_values(_values(tenant))
            return ScriptedResponder(script, house=make_house(tenant))
        except ScriptError:
            raise
        except ConfigurationError as error:
            raise ConfigurationError(f"tenant {name}: {error.message}", details=error.details) from error

    def _of(self, path: Path | None) -> Script:
        key = path, path.stat().st_mtime_ns if path is not None and path.exists() else 0
        if key not in self._compiled:
            self._compiled[key] = load_script(path)
        return self._compiled[key]


def make_house(tenant: TenantSettings) -> House:
    """What the tenant adds to its script."""
    hours = tenant.opening_hours
    return House(
        actions=frozenset(tenant.actions),
        hours=None
        if hours is None
        else OpeningHours(
            {day: tuple(Span(*span) for span in spans) for day, spans in hours.spans().items()},
            frozenset(hours.closed_on),
        ),
        disclosure=_by_language(tenant.disclosure),
        consent=_by_language(tenant.consent),
    )


def _by_language(wording: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    return {tag.partition("-")[0].lower(): sentences for tag, sentences in wording.items()}


def _values(tenant: TenantSettings) -> Mapping[str, time | str]:
    """What the script says of this tenant; the receptionist's script speaks of the house by the tenant's name."""
    named = {"hotel": tenant.name} if tenant.script is None and tenant.name else {}
    return {**named, **tenant.values}


class _Nobody:
    """Answers for a tenant that was taken out of the settings while it had calls: they end."""

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        logger.warning("a call of a tenant that is no more", extra={"call_id": context.call_id})
        yield HangUp("the tenant is no more")


def make_runtime(
    settings: AppSettings,
    secrets: AppSecrets,
    *,
    journal: Journal,
    responders: Mapping[str, Responder],
    scripts: Mapping[str, ScriptedResponder],
    actions: Callable[[str], Actions | None],
    speech: Speech | None,
    speech_for: Callable[[str], Speech | None],
    clock: Clock,
    observe: Callable[[Notice], None],
    peers: PeersConfig | None = None,
) -> CallRuntime:
    """The runtime; the journal must be open before it starts."""
    calls, nobody = settings.calls, _Nobody()

    def own(tenant: str) -> TenantSettings:
        # Calls outlive the settings, and what was said in them can still be read.
        return settings.tenants.get(tenant) or TenantSettings()

    def voice(tenant: str, language: str) -> str | None:
        return own(tenant).voices.get(language)

    def phrase(tenant: str, language: str, reason: Phrase, count: int) -> str:
        script = scripts.get(tenant)
        return (script.phrase if script is not None else default_phrase)(tenant, language, reason, count)

    return CallRuntime(
        journal=journal,
        responder=lambda tenant: responders.get(tenant) or nobody,
        actions=actions,
        phrase=phrase,
        speech=speech,
        speech_for=lambda tenant: speech_for(tenant) if tenant in responders else speech,
        clock=clock,
        policy=Policy(
            silence=calls.silence, max_duration=calls.max_duration, idle=calls.idle, reorder_window=calls.reorder_window
        ),
        voice=voice,
        pseudonym=secrets.pseudonym,
        zone=lambda tenant: ZoneInfo(own(tenant).time_zone),
        language=lambda tenant: own(tenant).languages[0],
        observe=observe,
        answer_timeout=calls.answer_timeout,
        max_calls=calls.max_calls,
        max_waiting=calls.max_waiting,
        peers=peers,
    )


def make_peers(settings: AppSettings, databases: Databases) -> PeersConfig | None:
    """On a server this process may be one of several; a SQLite file belongs to one alone."""
    if databases.data.dialect.name == "sqlite":
        return None
    return PeersConfig(name=uuid.uuid4().hex, lease=settings.calls.lease, poll=settings.calls.lease / 4)


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
