"""Sampling, shedding, the collector, and when growth is called a leak."""

from __future__ import annotations

import asyncio
import gc
import inspect
import random
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import orchestrator_performance
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance.caching import Cache, CacheConfig
from orchestrator_performance.memory_optimizer import (
    Component,
    GcTuning,
    GrowthBusy,
    MemoryConfig,
    MemoryOptimizer,
    MemorySample,
    MemoryState,
    read_memory,
    shed_cache,
    trend_of,
    watch_growth,
)

MB = 2**20


def test_a_sample_is_what_the_process_holds():
    before = read_memory(0.0)
    ballast = bytearray(64 * MB)
    for page in range(0, len(ballast), 4096):
        ballast[page] = 1
    after = read_memory(1.0)
    assert 50 * MB < after.rss - before.rss < 80 * MB
    assert after.peak >= after.rss > 10 * MB
    del ballast


def test_nothing_here_collects():
    folder = Path(inspect.getfile(orchestrator_performance)).parent
    for file in folder.rglob("*.py"):
        if "benchmarking" not in file.parts:
            code = file.read_text(encoding="utf-8")
            assert "gc.collect(" not in code.replace("`gc.collect()`", ""), file


class Process:
    """A process whose memory the test decides."""

    def __init__(self) -> None:
        self.rss = 100 * MB
        self.at = 0.0

    def read(self, _now: float) -> MemorySample:
        return MemorySample(self.at, self.rss, self.rss, 0, 0)


class Part:
    """A component that gives back what it is asked for, if it has it."""

    def __init__(self, process: Process, held: int, *, broken: bool = False) -> None:
        self.process, self.held, self.broken, self.asked = process, held, broken, []

    def shed(self, wanted: int) -> int:
        self.asked.append(wanted)
        if self.broken:
            raise RuntimeError("cannot")
        given = min(wanted, self.held)
        self.held -= given
        self.process.rss -= given
        return given


async def test_caches_shed_first_and_only_as_much_as_is_needed():
    process = Process()
    cache, buffers, rest = Part(process, 300 * MB), Part(process, 300 * MB), Part(process, 300 * MB)
    memory = MemoryOptimizer(MemoryConfig(limit_bytes=1000 * MB, cooldown=60, gc=None), read=process.read)
    memory.register(Component("rest", lambda: rest.held, rest.shed, priority=50))
    memory.register(Component("buffers", lambda: buffers.held, buffers.shed, priority=10))
    memory.register(Component("cache", lambda: cache.held, cache.shed))
    process.rss = 890 * MB
    assert await memory.check() == []
    process.rss, process.at = 1200 * MB, 1.0
    done = await memory.check()
    assert [(each.component, each.freed) for each in done] == [("cache", 300 * MB), ("buffers", 150 * MB)]
    assert rest.asked == []
    assert process.rss == 750 * MB
    # Not again before the pause is over, and then again.
    process.rss, process.at = 1200 * MB, 30.0
    assert await memory.check() == []
    process.at = 62.0
    assert [each.component for each in await memory.check()] == ["buffers", "rest"]
    assert memory.freed_bytes == {"cache": 300 * MB, "buffers": 300 * MB, "rest": 300 * MB}


async def test_a_component_keeps_its_own_limit_though_there_is_room():
    process = Process()
    part = Part(process, 80 * MB)
    memory = MemoryOptimizer(MemoryConfig(gc=None), read=process.read)
    memory.register(Component("cache", lambda: part.held, part.shed, limit=50 * MB))
    [shed] = await memory.check()
    assert (shed.freed, shed.reason, part.held) == (30 * MB, "component", 50 * MB)


async def test_a_component_that_fails_does_not_keep_the_others_from_shedding():
    process = Process()
    broken, works = Part(process, 500 * MB, broken=True), Part(process, 500 * MB)
    memory = MemoryOptimizer(MemoryConfig(limit_bytes=1000 * MB, gc=None), read=process.read)
    memory.register(Component("broken", lambda: broken.held, broken.shed))
    memory.register(Component("works", lambda: works.held, works.shed, priority=1))
    process.rss = 1000 * MB
    assert [(each.component, each.freed) for each in await memory.check()] == [("broken", 0), ("works", 250 * MB)]
    with pytest.raises(ConfigurationError, match="works"):
        memory.register(Component("works", lambda: 0))


async def test_a_cache_gives_back_and_memory_returns_to_the_system():
    cache: Cache[bytes] = Cache(CacheConfig(name="c", max_bytes=200 * MB))
    for key in range(1000):
        await cache.put(key, bytes([key % 256]) * 100_000)
    before = read_memory(0).rss
    memory = MemoryOptimizer(MemoryConfig(gc=None))
    memory.register(Component("cache", lambda: cache.stats().bytes, shed_cache(cache)))
    [shed] = await memory.free(50 * MB)
    assert 50 * MB <= shed.freed < 55 * MB
    assert 400 < cache.stats().items < 520
    assert read_memory(0).rss < before - 30 * MB


async def test_shedding_a_large_cache_does_not_stop_the_loop():
    cache: Cache[int] = Cache(CacheConfig(name="c", max_items=100_000, jitter=0))
    for key in range(50_000):
        await cache.put(key, key)
    steps = 0

    async def others() -> None:
        nonlocal steps
        while True:
            steps += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(others())
    await cache.shed(1.0)
    task.cancel()
    assert cache.stats().items == 0
    assert steps > 50


def test_the_collector_is_set_once_and_set_back():
    before = gc.get_threshold()
    assert gc.get_freeze_count() == 0
    memory = MemoryOptimizer(MemoryConfig(gc=GcTuning(thresholds=(5000, 11, 12))))
    memory.tune()
    memory.tune()
    try:
        assert gc.get_threshold() == (5000, 11, 12)
        assert gc.get_freeze_count() > 1000
        assert memory.report().frozen > 1000
    finally:
        memory.restore()
        memory.restore()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


