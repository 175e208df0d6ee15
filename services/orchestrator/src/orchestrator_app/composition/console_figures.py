"""Health, objectives, alerts, policies and audit, as the operators' page reads them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from orchestrator_app.composition.resilience import Resilience
from orchestrator_kernel.models import AuditEvent, HealthStatus, Severity
from orchestrator_kernel.ports import Clock
from orchestrator_kernel.ports.operations import (
    Alert,
    AlertState,
    BurnRate,
    DependencyPolicy,
    Objective,
    ObjectiveState,
    RateRule,
    UnknownAlert,
)
from orchestrator_monitoring.alerting import AlertRecord, AlertStore, Silence
from orchestrator_monitoring.health import Health
from orchestrator_monitoring.slo_monitor import Matcher, SloMonitor, SloStanding
from orchestrator_resilience.manager import PipelineSnapshot
from orchestrator_resilience.rate_limit_rules import RateLimitRule
from orchestrator_security.audit_logging import AuditKind, AuditLog, AuditQuery, show_audit

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["AlertDesk", "AuditPages", "HealthBoard", "ObjectiveBoard", "PolicyBoard"]

_OLD: Final = 60.0
"""Seconds after which figures of objectives are judged anew by whoever looks."""
_BURN_WINDOWS: Final = frozenset({300, 3_600, 21_600, 86_400})
_SEVERITIES: Final = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)
_STATES: Final = (AlertState.FIRING, AlertState.PENDING, AlertState.RESOLVED)


class HealthBoard:
    """What the checks found last, with what it means."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def health(self) -> Sequence[HealthStatus]:
        return [each.status for each in self._health.known().components.values()]


class ObjectiveBoard:
    """The objectives as they were judged last."""

    def __init__(self, monitor: SloMonitor, clock: Clock) -> None:
        self._monitor = monitor
        self._clock = clock

    async def objectives(self) -> Sequence[Objective]:
        latest, now = self._monitor.latest, self._clock.now().timestamp()
        if not latest or now - latest[0].at > _OLD:
            latest = await self._monitor.evaluate()
        return [_objective(each) for each in latest]


def _objective(standing: SloStanding) -> Objective:
    report, ahead = standing.report, standing.forecast.expected
    enough = report.sli is not None and report.events >= report.slo.min_events
    if report.sli is None:
        state = ObjectiveState.NO_TRAFFIC
    elif not enough:
        state = ObjectiveState.TOO_FEW_EVENTS
    elif report.remaining <= 0:
        state = ObjectiveState.EXHAUSTED
    else:
        burning = any(each.firing for each in report.burns) or report.conformance != "compliant"
        state = ObjectiveState.BURNING if burning else ObjectiveState.MET
    return Objective(
        id=report.slo.name,
        title=report.slo.description.rstrip(".") or report.slo.name.replace("_", " "),
        state=state,
        target=report.slo.objective,
        window_seconds=report.slo.window,
        achieved=report.sli,
        budget_left=report.remaining if enough else None,
        burn=tuple(
            BurnRate(window_seconds=each.window, rate=each.rate if enough and each.error_ratio is not None else None)
            for each in report.windows
            if each.window in _BURN_WINDOWS
        ),
        exhausted_at=datetime.fromtimestamp(standing.at + ahead, UTC) if enough and ahead is not None else None,
        events=int(report.events),
        min_events=report.slo.min_events,
    )


class AlertDesk:
    """The alerts that are kept, and what people do about them; each answer is an audit event."""

    def __init__(self, store: AlertStore, audit: AuditLog, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def alerts(self) -> Sequence[Alert]:
        now = self._clock.now().timestamp()
        book = await self._store.load(now)
        found = [_alert(each, book.silences, now) for each in book.alerts.values()]
        return sorted(found, key=lambda each: (_STATES.index(each.state), _SEVERITIES.index(each.severity), each.title))

    async def acknowledge(self, alert_id: str, *, by: str) -> None:
        now = self._clock.now().timestamp()
        if not await self._store.acknowledge(alert_id, by=by, now=now):
            raise UnknownAlert("This alert is over.")
        await self._told("acknowledge an alert", alert_id, by)

    async def silence(self, alert_id: str, *, by: str, seconds: float, reason: str) -> None:
        now = self._clock.now().timestamp()
        record = (await self._store.load(now)).alerts.get(alert_id)
        if record is None or record.state == "resolved":
            raise UnknownAlert("This alert is over.")
        matchers = tuple(Matcher(name, "=", value) for name, value in sorted(record.labels.items()))
        silence = Silence(
            id=secrets.token_hex(8), matchers=matchers, starts=now, ends=now + seconds, by=by, reason=reason
        )
        await self._store.silence(silence)
        await self._told("silence an alert", alert_id, by, minutes=round(seconds / 60), reason=reason)

    async def _told(self, action: str, alert_id: str, by: str, **details: int | str) -> None:
        await self._audit.record(
            AuditKind.ADMIN_ACTION, action=action, actor=by, resource=f"alert:{alert_id}", details=details
        )


def _alert(record: AlertRecord, silences: Sequence[Silence], now: float) -> Alert:
    began = {"pending": record.since, "firing": record.fired_at, "resolved": record.resolved_at}[record.state]
    ends = [each.ends for each in silences if each.mutes(record.labels, now)]
    condition = record.condition
    return Alert(
        id=record.fingerprint,
        title=condition.summary or condition.rule,
        severity=condition.severity,
        state=AlertState(record.state),
        since=datetime.fromtimestamp(record.since if began is None else began, UTC),
        detail=condition.description,
        labels=tuple(sorted(condition.labels.items())),
        acknowledged_by=record.acknowledged_by,
        silenced_until=datetime.fromtimestamp(max(ends), UTC) if ends else None,
        runbook=condition.runbook,
    )


class PolicyBoard:
    """The policies of this process."""

    def __init__(self, resilience: Resilience) -> None:
        self._resilience = resilience

    async def dependencies(self) -> Sequence[DependencyPolicy]:
        return [_dependency(each) for each in self._resilience.manager.snapshot().values()]

    async def rules(self) -> Sequence[RateRule]:
        return [RateRule(name=each.name, scope=_scope(each), limits=each.limits) for each in self._resilience.rules]


def _dependency(each: PipelineSnapshot) -> DependencyPolicy:
    breaker, line = each.breaker, each.bulkhead
    return DependencyPolicy(
        name=each.name,
        circuit="" if breaker is None else str(breaker.state).replace("-", "_"),
        calls=0 if breaker is None else breaker.calls,
        failures=0 if breaker is None else breaker.failures,
        refused=0 if breaker is None else breaker.refused,
        retry_after=None if breaker is None else breaker.retry_after,
        limit=None if line is None else line.limit,
        running=0 if line is None else line.running,
        waiting=0 if line is None else line.waiting,
        shed=0 if line is None else line.shed,
    )


def _scope(rule: RateLimitRule) -> str:
    who = {"client": "each client", "tenant": "each tenant", "global": "all together"}[rule.scope]
    known = f" that is {rule.client_class}" if rule.client_class else ""
    return f"{who}{known}, {rule.route or 'everywhere'}"


class AuditPages:
    """The newest entries of the audit log."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def recent(self, limit: int) -> Sequence[AuditEvent]:
        return await show_audit(self._engine, AuditQuery(limit=limit))
