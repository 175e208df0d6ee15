"""Does the harness tell the truth on this machine? What is planted must be found, and nothing else.

Equals are compared with each other, a slow-down of 5 % is planted, and a service that stands still is loaded in an open loop, where the
percentiles follow from the length of the stall, and in a closed one, which misses it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator_performance.benchmarking._comparison import compare
from orchestrator_performance.benchmarking._open_loop import open_loop, trials
from orchestrator_performance.benchmarking._rounds import Sampling
from orchestrator_performance.benchmarking._sampling import Contender

__all__ = ["Finding", "self_test"]

RATE = 200.0
_CLOSED = 2_000
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
        equals: Comparisons of equals, of half a second each. At most 1 % may be alarms; of few, as many as chance allows with 99 %.
        planted: Comparisons with a contender that is 5 % slower, of at most 10 seconds each; 95 % must find it.
        stall: Seconds that the loaded service stands still; the load lasts twelve times as long.
        say: Told what is done next.
    """
    say(f"{equals} comparisons of equals, {equals / 2:.0f} s")
    alarms = sum(_change(_work, 0.5, seed) is not None for seed in range(equals))
    allowed = _allowed(equals)
    findings = [
        Finding(
            f"{equals} comparisons of equals", f"{alarms} false alarms", f"at most {allowed} (1 %)", alarms <= allowed
        )
    ]
    say(f"a slow-down of 5 %, {planted} times, at most {planted * 10} s")
    found = sum(
        any(_change(_slower, seconds, seed) == "slower" for seconds in _QUICK_HELPINGS) for seed in range(planted)
    )
    least = math.floor(planted * 0.95)
    findings.append(
        Finding(
            "a slow-down of 5 %, within 10 s", f"found {found} of {planted} times", f"at least {least}", found >= least
        )
    )
    say(f"a service that stands still for {stall:g} s, {14 * stall:.0f} s")
    return (*findings, *_stall_findings(stall))


def _stall_findings(stall: float) -> tuple[Finding, Finding]:
    span = 12 * stall
    opened, closed = asyncio.run(_stalled(stall, span))
    analytic = stall - span / 100
    return (
        Finding(
            f"a stall of {stall:g} s in {span:g} s, open loop",
            f"p99 {opened:.3f} s",
            f"{analytic:.3f} s +- 5 %",
            abs(opened / analytic - 1) <= 0.05,
        ),
        Finding("the same in a closed loop", f"p99 {closed:.3f} s", "misses it", closed < analytic / 2),
    )


def _allowed(count: int) -> int:
    """Alarms that equals give by chance with 99 %, if each is one in a hundred; exactly 1 % from a thousand on."""
    if count >= 1_000:
        return count // 100
    share, at_most = 0.99**count, 0
    total = share
    while total < 0.99:
        at_most += 1
        share *= (count - at_most + 1) / at_most * 0.01 / 0.99
        total += share
    return at_most


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


async def _stalled(stall: float, span: float) -> tuple[float, float]:
    """The p99 of an open loop and that of a closed one."""
    idle = 0.2
    service = _Stalling(idle + span / 3, stall)
    opened = await open_loop("open", arrive=service, rate=RATE, seconds=span, warmup=0, idle_seconds=idle)
    again = _Stalling(idle + 1, stall)

    async def one(_: int) -> float:
        started = time.monotonic()
        await again()
        return time.monotonic() - started

    closed = await trials("closed", one, range(_CLOSED), idle_seconds=idle)
    return opened.latency.percentile(99), closed.latency.percentile(99)
