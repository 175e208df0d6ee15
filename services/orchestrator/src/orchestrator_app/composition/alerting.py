"""Alerts of the service: rules and receivers from the settings, the loop that samples and evaluates, and what is measured of it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.housekeeping import Job
from orchestrator_app.composition.metrics import CATALOGUE, Metrics
from orchestrator_app.composition.performance import Connect, Performance
from orchestrator_app.composition.slo import Objectives, make_objectives, own_readings, show_standings
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.dependencies import Registry
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.http import HttpClientConfig
from orchestrator_kernel.lifecycle import Lifecycle, cancel, done_before
from orchestrator_kernel.models import Severity
from orchestrator_kernel.ports import Clock
from orchestrator_monitoring.alerting import (
    CPU_USED,
    DELIVERIES,
    EVALUATED_AT,
    EVALUATION,
    FIRING,
    MEMORY_USED,
    AlertingConfig,
    AlertmanagerSpec,
    AlertRule,
    AlertService,
    EmailConfig,
    EmailSpec,
    Found,
    GaugeCheck,
    PagerDutySpec,
    ProcessUsage,
    RatioCheck,
    ReceiverSpec,
    RuleWatch,
    SlackSpec,
    SloConditions,
    SqlAlertStore,
    WebhookSpec,
    default_alerting,
    load_alerting,
    make_receivers,
)
from orchestrator_monitoring.slo_monitor import SloMonitor
from orchestrator_security.webhook_security import StandardWebhooksSigner, WebhookSecret

if TYPE_CHECKING:
    import httpx

    from orchestrator_app._monitoring_settings import MonitoringSettings

__all__ = ["Alerting", "configured_alerting", "make_alerting", "watch_objectives"]

logger = logging.getLogger(__name__)

STOP: Final = 4.0
"""Seconds that what is being written gets when the application stops."""


class _Meters:
    """What alerting measures of itself, among the application's metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._counted = metrics.counted

    def evaluated(self, *, at: float, seconds: float, firing: dict[Severity, int]) -> None:
        self._counted.gauge(EVALUATED_AT).labels().set(at)
        self._counted.histogram(EVALUATION).labels().observe(max(seconds, 0.0))
        for severity, count in firing.items():
            self._counted.gauge(FIRING).labels(severity.value).set(float(count))

    def delivered(self, receiver: str, outcome: str) -> None:
        self._counted.counter(DELIVERIES).labels(receiver, outcome).inc()


class _ShownObjectives(SloConditions):
    """The objectives as conditions; their gauges are set with each look."""

    def __init__(self, objectives: Objectives) -> None:
        super().__init__(objectives.monitor)
        self._objectives = objectives

    async def find(self, now: float) -> Found:
        found = await super().find(now)
        show_standings(self._objectives.metrics, self._objectives.monitor.latest)
        return found


@dataclass(slots=True)
class Alerting:
    """Samples in every process; evaluates and tells in the one that holds the lease."""

    settings: MonitoringSettings
    config: AlertingConfig
    service: AlertService
    objectives: Objectives
    watch: RuleWatch
    clock: Clock
    http: httpx.AsyncClient
    usage: ProcessUsage = field(default_factory=ProcessUsage)
    _task: asyncio.Task[None] | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def jobs(self) -> Mapping[str, Job]:
        """What housekeeping has to do here."""
        store = self.service.store
        return {
            "samples": self.objectives.monitor.purge,
            "notices": lambda: store.purge(self.clock.now().timestamp()),
        }

    async def start(self) -> None:
        """Begin to sample, and to evaluate where that is wanted."""
        self._task = asyncio.create_task(self._sample_forever(), name="samples of objectives and rules")
        if self.settings.alerting:
            await self.service.start()

    async def stop(self) -> None:
        """Tell nobody more, and keep what was counted last."""
        self._stopping.set()
        await self.service.stop()
        if self._task is not None:
            # A transaction that is cut off in the middle could keep the database locked.
            await asyncio.wait({self._task}, timeout=STOP)
            await cancel(self._task)
        await self.http.aclose()
        await self.objectives.close()

    async def _sample_forever(self) -> None:
        while not self._stopping.is_set():
            await self._sample()
            await done_before(self._stopping, self.clock.sleep(self.settings.sample_seconds))
        await self._sample()

    async def _sample(self) -> None:
        counted = self.objectives.metrics.counted
        for gauge, value in ((MEMORY_USED, self.usage.memory()), (CPU_USED, self.usage.cpu())):
            if value is not None:
                counted.gauge(gauge).labels().set(value)
        for sample in (self.objectives.monitor.sample, self.watch.sample):
            try:
                await sample()
            except OrchestratorError as error:
                # What was counted waits for the next look.
                logger.warning("samples could not be kept", extra={"code": error.code})


