"""What this package measures, for Prometheus (extra `[metrics]`). Everything is read from the live objects when it is scraped.

What the user types:

    PerformanceMetrics(registry, caches=[profiles], pools=pools, memory=memory, monitor=monitor)

`METRICS` says the same as data: name as scraped, kind, labels, help, for catalogues of metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance._timing import BOUNDS, Timing

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

    from orchestrator_performance._cache.cache import Cache
    from orchestrator_performance._pools.pools import Pools
    from orchestrator_performance.memory_optimizer import MemoryOptimizer
    from orchestrator_performance.monitor import Monitor

__all__ = ["METRICS", "MetricDescription", "PerformanceMetrics"]


@dataclass(frozen=True, slots=True)
class MetricDescription:
    """A metric, before it is measured.

    Attributes:
        name: As scraped, a counter's `_total` included.
        kind: What Prometheus calls its type.
        help: What it says.
        labels: Bounded by the configuration: names of caches, pools, components and timers.
        buckets: Of a histogram; upper bounds in seconds.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _histogram(name: str, text: str, *labels: str) -> MetricDescription:
    return MetricDescription(name, "histogram", text, labels, BOUNDS)


def _counter(name: str, text: str, *labels: str) -> MetricDescription:
    return MetricDescription(name, "counter", text, labels)


def _gauge(name: str, text: str, *labels: str) -> MetricDescription:
    return MetricDescription(name, "gauge", text, labels)


METRICS: Final = (
    _counter("orchestrator_cache_lookups_total", "Lookups by where the value came from.", "cache", "result"),
    _counter("orchestrator_cache_loads_total", "Calls of a loader by how they ended.", "cache", "result"),
    _counter("orchestrator_cache_leavings_total", "Entries that left, by why.", "cache", "reason"),
    _counter("orchestrator_cache_early_loads_total", "Values loaded anew before their time.", "cache"),
    _counter("orchestrator_cache_stale_total", "Values given away past their time, by why.", "cache", "reason"),
    _counter("orchestrator_cache_refused_total", "Values too heavy to be kept.", "cache"),
    _counter("orchestrator_cache_shared_errors_total", "Failures of the second level.", "cache", "kind"),
    _histogram("orchestrator_cache_load_seconds", "How long loaders took.", "cache"),
    _histogram("orchestrator_cache_shared_seconds", "How long the second level took to be read.", "cache"),
    _gauge("orchestrator_cache_entries", "Entries in the process.", "cache"),
    _gauge("orchestrator_cache_bytes", "What they weigh, about.", "cache"),
    _gauge("orchestrator_pool_connections", "Connections by state.", "pool", "state"),
    _gauge("orchestrator_pool_size", "Connections that may be in use.", "pool"),
    _gauge("orchestrator_pool_waiting", "Callers in line.", "pool"),
    _gauge("orchestrator_pool_leaking", "Connections held for too long.", "pool"),
    _counter("orchestrator_pool_timeouts_total", "Callers that got no connection in time.", "pool"),
    _counter("orchestrator_pool_failures_total", "Connections that could not be made.", "pool"),
    _histogram("orchestrator_pool_wait_seconds", "How long callers waited for a connection.", "pool"),
    _gauge("orchestrator_memory_component_bytes", "What a component holds, about.", "component"),
    _counter("orchestrator_memory_shed_bytes_total", "What a component gave back.", "component"),
    _counter("orchestrator_memory_leaks_suspected_total", "Suspicions that began."),
    _gauge("orchestrator_memory_growth_bytes_per_second", "How resident memory moves; 0 before it is known."),
    _gauge("orchestrator_memory_frozen_objects", "Objects put aside from collections."),
    _histogram("orchestrator_loop_lag_seconds", "How late the event loop is."),
    _counter("orchestrator_loop_blocks_total", "How often the event loop stood still."),
    _gauge("orchestrator_loop_tasks", "Tasks at the last sample."),
    _histogram("orchestrator_gc_pause_seconds", "How long the collector stopped the process.", "generation"),
    _histogram("orchestrator_timer_seconds", "How long things take.", "kind", "name"),
    _counter("orchestrator_timer_failures_total", "How often they fail.", "kind", "name"),
    _gauge("orchestrator_performance_alert", "1 while a measure is too high.", "metric"),
    _counter("orchestrator_monitor_cost_seconds_total", "Processor time that samples took."),
)

_BY_NAME: Final = {each.name: each for each in METRICS}
_Values = list[tuple[tuple[str, ...], float]]


