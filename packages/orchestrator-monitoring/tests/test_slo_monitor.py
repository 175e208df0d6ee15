"""The monitor: samples, restarts, a store that fails, and what it reports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slo_store_contract import SloStoreContract
from slo_support import DAY, Counters, slo

from orchestrator_kernel.exceptions import DatabaseError
from orchestrator_kernel.virtual_time import EPOCH, LoopClock, run
from orchestrator_monitoring._slo.samples import CounterTrail
from orchestrator_monitoring.slo_monitor import (
    Counts,
    Maintenance,
    MemorySloStore,
    SloMonitor,
    SloSet,
    SloStore,
)


class TestMemory(SloStoreContract):
    async def make(self) -> SloStore:
        return MemorySloStore()


def monitor(counters: Counters, store: SloStore, process: str = "a", maintenance=()) -> SloMonitor:
    return SloMonitor(SloSet((slo(),), maintenance), store, counters.read, clock=LoopClock(), process=process)


def test_events_are_counted_from_the_first_look_on() -> None:
    async def scenario() -> None:
        counters, store = Counters(), MemorySloStore()
        counters.add(bad=1000)
        made = monitor(counters, store)
        await made.sample()
        for _ in range(60):
            counters.add(bad=1, good=99)
            await LoopClock().sleep(60)
            await made.sample()
        report = (await made.evaluate())[0].report
        assert report.events == 6000
        assert report.consumed == pytest.approx(10)
        assert [burn.firing for burn in report.burns] == [False, True, True, True]

    run(scenario())


def test_processes_add_up_and_a_restart_loses_nothing() -> None:
    async def scenario() -> None:
        store = MemorySloStore()
        for process in ("a", "b", "a-again"):
            counters = Counters()
            made = monitor(counters, store, process)
            await made.sample()
            counters.add(bad=1, good=9)
            await LoopClock().sleep(60)
            await made.sample()
        report = (await made.evaluate())[0].report
        assert (report.events, report.bad) == (30, pytest.approx(3))

    run(scenario())


class Failing(MemorySloStore):
    down = False

    async def add(self, samples) -> None:
        if self.down:
            raise DatabaseError("gone")
        await super().add(samples)


def test_what_could_not_be_kept_waits_with_its_own_times() -> None:
    async def scenario() -> None:
        counters, store = Counters(), Failing()
        made = monitor(counters, store)
        await made.sample()
        store.down = True
        for minute in range(600):
            counters.add(bad=1 if minute < 300 else 0, good=9)
            await LoopClock().sleep(60)
            with pytest.raises(DatabaseError):
                await made.sample()
        assert made.waiting <= 240
        store.down = False
        await made.sample()
        windows = {each.window: each for each in (await made.evaluate())[0].report.windows}
        assert windows[3600].error_ratio == 0
        assert windows[DAY].events == pytest.approx(600 * 9 + 300)
        assert made.waiting == 0

    run(scenario())


def test_planned_maintenance_spends_no_budget() -> None:
    async def scenario() -> None:
        counters, store, begins = Counters(), MemorySloStore(), EPOCH.timestamp()
        made = monitor(counters, store, maintenance=(Maintenance(begins + 600, begins + 1800),))
        await made.sample()
        for minute in range(60):
            outage = 10 <= minute < 30
            counters.add(bad=10 if outage else 0, good=0 if outage else 10)
            await LoopClock().sleep(60)
            await made.sample()
        report = (await made.evaluate())[0].report
        assert (report.consumed, report.events) == (0, 400)

    run(scenario())


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=30))
def test_a_counter_that_falls_was_reset(steps: list[tuple[int, bool]]) -> None:
    """Prometheus's rule: after a reset all of the value is new."""
    trail, value, expected, found = CounterTrail("calls", "a"), 0.0, 0.0, 0.0
    trail.follow(0.0, Counts(0.0, 0.0))
    for at, (more, reset) in enumerate(steps, 1):
        before = value
        value = (0.0 if reset else value) + more
        expected += value if value < before else value - before
        sample = trail.follow(float(at), Counts(0.0, value))
        assert sample is not None
        found += sample.total
    assert found == expected


def test_the_forecast_comes_with_the_standing() -> None:
    async def scenario() -> None:
        counters, store = Counters(), MemorySloStore()
        made = monitor(counters, store)
        await made.sample()
        for hour in range(200):
            counters.add(bad=5 if hour >= 176 else 0, good=995)
            await LoopClock().sleep(3600)
            await made.sample()
        standing = (await made.evaluate())[0]
        assert standing.forecast.expected is not None
        assert standing.forecast.earliest is not None
        assert standing.forecast.earliest <= standing.forecast.expected

    run(scenario())
