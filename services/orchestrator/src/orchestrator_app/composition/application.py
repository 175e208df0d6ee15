"""The whole application, put together: what there is, and in which order it starts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.metadata import version

from orchestrator_app.composition.audit import FileAuditSink
from orchestrator_app.composition.calls import GapAudit, make_responders, make_runtime
from orchestrator_app.composition.database import Databases, open_databases, prepare
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.sealing import make_sealer
from orchestrator_app.composition.secrets import AppSecrets, data_folder, load_secrets
from orchestrator_app.composition.speech import Voices, make_voices
from orchestrator_app.composition.watching import Watchers
from orchestrator_app.composition.webhooks import agent_verifier, livekit_verifier
from orchestrator_app.sessions import SessionTokens
from orchestrator_app.settings import AppSettings
from orchestrator_calls._drivers.sql_journal import SqlJournal
from orchestrator_calls.journal import Journal
from orchestrator_calls.notices import Notice
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.dependencies import Registry
from orchestrator_kernel.lifecycle import Lifecycle
from orchestrator_kernel.ports import AuditSink, Clock, SystemClock, WebhookVerifier

__all__ = ["AgentDoor", "Application", "LiveKitDoor", "compose"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AgentDoor:
    """Who verifies media agents."""

    verifier: WebhookVerifier


@dataclass(frozen=True, slots=True)
class LiveKitDoor:
    """Who verifies LiveKit."""

    verifier: WebhookVerifier


@dataclass(frozen=True, slots=True)
class Application:
    """Everything the routes and the command line need."""

    settings: AppSettings
    secrets: AppSecrets
    registry: Registry
    lifecycle: Lifecycle
    version: str


def compose(settings: AppSettings, *, clock: Clock | None = None) -> Application:
    """Put the application together; nothing is connected or started yet.

    Raises:
        ConfigurationError: A setting, a script or a file in the data folder is wrong; says which and what to do.
    """
    clock = clock or SystemClock()
    registry, lifecycle = Registry(), Lifecycle()
    registry.provide(Lifecycle, lifecycle)
    secrets = load_secrets(settings)
    databases = registry.provide(Databases, open_databases(settings))
    sealer = make_sealer(settings, databases, clock)
    journal = SqlJournal(databases.data, sealer, clock)
    metrics, watchers = registry.provide(Metrics, Metrics()), registry.provide(Watchers, Watchers())
    voices = registry.provide(Voices, make_voices(settings, observe=metrics.spoken))
    audit = FileAuditSink(data_folder(settings) / "audit.jsonl")
    gaps = registry.provide(GapAudit, GapAudit(audit, clock))
    observers = (metrics.observe, watchers.observe, gaps.observe)

    def observe(notice: Notice) -> None:
        for observer in observers:
            observer(notice)

    runtime = make_runtime(
        settings,
        secrets,
        journal=journal,
        responders=make_responders(settings),
        speech=voices.speech,
        clock=clock,
        observe=observe,
    )
    metrics.follow_active(lambda: runtime.active)
    _provide(registry, settings, secrets, clock, journal, runtime, audit)
    lifecycle.add("databases", stop=databases.close)
    lifecycle.add("tables", start=lambda: prepare(settings, databases), requires=["databases"])
    lifecycle.add("keys", start=sealer.check, requires=["tables"])
    lifecycle.add("journal", start=journal.open, stop=journal.close, requires=["keys"])
    lifecycle.add("audit", stop=gaps.close)
    lifecycle.add("voice", start=voices.start, stop=voices.stop)
    lifecycle.add(
        "calls", start=runtime.start, stop=runtime.stop, drain=runtime.drain, requires=["journal", "audit", "voice"]
    )
    return Application(settings, secrets, registry, lifecycle, version("orchestrator-app"))


def _provide(
    registry: Registry,
    settings: AppSettings,
    secrets: AppSecrets,
    clock: Clock,
    journal: Journal,
    runtime: CallRuntime,
    audit: AuditSink,
) -> None:
    registry.provide(AppSettings, settings)
    registry.provide(Clock, clock)  # type: ignore[type-abstract]  # a protocol names what is provided
    registry.provide(Journal, journal)  # type: ignore[type-abstract]
    registry.provide(AuditSink, audit)  # type: ignore[type-abstract]
    registry.provide(CallRuntime, runtime)
    registry.provide(SessionTokens, SessionTokens(secrets.derive("session"), settings.security.session_seconds, clock))
    registry.provide(AgentDoor, AgentDoor(agent_verifier(settings, secrets, clock)))
    registry.provide(LiveKitDoor, LiveKitDoor(livekit_verifier(settings, clock)))