async def test_watching_takes_samples_and_ends():
    memory = MemoryOptimizer(MemoryConfig(interval=0.01, gc=None))
    async with memory:
        await asyncio.sleep(0.2)
    assert memory.report().state is MemoryState.HEALTHY
    assert len(memory._samples) > 5
    assert len(asyncio.all_tasks()) == 1


def grown(count: int, per_sample: float, noise, start: float = 100 * MB) -> MemoryOptimizer:
    """An optimizer that has seen a series, one sample each ten seconds."""
    process = Process()
    memory = MemoryOptimizer(MemoryConfig(limit_bytes=1024 * MB, trend_after=0, gc=None), read=process.read)
    memory._began = 0.0
    for i in range(count):
        process.at, process.rss = 10.0 * i, int(start + per_sample * i + noise(i))
        memory.sample()
    return memory


def test_steady_growth_is_a_leak_with_its_rate_and_its_end():
    dice = random.Random(1)
    report = grown(700, 0.1 * MB, lambda _: dice.gauss(0, 3 * MB)).report()
    assert report.leak is not None
    assert report.leak.bytes_per_hour == pytest.approx(36 * MB, rel=0.1)
    assert report.leak.confidence > 0.95
    assert report.leak.limit_in == pytest.approx((1024 - 170) / 36 * 3600, rel=0.15)
    assert report.state is MemoryState.WARNING


@pytest.mark.parametrize(
    ("what", "series"),
    [
        ("fills and settles", lambda i, dice: 200 * MB * (1 - 0.9**i) + dice.gauss(0, MB)),
        ("saw", lambda i, dice: (i % 60) * MB),
        ("noise", lambda i, dice: dice.gauss(0, 20 * MB)),
        ("slow growth", lambda i, dice: 0.005 * MB * i + dice.gauss(0, MB)),
        ("shrinks", lambda i, dice: -0.1 * MB * i + dice.gauss(0, MB)),
        ("flat", lambda i, dice: 0),
    ],
)
def test_what_is_no_leak_is_not_called_one(what, series):
    dice = random.Random(2)
    assert grown(700, 0.0, lambda i: series(i, dice)).report().leak is None


def test_wandering_is_seldom_called_a_trend():
    """Series whose samples resemble their neighbours, without any trend: far fewer false alarms than without the correction."""
    dice, alarms, rounds = random.Random(3), 0, 300
    for _ in range(rounds):
        value, series = 0.0, []
        for _ in range(400):
            value = 0.9 * value + dice.gauss(0, 1)
            series.append(value)
        trend = trend_of(list(map(float, range(400))), series)
        alarms += trend is not None and trend.confidence > 0.95
    assert alarms / rounds < 0.08


@given(st.lists(st.floats(-1e9, 1e9), max_size=60), st.floats(0.1, 100))
def test_a_trend_is_always_an_answer(values, step):
    trend = trend_of([step * i for i in range(len(values))], values)
    if trend is None:
        assert len(values) < 8
    else:
        assert 0 <= trend.confidence <= 1


@given(st.integers(8, 100), st.floats(0.001, 1e6), st.floats(-1e6, 1e6))
def test_a_straight_line_is_a_sure_trend(count, slope, start):
    trend = trend_of(list(map(float, range(count))), [start + slope * i for i in range(count)])
    assert trend is not None
    assert trend.per_second == pytest.approx(slope, rel=1e-3, abs=1e-6)
    assert trend.confidence > 0.99


class Leaked:
    """What the test leaks."""

    def __init__(self) -> None:
        self.content = ["something"]


async def test_a_window_says_where_and_of_what_memory_grows():
    leaked: list[object] = []

    async def leak() -> None:
        for number in range(500):
            leaked.append(Leaked())
            leaked.append(f"{number}" * 100)
            await asyncio.sleep(0)

    task = asyncio.ensure_future(leak())
    window = await watch_growth(0.3)
    await task
    assert any("test_memory_optimizer.py" in each.name and each.bytes > 10_000 for each in window.by_place)
    assert window.by_type is not None
    assert next(each.count for each in window.by_type if each.name.endswith("Leaked")) == pytest.approx(500, abs=20)
    assert not tracemalloc.is_tracing()
    assert gc.get_freeze_count() == 0


async def test_a_window_while_one_is_open_is_refused():
    first = asyncio.ensure_future(watch_growth(0.2))
    await asyncio.sleep(0.05)
    with pytest.raises(GrowthBusy):
        await watch_growth(0.1)
    await first


async def test_a_window_after_freezing_leaves_what_is_frozen():
    memory = MemoryOptimizer(MemoryConfig())
    memory.tune()
    try:
        frozen = gc.get_freeze_count()
        window = await memory.watch_growth(0.1)
        assert gc.get_freeze_count() == pytest.approx(frozen, rel=0.01)
        assert memory.report().growth is window
    finally:
        memory.restore()


async def test_the_loop_goes_on_in_a_window():
    worst, ballast = 0.0, [[i] for i in range(200_000)]

    async def watch() -> None:
        nonlocal worst
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            worst = max(worst, time.thread_time() - began)

    task = asyncio.ensure_future(watch())
    await watch_growth(0.2)
    task.cancel()
    assert worst < 0.1
    del ballast


@pytest.mark.parametrize("settings", [{"limit_bytes": 0}, {"interval": -1}, {"high": 0.5}, {"confidence": 1.0}])
def test_settings_out_of_range_are_refused_by_name(settings):
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        MemoryConfig(**settings)
