"""Does the harness tell the truth on this machine? What is planted must be found, and nothing else.

Equals are compared with each other, a slow-down of 5 % is planted, and a service that stands still is loaded in an open loop, where the
percentiles follow from the length of the stall, and in a closed one, which misses it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator_performance.benchmarking._comparison import compare
from orchestrator_performance.benchmarking._open_loop import open_loop, trials
from orchestrator_performance.benchmarking._rounds import Sampling
from orchestrator_performance.benchmarking._sampling import Contender
from orchestrator_performance.benchmarking._statistics import binomial_tail

__all__ = ["Finding", "self_test"]

RATE = 200.0
_CLOSED = 2_000
_ONE_IN_A_HUNDRED = 0.01 + 1e-9  # and the last bits of a sum of floats
_QUICK_HELPINGS = (1.0, 3.0, 6.0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One question to the harness.

    Attributes:
        name: What was planted.
        told: What the harness said.
        expected: What it had to say.
        passed: Whether it did.
    """

    name: str
    told: str
    expected: str
    passed: bool


def self_test(
    *, equals: int = 40, planted: int = 5, stall: float = 1.0, say: Callable[[str], None] = lambda _: None
) -> tuple[Finding, ...]:
    """Ask the harness what is known.

    Args:
        equals: Comparisons of equals, of half a second each. At most 1 % may be alarms; below a thousand, what 1 % gives by chance in 99 of 100 runs.
        planted: Comparisons with a contender that is 5 % slower, of at most 10 seconds each. At most 5 % may miss it; below 40, what 5 % gives by
            chance in 99 of 100 runs, and never all of them.
        stall: Seconds that the loaded service stands still; the load lasts twelve times as long.
        say: Told what is done next.
    """
    say(f"{equals} comparisons of equals, {equals / 2:.0f} s")
    alarms = sum(_change(_work, 0.5, seed) is not None for seed in range(equals))
    allowed = _by_chance(equals, 0.01, enough=1_000)
    findings = [
        Finding(f"{equals} comparisons of equals", f"{alarms} false alarms", f"at most {allowed}", alarms <= allowed)
    ]
    say(f"a slow-down of 5 %, {planted} times, at most {planted * 10} s")
    found = sum(
        any(_change(_slower, seconds, seed) == "slower" for seconds in _QUICK_HELPINGS) for seed in range(planted)
    )
    # Whoever finds nothing has found nothing out, however few were asked.
    least = max(1, planted - _by_chance(planted, 0.05, enough=40))
    findings.append(
        Finding(
            "a slow-down of 5 %, within 10 s", f"found {found} of {planted} times", f"at least {least}", found >= least
        )
    )
    say(f"a service that stands still for {stall:g} s, {14 * stall:.0f} s")
    return (*findings, *_stall_findings(stall))


def _stall_findings(stall: float) -> tuple[Finding, Finding]:
    span = 12 * stall
    opened, closed, idle = asyncio.run(_stalled(stall, span))
    analytic = stall - span / 100
    # A machine that others use is late by itself, as it is with nothing to do; where that is much, nothing can be told, and the finding is no pass.
    late = min(idle, 0.1 * analytic)
    return (
        Finding(
            f"a stall of {stall:g} s in {span:g} s, open loop",
            f"p99 {opened:.3f} s",
            f"{analytic:.3f} s +- 5 %, and what an idle loop is late, {idle * 1000:.0f} ms",
            -0.05 * analytic <= opened - analytic <= 0.05 * analytic + late,
        ),
        Finding("the same in a closed loop", f"p99 {closed:.3f} s", "misses it", closed < analytic / 2),
    )


def _by_chance(count: int, share: float, *, enough: int) -> int:
    """How many of `count` may come out wrong if each does with the chance `share`: no more do in 99 of 100 runs. From `enough` on it is that share itself."""
    if count >= enough:
        return round(count * share)
    return next(wrong for wrong in range(count + 1) if binomial_tail(count, share, wrong + 1) <= _ONE_IN_A_HUNDRED)


def _work(units: int = 20) -> None:
    for _ in range(units):
        sum(range(50))


def _slower() -> None:
    _work(21)


def _change(contender: Callable[[], None], seconds: float, seed: int) -> str | None:
    report = compare(
        "self-test",
        baseline=Contender("work", _work),
        contenders=[Contender("contender", contender)],
        seconds=seconds,
        sampling=Sampling(seed=seed),
    )
    return report.row("contender").change


class _Stalling:
    """Answers in a millisecond, except for one stall, when it stands still."""

    def __init__(self, begins: float, lasts: float) -> None:
        self._from = time.monotonic() + begins
        self._until = self._from + lasts

    async def __call__(self) -> None:
        now = time.monotonic()
        if self._from <= now < self._until:
            await asyncio.sleep(self._until - now)
        await asyncio.sleep(0.001)


async def _stalled(stall: float, span: float) -> tuple[float, float, float]:
    """The p99 of an open loop, that of a closed one, and how late an idle loop is."""
    idle = 0.2
    service = _Stalling(idle + span / 3, stall)
    opened = await open_loop("open", arrive=service, rate=RATE, seconds=span, warmup=0, idle_seconds=idle)
    again = _Stalling(idle + 1, stall)

    async def one(_: int) -> float:
        started = time.monotonic()
        await again()
        return time.monotonic() - started

    closed = await trials("closed", one, range(_CLOSED), idle_seconds=idle)
    return opened.latency.percentile(99), closed.latency.percentile(99), opened.idle.percentile(99)
