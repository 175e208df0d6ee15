"""Comparisons on a clock that only moves when a contender does, and a few on the real one."""

from __future__ import annotations

import asyncio
import functools
import gc
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable

import pytest

from orchestrator_performance.benchmarking import (
    BenchmarkError,
    Contender,
    Gate,
    Report,
    Sampling,
    Verdict,
    acompare,
    compare,
    pace,
)

EXACT = Sampling(rounds=15)


class Work:
    """Work whose time is decided here."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def taking(self, seconds: float) -> Callable[[], None]:
        def work() -> None:
            self.seconds += seconds

        return work

    def taking_async(self, seconds: float) -> Callable[[], object]:
        async def work() -> None:
            await asyncio.sleep(0)
            self.seconds += seconds

        return work


@pytest.fixture
def clock() -> Work:
    return Work()


def test_ratios_are_to_the_baseline(clock: Work):
    report = compare(
        "work",
        baseline=Contender("base", clock.taking(0.001)),
        contenders=[Contender("double", clock.taking(0.002)), Contender("half", clock.taking(0.0005))],
        gates={"double": Gate(at_most=1.9), "half": Gate(at_most=0.6)},
        clock=clock,
        sampling=EXACT,
    )
    assert [row.name for row in report.rows] == ["base", "base (again)", "double", "half"]
    assert [row.ratio.median for row in report.rows] == pytest.approx([1, 1, 2, 0.5])
    assert [row.median for row in report.rows] == pytest.approx([0.001, 0.001, 0.002, 0.0005])
    assert [row.verdict for row in report.rows] == [None, None, Verdict.FAIL, Verdict.PASS]
    assert [row.change for row in report.rows] == [None, None, "slower", "faster"]
    assert (report.rounds, report.clock, report.passed) == (15, "own", False)


def test_a_call_of_many_operations_is_judged_per_operation(clock: Work):
    report = compare(
        "batches",
        baseline=Contender("one by one", clock.taking(0.001)),
        contenders=[Contender("batch", clock.taking(0.004), operations=10)],
        clock=clock,
        sampling=EXACT,
    )
    assert report.row("batch").ratio.median == pytest.approx(0.4)
    assert report.row("batch").median == pytest.approx(0.0004)


async def test_sync_and_async_contenders_mix_in_a_running_loop(clock: Work):
    report = await acompare(
        "mixed",
        baseline=Contender("sync", clock.taking(0.001)),
        contenders=[
            Contender("async def", clock.taking_async(0.003)),
            Contender("lambda", lambda: asyncio.ensure_future(clock.taking_async(0.002)())),
        ],
        clock=clock,
        sampling=EXACT,
    )
    assert [row.ratio.median for row in report.rows] == pytest.approx([1, 1, 3, 2])


def test_async_contenders_run_from_sync_code_in_one_loop(clock: Work):
    loops = set[asyncio.AbstractEventLoop]()

    async def remember(step: Callable[[], object]) -> None:
        loops.add(asyncio.get_running_loop())
        await step()

    made = list[asyncio.AbstractEventLoop]()

    def factory() -> asyncio.AbstractEventLoop:
        made.append(asyncio.new_event_loop())
        return made[-1]

    report = compare(
        "async",
        baseline=Contender("partial", functools.partial(remember, clock.taking_async(0.001))),
        contenders=[Contender("lambda", lambda: remember(clock.taking_async(0.002)))],
        clock=clock,
        sampling=EXACT,
        loop_factory=factory,
    )
    assert report.row("lambda").ratio.median == pytest.approx(2)
    assert loops == set(made)
    assert len(made) == 1


async def test_sync_contenders_compare_inside_a_running_loop_and_async_ones_name_the_way(clock: Work):
    plain = Contender("plain", clock.taking(0.001))
    assert compare("plain", baseline=plain, contenders=[], clock=clock, sampling=EXACT).passed
    with pytest.raises(BenchmarkError, match="await acompare"):
        compare("x", baseline=plain, contenders=[Contender("a", clock.taking_async(1))], clock=clock)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_setup_and_teardown_surround_each_sample_outside_the_time(clock: Work, *, asynchronous: bool):
    seen = list[str]()

    def step(name: str, seconds: float) -> Callable[[], object]:
        def work() -> None:
            seen.append(name)
            clock.seconds += seconds

        async def awork() -> None:
            work()

        return awork if asynchronous else work

    contender = Contender("c", step("call", 0.001), setup=step("up", 7), teardown=step("down", 9), calls=2)
    report = compare(
        "c", baseline=Contender("b", clock.taking(0.001)), contenders=[contender], clock=clock, sampling=EXACT
    )
    assert report.row("c").ratio.median == pytest.approx(1)
    samples = " ".join(seen).split("up ")[1:]
    # the first ones find out whether there is something to await
    assert Counter(sample.strip() for sample in samples)["call call down"] == 16
    assert {sample.strip() for sample in samples} <= {"call call down", "call down"}


def test_an_async_setup_serves_a_sync_call(clock: Work):
    ready = list[int]()

    async def up() -> None:
        ready.append(1)

    def call() -> None:
        clock.seconds += 0.001
        assert ready

    async def down() -> None:
        ready.clear()

    contender = Contender("c", call, setup=up, teardown=down)
    assert compare("c", baseline=contender, contenders=[], clock=clock, sampling=EXACT).rounds == 15


def test_a_setup_that_hides_its_awaitable_is_refused(clock: Work):
    def setup() -> object:
        return clock.taking_async(1)()

    contender = Contender("c", clock.taking(0.001), setup=setup)
    with pytest.raises(BenchmarkError, match="async def"):
        compare("c", baseline=contender, contenders=[], clock=clock, sampling=EXACT)


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_the_collector_rests_in_samples_and_is_as_before_after(clock: Work, *, enabled: bool, keep: bool):
    inside = list[bool]()

    def call() -> None:
        clock.seconds += 0.001
        inside.append(gc.isenabled())

    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        sampling = Sampling(rounds=3, keep_gc=keep)
        compare("gc", baseline=Contender("b", call, calls=1), contenders=[], clock=clock, sampling=sampling)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()
    # the first call only finds out whether there is something to await
    assert set(inside[1:]) == {enabled and keep}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_failing_contender_is_named_and_the_collector_restored(clock: Work, *, asynchronous: bool):
    left = [3]
    torn_down = list[int]()

    def fail() -> None:
        clock.seconds += 0.001
        left[0] -= 1
        if left[0] < 0:
            raise LookupError("no such voice")

    async def afail() -> None:
        fail()

    contender = Contender("broken", afail if asynchronous else fail, teardown=lambda: torn_down.append(1))
    with pytest.raises(LookupError, match="no such voice") as caught:
        compare("c", baseline=Contender("b", clock.taking(0.001)), contenders=[contender], clock=clock)
    assert caught.value.__notes__ == ["while measuring the contender 'broken'"]
    assert gc.isenabled()
    assert torn_down


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"contenders": [Contender("b", int)]}, "not unique"),
        ({"contenders": [Contender("b (again)", int)]}, "not unique"),
        ({"gates": {"ours": Gate(at_most=1)}}, "a gate names 'ours'"),
        ({"gates": {"c": Gate(at_most_ms=20)}}, "limits a latency"),
        ({"clock": "sundial"}, "cpu, cpu\\+children or wall"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(options: dict[str, object], message: str):
    def explode() -> None:
        raise AssertionError

    arguments = {"baseline": Contender("b", explode), "contenders": [Contender("c", explode)], **options}
    with pytest.raises(BenchmarkError, match=message):
        compare("x", **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Contender("c", int, calls=0),
        lambda: Contender("c", int, operations=0),
        lambda: Sampling(sample_seconds=0),
        lambda: Sampling(confidence=1),
        lambda: Sampling(min_rounds=0),
        lambda: Sampling(rounds=0),
    ],
)
def test_impossible_sampling_is_refused(make: Callable[[], object]):
    with pytest.raises(BenchmarkError):
        make()


def test_a_clock_that_stands_still_is_an_error(clock: Work):
    with pytest.raises(BenchmarkError, match="took no time on the own clock"):
        compare("x", baseline=Contender("b", int, calls=1), contenders=[], clock=clock)


def test_the_clock_of_children_counts_their_work():
    burn = [sys.executable, "-I", "-S", "-c", "sum(range(3_000_000))"]
    contenders = [Contender("child", lambda: subprocess.run(burn, check=True), calls=1)]
    baseline = Contender("nothing", lambda: sum(range(1000)))

    def ratio(clock: str) -> float:
        sampling = Sampling(rounds=3)
        report = compare("c", baseline=baseline, contenders=contenders, clock=clock, sampling=sampling)  # type: ignore[arg-type]
        return report.row("child").median

    assert ratio("cpu+children") > 3 * ratio("cpu")


def test_wall_time_counts_waiting_and_cpu_time_does_not():
    nap = Contender("nap", lambda: time.sleep(0.002), calls=1)
    busy = Contender("busy", lambda: sum(range(20_000)), calls=1)

    def seconds(clock: str) -> float:
        report = compare("c", baseline=busy, contenders=[nap], clock=clock, sampling=Sampling(rounds=5))  # type: ignore[arg-type]
        return report.row("nap").median

    assert seconds("wall") >= 0.002
    assert seconds("cpu") < 0.001


def test_pace_shortens_a_comparison():
    baseline = Contender("b", lambda: sum(range(100)))
    started = time.monotonic()
    with pace(0.001):
        compare("b", baseline=baseline, contenders=[], seconds=60)
    assert time.monotonic() - started < 10
    with pytest.raises(BenchmarkError), pace(0):
        pass


def test_the_report_reads_as_a_table_and_as_json(clock: Work):
    report = compare(
        "work",
        baseline=Contender("base", clock.taking(0.001)),
        contenders=[Contender("ours", clock.taking(0.0005)), Contender("other", clock.taking(0.001))],
        gates={"ours": Gate(at_most=0.6)},
        clock=clock,
        sampling=EXACT,
    )
    lines = report.table().splitlines()
    assert lines[0].startswith("work  [own time, 15 rounds, ")
    assert [line.split() for line in lines[1:]] == [
        ["time", "ratio", "99", "%", "interval", "gate", "verdict"],
        ["base", "1.00", "ms", "1.00", "baseline"],
        ["base", "(again)", "1.00", "ms", "1.00", "1.00", "..", "1.00", "A/A", "control"],
        ["ours", "500", "us", "0.500", "0.500", "..", "0.500", "<=", "0.6", "pass"],
        ["other", "1.00", "ms", "1.00", "1.00", "..", "1.00", "no", "change"],
    ]
    assert report.table().isascii()
    document = report.as_json()
    assert (document["kind"], document["passed"]) == ("comparison", True)
    ours = document["rows"][2]  # type: ignore[index]
    assert ours["ratio"] == pytest.approx(0.5)
    assert (ours["gate"], ours["verdict"], ours["change"]) == ({"at_most": 0.6}, "pass", "faster")


def test_an_unknown_row_is_a_key_error():
    with pytest.raises(KeyError):
        Report("r", "cpu", (), 0, 0.0, 0.99).row("nobody")
