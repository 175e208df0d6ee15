"""The whole application, put together: what there is, and in which order it starts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.metadata import version

from orchestrator_app.composition.actions import TransferDesk, make_actions
from orchestrator_app.composition.audit import Auditing, make_audit
from orchestrator_app.composition.calls import GapAudit, make_peers, make_responders, make_runtime
from orchestrator_app.composition.database import Databases, open_databases, prepare
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.redaction import KnownCallers, make_redactor
from orchestrator_app.composition.resilience import Resilience, make_resilience
from orchestrator_app.composition.responders import with_models
from orchestrator_app.composition.sealing import make_sealer
from orchestrator_app.composition.secrets import AppSecrets, load_secrets
from orchestrator_app.composition.speech import Voices, make_voices, pronounced
from orchestrator_app.composition.tenants import TenantBook, with_tenants
from orchestrator_app.composition.twilio import TwilioDoor, twilio_verifier
from orchestrator_app.composition.watching import Watchers
from orchestrator_app.composition.webhooks import agent_verifier, livekit_verifier
from orchestrator_app.sessions import SessionTokens
from orchestrator_app.settings import AppSettings
from orchestrator_calls.journal import Journal
from orchestrator_calls.notices import Notice
from orchestrator_calls.runtime import CallRuntime, PeersConfig
from orchestrator_calls.sql_journal import SqlJournal
from orchestrator_kernel.dependencies import Registry
from orchestrator_kernel.lifecycle import Lifecycle
from orchestrator_kernel.ports import AuditSink, Clock, SystemClock, WebhookVerifier
from orchestrator_security.pii_redactor import PiiRedactor

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


@dataclass(frozen=True, slots=True)
class _Keeping:
    """Where what happens is kept."""

    journal: SqlJournal
    peers: PeersConfig | None
    audit: Auditing
    gaps: GapAudit


def compose(settings: AppSettings, *, clock: Clock | None = None) -> Application:
    """Put the application together; nothing is connected or started yet.

    Raises:
        ConfigurationError: A setting, a script or a file in the data folder is wrong; says which and what to do.
    """
    settings, clock = with_tenants(settings), clock or SystemClock()
    registry, lifecycle = Registry(), Lifecycle()
    registry.provide(Lifecycle, lifecycle)
    secrets = load_secrets(settings)
    redactor = registry.provide(PiiRedactor, make_redactor(secrets))
    kept = _keeping(registry, lifecycle, settings, secrets, clock, redactor)
    metrics, watchers = registry.provide(Metrics, Metrics()), registry.provide(Watchers, Watchers())
    resilience = registry.provide(Resilience, make_resilience(settings, clock, metrics.registry))
    voices = registry.provide(Voices, make_voices(settings, resilience, observe=metrics.spoken))
    scripts = make_responders(settings)
    models = with_models(scripts, settings, resilience, clock, observe=metrics.wrote)
    acting = make_actions(settings, resilience, clock, observe=metrics.acted)
    desk = TransferDesk(acting, clock)
    observers = (KnownCallers(redactor).observe, metrics.observe, watchers.observe, kept.gaps.observe, desk.observe)

    def observe(notice: Notice) -> None:
        for observer in observers:
            observer(notice)

    runtime = make_runtime(
        settings,
        secrets,
        journal=kept.journal,
        responders=models.by_tenant,
        scripts=scripts,
        actions=acting.of,
        speech=voices.speech,
        speech_for=pronounced(voices.speech, settings.tenants),
        clock=clock,
        observe=observe,
        peers=kept.peers,
    )
    desk.serve(runtime)
    if kept.peers is not None:
        watchers.follow_with(runtime.follow)
    metrics.follow_active(lambda: runtime.active)
    _provide(registry, settings, secrets, clock, kept.journal, runtime, kept.audit.sink)
    lifecycle.add("policies", start=resilience.start, stop=resilience.stop)
    lifecycle.add("voice", start=voices.start, stop=voices.stop, requires=["policies"])
    lifecycle.add("models", stop=models.stop, requires=["policies"])
    if isinstance(settings.tenants, TenantBook):
        lifecycle.add("tenants", start=settings.tenants.start, stop=settings.tenants.stop, requires=["models"])
    lifecycle.add("actions", stop=acting.stop, requires=["policies"])
    needed = ["journal", "gaps", "voice", "models", "actions"]
    lifecycle.add("calls", start=runtime.start, stop=runtime.stop, drain=runtime.drain, requires=needed)
    lifecycle.add("transfers", stop=desk.stop, requires=["calls"])
    return Application(settings, secrets, registry, lifecycle, version("orchestrator-app"))


def _keeping(
    registry: Registry,
    lifecycle: Lifecycle,
    settings: AppSettings,
    secrets: AppSecrets,
    clock: Clock,
    redactor: PiiRedactor,
) -> _Keeping:
    """Databases, keys, journal and audit, in the order in which they start."""
    databases = registry.provide(Databases, open_databases(settings))
    sealer = make_sealer(settings, databases, clock)
    peers = make_peers(settings, databases)
    journal = SqlJournal(databases.data, sealer, clock, process=peers.name if peers else "")
    audit = registry.provide(Auditing, make_audit(settings, secrets, databases, clock, redactor))
    gaps = registry.provide(GapAudit, GapAudit(audit.sink, clock))
    lifecycle.add("databases", stop=databases.close)
    lifecycle.add("tables", start=lambda: prepare(settings, databases), requires=["databases"])
    lifecycle.add("keys", start=sealer.check, requires=["tables"])
    lifecycle.add("journal", start=journal.open, stop=journal.close, requires=["keys"])
    lifecycle.add("audit", start=audit.start, stop=audit.stop, requires=["tables"])
    lifecycle.add("gaps", stop=gaps.close, requires=["audit"])
    return _Keeping(journal, peers, audit, gaps)


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
    registry.provide(TwilioDoor, TwilioDoor(twilio_verifier(settings, clock)))
