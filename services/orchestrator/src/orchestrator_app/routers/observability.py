"""Traces: how many spans there were and what became of them. Dashboards: as Grafana reads them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from orchestrator_app.composition.metrics import CATALOGUE
from orchestrator_app.composition.tracing import Traces
from orchestrator_app.routers._services import GUARD, MONITOR, OPERATOR, Settings, given
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_monitoring.dashboard_config import Dashboard, standard_dashboards
from orchestrator_monitoring.tracing import FATES
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

router = APIRouter(prefix="/monitoring", tags=["monitoring"], responses=problem_responses(*GUARD))
looks = APIRouter(dependencies=[MONITOR])
changes = APIRouter(dependencies=[OPERATOR])

Tracing = Annotated[Traces, Depends(given(Traces))]


class UnknownDashboard(ValidationError):
    """No dashboard has this uid."""

    default_code = "unknown_dashboard"
    default_status = 404


class TraceState(BaseModel):
    """What this process traces."""

    enabled: bool
    exporter: Literal["none", "console", "otlp"]
    ratio: float = Field(description="The share of traces that is kept whatever happens in them.")
    waiting: int = Field(description="Spans that wait for the exporter.")
    spans: dict[str, int] = Field(
        description="Spans that ended, by what became of them; all but exported and sampled_out are losses."
    )


class Flushed(BaseModel):
    """What became of spans that waited."""

    flushed: bool = Field(description="False when the exporter did not take all of them within the limit.")
    spans: dict[str, int]


class DashboardEntry(BaseModel):
    """A dashboard that comes with the service."""

    uid: str
    title: str
    description: str
    panels: int


@looks.get("/traces")
async def traces(found: Tracing, settings: Settings) -> TraceState:
    """Whether this process traces, and what became of its spans."""
    own, tracing = settings.tracing, found.tracing
    exporter: Literal["none", "console", "otlp"] = "none"
    if tracing is not None:
        exporter = "console" if own.console else "otlp"
    return TraceState(
        enabled=tracing is not None,
        exporter=exporter,
        ratio=own.ratio,
        waiting=0 if tracing is None else tracing.waiting,
        spans=_spans(found),
    )


@changes.post("/traces/flush")
async def flush(found: Tracing) -> Flushed:
    """Hand all spans that wait to the exporter now; waits at most five seconds for it."""
    done = True if found.tracing is None else await asyncio.to_thread(found.tracing.flush, 5.0)
    return Flushed(flushed=done, spans=_spans(found))


def _spans(found: Traces) -> dict[str, int]:
    return dict.fromkeys(FATES, 0) if found.tracing is None else dict(found.tracing.counts())


@looks.get("/dashboards")
async def dashboards() -> list[DashboardEntry]:
    """The dashboards that come with the service; each query of each is over a metric that it exports."""
    return [
        DashboardEntry(uid=each.uid, title=each.title, description=each.description, panels=len(list(each.panels)))
        for each in _checked()
    ]


@looks.get("/dashboards/{uid}", responses=problem_responses(UnknownDashboard))
async def dashboard(uid: Annotated[str, Path(pattern="^[!-~]{1,40}$")]) -> dict[str, Any]:
    """One dashboard as Grafana imports it."""
    for each in _checked():
        if each.uid == uid:
            return dict(each.json())
    raise UnknownDashboard(f"There is no dashboard {uid}.")


def _checked() -> tuple[Dashboard, ...]:
    found = standard_dashboards()
    for each in found:
        each.check(CATALOGUE)
    return found


router.include_router(looks)
router.include_router(changes)