class PerformanceMetrics:
    """Registers everything with a registry of prometheus_client.

    Args:
        registry: Where.
        caches: Read at each scrape.
        pools: Likewise.
        memory: Likewise.
        monitor: Likewise.

    Raises:
        ConfigurationError: The extra is not installed.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        caches: Sequence[Cache[Any]] = (),
        pools: Pools | None = None,
        memory: MemoryOptimizer | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        try:
            from prometheus_client import core  # noqa: PLC0415 - the extra
        except ModuleNotFoundError as error:
            raise ConfigurationError("metrics need the extra: install orchestrator-performance[metrics]") from error
        self._core = core
        self._caches = caches
        self._pools = pools
        self._memory = memory
        self._monitor = monitor
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """The metrics without values: registering scrapes nothing."""
        return [self._family(each.name) for each in METRICS]

    def collect(self) -> Iterable[Metric]:
        """Everything now."""
        yield from self._cache_metrics()
        yield from self._pool_metrics()
        yield from self._memory_metrics()
        yield from self._monitor_metrics()

    def _family(self, name: str) -> Any:
        described = _BY_NAME[name]
        kinds: dict[str, Any] = {
            "counter": self._core.CounterMetricFamily,
            "gauge": self._core.GaugeMetricFamily,
            "histogram": self._core.HistogramMetricFamily,
        }
        bare = name.removesuffix("_total") if described.kind == "counter" else name
        return kinds[described.kind](bare, described.help, labels=described.labels)

    def _values(self, name: str, values: _Values) -> Metric:
        family = self._family(name)
        for labels, value in values:
            family.add_metric(labels, value)
        return family  # type: ignore[no-any-return]  # one of the three families

    def _timings(self, name: str, timings: Sequence[tuple[tuple[str, ...], Timing]]) -> Metric:
        family = self._family(name)
        for labels, timing in timings:
            family.add_metric(labels, buckets=timing.buckets(), sum_value=timing.total)
        return family  # type: ignore[no-any-return]

    def _cache_metrics(self) -> Iterable[Metric]:
        found = [(each.config.name, each.stats()) for each in self._caches]

        def each(**results: str) -> _Values:
            return [
                ((cache, *label), float(getattr(stats, field)))
                for cache, stats in found
                for name, field in results.items()
                for label in [(name,) if name != "_" else ()]
            ]

        yield self._values(
            "orchestrator_cache_lookups_total",
            each(hit="hits", shared_hit="shared_hits", miss="misses", joined="joined"),
        )
        yield self._values(
            "orchestrator_cache_loads_total",
            [
                ((cache, result), float(count))
                for cache, stats in found
                for result, count in (("success", stats.loads - stats.load_failures), ("failure", stats.load_failures))
            ],
        )
        yield self._values(
            "orchestrator_cache_leavings_total", each(evicted="evicted", expired="expired", invalidated="invalidated")
        )
        yield self._values("orchestrator_cache_early_loads_total", each(_="early"))
        yield self._values("orchestrator_cache_stale_total", each(revalidating="stale", load_failed="in_need"))
        yield self._values("orchestrator_cache_refused_total", each(_="refused"))
        yield self._values(
            "orchestrator_cache_shared_errors_total", each(unreachable="shared_errors", unreadable="shared_broken")
        )
        loads = [((each.config.name,), each.load_times) for each in self._caches]
        shared = [((each.config.name,), each.shared_times) for each in self._caches]
        yield self._timings("orchestrator_cache_load_seconds", loads)
        yield self._timings("orchestrator_cache_shared_seconds", shared)
        yield self._values("orchestrator_cache_entries", each(_="items"))
        yield self._values("orchestrator_cache_bytes", each(_="bytes"))

    def _pool_metrics(self) -> Iterable[Metric]:
        pools = [] if self._pools is None else [self._pools[name] for name in self._pools.names]
        found = [each.stats() for each in pools]
        states: _Values = [((each.name, "in_use"), float(each.in_use)) for each in found]
        states += [((each.name, "idle"), float(each.idle)) for each in found if each.idle is not None]
        yield self._values("orchestrator_pool_connections", states)
        for name, field in (
            ("orchestrator_pool_size", "size"),
            ("orchestrator_pool_waiting", "waiting"),
            ("orchestrator_pool_leaking", "leaking"),
            ("orchestrator_pool_timeouts_total", "timeouts"),
            ("orchestrator_pool_failures_total", "failures"),
        ):
            yield self._values(name, [((each.name,), float(getattr(each, field))) for each in found])
        yield self._timings(
            "orchestrator_pool_wait_seconds", [((each.config.name,), each.usage.waits) for each in pools]
        )

    def _memory_metrics(self) -> Iterable[Metric]:
        if self._memory is None:
            return
        report = self._memory.report()
        held: _Values = [((name,), float(count)) for name, count in report.components.items()]
        freed: _Values = [((name,), float(count)) for name, count in self._memory.freed_bytes.items()]
        yield self._values("orchestrator_memory_component_bytes", held)
        yield self._values("orchestrator_memory_shed_bytes_total", freed)
        yield self._values("orchestrator_memory_leaks_suspected_total", [((), float(self._memory.leaks_suspected))])
        growth = 0.0 if report.trend is None else report.trend.per_second
        yield self._values("orchestrator_memory_growth_bytes_per_second", [((), growth)])
        yield self._values("orchestrator_memory_frozen_objects", [((), float(report.frozen))])

    def _monitor_metrics(self) -> Iterable[Metric]:
        monitor = self._monitor
        if monitor is None:
            return
        latest = monitor.latest()
        yield self._timings("orchestrator_loop_lag_seconds", [((), monitor.loop.lag)])
        yield self._values("orchestrator_loop_blocks_total", [((), float(monitor.loop.blocks))])
        tasks: _Values = [] if latest is None else [((), latest.measures["tasks"])]
        yield self._values("orchestrator_loop_tasks", tasks)
        pauses = [((str(generation),), timing) for generation, timing in enumerate(monitor.gc.pauses)]
        yield self._timings("orchestrator_gc_pause_seconds", pauses)
        timers = list(monitor.timers)
        yield self._timings("orchestrator_timer_seconds", [((kind, name), timing) for kind, name, timing in timers])
        yield self._values(
            "orchestrator_timer_failures_total",
            [((kind, name), float(timing.failures)) for kind, name, timing in timers],
        )
        firing = {each.metric for each in monitor.alerts}
        watched = {each.metric for each in monitor.config.thresholds}
        yield self._values(
            "orchestrator_performance_alert", [((each,), float(each in firing)) for each in sorted(watched)]
        )
        yield self._values("orchestrator_monitor_cost_seconds_total", [((), monitor.cost_seconds)])
