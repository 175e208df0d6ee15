"""Open-loop load in virtual time, against what queueing says must come out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_kernel.virtual_time import LoopClock, run
from orchestrator_performance.benchmarking import (
    BenchmarkError,
    Gate,
    LatencyReport,
    Verdict,
    evenly,
    idle_lag,
    open_loop,
    pace,
    poisson,
    trials,
)

CLOCK = LoopClock()


class Service:
    """Answers in a millisecond, except between two instants, when it stands still."""

    def __init__(self, stall_from: float, stall_until: float) -> None:
        self.calls = 0
        self._stall = (stall_from, stall_until)

    async def __call__(self) -> None:
        self.calls += 1
        now = CLOCK.monotonic()
        if self._stall[0] <= now < self._stall[1]:
            await asyncio.sleep(self._stall[1] - now)
        await asyncio.sleep(0.001)


async def nothing() -> None:
    pass


class SleepyClock(LoopClock):
    """A machine that wakes everybody up too late."""

    def __init__(self, late: float) -> None:
        super().__init__()
        self._late = late

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds + self._late)


async def load(arrive: Callable[[], Awaitable[object]], **options: object) -> LatencyReport:
    return await open_loop("load", arrive=arrive, **{"clock": CLOCK, "rate": 100, "warmup": 0, **options})  # type: ignore[arg-type]


@settings(max_examples=20)
@given(st.floats(1, 10), st.sampled_from([50.0, 90.0, 99.0, 99.9]))
def test_a_stall_shows_as_the_analytic_value(stall: float, percent: float):
    """Of T seconds of arrivals, those of the last x seconds of the stall waited up to x; a share p waited less than S - (1-p) T."""
    seconds = 60.0
    report = run(load(Service(20, 20 + stall), rate=50, seconds=seconds))
    expected = max(0.0, stall - (1 - percent / 100) * seconds) + 0.001
    assert report.latency.percentile(percent) == pytest.approx(expected, rel=0.01, abs=1.1 / 50)
    assert report.latency.maximum == pytest.approx(stall, rel=0.01)


def test_a_stall_of_five_seconds_shows_in_p99_and_a_closed_loop_misses_it():
    async def closed_loop() -> LatencyReport:
        service = Service(5, 10)

        async def one(_: int) -> float:
            started = CLOCK.monotonic()
            await service()
            return CLOCK.monotonic() - started

        return await trials("closed", one, range(10_000), clock=CLOCK)

    opened, closed = run(load(Service(20, 25), seconds=60)), run(closed_loop())
    assert opened.latency.percentile(99) == pytest.approx(4.4, rel=0.05)
    assert closed.latency.percentile(99) == pytest.approx(0.001, rel=0.01)
    assert closed.latency.maximum > 4.9


def test_arrivals_do_not_wait_for_answers():
    service = Service(0, 5)
    report = run(load(service, seconds=10))
    assert (service.calls, report.count, report.succeeded) == (1_000, 1_000, 1_000)
    assert report.rate == pytest.approx(100)
    assert report.achieved_rate == pytest.approx(100, rel=0.01)
    assert report.started_late.maximum < 1e-6


def test_a_late_generator_counts_from_the_intended_time():
    async def scenario() -> LatencyReport:
        return await open_loop("load", arrive=nothing, rate=10, seconds=5, warmup=0, clock=SleepyClock(0.03))

    report = run(scenario())
    # the first arrival is due at once, every other one is preceded by a sleep
    assert report.latency.percentile(10) == pytest.approx(0.03, rel=0.01)
    assert report.started_late.percentile(10) == pytest.approx(0.03, rel=0.01)


def test_the_warm_up_is_loaded_but_not_measured():
    service = Service(0, 1.9)
    report = run(load(service, seconds=3, warmup=2))
    assert (service.calls, report.count) == (500, 300)
    assert report.latency.maximum < 0.01
    assert report.seconds == pytest.approx(3, rel=0.01)


def test_failures_are_counted_by_kind_and_stop_nothing():
    calls = iter(range(1_000))

    async def flaky() -> None:
        number = next(calls)
        if number < 10:
            raise LookupError(f"warm-up {number}")
        if number % 10 == 0:
            raise TimeoutError(f"call {number}")
        if number == 15:
            raise asyncio.CancelledError

    gate = Gate(at_most_ms=20)
    report = run(load(flaky, seconds=1, warmup=0.1, gates=[gate, Gate(at_most_ms=20, error_share=0.2)]))
    assert report.errors == {"TimeoutError": 10, "CancelledError": 1}
    assert report.examples["TimeoutError"] == "call 10"
    assert (report.count, report.failed, report.succeeded, report.warmup_errors) == (100, 11, 89, 10)
    assert [result.verdict for result in report.gates] == [Verdict.FAIL, Verdict.PASS]
    assert report.passed is False
    table = report.table()
    assert "10 x TimeoutError: call 10" in table
    assert "10 operations failed in the warm-up" in table


def test_what_never_ends_is_given_up_with_its_age():
    calls = iter(range(1_000))

    async def hang() -> None:
        if next(calls) == 40:
            await asyncio.Event().wait()

    report = run(load(hang, seconds=1, drain=5, gates=Gate(at_most_ms=20, percentile=50)))
    assert report.errors == {"unfinished": 1}
    assert (report.count, report.succeeded) == (100, 99)
    assert report.latency.maximum == pytest.approx(0.99 - 0.40 + 5)
    assert report.gates[0].verdict is Verdict.FAIL


def test_cancelling_the_load_cancels_its_operations():
    ended = list[int]()

    async def long() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(1)

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await load(long, seconds=60)
        assert len(asyncio.all_tasks()) == 1

    run(scenario())
    assert len(ended) == pytest.approx(450, abs=2)


@pytest.mark.parametrize(
    ("late", "slow", "verdict"),
    [
        (0.004, 0.001, Verdict.PASS),
        (0.004, 0.030, Verdict.FAIL),
        (0.006, 0.001, Verdict.VOID),
        (0.006, 0.030, Verdict.VOID),
    ],
)
def test_a_lagging_idle_loop_voids_the_run(late: float, slow: float, verdict: Verdict):
    async def scenario() -> LatencyReport:
        arrive = lambda: asyncio.sleep(slow)  # noqa: E731
        clock = SleepyClock(late)
        return await open_loop("turn", arrive=arrive, rate=50, seconds=2, gates=Gate(at_most_ms=20), clock=clock)

    report = run(scenario())
    assert report.gates[0].verdict is verdict
    assert report.gates[0].idle == pytest.approx(late, rel=0.01)
    assert report.passed is {Verdict.PASS: True, Verdict.FAIL: False, Verdict.VOID: None}[verdict]
    assert f"p99 <= 20 ms: {verdict}" in report.table()


def test_noise_that_comes_after_the_idle_control_is_caught_by_the_second():
    class Disturbed(LoopClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds + (0.02 if self.monotonic() > 3 else 0))

    async def scenario() -> LatencyReport:
        clock = Disturbed()
        return await open_loop("turn", arrive=nothing, rate=50, seconds=5, gates=Gate(at_most_ms=30), clock=clock)

    assert run(scenario()).passed is None


def test_a_stalled_loop_shows_in_the_idle_control_as_every_late_tick():
    async def scenario() -> None:
        clock, blocked = LoopClock(), [False]

        class Blocked(LoopClock):
            async def sleep(self, seconds: float) -> None:
                await super().sleep(seconds if blocked[0] else 0.1)
                blocked[0] = True

        lag = await idle_lag(1.0, Blocked())
        assert lag.count == 500
        assert lag.maximum == pytest.approx(0.098)
        # the 49 ticks that came due meanwhile are late as well
        assert lag.percentile(100 - 100 * 40 / 500) == pytest.approx(0.018, abs=0.003)
        assert clock.monotonic() == pytest.approx(1.0)

    run(scenario())


def test_given_arrivals_are_kept():
    started = list[float]()

    async def note() -> None:
        started.append(CLOCK.monotonic())

    report = run(load(note, rate=None, arrivals=[0.5, 0.5, 1.25, 1.75, 99], seconds=1, warmup=1, idle_seconds=0.1))
    assert [moment - 0.1 for moment in started] == pytest.approx([0.5, 0.5, 1.25, 1.75])
    assert (report.count, report.rate) == (2, 2)


@given(st.floats(0.1, 1e4), st.integers(0, 100))
def test_arrival_patterns_keep_their_rate(rate: float, seed: int):
    even = list(islice(evenly(rate), 100))
    assert all(later - earlier == pytest.approx(1 / rate) for earlier, later in pairwise(even))
    random = list(islice(poisson(rate, seed), 2_000))
    assert random == sorted(random)
    assert random == list(islice(poisson(rate, seed), 2_000))
    assert random[-1] == pytest.approx(2_000 / rate, rel=0.15)


def test_trials_sweep_an_input():
    async def trial(offset_ms: int) -> float:
        if offset_ms == 30:
            raise LookupError("no sentence")
        return offset_ms / 1000

    gates = [Gate(at_most_ms=100, percentile=50, error_share=0.1), Gate(at_most_ms=10)]
    report = run(trials("barge-in", trial, range(10, 210, 10), gates=gates, clock=CLOCK))
    assert (report.count, report.errors, report.rate) == (20, {"LookupError": 1}, None)
    assert report.latency.percentile(50) == pytest.approx(0.110, rel=0.01)
    assert [result.verdict for result in report.gates] == [Verdict.FAIL, Verdict.FAIL]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": None}, "either a rate or arrivals"),
        ({"arrivals": [1.0]}, "either a rate or arrivals"),
        ({"rate": 0}, "above 0"),
        ({"rate": None, "arrivals": []}, "no operation arrived"),
        ({"rate": 0.1, "seconds": 1, "warmup": 1}, "no operation arrived"),
        ({"gates": Gate(at_most=1)}, "limits a ratio"),
    ],
)
def test_a_load_that_measures_nothing_is_refused(options: dict[str, object], message: str):
    with pytest.raises(BenchmarkError, match=message):
        run(load(nothing, **options))


def test_trials_without_inputs_are_refused():
    with pytest.raises(BenchmarkError, match="no input"):
        run(trials("none", lambda _: asyncio.sleep(0, 1.0), [], clock=CLOCK))


def test_pace_shortens_the_load_and_keeps_the_rate():
    async def scenario() -> LatencyReport:
        with pace(0.1):
            return await load(nothing, seconds=100, warmup=10)

    report = run(scenario())
    assert (report.count, report.rate) == (1_000, pytest.approx(100))


def test_the_report_is_json():
    report = run(load(Service(1, 2), seconds=5, gates=Gate(at_most_ms=20)))
    document = json.loads(json.dumps(report.as_json()))
    assert (document["kind"], document["count"], document["passed"]) == ("latency", 500, False)
    assert document["percentiles"]["p99"] == pytest.approx(0.95, rel=0.02)
    assert document["gates"] == [
        {
            "gate": {"at_most_ms": 20, "percentile": 99, "error_share": 0},
            "verdict": "fail",
            "seconds": document["percentiles"]["p99"],
            "idle": 0,
        }
    ]
