"""Several processes answer scrapes for each other, and what a process counted outlives it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import prometheus_client
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from metrics_workers import CALLS, DECLARED, RUNNING, SECONDS

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring.metrics import AtMost, Counter, Gauge, Histogram, Metrics

Found = dict[tuple[str, tuple[tuple[str, str], ...]], float]
FALLS = frozenset({"calls_running", "orchestrator_metrics_processes"})


def values(metrics: Metrics) -> Found:
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for each in metrics.read()}


def made(folder: Path) -> Metrics:
    return Metrics(DECLARED, folder=folder)


def test_each_process_answers_for_all(tmp_path: Path) -> None:
    one, two = made(tmp_path), made(tmp_path)
    one.counter(CALLS).labels("a").inc(2)
    two.counter(CALLS).labels("a").inc(3)
    two.histogram(SECONDS).labels().observe(0.5)
    one.gauge(RUNNING).labels().set(4)
    two.gauge(RUNNING).labels().set(5)
    for each in (one, two):
        found = values(each)
        assert found["calls_total", (("kind", "a"),)] == 5
        assert found["calls_duration_seconds_count", ()] == 1
        assert found["calls_running", ()] == 9
        assert found["orchestrator_metrics_processes", ()] == 2


def test_counts_outlive_their_process_and_gauges_do_not(tmp_path: Path) -> None:
    one, two = made(tmp_path), made(tmp_path)
    two.counter(CALLS).labels("a").inc(3)
    two.gauge(RUNNING).labels().set(5)
    two.close()
    found = values(one)
    assert found["calls_total", (("kind", "a"),)] == 3
    assert found["calls_running", ()] == 0
    assert found["orchestrator_metrics_processes", ()] == 1
    assert found["orchestrator_metrics_processes_ended_total", ()] == 1
    one.close()
    again = made(tmp_path)
    assert values(again)["calls_total", (("kind", "a"),)] == 3


@pytest.mark.parametrize(("across", "expected"), [("sum", 7), ("max", 4), ("min", 3)])
def test_gauges_of_processes_are_joined_as_declared(tmp_path: Path, across: str, expected: float) -> None:
    gauge = Gauge("queue_items", "Items.", across=across)  # type: ignore[arg-type]
    one, two = (Metrics([gauge], folder=tmp_path) for _ in range(2))
    one.gauge(gauge).labels().set(3)
    two.gauge(gauge).labels().set(4)
    assert values(one)["queue_items", ()] == expected


def test_a_fork_counts_for_itself(tmp_path: Path) -> None:
    script = """
import os, sys
from metrics_workers import CALLS, DECLARED
from orchestrator_monitoring.metrics import Metrics
metrics = Metrics(DECLARED, folder=sys.argv[1])
calls = metrics.counter(CALLS).labels("a")
calls.inc(10)
child = os.fork()
calls.inc(1 if child else 100)
if child:
    os.waitpid(child, 0)
    print({each.value for each in metrics.read() if each.name == "calls_total" and each.labels["kind"] == "a"})
else:
    os._exit(0)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environment, check=True, capture_output=True, text=True
    )
    assert told.stdout.strip() == "{111.0}"


def test_a_fold_that_was_killed_before_it_removed_the_dead_counts_nobody_twice(tmp_path: Path) -> None:
    live, dead = made(tmp_path), made(tmp_path)
    dead.counter(CALLS).labels("a").inc(3)
    dead.close()
    aside = tmp_path.parent / "aside"
    shutil.copytree(tmp_path, aside)
    values(live)
    left = [
        path for path in aside.iterdir() if path.suffix in {".keys", ".cells"} and not (tmp_path / path.name).exists()
    ]
    assert len(left) == 2
    for path in left:
        shutil.copy(path, tmp_path / path.name)
    for _ in range(2):
        assert values(live)["calls_total", (("kind", "a"),)] == 3
        assert values(live)["orchestrator_metrics_processes_ended_total", ()] == 1
    assert not any((tmp_path / path.name).exists() for path in left)


def test_a_line_that_its_process_could_not_finish_is_nothing(tmp_path: Path) -> None:
    live, dead = made(tmp_path), made(tmp_path)
    dead.counter(CALLS).labels("a").inc(3)
    dead.close()
    for path in tmp_path.glob("*.keys"):
        # Of the live one, too: it may be read while it writes.
        with path.open("ab") as file:
            file.write(b'["calls_total", "counter", ["b')
    assert values(live)["calls_total", (("kind", "a"),)] == 3


