"""The harness measures itself on the machine it runs on."""

from __future__ import annotations

import pytest

from orchestrator_performance.benchmarking import Contender, Report, Sampling, compare
from orchestrator_performance.benchmarking.selftest import self_test


def work(units: int = 20) -> None:
    for _ in range(units):
        sum(range(50))


def five_percent_slower() -> None:
    work(21)


def against(contender: object, seconds: float, seed: int) -> Report:
    return compare(
        "self-test",
        baseline=Contender("work", work),
        contenders=[Contender("contender", contender)],  # type: ignore[arg-type]
        seconds=seconds,
        sampling=Sampling(seed=seed),
    )


def change(contender: object, seconds: float, seed: int) -> str | None:
    return against(contender, seconds, seed).row("contender").change


def test_equals_raise_no_alarm():
    assert [change(work, 0.2, seed) for seed in range(5)].count(None) >= 4


def test_a_slow_down_of_five_percent_is_found_within_ten_seconds():
    assert any(change(five_percent_slower, seconds, seconds) == "slower" for seconds in (1, 3, 6))


def test_the_command_finds_what_is_planted():
    told = list[str]()
    findings = self_test(equals=4, planted=1, stall=0.3, say=told.append)
    assert [each.name for each in findings if not each.passed] == []
    assert len(findings) == 4
    assert len(told) == 3


@pytest.mark.soak
def test_a_thousand_comparisons_of_equals_give_at_most_one_percent_false_alarms():
    assert sum(change(work, 0.5, seed) is not None for seed in range(1_000)) <= 10


@pytest.mark.soak
def test_a_slow_down_of_five_percent_is_found_nineteen_times_of_twenty():
    assert sum(change(five_percent_slower, 10, seed) == "slower" for seed in range(40)) >= 38
