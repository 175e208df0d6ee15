"""Alerts: what fires, who takes care of it, what is promised to customers, and whether the receivers would take a notice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from orchestrator_app.composition.alerting import Alerting
from orchestrator_app.composition.audit import Auditing
from orchestrator_app.composition.console_figures import AlertDesk
from orchestrator_app.routers._services import BODY, GUARD, MONITOR, OPERATOR, Time, given
from orchestrator_app.routers._webhook import InvalidJson
from orchestrator_auth.fastapi_guard import CurrentPrincipal, requires
from orchestrator_auth.guard import PLATFORM
from orchestrator_kernel.exceptions import DatabaseError, ExternalServiceError, ValidationError
from orchestrator_kernel.ports.operations import UnknownAlert
from orchestrator_monitoring.alerting import AlertRecord, Notice, Receiver, Silence
from orchestrator_monitoring.slo_monitor import PrometheusFailed
from orchestrator_security.input_validation import StrictModel
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

router = APIRouter(prefix="/monitoring", tags=["alerts"], responses=problem_responses(*GUARD, DatabaseError))
looks = APIRouter(dependencies=[MONITOR])
answers = APIRouter(dependencies=[requires("alert:acknowledge", tenant=PLATFORM)])
trials = APIRouter(dependencies=[OPERATOR])

Telling = Annotated[Alerting, Depends(given(Alerting))]
Log = Annotated[Auditing, Depends(given(Auditing))]
Fingerprint = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
ReceiverName = Annotated[str, Path(pattern="^[!-~]{1,63}$")]


class UnknownReceiver(ValidationError):
    """No receiver has this name, or none of this kind is configured."""

    default_code = "unknown_receiver"
    default_status = 404


class Shown(BaseModel):
    """An alert."""

    id: str
    rule: str
    severity: str
    state: str = Field(description="pending, firing or resolved.")
    labels: dict[str, str]
    summary: str
    description: str
    runbook: str
    value: float | None
    since: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    acknowledged_by: str
    silenced_until: datetime | None


class ActiveAlerts(BaseModel):
    """The alerts that are pending, firing, or were resolved within the hour."""

    alerts: list[Shown]
    evaluates: bool = Field(description="Whether this process evaluates and tells; another one may.")


class SilenceRequest(StrictModel):
    """Tell nobody for a time."""

    minutes: float = Field(gt=0, le=30 * 24 * 60)
    reason: str = Field(min_length=1, max_length=500)


class Answered(BaseModel):
    """What was done."""

    id: str
    by: str


class Promise(BaseModel):
    """What is promised to customers, and what was kept."""

    name: str
    slo: str
    objective: float
    current: float | None = Field(description="The good share over the objective's window; null without events.")
    kept: bool | None
    events: float


class ReceiverState(BaseModel):
    """A receiver, and what became of the last notices to it."""

    name: str
    kind: str
    waiting: int
    sent: int
    refused: int
    last_error: str


class Checked(BaseModel):
    """Whether a receiver would take a notice; nobody was told, and no incident opened."""

    name: str
    kind: str
    healthy: bool
    reason: str


class Posted(BaseModel):
    """A test notice is on its way; its outcome is among the receivers."""

    receiver: str
    notice: str


@looks.get("/alerts")
async def alerts(telling: Telling, time: Time) -> ActiveAlerts:
    """What fires, the worst first."""
    now = time.now().timestamp()
    book = await telling.service.store.load(now)
    order = ["critical", "high", "medium", "low"]
    records = sorted(
        book.alerts.values(),
        key=lambda each: (each.state != "firing", order.index(each.condition.severity.value), each.since),
    )
    shown = [_shown(each, [one for one in book.silences if one.mutes(each.labels, now)]) for each in records]
    return ActiveAlerts(alerts=shown, evaluates=telling.service.leads)


@answers.post("/alerts/{alert_id}/acknowledge", responses=problem_responses(UnknownAlert))
async def acknowledge(alert_id: Fingerprint, telling: Telling, log: Log, time: Time, who: CurrentPrincipal) -> Answered:
    """Take care of an alert: it is not repeated and escalates no further, until it ends."""
    await AlertDesk(telling.service.store, log.log, time).acknowledge(alert_id, by=who.id)
    return Answered(id=alert_id, by=who.id)


@answers.post("/alerts/{alert_id}/silence", responses=problem_responses(UnknownAlert, InvalidJson, 400, 422, *BODY))
async def silence(
    alert_id: Fingerprint, asked: SilenceRequest, telling: Telling, log: Log, time: Time, who: CurrentPrincipal
) -> Answered:
    """Tell nobody of an alert for a time; its end is told to whoever knows that it fires."""
    desk = AlertDesk(telling.service.store, log.log, time)
    await desk.silence(alert_id, by=who.id, seconds=asked.minutes * 60, reason=asked.reason)
    return Answered(id=alert_id, by=who.id)


@looks.get("/sla/status", responses=problem_responses(PrometheusFailed))
async def promises(telling: Telling) -> list[Promise]:
    """What is promised to customers, measured as the objectives are."""
    standings = {each.report.slo.name: each.report for each in await telling.objectives.standings()}
    found: list[Promise] = []
    for sla in telling.config.slas:
        report = standings.get(sla.slo)
        sli = None if report is None else report.sli
        kept = None if sli is None else sli >= sla.objective
        events = 0.0 if report is None else report.events
        found.append(
            Promise(name=sla.name, slo=sla.slo, objective=sla.objective, current=sli, kept=kept, events=events)
        )
    return found


@looks.get("/receivers")
async def receivers(telling: Telling) -> list[ReceiverState]:
    """Who is told, and what became of the last thousand notices."""
    kept = await telling.service.store.deliveries(1000)
    found: list[ReceiverState] = []
    for each in telling.service.receivers.values():
        mine = [delivery for delivery in kept if delivery.notice.receiver == each.name]
        counts = {outcome: sum(one.outcome == outcome for one in mine) for outcome in ("waiting", "sent", "refused")}
        last = next((one.error for one in mine if one.error), "")
        found.append(ReceiverState(name=each.name, kind=each.kind, last_error=last, **counts))
    return found


@trials.post("/receivers/{name}/check", responses=problem_responses(UnknownReceiver))
async def check(name: ReceiverName, telling: Telling) -> Checked:
    """Find out whether a receiver would take a notice; tells nobody."""
    return await _checked(_receiver(telling, name))


@trials.post("/receivers/{name}/test", responses=problem_responses(UnknownReceiver))
async def test(name: ReceiverName, telling: Telling, time: Time) -> Posted:
    """Send a notice that says it is a test."""
    return await _posted(_receiver(telling, name), telling, time.now().timestamp())


@looks.get("/pagerduty/health", responses=problem_responses(UnknownReceiver))
async def pagerduty_health(telling: Telling) -> Checked:
    """Whether PagerDuty would take an event; opens no incident."""
    return await _checked(_pager(telling))


@looks.get("/pagerduty/status", responses=problem_responses(UnknownReceiver))
async def pagerduty_status(telling: Telling) -> ReceiverState:
    """What became of the last events to PagerDuty."""
    name = _pager(telling).name
    return next(each for each in await receivers(telling) if each.name == name)


@trials.post("/pagerduty/test-alert", responses=problem_responses(UnknownReceiver))
async def pagerduty_test(telling: Telling, time: Time) -> Posted:
    """Open an incident that says it is a test."""
    return await _posted(_pager(telling), telling, time.now().timestamp())


def _receiver(telling: Alerting, name: str) -> Receiver:
    found = telling.service.receivers.get(name)
    if found is None:
        raise UnknownReceiver(f"there is no receiver {name}; there is {', '.join(telling.service.receivers)}")
    return found


def _pager(telling: Alerting) -> Receiver:
    found = next((each for each in telling.service.receivers.values() if each.kind == "pagerduty"), None)
    if found is None:
        raise UnknownReceiver("PagerDuty is not configured; set monitoring.pagerduty_key")
    return found


async def _checked(receiver: Receiver) -> Checked:
    try:
        await receiver.check()
    except ExternalServiceError as error:
        return Checked(name=receiver.name, kind=receiver.kind, healthy=False, reason=error.message)
    return Checked(name=receiver.name, kind=receiver.kind, healthy=True, reason="")


async def _posted(receiver: Receiver, telling: Alerting, now: float) -> Posted:
    notice = Notice(id=f"test-{uuid4()}", receiver=receiver.name, group="", kind="test", at=now)
    await telling.service.post(notice)
    return Posted(receiver=receiver.name, notice=notice.id)


def _shown(record: AlertRecord, silences: list[Silence]) -> Shown:
    each = record.condition
    return Shown(
        id=record.fingerprint,
        rule=each.rule,
        severity=each.severity.value,
        state=record.state,
        labels=dict(each.labels),
        summary=each.summary,
        description=each.description,
        runbook=each.runbook,
        value=each.value,
        since=_instant(record.since),
        fired_at=None if record.fired_at is None else _instant(record.fired_at),
        resolved_at=None if record.resolved_at is None else _instant(record.resolved_at),
        acknowledged_by=record.acknowledged_by,
        silenced_until=_instant(max(one.ends for one in silences)) if silences else None,
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


router.include_router(looks)
router.include_router(answers)
router.include_router(trials)
