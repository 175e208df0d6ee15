"""The harness measures itself on the machine it runs on."""

from __future__ import annotations

import pytest

from orchestrator_performance.benchmarking import Contender, Report, Sampling, compare, selftest
from orchestrator_performance.benchmarking.selftest import Finding, self_test


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
    findings = self_test(equals=4, planted=1, stall=0.6, say=told.append)
    assert [each.name for each in findings if not each.passed] == []
    assert len(findings) == 4
    assert len(told) == 3


def told(monkeypatch: pytest.MonkeyPatch, *, equals: int, alarms: int, planted: int, found: int) -> list[Finding]:
    """What the self-test says of a harness that raises so many alarms and finds so many slow-downs."""
    slow, equal = iter(range(10**6)), iter(range(10**6))

    def say(contender: object, seconds: float, seed: int) -> str | None:
        if contender is selftest._slower:
            return "slower" if next(slow) < found else None
        return "faster" if next(equal) < alarms else None

    monkeypatch.setattr(selftest, "_change", say)
    monkeypatch.setattr(selftest, "_QUICK_HELPINGS", (1.0,))
    monkeypatch.setattr(selftest, "_stall_findings", lambda _: ())
    return list(self_test(equals=equals, planted=planted))


@pytest.mark.parametrize(("planted", "least"), [(1, 1), (2, 1), (5, 3), (20, 16), (40, 38), (100, 95)])
def test_who_finds_too_few_slow_downs_fails(monkeypatch: pytest.MonkeyPatch, planted: int, least: int):
    for found, passed in ((0, False), (least - 1, False), (least, True), (planted, True)):
        _, finding = told(monkeypatch, equals=1, alarms=0, planted=planted, found=found)
        assert finding.passed is passed, (found, finding)


@pytest.mark.parametrize(("equals", "most"), [(1, 0), (4, 1), (40, 2), (999, 18), (1000, 10), (2000, 20)])
def test_who_raises_too_many_alarms_fails(monkeypatch: pytest.MonkeyPatch, equals: int, most: int):
    for alarms, passed in ((0, True), (most, True), (most + 1, False)):
        finding, _ = told(monkeypatch, equals=equals, alarms=alarms, planted=1, found=1)
        assert finding.passed is passed, (alarms, finding)


@pytest.mark.parametrize(
    ("p99", "idle", "passed"),
    [(0.88, 0.0, True), (0.93, 0.0, False), (0.93, 0.03, True), (0.80, 0.03, False), (1.05, 0.5, False)],
)
def test_a_stall_is_judged_by_its_length_and_what_an_idle_loop_is_late(
    monkeypatch: pytest.MonkeyPatch, p99: float, idle: float, passed: bool
):
    async def stalled(stall: float, span: float) -> tuple[float, float, float]:
        return p99, 0.01, idle

    monkeypatch.setattr(selftest, "_stalled", stalled)
    opened, closed = selftest._stall_findings(1.0)
    assert (opened.passed, closed.passed) == (passed, True)


@pytest.mark.soak
def test_a_thousand_comparisons_of_equals_give_at_most_one_percent_false_alarms():
    assert sum(change(work, 0.5, seed) is not None for seed in range(1_000)) <= 10


@pytest.mark.soak
def test_a_slow_down_of_five_percent_is_found_nineteen_times_of_twenty():
    assert sum(change(five_percent_slower, 10, seed) == "slower" for seed in range(40)) >= 38
