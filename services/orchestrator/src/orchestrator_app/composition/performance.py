"""The process under its load: pools for all that connects, caches, memory, and the monitor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator_app.composition.caches import SpeechCache, make_speech_cache
from orchestrator_app.settings import AppSettings
from orchestrator_calls.engine import create_engine
from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_kernel.lifecycle import Lifecycle
from orchestrator_kernel.ports import Clock
from orchestrator_monitoring.metrics import AtMost, Counter, Gauge, Histogram, Metric
from orchestrator_performance.caching import Cache, Sealing, SharedLevel, redis_level
from orchestrator_performance.connection_pools import PoolConfig, Pools
from orchestrator_performance.memory_optimizer import Component, MemoryConfig, MemoryOptimizer, shed_cache
from orchestrator_performance.metrics import METRICS, MetricDescription, PerformanceMetrics
from orchestrator_performance.monitor import Monitor, MonitorConfig, Threshold

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = [
    "CACHE_POOL",
    "PERFORMANCE_METRICS",
    "Connect",
    "ConnectStore",
    "Performance",
    "connect_alone",
    "connect_store_alone",
    "make_performance",
]

Wrap = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]

CACHE_POOL: Final = "cache"
"""The pool of the second level of caches."""

_SQLITE_CONNECTIONS: Final = 15
_DATABASE_WAIT: Final = 30.0


ConnectStore = Callable[[str, str], "Redis"]
"""Makes the client of a Redis or Valkey: of its name in statistics, and its URL."""


class Connect(Protocol):
    """Makes the client of one service."""

    def __call__(self, name: str, config: HttpClientConfig, wrap: Wrap | None = None) -> httpx.AsyncClient:
        """The client; `name` names the service in statistics."""
        ...


def connect_alone(name: str, config: HttpClientConfig, wrap: Wrap | None = None) -> httpx.AsyncClient:  # noqa: ARG001 - nobody counts
    """A client that no pool counts."""
    return create_client(config, wrap=wrap)


def connect_store_alone(name: str, url: str) -> Redis:
    """A client whose connections no process counts.

    Raises:
        ConfigurationError: The driver is not installed, or the URL is none.
    """
    return Pools().redis(PoolConfig(name=name, url=url)).client


@dataclass(slots=True)
class Performance:
    """What the process has and uses.

    Attributes:
        pools: Connections to databases, services and the second level of caches.
        memory: What the process holds, and who gives some back.
        monitor: Loop, collector, processor, timers, alerts.
        caches: Those that `add_cache` was given.
        level: The second level of caches; None when there is none.
    """

    pools: Pools
    memory: MemoryOptimizer
    monitor: Monitor
    registry: CollectorRegistry
    level: SharedLevel | None
    _settings: AppSettings
    caches: list[Cache[Any]] = field(default_factory=list[Cache[Any]])

    def connect(self, name: str, config: HttpClientConfig, wrap: Wrap | None = None) -> httpx.AsyncClient:
        """A client whose connections are counted. Made again for a name with other settings, it takes the place of the one before."""
        own = self._settings.performance
        pool = PoolConfig(
            name=name,
            url=config.base_url,
            size=own.http_connections,
            acquire_seconds=config.pool_timeout,
            connect_seconds=config.connect_timeout,
            idle_seconds=config.keepalive,
            hold_seconds=own.hold_seconds,
            stacks=own.stacks,
            http=config,
        )
        return self.pools.http(pool, wrap=wrap, replace=True).client

    def connect_store(self, name: str, url: str) -> Redis:
        """A client of Redis or Valkey whose connections are counted; the pools close it.

        Raises:
            ConfigurationError: The driver is not installed, or the URL is none.
        """
        own = self._settings.performance
        pool = PoolConfig(name=name, url=url, hold_seconds=own.hold_seconds, stacks=own.stacks)
        return self.pools.redis(pool).client

    def engine(self, name: str, url: str) -> AsyncEngine:
        """The engine of a database, its connections counted.

        Raises:
            ConfigurationError: The driver is not installed, or the URL is none.
        """
        own, embedded = self._settings.performance, url.startswith("sqlite")
        pool = PoolConfig(
            name=f"database.{name}",
            url=url,
            size=_SQLITE_CONNECTIONS if embedded else own.database_connections,
            warm=0 if embedded else min(own.warm_connections, own.database_connections),
            acquire_seconds=_DATABASE_WAIT,
            hold_seconds=own.hold_seconds,
            stacks=own.stacks,
        )
        return self.pools.sql(pool, make=create_engine).engine

    def request_timer(self, method: str, route: str, status: int) -> Callable[[float], None]:
        """Who keeps the durations of such requests."""
        record = self.monitor.timers.timing("request", f"{method} {route}").record
        return partial(record, failed=True) if status >= 500 else record

    def add_cache(self, cache: Cache[Any]) -> None:
        """Start and stop the cache with the process, count it, and have it shrink when memory is short."""
        self.caches.append(cache)
        self.memory.register(Component(cache.config.name, lambda: cache.stats().bytes, shed_cache(cache)))

    def cached_speech(self, clock: Clock, sealing: Sealing, key_secret: bytes) -> SpeechCache | None:
        """The cache of spoken sentences, if the settings ask for one."""
        cache = make_speech_cache(
            self._settings,
            clock,
            level=self.level,
            sealing=sealing,
            key_secret=key_secret,
            timed=partial(self.monitor.timers.time, "cache", "speech"),
        )
        if cache is not None:
            self.add_cache(cache.cache)
        return cache

    def add_pools(self, lifecycle: Lifecycle) -> None:
        """Connections and caches are there before all else that starts, and end after all else that stops."""
        lifecycle.add("pools", stop=self.pools.close)
        lifecycle.add("caches", start=self._start_caches, stop=self._stop_caches, requires=["pools"])

    async def _start_caches(self) -> None:
        for cache in self.caches:
            await cache.start()

    async def _stop_caches(self) -> None:
        for cache in self.caches:
            await cache.close()
        if self.level is not None:
            await self.level.close()

    async def start(self) -> None:
        """Begin to watch: last of all, so that what was made by then is left out of garbage collections."""
        await self.pools.start()
        await self.monitor.start()
        await self.memory.start()

    async def stop(self) -> None:
        """Watch no more."""
        await self.memory.stop()
        await self.monitor.stop()


def make_performance(settings: AppSettings, clock: Clock, registry: CollectorRegistry) -> Performance:
    """What the settings ask for, counted in `registry`.

    Raises:
        ConfigurationError: The second level's driver is not installed, or its URL is none.
    """
    own = settings.performance
    thresholds = _thresholds(settings) if own.alerting else ()
    monitor = Monitor(MonitorConfig(interval=own.interval, thresholds=thresholds), clock=clock)

    def observe(kind: str, name: str, seconds: float, failed: bool) -> None:  # noqa: FBT001 - as the pools tell it
        monitor.timers.timing("dependency" if kind == "http" else "database", name).record(seconds, failed=failed)

    pools = Pools(clock=clock, drain_seconds=1.0, observe=observe)
    limit = own.memory_mb * 1024 * 1024
    config = MemoryConfig(limit_bytes=limit, interval=own.interval)
    memory = MemoryOptimizer(config if own.tune_gc else MemoryConfig(limit_bytes=limit, interval=own.interval, gc=None))
    level: SharedLevel | None = None
    if own.cache_url is not None:
        url = own.cache_url.get_secret_value()
        pool = pools.redis(PoolConfig(name=CACHE_POOL, url=url, size=own.cache_connections, hold_seconds=86_400.0))
        level = redis_level(pool.client, time_limit_seconds=own.cache_wait)
    made = Performance(pools, memory, monitor, registry, level, settings)
    monitor.add_source("pools", lambda: _pool_measures(pools), ["waiting", "leaking"])
    PerformanceMetrics(registry, caches=made.caches, pools=pools, memory=memory, monitor=monitor)
    return made


def _thresholds(settings: AppSettings) -> tuple[Threshold, ...]:
    own = settings.performance
    return (
        Threshold(metric="memory.rss", above=own.memory_mb * 1024 * 1024),
        Threshold(metric="cpu.share", above=own.cpu_percent / 100),
        Threshold(metric="loop.lag_p99", above=0.1),
        Threshold(metric="gc.pause_max", above=0.25),
        Threshold(metric="fds.share", above=0.8),
        Threshold(metric="request.p99", above=1.0),
        Threshold(metric="request.error_share", above=0.05),
        Threshold(metric="pools.leaking", above=0),
    )


def _pool_measures(pools: Pools) -> dict[str, float]:
    found = pools.stats()
    return {
        "waiting": float(sum(each.waiting for each in found)),
        "leaking": float(sum(each.leaking for each in found)),
    }


def _declared(metric: MetricDescription) -> Metric:
    """In the form of the catalogue; the values of labels are names that the settings and the routes bound."""
    labels = {name: AtMost(200) for name in metric.labels}
    unit = next(
        (each for each in ("seconds", "bytes") if each in metric.name.removesuffix("_total").split("_")[-1:]), ""
    )
    if metric.kind == "histogram":
        return Histogram(metric.name, metric.help, unit=unit, labels=labels, buckets=metric.buckets)
    kind = Counter if metric.kind == "counter" else Gauge
    return kind(metric.name, metric.help, unit=unit, labels=labels)


PERFORMANCE_METRICS: Final[tuple[Metric, ...]] = tuple(map(_declared, METRICS))
"""What orchestrator-performance counts."""
