"""The objectives of the service: read, watched, and shown."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.metrics import CATALOGUE, COUNTED, Metrics
from orchestrator_app.composition.performance import Connect
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.http import HttpClientConfig
from orchestrator_kernel.ports import Clock
from orchestrator_monitoring.metrics import Catalogue, Histogram
from orchestrator_monitoring.slo_monitor import (
    BURN_RATE,
    CONSUMED,
    ERROR_RATIO,
    EVENTS,
    OBJECTIVE,
    LatencyIndicator,
    PrometheusClient,
    PrometheusCounts,
    RatioIndicator,
    Reading,
    Selector,
    Slo,
    SloMonitor,
    SloSet,
    SloStanding,
    SqlSloStore,
    default_slos,
    duration_text,
    load_slos,
    require_declared,
)

if TYPE_CHECKING:
    import httpx

__all__ = ["Objectives", "configured_slos", "make_objectives", "own_readings", "show_standings"]

logger = logging.getLogger(__name__)

_OURS: Final = Catalogue(*COUNTED)

FRESH: Final = 15.0
"""Seconds for which figures are shown again before they are judged anew."""


@dataclass(slots=True)
class Objectives:
    """The monitor, and what it asks."""

    monitor: SloMonitor
    store: SqlSloStore
    metrics: Metrics
    clock: Clock
    process: str
    prometheus: httpx.AsyncClient | None

    async def standings(self, *, fresh: bool = False) -> tuple[SloStanding, ...]:
        """How the objectives stand, at most 15 s ago; or right now.

        Raises:
            OrchestratorError: It cannot be told now.
        """
        latest, now = self.monitor.latest, self.clock.now().timestamp()
        if fresh or not latest or now - latest[0].at > FRESH:
            latest = await self.monitor.evaluate()
            show_standings(self.metrics, latest)
        return latest

    async def close(self) -> None:
        """Give the connections to Prometheus back."""
        if self.prometheus is not None:
            await self.prometheus.aclose()


def make_objectives(
    settings: AppSettings, databases: Databases, metrics: Metrics, clock: Clock, connect: Connect
) -> Objectives:
    """The monitor over this process's counters and the shared database.

    Raises:
        ConfigurationError: An objective cannot be used; says file, line and reason.
    """
    slos, store = configured_slos(settings), SqlSloStore(databases.data)
    url, process = settings.monitoring.prometheus_url, f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid4().hex[:8]}"
    client = connect("prometheus", HttpClientConfig(base_url=str(url).rstrip("/"))) if url is not None else None
    source = None if client is None else PrometheusCounts(PrometheusClient(client), slos.maintenance)
    wanted = frozenset(
        each.metric for slo in slos.slos for each in (slo.indicator.ratio.total, slo.indicator.ratio.part)
    )
    monitor = SloMonitor(
        slos, store, lambda: own_readings(metrics, wanted), clock=clock, process=process, source=source
    )
    return Objectives(monitor, store, metrics, clock, process, client)


def configured_slos(settings: AppSettings) -> SloSet:
    """The objectives of the settings' files, or the built-in ones.

    Raises:
        SloRefused: One cannot be used; says file, line and reason.
    """
    if settings.monitoring.objectives:
        return load_slos(*settings.monitoring.objectives, catalogue=CATALOGUE)
    return SloSet(tuple(_adapted(slo, settings) for slo in default_slos().slos if _counted(slo)))


def _counted(slo: Slo) -> bool:
    """Whether the service counts what a built-in objective is about."""
    try:
        require_declared(slo, CATALOGUE)
    except ConfigurationError as error:
        logger.info("a built-in objective is left out", extra={"slo": slo.name, "reason": error.message})
        return False
    return True


def _adapted(slo: Slo, settings: AppSettings) -> Slo:
    """A built-in objective with the settings' thresholds."""
    wanted, indicator = settings.monitoring.thresholds, slo.indicator
    if slo.name == "call_success" and wanted.call_success is not None:
        return replace(slo, objective=round(wanted.call_success / 100, 12))
    if slo.name == "action_latency" and wanted.action_seconds is not None and isinstance(indicator, LatencyIndicator):
        changed = replace(slo, indicator=replace(indicator, within=wanted.action_seconds))
        require_declared(changed, CATALOGUE)
        return replace(changed, description=f"Actions are answered within {wanted.action_seconds:g} seconds.")
    if slo.name == "caller_satisfaction" and wanted.satisfaction is not None and isinstance(indicator, RatioIndicator):
        bad = Selector(indicator.part.metric).with_labels(le=str(wanted.satisfaction - 1))
        description = f"Callers who give marks give {wanted.satisfaction} or more."
        return replace(slo, indicator=replace(indicator, part=bad), description=description)
    return slo


def own_readings(metrics: Metrics, wanted: Iterable[str]) -> Iterator[Reading]:
    """What this process alone has counted: a scrape may speak for several, and each of them samples its own.

    Args:
        metrics: The application's.
        wanted: Names of samples.
    """
    found = {metric.name: metric for name in wanted if (metric := _OURS.find(name)) is not None}
    for metric in found.values():
        names = tuple(metric.labels)
        if isinstance(metric, Histogram):
            for values, child in metrics.counted.histogram(metric).children().items():
                yield from _histogram(metric, dict(zip(names, values, strict=True)), child.values())
            continue
        family = metrics.counted.gauge(metric) if metric.kind == "gauge" else metrics.counted.counter(metric)  # type: ignore[arg-type]
        for values, single in family.children().items():
            yield metric.name, dict(zip(names, values, strict=True)), single.values()[0]


def _histogram(metric: Histogram, labels: dict[str, str], cells: list[float]) -> Iterator[Reading]:
    """Cells are one per bucket, that of +Inf included, and the sum."""
    total = 0.0
    for bound, count in zip((*metric.buckets, float("inf")), cells, strict=False):
        total += count
        yield f"{metric.name}_bucket", {**labels, "le": metric.le(bound)}, total
    yield f"{metric.name}_count", labels, total


def show_standings(metrics: Metrics, standings: Iterable[SloStanding]) -> None:
    """Set the gauges of the objectives."""
    counted = metrics.counted
    for standing in standings:
        report, name = standing.report, standing.report.slo.name
        counted.gauge(OBJECTIVE).labels(name).set(report.slo.objective)
        counted.gauge(CONSUMED).labels(name).set(report.consumed)
        counted.gauge(EVENTS).labels(name).set(report.events)
        for window in report.windows:
            shown = duration_text(window.window)
            counted.gauge(BURN_RATE).labels(name, shown).set(window.rate)
            ratio = float("nan") if window.error_ratio is None else window.error_ratio
            counted.gauge(ERROR_RATIO).labels(name, shown).set(ratio)
