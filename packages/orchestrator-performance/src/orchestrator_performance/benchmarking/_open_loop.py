"""Load that does not wait for the system it loads.

Operations start at intended times, however long the ones before take, and their latency counts from the intended time. A caller who
had to wait because the system stood still is therefore in the figures; a closed loop, which starts the next operation when the last
one is done, leaves him out (Gil Tene's "coordinated omission").
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

from orchestrator_kernel.ports.clock import Clock, SystemClock
from orchestrator_performance.benchmarking._errors import BenchmarkError
from orchestrator_performance.benchmarking._gates import Gate, judge_latency
from orchestrator_performance.benchmarking._histogram import LatencyHistogram
from orchestrator_performance.benchmarking._pace import paced
from orchestrator_performance.benchmarking._reports import GateResult, LatencyReport
from orchestrator_performance.benchmarking.resources import ResourceUse, Watch, watch

IDLE_TICK = 0.002
UNFINISHED = "unfinished"

T = TypeVar("T")


def evenly(rate: float) -> Iterator[float]:
    """Arrivals at one distance: offsets in seconds from the start, without end.

    Raises:
        BenchmarkError: The rate is not above 0.
    """
    _check_rate(rate)
    return (number / rate for number in itertools.count())


def poisson(rate: float, seed: int = 0) -> Iterator[float]:
    """Arrivals of many independent callers, `rate` a second on average: offsets in seconds from the start, without end.

    Raises:
        BenchmarkError: The rate is not above 0.
    """
    _check_rate(rate)
    gaps = random.Random(seed)
    return itertools.accumulate(gaps.expovariate(rate) for _ in itertools.repeat(None))


async def open_loop(
    name: str,
    *,
    arrive: Callable[[], Awaitable[object]],
    rate: float | None = None,
    arrivals: Iterable[float] | None = None,
    seconds: float = 10.0,
    warmup: float = 1.0,
    gates: Gate | Sequence[Gate] = (),
    clock: Clock | None = None,
    idle_seconds: float = 0.5,
    drain: float = 30.0,
    processes: Sequence[int] | None = None,
) -> LatencyReport:
    """Start operations at intended times and measure from these.

    Args:
        name: What is measured; the table's title.
        arrive: One operation. An exception counts as its failure and never stops the load.
        rate: Arrivals per second at one distance; or give `arrivals`.
        arrivals: Ascending offsets in seconds from the start (`evenly`, `poisson`, a `Pattern`, your own); cut off after `warmup + seconds`.
        seconds: How long to measure.
        warmup: Seconds of load before that, which are not measured.
        gates: Limits on percentiles. Failed operations fail them too, unless `error_share` allows some.
        clock: Whose time counts; it must be that of the running loop.
        idle_seconds: How long to watch the idle loop, before the load and again after it.
        drain: Seconds after the last arrival until what still runs is cancelled, counted as `unfinished`, and recorded with its age.
        processes: Ids of those whose use of processor and memory is reported, on the system's clock; this one if not given.

    Raises:
        BenchmarkError: Not exactly one of rate and arrivals, no arrival to measure, a gate that limits a ratio, or a process that is not there.
    """
    limits, time = _latency_gates(name, gates), clock or SystemClock()
    if (rate is None) == (arrivals is None):
        raise BenchmarkError(f"{name}: give either a rate or arrivals")
    offsets = evenly(rate) if rate is not None else iter(arrivals or ())
    warm, end = paced(warmup), paced(warmup) + paced(seconds)
    idle = await idle_lag(idle_seconds, time)
    load = _Load(arrive, time, warm)
    # In virtual time nothing is used that would say anything.
    async with watch(processes) if isinstance(time, SystemClock) else nullcontext(Watch()) as watched:
        await load.run(itertools.takewhile(lambda offset: offset < end, offsets), drain)
    idle = idle.merged(await idle_lag(idle_seconds, time))
    if not load.arrivals:
        raise BenchmarkError(f"{name}: no operation arrived within the {end - warm:g} s that were to be measured")
    window = end - warm
    took = max(window, load.took)
    return _report(name, load.measured, idle, limits, load.warmup, took, load.arrivals / window, watched.use)


async def trials(
    name: str,
    trial: Callable[[T], Awaitable[float]],
    inputs: Iterable[T],
    *,
    gates: Gate | Sequence[Gate] = (),
    clock: Clock | None = None,
    idle_seconds: float = 0.5,
) -> LatencyReport:
    """One trial after the other, each answering the seconds that it measured itself.

    For a latency that depends on an input which is to be swept, such as barge-in at every 10 ms of a sentence. It is no load test:
    the next trial waits for the last.

    Raises:
        BenchmarkError: No inputs, or a gate that limits a ratio.
    """
    limits, time, tally = _latency_gates(name, gates), clock or SystemClock(), _Tally()
    idle = await idle_lag(idle_seconds, time)
    started = time.monotonic()
    for each in inputs:
        try:
            tally.latency.record(await trial(each))
        except Exception as error:  # noqa: BLE001 - counted, reported with its text, and failing the gate
            tally.fail(error)
    took = time.monotonic() - started
    idle = idle.merged(await idle_lag(idle_seconds, time))
    if not tally.latency.count + tally.failed:
        raise BenchmarkError(f"{name}: there is no input to try")
    return _report(name, tally, idle, limits, _Tally(), took, None)


async def idle_lag(seconds: float, clock: Clock) -> LatencyHistogram:
    """How late the loop wakes up every 2 ms while nothing is asked of it: the noise floor of any latency measured on it."""
    lag, start = LatencyHistogram(), clock.monotonic()
    for tick in range(1, max(1, round(seconds / IDLE_TICK)) + 1):
        due = start + tick * IDLE_TICK
        if (wait := due - clock.monotonic()) > 0:
            await clock.sleep(wait)
        lag.record(max(0.0, clock.monotonic() - due))
    return lag


@dataclass(slots=True)
class _Tally:
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)
    started_late: LatencyHistogram = field(default_factory=LatencyHistogram)
    errors: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def failed(self) -> int:
        return self.errors.total()

    def fail(self, error: BaseException) -> None:
        kind = type(error).__name__
        self.errors[kind] += 1
        self.examples.setdefault(kind, str(error))


class _Load:
    """The operations of one run."""

    def __init__(self, arrive: Callable[[], Awaitable[object]], clock: Clock, warmup: float) -> None:
        self.warmup, self.measured, self.arrivals, self.took = _Tally(), _Tally(), 0, 0.0
        self._arrive, self._clock, self._warm = arrive, clock, warmup

    async def run(self, offsets: Iterator[float], drain: float) -> None:
        start, running = self._clock.monotonic(), set[asyncio.Task[None]]()
        async with asyncio.TaskGroup() as group:
            for offset in offsets:
                if (wait := start + offset - self._clock.monotonic()) > 0:
                    await self._clock.sleep(wait)
                measured = offset >= self._warm
                self.arrivals += measured
                task = group.create_task(self._operate(start + offset, self.measured if measured else self.warmup))
                running.add(task)
                task.add_done_callback(running.discard)
            if running:
                await asyncio.wait(running, timeout=drain)
            for task in tuple(running):
                task.cancel()
        self.took = self._clock.monotonic() - start - self._warm

    async def _operate(self, intended: float, tally: _Tally) -> None:
        tally.started_late.record(max(0.0, self._clock.monotonic() - intended))
        try:
            await self._arrive()
        except asyncio.CancelledError as error:
            if not _cancelled_from_outside():
                tally.fail(error)
                return
            tally.errors[UNFINISHED] += 1
            tally.latency.record(max(0.0, self._clock.monotonic() - intended))
            raise
        except Exception as error:  # noqa: BLE001 - counted, reported with its text, and failing the gate
            tally.fail(error)
        else:
            tally.latency.record(max(0.0, self._clock.monotonic() - intended))


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _report(
    name: str,
    tally: _Tally,
    idle: LatencyHistogram,
    gates: Sequence[Gate],
    warmup: _Tally,
    took: float,
    rate: float | None,
    resources: ResourceUse | None = None,
) -> LatencyReport:
    count = tally.latency.count + tally.failed - tally.errors[UNFINISHED]
    results: list[GateResult] = []
    for gate in gates:
        reached, lag = tally.latency.percentile(gate.percentile), idle.percentile(gate.percentile)
        verdict = judge_latency(gate, reached, idle=lag, error_share=tally.failed / count)
        results.append(GateResult(gate, verdict, reached, lag))
    return LatencyReport(
        name,
        tally.latency,
        dict(tally.errors),
        tally.examples,
        warmup.failed,
        took,
        rate,
        tally.started_late,
        idle,
        tuple(results),
        resources,
        next((f"{kind}: {text}" for kind, text in warmup.examples.items()), ""),
    )


def _latency_gates(name: str, gates: Gate | Sequence[Gate]) -> Sequence[Gate]:
    limits = [gates] if isinstance(gates, Gate) else gates
    for gate in limits:
        if gate.kind != "latency":
            raise BenchmarkError(f"{name}: the gate {gate} limits a ratio; latencies are judged by at_most_ms")
    return limits


def _check_rate(rate: float) -> None:
    if not rate > 0:
        raise BenchmarkError(f"a rate is a number of arrivals per second above 0, not {rate:g}")