@pytest.mark.parametrize("half", [b"", b"{", b'{"names": [], "ended": 3}\n["calls_total"'])
def test_a_machine_that_fell_does_not_take_scrapes_with_it(tmp_path: Path, half: bytes) -> None:
    live, dead = made(tmp_path), made(tmp_path)
    dead.counter(CALLS).labels("a").inc(3)
    (tmp_path / "folded").write_bytes(half)
    live.counter(CALLS).labels("a").inc(2)
    dead.close()
    assert values(live)["calls_total", (("kind", "a"),)] == 5


def test_what_the_killed_left_behind_is_swept_away(tmp_path: Path) -> None:
    left = [tmp_path / ".1-hidden", tmp_path / ".2-x.folded", tmp_path / "3-orphan.cells"]
    for path in left:
        path.write_bytes(b"")
        os.utime(path, (time.time() - 3600,) * 2)
    (tmp_path / ".4-coming").write_bytes(b"")
    live, dead = made(tmp_path), made(tmp_path)
    dead.close()
    values(live)
    assert not any(path.exists() for path in left)
    assert (tmp_path / ".4-coming").exists()


def test_another_versions_buckets_are_not_mixed_with_ours(tmp_path: Path) -> None:
    old = Histogram("calls_duration_seconds", "How long.", unit="seconds", buckets=(0.5, 5.0))
    before, now = Metrics([old], folder=tmp_path), Metrics([SECONDS], folder=tmp_path)
    before.histogram(old).labels().observe(0.7)
    now.histogram(SECONDS).labels().observe(0.7)
    assert values(now)["calls_duration_seconds_count", ()] == 1
    assert values(before)["calls_duration_seconds_bucket", (("le", "0.5"),)] == 0


def test_all_processes_together_keep_to_the_bound_of_a_label(tmp_path: Path) -> None:
    rooms = Counter("rooms_total", "Rooms.", labels={"room": AtMost(10)})
    for worker in range(8):
        metrics = Metrics([rooms], folder=tmp_path)
        for number in range(10):
            metrics.counter(rooms).labels(f"{worker}-{number}").inc()
        counted = [each for each in metrics.read() if each.name == "rooms_total"]
        assert len(counted) <= 11
        assert sum(each.value for each in counted) == 10 * (worker + 1)
        metrics.close()


def test_more_series_than_fit_in_one_piece_of_memory(tmp_path: Path) -> None:
    many = Histogram("rooms_seconds", "Rooms.", unit="seconds", labels={"room": AtMost(2000)})
    one, two = (Metrics([many], folder=tmp_path) for _ in range(2))
    for number in range(1200):
        one.histogram(many).labels(str(number)).observe(number)
    found = values(two)
    for number in range(1200):
        assert found["rooms_seconds_sum", (("room", str(number)),)] == number


def test_carried_metrics_are_shared_when_they_are_refreshed(tmp_path: Path) -> None:
    declared = [
        Counter("pool_waits_total", "Waits.", labels={"pool": AtMost(5)}),
        Histogram("pool_wait_seconds", "Waits.", unit="seconds", buckets=(0.5, 1.0)),
    ]
    all_metrics, counters, histograms = [], [], []
    for _ in range(2):
        theirs = prometheus_client.CollectorRegistry()
        counters.append(prometheus_client.Counter("pool_waits", "Waits.", ["pool"], registry=theirs).labels("main"))
        histograms.append(prometheus_client.Histogram("pool_wait_seconds", "W.", buckets=(0.5, 1), registry=theirs))
        metrics = Metrics(folder=tmp_path)
        metrics.carry(theirs, declared)
        all_metrics.append(metrics)
    one, two = all_metrics
    counters[0].inc(2)
    counters[1].inc(3)
    histograms[1].observe(0.7)
    assert values(one)["pool_waits_total", (("pool", "main"),)] == 2
    two.refresh()
    found = values(one)
    assert found["pool_waits_total", (("pool", "main"),)] == 5
    assert found["pool_wait_seconds_bucket", (("le", "0.5"),)] == 0
    assert found["pool_wait_seconds_bucket", (("le", "1.0"),)] == 1
    assert found["pool_wait_seconds_sum", ()] == pytest.approx(0.7)
    two.close()
    assert values(one)["pool_waits_total", (("pool", "main"),)] == 5


