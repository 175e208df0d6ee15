"""What Prometheus reads is what the objects say."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator_performance.caching import Cache, CacheConfig
from orchestrator_performance.connection_pools import PoolConfig, Pools
from orchestrator_performance.memory_optimizer import Component, MemoryConfig, MemoryOptimizer
from orchestrator_performance.metrics import METRICS, PerformanceMetrics
from orchestrator_performance.monitor import Monitor


async def test_everything_that_is_described_is_measured_and_nothing_else(tmp_path):
    cache: Cache[int] = Cache(CacheConfig(name="numbers"))
    await cache.get_or_load("k", _one)
    for _ in range(3):
        await cache.get_or_load("k", _one)
    memory = MemoryOptimizer(MemoryConfig(gc=None))
    memory.register(Component("numbers", lambda: 5, lambda wanted: 5))
    await memory.free(5)
    registry = CollectorRegistry()
    monitor = Monitor()
    async with Pools() as pools, monitor:
        pool = pools.sql(PoolConfig(name="data", url=f"sqlite:///{tmp_path / 'x.db'}", size=3))
        PerformanceMetrics(registry, caches=[cache], pools=pools, memory=memory, monitor=monitor)
        with monitor.timers.time("dependency", "tts"):
            pass
        monitor.sample()
        async with pool.reading():
            text = generate_latest(registry).decode()
        check(text, registry)


def check(text: str, registry: CollectorRegistry) -> None:
    families = {each.name: each for each in text_string_to_metric_families(text)}
    described = {each.name.removesuffix("_total") if each.kind == "counter" else each.name: each for each in METRICS}
    assert families.keys() == described.keys()
    for name, family in families.items():
        assert family.type == described[name].kind
        assert family.documentation == described[name].help
        assert family.samples, name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(described[name].labels)
    value = registry.get_sample_value
    assert value("orchestrator_cache_lookups_total", {"cache": "numbers", "result": "hit"}) == 3
    assert value("orchestrator_cache_lookups_total", {"cache": "numbers", "result": "miss"}) == 1
    assert value("orchestrator_cache_loads_total", {"cache": "numbers", "result": "success"}) == 1
    assert value("orchestrator_pool_size", {"pool": "data"}) == 3
    assert 'orchestrator_pool_connections{pool="data",state="in_use"} 1.0' in text
    assert value("orchestrator_pool_wait_seconds_count", {"pool": "data"}) == 1
    assert value("orchestrator_timer_seconds_count", {"kind": "dependency", "name": "tts"}) == 1
    assert value("orchestrator_memory_shed_bytes_total", {"component": "numbers"}) == 5


async def _one() -> int:
    return 1


def test_without_the_extra_it_is_named():
    code = """
        import sys
        sys.modules["prometheus_client"] = None
        from orchestrator_kernel.exceptions import ConfigurationError
        from orchestrator_performance.metrics import METRICS, PerformanceMetrics
        try:
            PerformanceMetrics(None)
        except ConfigurationError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert "orchestrator-performance[metrics]" in done.stdout
