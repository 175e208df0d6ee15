"""How the process does under its load: connections, caches, memory, the event loop. Everything is read from the live objects."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from orchestrator_app.composition.performance import Performance
from orchestrator_app.routers._services import BODY, GUARD, Time, given
from orchestrator_app.routers._webhook import InvalidJson
from orchestrator_auth.fastapi_guard import requires
from orchestrator_auth.guard import PLATFORM
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_performance.memory_optimizer import MemoryReport, MemoryState
from orchestrator_performance.monitor import Alert, Sample
from orchestrator_security.input_validation import StrictModel
from orchestrator_utils.error_handler import problem_responses

__all__ = ["router"]

_VIEW = requires("performance:view", tenant=PLATFORM)
_MANAGE = requires("performance:manage", tenant=PLATFORM)

router = APIRouter(prefix="/performance", tags=["performance"], responses=problem_responses(*GUARD))

Process = Annotated[Performance, Depends(given(Performance))]


class UnknownMeasure(ValidationError):
    """No measure has this name."""

    default_code = "unknown_measure"
    default_status = 404


class UnknownCache(ValidationError):
    """No cache has this name."""

    default_code = "unknown_cache"
    default_status = 404


class PoolView(BaseModel):
    """A pool of connections."""

    name: str
    kind: Literal["http", "redis", "sql"]
    size: int = Field(description="Connections that may be in use at one time.")
    in_use: int
    idle: int | None = Field(description="Open and free; null where the client does not tell.")
    waiting: int
    acquired: int = Field(description="Since the process started, like timeouts and failures.")
    timeouts: int = Field(description="Callers that got no connection in time.")
    failures: int = Field(description="Connections that could not be made.")
    leaking: int = Field(description="Held for longer than performance.hold_seconds.")
    wait_p50: float = Field(description="Seconds that callers waited.")
    wait_p99: float
    wait_max: float


class HeldView(BaseModel):
    """A connection that somebody has for long."""

    pool: str
    seconds: float
    task: str
    stack: list[str] = Field(description="Where it was taken; empty unless performance.stacks is set.")


class Connections(BaseModel):
    """All pools, and who keeps a connection for too long."""

    pools: list[PoolView]
    held: list[HeldView]


class CacheView(BaseModel):
    """A cache; counts are since the process started."""

    name: str
    hit_ratio: float | None = Field(description="Of all lookups; null before the first.")
    hits: int
    shared_hits: int
    misses: int
    joined: int = Field(description="Callers that waited for somebody else's load.")
    loads: int
    load_failures: int
    early: int
    stale: int
    in_need: int
    negative: int
    evicted: int
    expired: int
    refused: int
    invalidated: int
    shared_errors: int
    shared_broken: int
    items: int
    bytes: int
    max_items: int
    max_bytes: int


class AlertView(BaseModel):
    """A measure that is too high."""

    metric: str
    value: float = Field(description="When it became too high.")
    above: float
    for_seconds: float


class SampleView(BaseModel):
    """Measures at one moment: seconds, bytes, shares of 1, or counts."""

    seconds_ago: float
    measures: dict[str, float]


class MemoryView(BaseModel):
    """What the process holds."""

    state: MemoryState
    rss: int
    peak: int
    limit: int
    components: dict[str, int]
    growth_per_hour: float | None = Field(description="Bytes; null before it is known.")
    growth_confidence: float | None
    leak_suspected: bool
    frozen_objects: int


class Blocking(BaseModel):
    """Where the event loop stood still."""

    seconds: float
    stack: list[str]


class Overview(BaseModel):
    """The process at one look."""

    status: MemoryState
    latest: SampleView | None
    memory: MemoryView
    pools: list[PoolView]
    caches: list[CacheView]
    alerts: list[AlertView]
    blocked: list[Blocking] = Field(description="The last times that the event loop stood still, latest last.")
    sampling_share: float = Field(description="What taking samples costs, of one core.")


class Report(BaseModel):
    """Whether the process does well, and why not."""

    status: MemoryState
    reasons: list[str]
    pools: dict[str, str] = Field(description="What each service answered just now: healthy, or why not.")


class Freed(BaseModel):
    """What was given back."""

    freed_bytes: int
    components: dict[str, int]
    rss_before: int
    rss_after: int


class Cleared(BaseModel):
    """Caches that were emptied."""

    cleared: list[str]
    everywhere: bool = Field(description="False if other processes could not be told yet.")


class Wanted(StrictModel):
    """How much to give back."""

    bytes: int | None = Field(default=None, ge=1, le=2**50, description="Everything that can be when absent.")


@router.get("/overview", dependencies=[_VIEW])
async def overview(process: Process, clock: Time) -> Overview:
    """The last sample, memory, pools, caches and alerts."""
    latest, now = process.monitor.latest(), clock.monotonic()
    return Overview(
        status=_status(process),
        latest=None if latest is None else _sample(latest, now),
        memory=_memory(process.memory.report()),
        pools=_pools(process),
        caches=_caches(process),
        alerts=_alerts(process, now),
        blocked=[Blocking(seconds=each.seconds, stack=list(each.stack)) for each in process.monitor.loop.blocked],
        sampling_share=process.monitor.cost_share,
    )


@router.get("/connection-pools", dependencies=[_VIEW])
async def connection_pools(process: Process) -> Connections:
    """Every pool: who is in it, who waits, how long."""
    held = [
        HeldView(pool=each.pool, seconds=each.seconds, task=each.task, stack=list(each.stack))
        for each in process.pools.leaks()
    ]
    return Connections(pools=_pools(process), held=held)


@router.get("/caches", dependencies=[_VIEW])
async def caches(process: Process) -> list[CacheView]:
    """Every cache: what it holds, and how often that was of use."""
    return _caches(process)


@router.get("/alerts", dependencies=[_VIEW])
async def alerts(process: Process, clock: Time) -> list[AlertView]:
    """The measures that are too high now."""
    return _alerts(process, clock.monotonic())


@router.get("/metrics/history", dependencies=[_VIEW], responses=problem_responses(UnknownMeasure, 422))
async def history(
    process: Process,
    clock: Time,
    metric: Annotated[str | None, Query(pattern="^[!-~]{1,100}$", description="One measure; all when absent.")] = None,
    seconds: Annotated[float, Query(gt=0, le=86_400)] = 3600.0,
) -> list[SampleView]:
    """The samples of the last while, oldest first."""
    if metric is not None and metric not in process.monitor.metrics:
        raise UnknownMeasure(f"there is no measure of this name; there is {', '.join(process.monitor.metrics)}")
    now = clock.monotonic()
    return [_sample(each, now) for each in process.monitor.history(metric, seconds=seconds)]


@router.get("/prometheus", dependencies=[_VIEW], response_class=Response)
async def prometheus(process: Process) -> Response:
    """The metrics of this part alone, as Prometheus reads them; `/metrics` has them, too."""
    return Response(generate_latest(process.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/health", dependencies=[_VIEW])
async def health(process: Process) -> Report:
    """Whether the process does well, and whether what it connects to answers."""
    found = {each.component: each.reason or "healthy" for each in await process.pools.check()}
    report = process.memory.report()
    reasons = [f"{each.metric} is above {each.above:g}" for each in process.monitor.alerts]
    reasons += [f"{name}: {said}" for name, said in found.items() if said != "healthy"]
    if report.leak is not None:
        reasons.append("memory grows and does not stop")
    status = _status(process)
    if reasons and status is MemoryState.HEALTHY:
        status = MemoryState.WARNING
    return Report(status=status, reasons=reasons, pools=found)


@router.post("/optimize", dependencies=[_MANAGE], responses=problem_responses(InvalidJson, 400, 422, *BODY))
async def optimize(process: Process, wanted: Wanted | None = None) -> Freed:
    """Have components give memory back, caches first, whatever the limits say. No garbage collection is forced: that would stop every call."""
    before = process.memory.sample().rss
    bytes_ = wanted.bytes if wanted is not None and wanted.bytes is not None else 2**62
    done = await process.memory.free(bytes_)
    components = {each.component: each.freed for each in done}
    return Freed(
        freed_bytes=sum(components.values()),
        components=components,
        rss_before=before,
        rss_after=process.memory.sample().rss,
    )


@router.post("/optimize/cache/clear", dependencies=[_MANAGE], responses=problem_responses(UnknownCache, 422))
async def clear(
    process: Process,
    name: Annotated[str | None, Query(pattern="^[!-~]{1,100}$", description="One cache; all when absent.")] = None,
) -> Cleared:
    """Forget what caches hold, in all processes. They work on."""
    found = [each for each in process.caches if name in {None, each.config.name}]
    if name is not None and not found:
        raise UnknownCache("no cache has this name")
    told = [await each.clear() for each in found]
    return Cleared(cleared=[each.config.name for each in found], everywhere=all(told))


def _status(process: Performance) -> MemoryState:
    state = process.memory.report().state
    return MemoryState.WARNING if state is MemoryState.HEALTHY and process.monitor.alerts else state


def _pools(process: Performance) -> list[PoolView]:
    return [PoolView.model_validate(each, from_attributes=True) for each in process.pools.stats()]


def _caches(process: Performance) -> list[CacheView]:
    found: list[CacheView] = []
    for each in process.caches:
        stats = each.stats()
        values = {name: getattr(stats, name) for name in CacheView.model_fields if hasattr(stats, name)}
        found.append(
            CacheView(name=each.config.name, max_items=each.config.max_items, max_bytes=each.config.max_bytes, **values)
        )
    return found


def _alerts(process: Performance, now: float) -> list[AlertView]:
    return [_alert(each, now) for each in process.monitor.alerts]


def _alert(alert: Alert, now: float) -> AlertView:
    return AlertView(metric=alert.metric, value=alert.value, above=alert.above, for_seconds=now - alert.since)


def _sample(sample: Sample, now: float) -> SampleView:
    return SampleView(seconds_ago=now - sample.at, measures=dict(sample.measures))


def _memory(report: MemoryReport) -> MemoryView:
    trend = report.trend
    return MemoryView(
        state=report.state,
        rss=report.sample.rss,
        peak=report.sample.peak,
        limit=report.limit,
        components=report.components,
        growth_per_hour=None if trend is None else trend.per_second * 3600,
        growth_confidence=None if trend is None else trend.confidence,
        leak_suspected=report.leak is not None,
        frozen_objects=report.frozen,
    )
