"""The service level objectives: what is promised, what was kept, and how fast the error budgets are spent. Every figure is computed when it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from orchestrator_app.composition.slo import Objectives
from orchestrator_app.routers._services import GUARD, given
from orchestrator_auth.fastapi_guard import requires
from orchestrator_auth.guard import PLATFORM
from orchestrator_kernel.exceptions import DatabaseError, ValidationError
from orchestrator_monitoring.slo_monitor import PrometheusFailed, SloStanding, duration_text
from orchestrator_utils.error_handler import problem_responses

__all__ = ["Standings", "router"]

router = APIRouter(
    prefix="/slo", tags=["objectives"], responses=problem_responses(*GUARD, DatabaseError, PrometheusFailed)
)
looks = APIRouter(dependencies=[requires("slo:view", tenant=PLATFORM)])
changes = APIRouter(dependencies=[requires("slo:evaluate", tenant=PLATFORM)])

Standings = Annotated[Objectives, Depends(given(Objectives))]


class UnknownObjective(ValidationError):
    """No objective has this name."""

    default_code = "unknown_objective"
    default_status = 404


class Rule(BaseModel):
    """When somebody is told."""

    severity: str = Field(description="page wakes somebody, ticket can wait.")
    burn: float = Field(description="Burn rate above which it fires, over both windows.")
    long: str
    short: str
    error_ratio: float = Field(description="The same as a bad share of all events.")


class Definition(BaseModel):
    """An objective."""

    name: str
    description: str
    objective: float = Field(description="The good share that is promised, from 0 to 1.")
    window: str
    total: str = Field(description="What is counted, as PromQL's selector.")
    part: str = Field(description="The bad events, or the good ones.")
    part_is: str
    min_events: int
    rules: list[Rule]
    runbook: str


class Status(BaseModel):
    """How an objective stands."""

    name: str
    status: str = Field(
        description="compliant, at_risk (90 % of the budget spent), violated, or unknown without events."
    )
    objective: float
    sli: float | None = Field(description="The good share over the window; null without events.")
    events: float
    budget_consumed: float = Field(description="Share of the error budget: 0.25 is a quarter, 1.5 half more than all.")
    freeze: bool = Field(description="95 % of the budget is spent: changes had better wait.")
    firing: list[str] = Field(description="Alerts of this objective that should fire now.")
    note: str


class Ahead(BaseModel):
    """When the budget is spent if it goes on like this."""

    expected: datetime | None = Field(description="Null: at the present rate it lasts.")
    earliest: datetime | None
    latest: datetime | None
    confidence: float = Field(description="Of the interval.")
    basis_seconds: float = Field(description="How much history the present rate is taken from.")
    note: str


class Budget(BaseModel):
    """An error budget."""

    name: str
    window: str
    allowed_ratio: float
    consumed: float
    remaining: float = Field(description="Negative when more was spent than there was.")
    bad_events: float
    events: float
    forecast: Ahead


class Burning(BaseModel):
    """The burn rate of one window."""

    window: str
    rate: float = Field(description="1 spends the budget exactly within the objective's window; 0 without traffic.")
    error_ratio: float | None
    events: float


class BurnRates(BaseModel):
    """How fast a budget is spent."""

    name: str
    max_rate: float = Field(description="That of a total outage; no alert lies above.")
    windows: list[Burning]
    notes: list[str]


class MonitorHealth(BaseModel):
    """Whether the objectives can be judged."""

    status: str = Field(description="healthy, or degraded when samples wait to be kept.")
    objectives: int
    evaluated_at: datetime | None = Field(description="In this process; null before the first time.")
    samples_waiting: int
    source: str


Name = Annotated[str | None, Query(pattern="^[a-z][a-z0-9_]{0,62}$", description="One objective; all when absent.")]


async def _found(objectives: Objectives, name: str | None, *, fresh: bool = False) -> list[SloStanding]:
    standings = await objectives.standings(fresh=fresh)
    found = [each for each in standings if name is None or each.report.slo.name == name]
    if not found and name is not None:
        raise UnknownObjective(f"no objective is called {name}")
    return found


@looks.get("/status", responses=problem_responses(UnknownObjective))
async def status(objectives: Standings, name: Name = None) -> list[Status]:
    """How the objectives stand."""
    return [_status(each) for each in await _found(objectives, name)]


@looks.get("/definitions")
async def definitions(objectives: Standings) -> list[Definition]:
    """The objectives, and when somebody is told."""
    found: list[Definition] = []
    for slo in objectives.monitor.slos.slos:
        ratio = slo.indicator.ratio
        rules = [
            Rule(
                severity=rule.severity,
                burn=rule.factor,
                long=duration_text(rule.long),
                short=duration_text(rule.short),
                error_ratio=slo.threshold(rule),
            )
            for rule in slo.burn_rules
        ]
        found.append(
            Definition(
                name=slo.name,
                description=slo.description,
                objective=slo.objective,
                window=duration_text(slo.window),
                total=str(ratio.total),
                part=str(ratio.part),
                part_is="good" if ratio.good else "bad",
                min_events=slo.min_events,
                rules=rules,
                runbook=slo.runbook,
            )
        )
    return found


@looks.get("/error-budget", responses=problem_responses(UnknownObjective))
async def error_budget(objectives: Standings, name: Name = None) -> list[Budget]:
    """What is left of the error budgets, and until when."""
    return [_budget(each) for each in await _found(objectives, name)]


@looks.get("/burn-rate", responses=problem_responses(UnknownObjective))
async def burn_rate(objectives: Standings, name: Name = None) -> list[BurnRates]:
    """How fast the error budgets are spent, by window."""
    return [_burning(each) for each in await _found(objectives, name)]


@looks.get("/health")
async def health(objectives: Standings) -> MonitorHealth:
    """Whether the objectives can be judged; asks the store."""
    monitor = objectives.monitor
    await objectives.standings()
    return MonitorHealth(
        # Some wait between two looks if the store failed once.
        status="degraded" if monitor.waiting else "healthy",
        objectives=len(monitor.slos.slos),
        evaluated_at=_instant(monitor.latest[0].at) if monitor.latest else None,
        samples_waiting=monitor.waiting,
        source="samples" if objectives.prometheus is None else "prometheus",
    )


@changes.post("/evaluate", responses=problem_responses(UnknownObjective))
async def evaluate(objectives: Standings, name: Name = None) -> list[Status]:
    """Look at the counters of this process, and judge anew."""
    await objectives.monitor.sample()
    return [_status(each) for each in await _found(objectives, name, fresh=True)]


def _status(standing: SloStanding) -> Status:
    report = standing.report
    return Status(
        name=report.slo.name,
        status=report.conformance,
        objective=report.slo.objective,
        sli=report.sli,
        events=report.events,
        budget_consumed=report.consumed,
        freeze=report.freeze,
        firing=[burn.rule.name for burn in report.burns if burn.firing],
        note=report.note,
    )


def _budget(standing: SloStanding) -> Budget:
    report, ahead = standing.report, standing.forecast
    expected, earliest, latest = (
        None if each is None else _instant(standing.at + each)
        for each in (ahead.expected, ahead.earliest, ahead.latest)
    )
    return Budget(
        name=report.slo.name,
        window=duration_text(report.slo.window),
        allowed_ratio=report.slo.budget,
        consumed=report.consumed,
        remaining=report.remaining,
        bad_events=report.bad,
        events=report.events,
        forecast=Ahead(
            expected=expected,
            earliest=earliest,
            latest=latest,
            confidence=ahead.confidence,
            basis_seconds=ahead.basis,
            note=ahead.note,
        ),
    )


def _burning(standing: SloStanding) -> BurnRates:
    report = standing.report
    return BurnRates(
        name=report.slo.name,
        max_rate=report.slo.max_burn,
        windows=[
            Burning(window=duration_text(each.window), rate=each.rate, error_ratio=each.error_ratio, events=each.events)
            for each in report.windows
        ],
        notes=list(dict.fromkeys(burn.note for burn in report.burns if burn.note)),
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


router.include_router(looks)
router.include_router(changes)