def make_alerting(
    settings: AppSettings,
    databases: Databases,
    metrics: Metrics,
    objectives: Objectives,
    clock: Clock,
    connect: Connect,
) -> Alerting:
    """Everything that watches and tells.

    Raises:
        ConfigurationError: A rule, a route or a receiver cannot be used; says file, line and reason.
    """
    config, store = configured_alerting(settings), SqlAlertStore(databases.data)
    http = connect("alerts", HttpClientConfig(connect_timeout=5.0))
    names = frozenset(_sampled(config.rules))
    watch = RuleWatch(
        config.rules,
        objectives.store,
        store,
        lambda: own_readings(metrics, names),
        clock=clock,
        process=objectives.process,
        stale_after=4 * settings.monitoring.sample_seconds,
    )
    service = AlertService(
        routing=config.routing,
        store=store,
        sources=[_ShownObjectives(objectives), watch],
        receivers=make_receivers(config.receivers, http=http, clock=clock, signer=_signer),
        clock=clock,
        process=objectives.process,
        interval=settings.monitoring.evaluate_seconds,
        meters=_Meters(metrics),
    )
    return Alerting(settings.monitoring, config, service, objectives, watch, clock, http)


def watch_objectives(registry: Registry, lifecycle: Lifecycle, settings: AppSettings, clock: Clock) -> None:
    """Objectives and alerts, over what the registry holds already.

    Raises:
        ConfigurationError: An objective, a rule, a route or a receiver cannot be used; says file, line and reason.
    """
    databases, metrics, connect = registry.get(Databases), registry.get(Metrics), registry.get(Performance).connect
    objectives = registry.provide(Objectives, make_objectives(settings, databases, metrics, clock, connect))
    alerting = registry.provide(Alerting, make_alerting(settings, databases, metrics, objectives, clock, connect))
    registry.provide(SloMonitor, objectives.monitor)
    registry.provide(AlertService, alerting.service)
    lifecycle.add("alerting", start=alerting.start, stop=alerting.stop, requires=["tables", "metrics"])


def _sampled(rules: Iterable[AlertRule]) -> Iterable[str]:
    for rule in rules:
        if isinstance(rule.check, GaugeCheck):
            yield rule.check.selector.metric
        else:
            ratio = rule.check.indicator.ratio
            yield from (ratio.total.metric, ratio.part.metric)


def _signer(name: str, secret: str) -> StandardWebhooksSigner:
    return StandardWebhooksSigner([WebhookSecret(name, SecretStr(secret))])


def configured_alerting(settings: AppSettings) -> AlertingConfig:
    """The rules of the settings' file, or the built-in ones, and the receivers of both.

    Raises:
        ConfigurationError: One cannot be used; says file, line and reason.
    """
    own = settings.monitoring
    specs = list(_receivers(own))
    if own.alerts is None:
        config = default_alerting(CATALOGUE)
        config = replace(config, rules=tuple(_adapted(rule, settings) for rule in config.rules))
        return config.with_receivers(*specs, heartbeats=own.heartbeats)
    config = load_alerting(own.alerts, catalogue=CATALOGUE, environment=os.environ)
    if specs or own.heartbeats:
        names = ", ".join(each.name for each in specs) or "heartbeats"
        raise ConfigurationError(f"monitoring.alerts names a file: write the receivers ({names}) there, too")
    return config


def _adapted(rule: AlertRule, settings: AppSettings) -> AlertRule:
    """A built-in rule with the settings' thresholds."""
    wanted = settings.monitoring.thresholds
    by_rule = {
        "high_cpu_usage": wanted.cpu,
        "high_memory_usage": wanted.memory,
        "high_call_failure_rate": wanted.error_rate,
    }
    bound = by_rule.get(rule.name)
    if bound is None:
        return rule
    if isinstance(rule.check, GaugeCheck):
        return replace(rule, check=replace(rule.check, bound=bound / 100))
    if isinstance(rule.check, RatioCheck):
        return replace(rule, check=replace(rule.check, above=bound / 100))
    return rule


def _receivers(own: MonitoringSettings) -> Iterable[ReceiverSpec]:
    if own.slack_url is not None:
        yield SlackSpec(name="slack", url=own.slack_url.get_secret_value(), channel=own.slack_channel)
    if own.pagerduty_key is not None:
        url = "" if own.pagerduty_url is None else str(own.pagerduty_url)
        yield PagerDutySpec(name="pagerduty", routing_key=own.pagerduty_key.get_secret_value(), url=url)
    if own.email.host is not None:
        mail = own.email
        password = "" if mail.password is None else mail.password.get_secret_value()
        config = EmailConfig(
            host=own.email.host,
            port=mail.port,
            security=mail.security,
            user=mail.user,
            password=password,
            sender=mail.sender,
            recipients=mail.recipients,
        )
        yield EmailSpec(name="email", config=config)
    if own.webhook_url is not None:
        secret = "" if own.webhook_secret is None else own.webhook_secret.get_secret_value()
        yield WebhookSpec(name="webhook", url=own.webhook_url.get_secret_value(), secret=secret)
    if own.alertmanager_url is not None:
        yield AlertmanagerSpec(name="alertmanager", url=str(own.alertmanager_url))
