"""How the service is. Probes answer anyone; everything else is for those who run the platform.

Who asks for `application/health+json` gets it; others get the form of earlier versions.
"""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Response

from orchestrator_app.api import Health
from orchestrator_app.composition.health import AREAS, HealthKeeper
from orchestrator_app.routers._services import GUARD, MONITOR, OPEN, Settings, given
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_monitoring.health import MEDIA_TYPE, HealthReport, Need
from orchestrator_utils.error_handler import problem_responses

__all__ = ["DOCUMENT", "Keeper", "detailed", "router"]

Keeper = Annotated[HealthKeeper, Depends(given(HealthKeeper))]
Accept = Annotated[str, Header(include_in_schema=False)]
SERVICE: Final = "voice-call orchestrator"

router = APIRouter(tags=["health"])

_OPEN = problem_responses(*OPEN)
_GUARD = problem_responses(*GUARD)
_FORMS: Final[dict[str, Any]] = {MEDIA_TYPE: {"schema": {"type": "object"}}}
_PROBE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": _FORMS},
    503: {"model": Health, "description": "Not ready", "content": _FORMS},
    **_OPEN,
}
DOCUMENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "As `application/health+json`.", "content": _FORMS},
    503: {"description": "The same; something that is required is gone.", "content": _FORMS},
    **problem_responses(*(each for each in GUARD if each.default_status != 503)),
}


class NotConfigured(ValidationError):
    """There is nothing of this kind to look at."""

    default_code = "not_configured"
    default_status = 404


@router.get("/", dependencies=[MONITOR], responses=_GUARD)
async def banner(settings: Settings) -> dict[str, str]:
    """What this is."""
    return {
        "service": SERVICE,
        "version": version("orchestrator-app"),
        "region": settings.region,
        "docs": "/docs",
    }


@router.get("/healthz", responses=_OPEN)
async def healthz(settings: Settings) -> Health:
    """That the process answers, and where it runs."""
    return Health(status="healthy", region=settings.region, version=version("orchestrator-app"))


@router.get("/health/live", response_model=Health, responses=_PROBE)
async def live(keeper: Keeper, accept: Accept = "") -> Response:
    """Whether the process works at all; asks nothing of anybody else."""
    return _probed(keeper.health.live(), accept)


@router.get("/health/ready", response_model=Health, responses=_PROBE)
async def ready(keeper: Keeper, accept: Accept = "") -> Response:
    """Whether the process can take calls: it cannot without its journal, and takes no new ones when it is ending."""
    return _probed(await keeper.health.ready(), accept)


@router.get("/health/startup", response_model=Health, responses=_PROBE)
async def startup(keeper: Keeper, accept: Accept = "") -> Response:
    """Whether the process was ready once."""
    return _probed(await keeper.health.started(), accept)


@router.get("/health/", dependencies=[MONITOR], response_class=Response, responses=DOCUMENT)
async def overall(keeper: Keeper) -> Response:
    """Everything, as it is now."""
    return _document(await keeper.health.detailed(history=False))


@router.get("/health/detailed", dependencies=[MONITOR], response_class=Response, responses=DOCUMENT)
async def detailed(keeper: Keeper) -> Response:
    """Everything, with what was found before and when it changed."""
    return _document(await keeper.health.detailed())


@router.get(
    "/health/vault",
    dependencies=[MONITOR],
    response_class=Response,
    responses={**DOCUMENT, **problem_responses(NotConfigured)},
)
async def vault(keeper: Keeper) -> Response:
    """The secrets' server."""
    return await _area(keeper, "vault")


@router.get("/health/connectors", dependencies=[MONITOR], response_class=Response, responses=DOCUMENT)
async def connectors(keeper: Keeper) -> Response:
    """The tenants' own systems, by the circuits in front of them."""
    return await _area(keeper, "connectors")


@router.get("/health/dependencies", dependencies=[MONITOR], response_class=Response, responses=DOCUMENT)
async def dependencies(keeper: Keeper) -> Response:
    """All that the process works without, but worse."""
    report = await keeper.health.detailed()
    helpful = {name: each for name, each in report.components.items() if each.need is Need.HELPFUL}
    return _document(replace(report, components=helpful))


@router.get("/health/database", dependencies=[MONITOR], response_class=Response, responses=DOCUMENT)
async def database(keeper: Keeper) -> Response:
    """The databases."""
    return await _area(keeper, "database")


async def _area(keeper: Keeper, area: str) -> Response:
    wanted = [name for name in keeper.health.components if name.partition(".")[0] == AREAS[area]]
    if not wanted:
        raise NotConfigured(f"There is no {area} to look at: none is configured.")
    return _document(await keeper.health.detailed(*wanted))


def _document(report: HealthReport) -> Response:
    document = report.document(version=version("orchestrator-app"), service=SERVICE)
    return Response(json.dumps(document), status_code=report.http_status, media_type=MEDIA_TYPE)


def _probed(report: HealthReport, accept: str) -> Response:
    if MEDIA_TYPE in accept:
        answer = _document(report)
    else:
        checks = {name: each.status.reason or "ok" for name, each in report.components.items()}
        told = Health(status=report.state.value, checks=checks)
        answer = Response(told.model_dump_json(), status_code=report.http_status, media_type="application/json")
    answer.headers["vary"] = "accept"
    return answer
