"""The whole application, put together: what there is, and in which order it starts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.metadata import version

from orchestrator_app.composition.actions import TenantActions, TransferDesk, make_actions
from orchestrator_app.composition.alerting import Alerting, watch_objectives
from orchestrator_app.composition.audio import Hearing, make_hearing
from orchestrator_app.composition.audio_metrics import AUDIO_METRICS
from orchestrator_app.composition.audit import Auditing, make_audit
from orchestrator_app.composition.auth import AuthKeeper, make_auth
from orchestrator_app.composition.calls import GapAudit, make_peers, make_responders, make_runtime
from orchestrator_app.composition.database import Databases, open_databases, prepare
from orchestrator_app.composition.hotel_events import HotelDoor, make_hotel_door
from orchestrator_app.composition.housekeeping import Housekeeping, Job
from orchestrator_app.composition.metric_declarations import RESILIENCE_METRICS
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.observing import watch_application
from orchestrator_app.composition.performance import PERFORMANCE_METRICS, Performance, make_performance
from orchestrator_app.composition.redaction import KnownCallers, make_redactor
from orchestrator_app.composition.resilience import Resilience, make_resilience
from orchestrator_app.composition.responders import Responders, with_models
from orchestrator_app.composition.sealing import make_sealer
from orchestrator_app.composition.secrets import AppSecrets, load_secrets
from orchestrator_app.composition.speech import Voices, make_voices, pronounced
from orchestrator_app.composition.tenants import PerTenant, TenantBook, with_tenants
from orchestrator_app.composition.tracing import Traces, make_traces
from orchestrator_app.composition.twilio import TwilioDoor, twilio_verifier
from orchestrator_app.composition.watching import Watchers
from orchestrator_app.composition.webhooks import agent_verifier, livekit_verifier
from orchestrator_app.sessions import SessionTokens
from orchestrator_app.settings import AppSettings
from orchestrator_auth.service import Auth
from orchestrator_calls.dialogue import ScriptedResponder
from orchestrator_calls.journal import Journal
from orchestrator_calls.notices import Notice
from orchestrator_calls.runtime import CallRuntime, PeersConfig
from orchestrator_calls.sql_journal import SqlJournal
from orchestrator_kernel.dependencies import Registry
from orchestrator_kernel.lifecycle import Lifecycle
from orchestrator_kernel.ports import AuditSink, Clock, Sealer, SystemClock, WebhookVerifier
from orchestrator_performance.caching import Sealing
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
    sealer: Sealer


@dataclass(frozen=True, slots=True)
class _Asking:
    """What the runtime asks others for: words, voices, ears and deeds."""

    traces: Traces
    resilience: Resilience
    voices: Voices
    hearing: Hearing
    scripts: PerTenant[ScriptedResponder]
    models: Responders
    acting: TenantActions


def compose(settings: AppSettings, *, clock: Clock | None = None) -> Application:
    """Put the application together; nothing is connected or started yet.

    Raises:
        ConfigurationError: A setting, a script or a file in the data folder is wrong; says which and what to do.
    """
    settings, clock = with_tenants(settings), clock or SystemClock()
    registry, lifecycle = Registry(), Lifecycle()
    registry.provide(Lifecycle, lifecycle)
    secrets = load_secrets(settings)
    prices, folder = settings.metrics.prices, settings.metrics.folder
    metrics = registry.provide(Metrics, Metrics(settings.tenants, folder=folder, prices=prices))
    redactor = registry.provide(PiiRedactor, make_redactor(secrets, observe=metrics.redacted))
    performance = make_performance(settings, clock, metrics.carried(PERFORMANCE_METRICS))
    registry.provide(Performance, performance).add_pools(lifecycle)
    kept = _keeping(registry, lifecycle, settings, secrets, clock, redactor)
    asking = _asking(registry, settings, secrets, clock, kept)
    runtime = _runtime(registry, settings, secrets, clock, kept, asking)
    _provide(registry, settings, secrets, clock, kept.journal, runtime, kept.audit.sink)
    _live(registry, lifecycle, settings, asking, runtime)
    watch_application(registry, lifecycle, settings, clock)
    watch_objectives(registry, lifecycle, settings, clock)
    _tidy(registry, lifecycle, clock, kept)
    return Application(settings, secrets, registry, lifecycle, version("orchestrator-app"))


def _asking(registry: Registry, settings: AppSettings, secrets: AppSecrets, clock: Clock, kept: _Keeping) -> _Asking:
    """Everything outside, each through the policies, the pools and the traces."""
    metrics, performance = registry.get(Metrics), registry.get(Performance)
    traces = make_traces(settings, secrets, registry.get(PiiRedactor), clock, metrics)
    registry.provide(Traces, traces).follow_databases(registry.get(Databases))
    counted, connect = metrics.carried(RESILIENCE_METRICS), performance.connect
    resilience = make_resilience(settings, clock, counted, wrap=traces.wrap, events=traces.events)
    registry.provide(Resilience, resilience)
    cache = performance.cached_speech(clock, Sealing(kept.sealer, subject="speech"), secrets.derive("cache"))
    voices = make_voices(settings, resilience, observe=metrics.spoken, connect=connect, cache=cache)
    hearing = make_hearing(settings, resilience, metrics.carried(AUDIO_METRICS), connect=connect)
    scripts = make_responders(settings)
    models = with_models(scripts, settings, resilience, clock, observe=metrics.wrote, connect=connect)
    acting = traces.acting(make_actions(settings, resilience, clock, observe=metrics.acted, connect=connect))
    registry.provide(Voices, voices)
    registry.provide(Hearing, hearing)
    return _Asking(traces, resilience, voices, hearing, scripts, models, acting)


def _runtime(
    registry: Registry, settings: AppSettings, secrets: AppSecrets, clock: Clock, kept: _Keeping, asking: _Asking
) -> CallRuntime:
    """The runtime of calls, and all who are told what happens in it."""
    watchers, desk = registry.provide(Watchers, Watchers()), TransferDesk(asking.acting, clock)
    registry.provide(TransferDesk, desk)
    observers = (
        *(KnownCallers(registry.get(PiiRedactor)).observe, asking.traces.observe, registry.get(Metrics).observe),
        *(watchers.observe, kept.gaps.observe, desk.observe),
    )

    def observe(notice: Notice) -> None:
        for observer in observers:
            observer(notice)

    runtime = make_runtime(
        settings,
        secrets,
        journal=kept.journal,
        responders=asking.traces.responders(asking.models.by_tenant),
        scripts=asking.scripts,
        actions=asking.acting.of,
        speech=asking.voices.speech,
        speech_for=pronounced(asking.voices.speech, settings.tenants),
        clock=clock,
        observe=observe,
        peers=kept.peers,
    )
    desk.serve(runtime)
    asking.traces.serve(runtime)
    if kept.peers is not None:
        watchers.follow_with(runtime.follow)
    return runtime


def _live(
    registry: Registry, lifecycle: Lifecycle, settings: AppSettings, asking: _Asking, runtime: CallRuntime
) -> None:
    """In which order what is asked, and the runtime, start and end."""
    resilience, voices, hearing, models = asking.resilience, asking.voices, asking.hearing, asking.models
    desk, performance = registry.get(TransferDesk), registry.get(Performance)
    lifecycle.add("traces", stop=asking.traces.stop, requires=["journal"])
    lifecycle.add("policies", start=resilience.start, stop=resilience.stop, requires=["traces"])
    lifecycle.add("voice", start=voices.start, stop=voices.stop, requires=["policies"])
    lifecycle.add("hearing", start=hearing.start, stop=hearing.stop, requires=["policies"])
    lifecycle.add("models", stop=models.stop, requires=["policies"])
    if isinstance(settings.tenants, TenantBook):
        settings.tenants.after_publishing(resilience.tenants.forget_removed)
        lifecycle.add("tenants", start=settings.tenants.start, stop=settings.tenants.stop, requires=["models"])
    lifecycle.add("actions", stop=asking.acting.stop, requires=["policies"])
    needed = ["journal", "gaps", "voice", "hearing", "models", "actions"]
    lifecycle.add("calls", start=runtime.start, stop=runtime.stop, drain=runtime.drain, requires=needed)
    lifecycle.add("transfers", stop=desk.stop, requires=["calls"])
    lifecycle.add("performance", start=performance.start, stop=performance.stop, requires=["calls"])


def _keeping(
    registry: Registry,
    lifecycle: Lifecycle,
    settings: AppSettings,
    secrets: AppSecrets,
    clock: Clock,
    redactor: PiiRedactor,
) -> _Keeping:
    """Databases, keys, journal and audit, in the order in which they start."""
    databases = registry.provide(Databases, open_databases(settings, registry.get(Performance)))
    sealer = make_sealer(settings, databases, clock)
    peers = make_peers(settings, databases)
    journal = SqlJournal(databases.data, sealer, clock, process=peers.name if peers else "")
    audit = registry.provide(Auditing, make_audit(settings, secrets, databases, clock, redactor))
    gaps = registry.provide(GapAudit, GapAudit(audit.sink, clock))
    performance = registry.get(Performance)
    auth = make_auth(
        settings,
        secrets,
        databases,
        clock,
        sealer=sealer,
        sink=audit.sink,
        redactor=redactor,
        connect=performance.connect,
        connect_store=performance.connect_store,
    )
    registry.provide(AuthKeeper, auth)
    registry.provide(Auth, auth.auth)
    lifecycle.add("databases", stop=databases.close, requires=["pools"])
    lifecycle.add("tables", start=lambda: prepare(settings, databases), requires=["databases"])
    lifecycle.add("keys", start=sealer.check, requires=["tables"])
    lifecycle.add("journal", start=journal.open, stop=journal.close, requires=["keys"])
    lifecycle.add("audit", start=audit.start, stop=audit.stop, requires=["tables"])
    lifecycle.add("gaps", stop=gaps.close, requires=["audit"])
    registry.provide(HotelDoor, make_hotel_door(settings, databases, clock))
    lifecycle.add("auth", start=auth.start, stop=auth.stop, requires=["keys", "audit"])
    return _Keeping(journal, peers, audit, gaps, sealer)


def _tidy(registry: Registry, lifecycle: Lifecycle, clock: Clock, kept: _Keeping) -> None:
    """What is over is dropped, whoever keeps it."""
    deliveries, auth, alerting = registry.get(HotelDoor).store, registry.get(AuthKeeper), registry.get(Alerting)
    jobs: dict[str, Job] = {
        "deliveries": lambda: deliveries.purge(now=clock.now()),
        "audit": kept.audit.sink.purge,
        **auth.jobs,
        **alerting.jobs,
    }
    tidying = Housekeeping(jobs, clock)
    lifecycle.add("housekeeping", start=tidying.start, stop=tidying.stop, requires=["audit", "auth", "alerting"])


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
