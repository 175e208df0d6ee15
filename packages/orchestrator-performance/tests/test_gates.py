"""The rules of judgement."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_performance.benchmarking import (
    BenchmarkError,
    Estimate,
    Gate,
    Verdict,
    changed,
    judge_latency,
    judge_ratio,
)

ratios = st.floats(0.01, 100)
quiet = st.floats(0.92, 1.08)


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    low, middle, high = sorted(draw(st.lists(ratios, min_size=3, max_size=3)))
    return Estimate(middle, low, high)


@st.composite
def ratio_gates(draw: st.DrawFn) -> Gate:
    low, high = sorted(draw(st.lists(ratios, min_size=2, max_size=2)))
    return draw(st.sampled_from([Gate(at_most=high), Gate(at_least=low), Gate(at_least=low, at_most=high)]))


@given(ratio_gates(), estimates(), quiet)
def test_a_whole_interval_decides_at_once(gate: Gate, ratio: Estimate, control: float):
    early = judge_ratio(gate, ratio, control=control, last=False)
    if early is Verdict.PASS:
        assert gate.admits(ratio.low)
        assert gate.admits(ratio.high)
    if early is Verdict.FAIL:
        assert not gate.admits(ratio.low)
        assert not gate.admits(ratio.high)
    if early is not Verdict.INCONCLUSIVE:
        assert judge_ratio(gate, ratio, control=control) is early


@given(ratio_gates(), estimates(), quiet)
def test_the_last_judgement_is_the_medians(gate: Gate, ratio: Estimate, control: float):
    verdict = judge_ratio(gate, ratio, control=control)
    assert verdict is (Verdict.PASS if gate.admits(ratio.median) else Verdict.FAIL)


@given(ratio_gates(), estimates(), ratios)
def test_nothing_is_inconclusive_in_the_end_and_nothing_void_before(gate: Gate, ratio: Estimate, control: float):
    assert judge_ratio(gate, ratio, control=control) is not Verdict.INCONCLUSIVE
    assert judge_ratio(gate, ratio, control=control, last=False) is not Verdict.VOID


@given(ratios, estimates(), ratios)
def test_slower_never_helps(limit: float, ratio: Estimate, factor: float):
    slower = Estimate(ratio.median * (1 + factor), ratio.low * (1 + factor), ratio.high * (1 + factor))
    if judge_ratio(Gate(at_most=limit), slower) is Verdict.PASS:
        assert judge_ratio(Gate(at_most=limit), ratio) is Verdict.PASS


@given(st.floats(1.11, 10), st.sampled_from([1, -1]), estimates())
def test_a_noisy_control_voids_only_what_it_could_turn(noise: float, sign: int, ratio: Estimate):
    control = noise**sign
    close = judge_ratio(Gate(at_most=ratio.median * math.sqrt(noise)), ratio, control=control)
    clear = judge_ratio(Gate(at_most=ratio.median * noise * 1.01), ratio, control=control)
    missed = judge_ratio(Gate(at_most=ratio.median / noise / 1.01), ratio, control=control)
    assert (close, clear, missed) == (Verdict.VOID, Verdict.PASS, Verdict.FAIL)


def test_a_two_sided_gate_is_void_when_noise_could_leave_it_on_both_sides():
    gate, ratio = Gate(at_least=0.95, at_most=1.05), Estimate(1.0, 0.99, 1.01)
    assert judge_ratio(gate, ratio, control=1.0) is Verdict.PASS
    assert judge_ratio(gate, ratio, control=1.2) is Verdict.VOID


@given(estimates(), estimates())
def test_change_is_beyond_the_control_and_symmetric(ratio: Estimate, control: Estimate):
    found = changed(ratio, control)
    mirrored = changed(
        Estimate(1 / ratio.median, 1 / ratio.high, 1 / ratio.low),
        Estimate(1 / control.median, 1 / control.high, 1 / control.low),
    )
    assert (found, mirrored) in {(None, None), ("faster", "slower"), ("slower", "faster")}
    if found == "slower":
        assert ratio.low > 1.01
        assert ratio.low > control.high


def test_a_difference_the_control_shows_too_is_none():
    slower = Estimate(1.05, 1.04, 1.06)
    assert changed(slower, Estimate(1.0, 0.99, 1.01)) == "slower"
    assert changed(slower, Estimate(1.02, 0.98, 1.05)) is None
    assert changed(Estimate(1.005, 1.004, 1.006), Estimate(1.0, 0.999, 1.001)) is None


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 1))
def test_an_idle_control_over_a_quarter_of_the_gate_voids_any_result(seconds: float, idle: float, errors: float):
    gate = Gate(at_most_ms=20, error_share=0.5)
    verdict = judge_latency(gate, seconds, idle=idle, error_share=errors)
    if idle > 0.005:
        assert verdict is Verdict.VOID
    else:
        assert verdict is (Verdict.PASS if seconds <= 0.020 and errors <= 0.5 else Verdict.FAIL)


def test_one_error_fails_a_latency_gate_by_default():
    assert judge_latency(Gate(at_most_ms=20), 0.001, idle=0.0, error_share=0.001) is Verdict.FAIL


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"at_most": 1, "at_most_ms": 20},
        {"at_most": 0},
        {"at_least": -1},
        {"at_most": math.nan},
        {"at_most_ms": math.inf},
        {"at_least": 2, "at_most": 1},
        {"at_most_ms": 20, "percentile": 101},
        {"at_most_ms": 20, "error_share": 1.5},
    ],
)
def test_a_gate_that_says_nothing_is_refused(limits: dict[str, float]):
    with pytest.raises(BenchmarkError):
        Gate(**limits)


def test_gates_read_as_they_are_written():
    assert str(Gate(at_most=0.6)) == "<= 0.6"
    assert str(Gate(at_least=0.95, at_most=1.05)) == ">= 0.95 and <= 1.05"
    assert str(Gate(at_most_ms=20)) == "p99 <= 20 ms"
    assert Gate(at_least=2).as_json() == {"at_least": 2}


def test_a_ratio_gate_judges_no_latency():
    with pytest.raises(BenchmarkError, match="at_most_ms"):
        judge_latency(Gate(at_most=1), 1.0, idle=0.0)