def test_a_folder_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigurationError, match="folder for metrics"):
        Metrics(DECLARED, folder=tmp_path / "file" / "below")


class Processes(RuleBasedStateMachine):
    """Processes come, count, end and read in any order; a model counts along."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = Path(tempfile.mkdtemp(prefix="metrics-model-"))
        self.live: list[Metrics] = [made(self.folder)]
        self.counted: defaultdict[str, float] = defaultdict(float)
        self.gauges: dict[int, float] = {}
        self.ended = 0

    @rule()
    @precondition(lambda self: len(self.live) < 5)
    def come(self) -> None:
        self.live.append(made(self.folder))

    @rule(who=st.integers(0, 4), kind=st.sampled_from(["a", "b", "c"]), amount=st.integers(0, 100))
    def count(self, who: int, kind: str, amount: int) -> None:
        self.live[who % len(self.live)].counter(CALLS).labels(kind).inc(amount)
        self.counted[kind if kind in {"a", "b"} else "other"] += amount

    @rule(who=st.integers(0, 4), value=st.integers(-50, 50))
    def gauge(self, who: int, value: int) -> None:
        metrics = self.live[who % len(self.live)]
        metrics.gauge(RUNNING).labels().set(value)
        self.gauges[id(metrics)] = value

    @rule(who=st.integers(0, 4))
    @precondition(lambda self: len(self.live) > 1)
    def end(self, who: int) -> None:
        metrics = self.live.pop(who % len(self.live))
        metrics.close()
        self.gauges.pop(id(metrics), None)
        self.ended += 1
        # Kept alive: a later object must not get its id.
        self.gone = [*getattr(self, "gone", []), metrics]

    @invariant()
    def anybody_tells_the_whole(self) -> None:
        found = values(self.live[-1])
        for kind in ("a", "b", "other"):
            assert found.get(("calls_total", (("kind", kind),)), 0) == self.counted[kind]
        assert found["calls_running", ()] == sum(self.gauges.values())
        assert found["orchestrator_metrics_processes", ()] == len(self.live)
        assert found["orchestrator_metrics_processes_ended_total", ()] == self.ended

    def teardown(self) -> None:
        for metrics in self.live:
            metrics.close()
        shutil.rmtree(self.folder)


TestProcesses = Processes.TestCase
TestProcesses.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@contextmanager
def workers(folder: Path, told: Path) -> Iterator[subprocess.Popen[str]]:
    told.touch()
    program = [sys.executable, str(Path(__file__).with_name("metrics_workers.py")), str(folder), str(told)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        yield starter
        # The end of its input makes it kill whoever is left.


def start(starter: subprocess.Popen[str]) -> int:
    assert starter.stdin is not None
    assert starter.stdout is not None
    starter.stdin.write("\n")
    starter.stdin.flush()
    return int(starter.stdout.readline())


def run_kills(tmp_path: Path, kills: int) -> None:
    folder, told, dice = tmp_path / "metrics", tmp_path / "told", random.Random(7)
    watching, before = Metrics(DECLARED, folder=folder), Found()
    with workers(folder, told) as starter:
        running = [start(starter) for _ in range(3)]
        for _ in range(kills):
            time.sleep(dice.uniform(0.0, 0.2))
            os.kill(running.pop(dice.randrange(len(running))), signal.SIGKILL)
            running.append(start(starter))
            for _ in range(3):
                now = values(watching)
                fell = {
                    key: (value, now.get(key))
                    for key, value in before.items()
                    if key[0] not in FALLS and now.get(key, 0) < value
                }
                assert not fell
                before = now
    deadline = time.monotonic() + 20
    while values(watching)["orchestrator_metrics_processes", ()] > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    end = values(watching)
    counted, proven = end["calls_total", (("kind", "a"),)], told.stat().st_size
    # Some are killed before they have joined.
    assert 0 < end["orchestrator_metrics_processes_ended_total", ()] <= kills + 3
    assert proven > kills
    # A worker may be killed after it has counted and before it has said so; never the other way round.
    assert proven <= counted <= proven + kills + 3
    assert end["calls_running", ()] == 0


def test_no_counter_falls_and_no_count_is_lost_when_workers_are_killed(tmp_path: Path) -> None:
    run_kills(tmp_path, kills=10)


@pytest.mark.soak
def test_no_counter_falls_over_a_hundred_random_kills(tmp_path: Path) -> None:
    run_kills(tmp_path, kills=100)
