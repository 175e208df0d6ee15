"""The course of a comparison on a made-up machine: noisy, drifting, and as fast as a loop."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_performance.benchmarking import Contender, Gate, Report, Sampling, Verdict
from orchestrator_performance.benchmarking._rounds import Request, more_calls, planned, steps
from orchestrator_performance.benchmarking._sampling import Taken


class Machine:
    """Runs a comparison in made-up time: `speeds` are seconds per call, `noise` multiplies each sample."""

    def __init__(self, speeds: Mapping[str, float], noise: Callable[[float], float] = lambda _: 1.0) -> None:
        self.now, self.requests = 0.0, list[Request]()
        self._speeds, self._noise = speeds, noise

    def run(self, gates: Mapping[str, Gate] | None = None, seconds: float = 0.5, **sampling: float) -> Report:
        baseline, *contenders = (Contender(name, int) for name in self._speeds)
        how = Sampling(**sampling)  # type: ignore[arg-type]
        course = steps(planned("made up", baseline, contenders, gates or {}, seconds, "own", how), lambda: self.now)
        request = next(course)
        while True:
            self.requests.append(request)
            speed = self._speeds[request.contender.name.removesuffix(" (again)")]
            measured = request.calls * speed * self._noise(self.now)
            self.now += measured
            try:
                request = course.send(Taken(measured, measured))
            except StopIteration as finished:
                return finished.value


def shared_machine(seed: int) -> Callable[[float], float]:
    """A drift of three times over the run, 2 % jitter, and one sample in ten preempted."""
    draw = random.Random(seed)

    def noise(now: float) -> float:
        stolen = draw.expovariate(1.0) if draw.random() < 0.1 else 0.0
        return (1 + 2 * now) * draw.gauss(1, 0.02) * (1 + stolen)

    return noise


def test_a_drift_of_three_times_cancels_out():
    machine = Machine({"base": 1e-5, "ours": 5e-6}, shared_machine(1))
    report = machine.run()
    assert report.row("ours").ratio.median == pytest.approx(0.5, rel=0.01)
    assert report.row("base").ratio.median == 1


def test_a_thousand_comparisons_of_equals_raise_no_false_alarm():
    alarms = sum(
        Machine({"base": 1e-5, "same": 1e-5}, shared_machine(seed)).run(seconds=0.1).row("same").change is not None
        for seed in range(1_000)
    )
    assert alarms <= 5


def test_a_slow_down_of_five_percent_is_found():
    found = sum(
        Machine({"base": 1e-5, "slower": 1.05e-5}, shared_machine(seed)).run().row("slower").change == "slower"
        for seed in range(100)
    )
    assert found >= 99


def test_every_round_samples_everybody_once_in_changing_order():
    machine = Machine({"base": 1e-4, "a": 1e-4, "b": 1e-4})
    report = machine.run(rounds=21)
    names = [request.contender.name for request in machine.requests][-21 * 4 :]
    orders = {tuple(names[start : start + 4]) for start in range(0, len(names), 4)}
    assert all(sorted(order) == ["a", "b", "base", "base (again)"] for order in orders)
    assert len(orders) > 5
    assert report.rounds == 21


def test_the_same_seed_gives_the_same_order():
    def order(seed: int) -> list[str]:
        machine = Machine({"base": 1e-4, "a": 1e-4})
        machine.run(rounds=15, seed=seed)
        return [request.contender.name for request in machine.requests]

    assert order(7) == order(7)
    assert order(7) != order(8)


def test_an_undecided_gate_gets_two_more_helpings_and_then_the_median_decides():
    machine = Machine({"base": 1e-5, "ours": 1e-5}, shared_machine(3))
    report = machine.run({"ours": Gate(at_most=1.0)}, seconds=0.2)
    assert 0.6 <= report.took < 0.61
    row = report.row("ours")
    assert row.ratio.low < 1 < row.ratio.high
    assert row.verdict is (Verdict.PASS if row.ratio.median <= 1 else Verdict.FAIL)


def test_a_decided_gate_takes_no_more_time():
    report = Machine({"base": 1e-5, "ours": 1e-5}, shared_machine(3)).run({"ours": Gate(at_most=2)}, seconds=0.2)
    assert 0.2 <= report.took < 0.21
    assert report.passed


def test_a_preempted_calibration_does_not_shorten_the_samples():
    spike = iter([10_000.0])
    report = Machine({"base": 1e-6}, lambda _: next(spike, 1.0)).run(rounds=1)
    assert report.rows[0].calls >= 500


def test_equals_get_samples_of_equal_length():
    report = Machine({"base": 1e-6, "same": 1.05e-6, "slow": 9e-6}, shared_machine(1)).run()
    assert len({row.calls for row in report.rows[:3]}) == 1
    assert report.row("slow").calls < 100


def test_exact_rounds_are_not_exceeded_by_an_undecided_gate():
    report = Machine({"base": 1e-5, "ours": 1e-5}, shared_machine(3)).run({"ours": Gate(at_most=1)}, rounds=31)
    assert report.rounds == 31
    assert report.row("ours").verdict in {Verdict.PASS, Verdict.FAIL}


def test_a_machine_that_stutters_for_one_of_two_equals_voids_a_close_gate():
    fast, slow = 1e-5, 1.5e-5

    machine = Machine(
        {"base": fast, "ours": fast},
        lambda _: slow / fast if machine.requests[-1].contender.name == "base (again)" else 1.0,
    )
    report = machine.run({"ours": Gate(at_most=1.2)})
    assert report.control.ratio.median == pytest.approx(1.5)
    assert report.row("ours").verdict is Verdict.VOID
    assert report.passed is None
    assert "void" in report.table()


@given(st.floats(1e-9, 0.5), st.floats(1e-4, 0.1))
def test_a_sample_is_calibrated_to_its_time(speed: float, target: float):
    machine = Machine({"base": speed})
    report = machine.run(rounds=1, sample_seconds=target)
    sample = report.rows[0].calls * speed
    assert sample >= target * 0.999
    assert sample <= max(target * 1.11 + speed, speed)


@given(st.integers(1, 10**9), st.floats(0, 10), st.floats(1e-6, 1))
def test_calibration_grows_but_never_leaps(calls: int, elapsed: float, target: float):
    assert calls < more_calls(calls, elapsed, target) <= max(10 * calls, calls + 1)


@given(st.floats(0.01, 5), st.integers(1, 40))
def test_the_least_number_of_rounds_is_taken_however_slow(speed: float, least: int):
    report = Machine({"base": speed, "ours": speed}).run(seconds=0.001, min_rounds=least)
    assert report.rounds >= least
    assert report.rounds % 2 == 1
    assert report.rounds <= least + 1
