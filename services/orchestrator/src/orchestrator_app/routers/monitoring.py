"""What the process has counted, as figures for people and pages that have no Prometheus. Every figure is computed from the process's own metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, Field

from orchestrator_app.routers import health, resilience
from orchestrator_app.routers._services import GUARD, MONITOR, Counters, Life, Policies, Runtime, Settings
from orchestrator_app.routers.health import Keeper
from orchestrator_app.routers.metrics import SCRAPED, MetricsOff, scraped
from orchestrator_kernel.models import HealthState
from orchestrator_monitoring.business_metrics import summarize
from orchestrator_monitoring.metrics import Sample, estimate_quantile
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

router = APIRouter(
    prefix="/monitoring", tags=["monitoring"], dependencies=[MONITOR], responses=problem_responses(*GUARD)
)

_SECONDS: Final = "orchestrator_http_request_duration_seconds"


class RouteFigures(BaseModel):
    """How one route, or all of them, answered since the process began."""

    requests: int
    server_errors: int
    error_ratio: float | None = Field(description="Of all requests; null where there were none.")
    p50_seconds: float | None = Field(
        description="Estimated from buckets, as Prometheus does; null where nothing was timed."
    )
    p95_seconds: float | None
    p99_seconds: float | None


class ProcessFigures(BaseModel):
    """What the process uses."""

    cpu_seconds: float | None = Field(description="Since it began; null where the system does not tell.")
    resident_bytes: float | None
    open_files: float | None


class PerformanceSummary(BaseModel):
    """How fast the service answers and what it uses."""

    uptime_seconds: float
    requests_in_progress: int
    all: RouteFigures
    routes: dict[str, RouteFigures] = Field(description="By method and template.")
    process: ProcessFigures


class OperationalStatus(BaseModel):
    """Whether the service does its work."""

    status: str
    version: str
    region: str
    uptime_seconds: float
    draining: bool
    calls_active: int
    components: dict[str, str] = Field(description="What was found last of each.")


class BreakerFigures(BaseModel):
    """How often circuits have opened and refused since the process began."""

    circuits: int
    closed: int
    open: int
    half_open: int
    openings: int
    refusals: int


@router.get("/metrics", response_class=Response, responses={**SCRAPED, **problem_responses(MetricsOff)})
async def metrics(
    counters: Counters, settings: Settings, accept: Annotated[str, Header(include_in_schema=False)] = ""
) -> Response:
    """As `/metrics`."""
    return await scraped(counters, settings, accept)


@router.get("/metrics/business")
async def business(
    counters: Counters,
    tenant: Annotated[str | None, Query(pattern="^[!-~]{1,128}$", description="Of this tenant alone.")] = None,
) -> dict[str, Any]:
    """Calls, understanding, hand-offs, goals, satisfaction and cost since the process began; what was never counted is null."""
    return dict(summarize(counters.counted.read(), tenant=tenant))


@router.get("/performance/summary")
async def performance(counters: Counters, keeper: Keeper) -> PerformanceSummary:
    """How fast every route answers, and what the process uses."""
    samples = list(counters.counted.read())
    plain = {each.name: each.value for each in samples if not each.labels}
    routes = _by_route(samples)
    return PerformanceSummary(
        uptime_seconds=keeper.uptime,
        requests_in_progress=int(plain.get("orchestrator_http_requests_in_progress", 0)),
        all=_figures(samples),
        routes={name: _figures(its) for name, its in sorted(routes.items())},
        process=ProcessFigures(
            cpu_seconds=plain.get("process_cpu_seconds_total"),
            resident_bytes=plain.get("process_resident_memory_bytes"),
            open_files=plain.get("process_open_fds"),
        ),
    )


@router.get("/health/detailed", response_class=Response, responses=health.DOCUMENT)
async def detailed(keeper: Keeper) -> Response:
    """As `/health/detailed`."""
    return await health.detailed(keeper)


@router.get("/circuit-breakers")
async def circuit_breakers(policies: Policies) -> list[resilience.Circuit]:
    """As `/resilience/circuit-breakers`."""
    return await resilience.circuits(policies)


@router.get("/circuit-breakers/metrics")
async def circuit_breaker_metrics(policies: Policies) -> BreakerFigures:
    """All circuits together."""
    circuits = await resilience.circuits(policies)
    states = [each.state for each in circuits]
    return BreakerFigures(
        circuits=len(circuits),
        closed=states.count("closed"),
        open=states.count("open"),
        half_open=states.count("half_open"),
        openings=sum(each.opened for each in circuits),
        refusals=sum(each.refused for each in circuits),
    )


@router.get("/operational/status", responses={503: {"model": OperationalStatus, "description": "It does not."}})
async def operational(
    response: Response,
    keeper: Keeper,
    runtime: Runtime,
    life: Life,
    settings: Settings,
) -> OperationalStatus:
    """Whether it does its work, and how each component was found last; 503 where it does not."""
    ready, known = await keeper.health.ready(), keeper.health.known()
    worst = ready.state if ready.state is HealthState.UNHEALTHY else known.state
    response.status_code = 503 if worst is HealthState.UNHEALTHY else 200
    return OperationalStatus(
        status=worst.value,
        version=version("orchestrator-app"),
        region=settings.region,
        uptime_seconds=keeper.uptime,
        draining=life.draining,
        calls_active=runtime.active,
        components={name: each.status.state.value for name, each in known.components.items()},
    )


def _by_route(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    routes: defaultdict[str, list[Sample]] = defaultdict(list)
    for each in samples:
        if each.name == "orchestrator_http_requests_total" or each.name.startswith(_SECONDS):
            routes[f"{each.labels['method']} {each.labels['route']}"].append(each)
    return routes


def _figures(samples: Iterable[Sample]) -> RouteFigures:
    requests = errors = 0
    buckets: defaultdict[float, float] = defaultdict(float)
    for each in samples:
        if each.name == "orchestrator_http_requests_total":
            requests += int(each.value)
            errors += int(each.value) if each.labels["status"].startswith("5") else 0
        elif each.name == f"{_SECONDS}_bucket":
            buckets[float(each.labels["le"])] += each.value
    return RouteFigures(
        requests=requests,
        server_errors=errors,
        error_ratio=errors / requests if requests else None,
        p50_seconds=estimate_quantile(0.5, buckets),
        p95_seconds=estimate_quantile(0.95, buckets),
        p99_seconds=estimate_quantile(0.99, buckets),
    )
