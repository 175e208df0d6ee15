"""Contenders against a baseline, interleaved in one process: the part that takes the times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from orchestrator_performance.benchmarking._errors import BenchmarkError
from orchestrator_performance.benchmarking._gates import Gate
from orchestrator_performance.benchmarking._pace import paced
from orchestrator_performance.benchmarking._reports import Report
from orchestrator_performance.benchmarking._rounds import Plan, Sampling, planned, steps
from orchestrator_performance.benchmarking._sampling import (
    ClockName,
    Contender,
    Timer,
    answers_awaitable,
    clock_name,
    needs_loop,
    take,
    take_async,
    timer,
)


def compare(
    name: str,
    *,
    baseline: Contender,
    contenders: Sequence[Contender],
    gates: Mapping[str, Gate] | None = None,
    seconds: float = 3.0,
    clock: ClockName | Timer = "cpu",
    sampling: Sampling | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> Report:
    """Measure contenders as ratios to a baseline.

    A round samples the baseline, the baseline again (the A/A control) and every contender, in random order; a ratio is always taken
    within one round, so that a slower minute of the machine slows both sides of it. The report states the median ratio and its
    bootstrap interval. Garbage collection is off inside a sample. While a gate is inconclusive (`judge_ratio`), up to two more
    helpings of `seconds` are taken before the median alone decides.

    Args:
        name: What is measured; the table's title.
        baseline: What all ratios are to.
        contenders: Sync and async ones may be mixed; with an async one, all run in one event loop.
        gates: By contender's name, limits on the ratio.
        seconds: How long to take rounds, calibration not counted.
        clock: `cpu` (this process, all threads), `cpu+children` (and child processes waited for), `wall`, or a function.
        sampling: How samples are taken.
        loop_factory: Makes the event loop, for example `uvloop.new_event_loop`.

    Raises:
        BenchmarkError: Names or gates do not fit, nothing measurable was done, or an async contender is compared from inside a
            running event loop (use `acompare`).
    """
    read, how = timer(clock), sampling or Sampling()
    plan = planned(name, baseline, contenders, gates or {}, paced(seconds), clock_name(clock), how)
    if not any(needs_loop(entrant) for entrant in (baseline, *contenders)):
        return _drive(plan, read)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(_drive_async(plan, read))
    raise BenchmarkError("an event loop is running here: use `await acompare(...)` for async contenders")


async def acompare(
    name: str,
    *,
    baseline: Contender,
    contenders: Sequence[Contender],
    gates: Mapping[str, Gate] | None = None,
    seconds: float = 3.0,
    clock: ClockName | Timer = "cpu",
    sampling: Sampling | None = None,
) -> Report:
    """`compare` inside the running event loop. What else the loop does meanwhile falls into the samples."""
    read, how = timer(clock), sampling or Sampling()
    plan = planned(name, baseline, contenders, gates or {}, paced(seconds), clock_name(clock), how)
    return await _drive_async(plan, read)


def _drive(plan: Plan, read: Timer) -> Report:
    course = steps(plan, time.monotonic)
    request = next(course)
    while True:
        taken = take(request.contender, request.calls, read, keep_gc=plan.sampling.keep_gc)
        try:
            request = course.send(taken)
        except StopIteration as finished:
            return cast("Report", finished.value)


async def _drive_async(plan: Plan, read: Timer) -> Report:
    awaited = {entrant.name: await answers_awaitable(entrant) for entrant in plan.entrants}
    course, keep_gc = steps(plan, time.monotonic), plan.sampling.keep_gc
    request = next(course)
    while True:
        entrant = request.contender
        await asyncio.sleep(0)  # what else the loop has to do is done between samples
        taken = await take_async(entrant, request.calls, read, keep_gc=keep_gc, awaited=awaited[entrant.name])
        try:
            request = course.send(taken)
        except StopIteration as finished:
            return cast("Report", finished.value)
