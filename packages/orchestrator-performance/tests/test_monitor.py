"""The monitor: what it measures is so, what it costs is bounded, and what it says does not flicker."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_kernel.ports import SystemClock
from orchestrator_performance._monitor.thresholds import Thresholds
from orchestrator_performance._timing import BOUNDS, Timing
from orchestrator_performance.metrics import METRICS
from orchestrator_performance.monitor import Alert, Monitor, MonitorConfig, Threshold, TimingMiddleware


def busy(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def watching(**settings) -> Monitor:
    return Monitor(
        MonitorConfig(**{"interval": 0.05, "lag_interval": 0.005, "cost_share": 1.0, "thresholds": ()} | settings)
    )


async def test_a_loop_that_stands_still_is_caught_with_the_place():
    async with watching(blocked_seconds=0.05, interval=60) as monitor:
        await asyncio.sleep(0.05)

        async def innocent_looking() -> None:
            busy(0.3)

        await innocent_looking()
        await asyncio.sleep(0.05)
        sample = monitor.sample()
    # On a busy machine others may stop the loop, too.
    [blocked, *_] = [each for each in monitor.loop.blocked if any("busy" in line for line in each.stack)]
    assert 0.2 < blocked.seconds < 2
    assert any("innocent_looking" in line for line in blocked.stack)
    assert sample.measures["loop.lag_max"] >= 0.2
    assert sample.measures["loop.blocks"] >= 1


async def test_measures_are_of_this_process(tmp_path):
    async with watching(interval=60) as monitor:
        files = [(tmp_path / str(number)).open("w") for number in range(20)]
        tasks = [asyncio.ensure_future(asyncio.sleep(10)) for _ in range(30)]
        monitor.sample()
        used, passed = time.process_time(), time.perf_counter()
        busy(0.1)
        before = len(list(Path("/proc/self/fd").iterdir())) - 1
        measures = monitor.sample().measures
        used, passed = time.process_time() - used, time.perf_counter() - passed
        for each in files:
            each.close()
        for task in tasks:
            task.cancel()
    assert measures["fds.open"] == before
    assert 0 < measures["fds.share"] < 1
    assert measures["tasks"] >= 31
    # Others may have had the processor meanwhile; what this process had of it is known.
    assert measures["cpu.share"] == pytest.approx(used / passed, rel=0.3, abs=0.05)
    assert measures["memory.rss"] > 10 * 2**20
    assert measures["threads"] >= 2


async def test_collections_are_heard_and_not_started():
    async with watching(interval=60) as monitor:
        monitor.sample()
        counted = sum(each["collections"] for each in gc.get_stats())
        for _ in range(50):
            monitor.sample()
        assert sum(each["collections"] for each in gc.get_stats()) - counted <= 2
        monitor.sample()
        garbage: list[object] = []
        for _ in range(100_000):
            loop: list[object] = []
            loop.append(loop)
            garbage.append(loop)
        gc.collect(0)
        measures = monitor.sample().measures
        assert measures["gc.collections"] >= 1
        assert 0 < measures["gc.pause_max"] <= measures["gc.pause_total"]
    assert monitor.gc._heard not in gc.callbacks


async def test_samples_come_by_themselves_and_old_ones_go():
    monitor = watching(history=0.25)
    async with monitor:
        await asyncio.sleep(0.6)
    assert len(monitor.history()) == 5
    [only, *_] = monitor.history("cpu.share")
    assert list(only.measures) == ["cpu.share"]
    assert monitor.history(seconds=0) == []
    assert len(asyncio.all_tasks()) == 1


async def test_sampling_costs_no_more_than_its_share():
    """With many tasks a sample is dear, so there are fewer of them."""
    tasks = [asyncio.ensure_future(asyncio.sleep(60)) for _ in range(20_000)]
    monitor = watching(interval=0.01, cost_share=0.02)
    async with monitor:
        await asyncio.sleep(2)
        assert monitor.cost_share < 0.04
        assert len(monitor.history()) < 150
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_timers_tell_success_from_failure_and_cancellation_is_neither():
    monitor = watching()
    with monitor.timers.time("dependency", "tts"):
        time.sleep(0.01)
    with pytest.raises(ValueError, match="no"), monitor.timers.time("dependency", "tts"):
        raise ValueError("no")
    with pytest.raises(asyncio.CancelledError), monitor.timers.time("dependency", "tts"):
        raise asyncio.CancelledError
    timing = monitor.timers.timing("dependency", "tts")
    assert (timing.count, timing.failures) == (2, 1)
    measures = monitor.timers.roll()
    assert measures["dependency.count"] == 2
    assert measures["dependency.error_share"] == 0.5
    assert measures["dependency.max"] >= 0.01
    assert monitor.timers.roll()["dependency.count"] == 0
    assert "dependency.p99" not in monitor.timers.roll()


def test_names_of_timers_are_bounded():
    monitor = watching(names=10)
    for number in range(1000):
        monitor.timers.timing("request", f"/{number}").record(0.1)
    names = [name for kind, name, _ in monitor.timers if kind == "request"]
    assert len(names) == 11
    assert monitor.timers.timing("request", "other").count == 990
    with pytest.raises(ValidationError, match="request"):
        monitor.timers.timing("unknown", "x")


@given(st.lists(st.integers(0, 1_000_000), max_size=30), st.integers(1, 30))
def test_a_timing_tells_all_of_it_whenever_it_is_asked(sizes, ask_every):
    """However many durations come between two looks."""
    timing, known, failed = Timing(), 0, 0
    for number, size in enumerate(sizes):
        for each in range(size % 700):
            timing.record(each / 1000, failed=each % 5 == 0)
        known, failed = known + size % 700, failed + len(range(0, size % 700, 5))
        if number % ask_every == 0:
            assert (timing.count, timing.failures) == (known, failed)
    window, failures = timing.roll()
    assert (window.count, failures) == (known, failed)
    assert (timing.histogram.count, timing.roll()[1], timing.count, timing.failures) == (0, 0, known, failed)


@given(st.lists(st.floats(0, 100), max_size=50))
def test_buckets_add_up(durations):
    timing = Timing()
    for each in durations:
        timing.record(each)
    buckets = timing.buckets()
    assert buckets[-1] == ("+Inf", len(durations))
    for bound, count in buckets[:-1]:
        assert count == sum(each <= float(bound) for each in durations)
    assert timing.total == pytest.approx(sum(durations))
    assert len(buckets) == len(BOUNDS) + 1


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=60),
    st.integers(1, 4),
    st.floats(10, 60),
    st.floats(0.1, 1),
)
def test_alerts_change_only_after_so_many_samples_in_a_row(values, samples, above, share):
    """Against a model that looks back."""
    clear = above * share
    thresholds = Thresholds((Threshold(metric="m", above=above, clear_below=clear, samples=samples),))
    firing, run = False, 0
    for now, value in enumerate(values):
        changed = thresholds.judge({} if value is None else {"m": value}, float(now))
        if value is not None:
            against = value < clear if firing else value > above
            run = run + 1 if against else 0
            if run == samples:
                firing, run = not firing, 0
                assert [each.state for each in changed] == ["firing" if firing else "cleared"]
                assert changed[0].value == value
                changed = []
        assert changed == []
        assert [each.metric for each in thresholds.active] == (["m"] if firing else [])


async def test_every_threshold_can_fire(caplog: pytest.LogCaptureFixture):
    """Each measure that exists is really taken, and one that does not exist is refused."""
    heard: list[Alert] = []
    names = watching().metrics
    limits = tuple(Threshold(metric=each, above=-1, samples=1) for each in (*names, "pool.waiting"))
    monitor = Monitor(MonitorConfig(interval=60, thresholds=limits), observe=heard.append)
    monitor.add_source("pool", lambda: {"waiting": 3.0}, ["waiting"])
    for kind in ("request", "dependency", "database", "cache"):
        monitor.timers.timing(kind, "x").record(0.01)
    caplog.set_level(logging.CRITICAL)
    async with monitor:
        monitor.sample()
    assert {each.metric for each in heard} == {*names, "pool.waiting"}
    assert len(monitor.alerts) == len(limits)
    with pytest.raises(ConfigurationError, match=r"memory\.rsss"):
        await Monitor(MonitorConfig(thresholds=(Threshold(metric="memory.rsss", above=1),))).start()


async def test_the_thresholds_that_are_set_by_default_are_measured():
    async with Monitor():
        pass


async def test_a_source_and_an_observer_that_fail_do_no_harm(caplog: pytest.LogCaptureFixture):
    def fails(*_: object) -> dict[str, float]:
        raise RuntimeError("broken")

    monitor = Monitor(
        MonitorConfig(interval=60, thresholds=(Threshold(metric="threads", above=0, samples=1),)), observe=fails
    )
    monitor.add_source("broken", fails, ["x"])
    with pytest.raises(ConfigurationError, match="broken"):
        monitor.add_source("broken", fails, ["x"])
    async with monitor:
        assert monitor.sample().measures["threads"] > 0
    assert "a source of measures failed" in caplog.text
    assert "an observer of alerts failed" in caplog.text


async def request(app, path: str = "/items/7") -> list[dict]:
    sent: list[dict] = []

    async def send(message) -> None:
        sent.append(message)

    async def receive():
        return {"type": "http.request"}

    await app({"type": "http", "method": "GET", "path": path}, receive, send)
    return sent


class Noon(SystemClock):
    """A clock that somebody sets."""

    now_is = 1000.0

    def monotonic(self) -> float:
        return self.now_is


async def test_samples_and_alerts_are_dated_by_the_clock_that_is_given():
    clock = Noon()
    config = MonitorConfig(interval=60, thresholds=(Threshold(metric="tasks", above=0, samples=1),))
    async with Monitor(config, clock=clock) as monitor:
        assert monitor.sample().at == 1000.0
        clock.now_is += 100.0
        assert [each.since for each in monitor.alerts] == [1000.0]
        monitor.sample()
        assert [each.at for each in monitor.history(seconds=50)] == [1100.0]


async def test_requests_are_timed_by_route_and_not_by_what_callers_write():
    monitor = watching()

    async def app(scope, receive, send) -> None:
        if "missing" not in scope["path"]:
            scope["template"] = "/v1/items/{id}"
        if "crash" in scope["path"]:
            raise RuntimeError("crash")
        await send({"type": "http.response.start", "status": 503 if "broken" in scope["path"] else 200})
        await send({"type": "http.response.body"})

    timed = TimingMiddleware(app, timers=monitor.timers, route_of=lambda scope: scope.get("template", "unmatched"))
    for path in ("/items/1", "/items/2", "/broken", "/missing/1", "/missing/2"):
        assert len(await request(timed, path)) == 2
    with pytest.raises(RuntimeError):
        await request(timed, "/crash")
    found = {name: (timing.count, timing.failures) for _, name, timing in monitor.timers}
    assert found == {"GET /v1/items/{id}": (4, 2), "GET unmatched": (2, 0)}


def test_metrics_are_described_once_each_with_bounded_labels():
    names = [each.name for each in METRICS]
    assert len(set(names)) == len(names)
    for each in METRICS:
        assert each.name.endswith("_total") == (each.kind == "counter")
        assert bool(each.buckets) == (each.kind == "histogram")
        assert set(each.labels) <= {
            "cache",
            "pool",
            "component",
            "kind",
            "name",
            "result",
            "reason",
            "state",
            "metric",
            "generation",
        }


@pytest.mark.parametrize("settings", [{"interval": 0}, {"cost_share": -1}, {"names": 0}])
def test_settings_out_of_range_are_refused_by_name(settings):
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        MonitorConfig(**settings)
    with pytest.raises(ConfigurationError, match="clear_below"):
        Threshold(metric="x", above=1, clear_below=2)
