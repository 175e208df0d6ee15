"""How the service is."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Response

from orchestrator_app.api import Health
from orchestrator_app.routers._services import GUARD, OPEN, OPERATOR, CallJournal, Life, Settings
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

router = APIRouter(tags=["health"])

_OPEN = problem_responses(*OPEN)


@router.get("/", dependencies=[OPERATOR], responses=problem_responses(*GUARD))
async def banner(settings: Settings) -> dict[str, str]:
    """What this is."""
    return {
        "service": "voice-call orchestrator",
        "version": version("orchestrator-app"),
        "region": settings.region,
        "docs": "/docs",
    }


@router.get("/healthz", responses=_OPEN)
async def healthz(settings: Settings) -> Health:
    """That the process answers, and where it runs."""
    return Health(status="healthy", region=settings.region, version=version("orchestrator-app"))


@router.get("/health/live", responses=_OPEN)
async def live() -> Health:
    """Whether the process works at all; asks nothing of anybody else."""
    return Health(status="healthy")


@router.get("/health/ready", responses={503: {"model": Health, "description": "Not ready"}, **_OPEN})
async def ready(journal: CallJournal, life: Life, response: Response) -> Health:
    """Whether the process can take calls: it cannot without its journal, and takes no new ones when it is ending."""
    if life.draining:
        response.status_code = 503
        return Health(status="unhealthy", checks={"process": "draining"})
    try:
        await journal.calls(limit=1)
    except OrchestratorError as error:
        response.status_code = 503
        return Health(status="unhealthy", checks={"journal": error.code})
    return Health(status="healthy", checks={"journal": "ok"})
