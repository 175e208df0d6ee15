"""The course of a comparison, without taking a single time.

`steps` is a generator that asks for samples and is sent their times; in the end it answers the report. Calibration, the order within
a round, when to stop and the verdicts are decided here, so that all of it can be tested with made-up times.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator_performance.benchmarking._errors import BenchmarkError
from orchestrator_performance.benchmarking._gates import Gate, Verdict, changed, judge_ratio
from orchestrator_performance.benchmarking._reports import Report, Row
from orchestrator_performance.benchmarking._sampling import Contender, Taken
from orchestrator_performance.benchmarking._statistics import estimate_median, median

HELPINGS = 3
ALIKE = 1.5
TRIES = 3  # a sample that was preempted looks long enough; the fastest of three seldom was
CERTAIN = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How samples are taken; the defaults suit everything from 100 ns to 100 ms a call.

    Args:
        sample_seconds: How long one sample should take; the number of calls is calibrated to it. Short samples are seldom preempted,
            and the median passes over those that were: on a busy machine 0.5 ms finds 5 % where 5 ms finds nothing.
        min_rounds: Taken even if they need longer than the seconds given.
        rounds: Exactly so many rounds instead of a time, and no more for an inconclusive gate.
        confidence: Of the intervals, between 0 and 1.
        seed: Of the order within the rounds.
        keep_gc: Leave the garbage collector as it is, for contenders whose garbage is part of the price.
    """

    sample_seconds: float = 0.0005
    min_rounds: int = 15
    rounds: int | None = None
    confidence: float = 0.99
    seed: int = 0
    keep_gc: bool = False

    def __post_init__(self) -> None:
        if not (self.sample_seconds > 0 and 0 < self.confidence < 1):
            raise BenchmarkError("a sample takes more than 0 seconds, and a confidence lies between 0 and 1")
        if self.min_rounds < 1 or (self.rounds is not None and self.rounds < 1):
            raise BenchmarkError("a comparison takes at least one round")


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. `entrants` are the baseline, the baseline again (the A/A control), then the contenders."""

    name: str
    entrants: tuple[Contender, ...]
    gates: Mapping[str, Gate]
    seconds: float
    clock: str
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Request:
    """Take a sample of so many calls."""

    contender: Contender
    calls: int


Times = dict[str, float]


def planned(
    name: str,
    baseline: Contender,
    contenders: Sequence[Contender],
    gates: Mapping[str, Gate],
    seconds: float,
    clock: str,
    sampling: Sampling,
) -> Plan:
    """Check what was asked for.

    Raises:
        BenchmarkError: Names are not unique, or a gate fits no contender.
    """
    entrants = (baseline, replace(baseline, name=f"{baseline.name} (again)"), *contenders)
    names = [entrant.name for entrant in entrants]
    if len(set(names)) < len(names):
        raise BenchmarkError(f"{name}: the contenders' names are not unique: {', '.join(names)}")
    for gated, gate in gates.items():
        if gated not in names[2:]:
            raise BenchmarkError(
                f"{name}: a gate names {gated!r}, the contenders are: {', '.join(names[2:]) or 'none'}"
            )
        if gate.kind != "ratio":
            raise BenchmarkError(f"{name}: the gate of {gated!r} limits a latency; a comparison judges ratios")
    return Plan(name, entrants, gates, seconds, clock, sampling)


def steps(plan: Plan, now: Callable[[], float]) -> Generator[Request, Taken, Report]:
    """Calibrate, warm up, and take rounds until the gates are decided or the last helping of time is used up."""
    calls = yield from _calibrated(plan)
    order = random.Random(plan.sampling.seed)
    yield from _round(plan, calls, order)  # warm-up
    started, helping, rounds = now(), 1, list[Times]()
    while True:
        while _more_wanted(plan.sampling, len(rounds), over=now() - started >= plan.seconds * helping):
            rounds.append((yield from _round(plan, calls, order)))
        last = helping == HELPINGS or plan.sampling.rounds is not None
        rows = _rows(plan, rounds, calls, last=last)
        if last or all(row.verdict is not Verdict.INCONCLUSIVE for row in rows):
            return Report(plan.name, plan.clock, rows, len(rounds), now() - started, plan.sampling.confidence)
        helping += 1


def more_calls(calls: int, elapsed: float, target: float) -> int:
    """How many calls to try next, when `calls` took `elapsed` seconds and a sample should take `target`: up to ten times as many."""
    fitting = calls * target / elapsed * 1.1 if elapsed > 0 else math.inf
    return max(calls + 1, int(min(fitting, calls * 10.0)))


def _more_wanted(sampling: Sampling, taken: int, *, over: bool) -> bool:
    if sampling.rounds is not None:
        return taken < sampling.rounds
    # An odd number, so that the median is one of the ratios and the interval exact.
    return not over or taken < sampling.min_rounds or taken % 2 == 0


def _calibrated(plan: Plan) -> Generator[Request, Taken, dict[str, int]]:
    """How many calls make a sample, by name. What is about as fast as the baseline gets the same number.

    A sample costs a little of its own (reading the clock, cold caches); with equal numbers that is equal on both sides.
    """
    calls: dict[str, int] = {}
    for entrant in plan.entrants:
        calls[entrant.name] = entrant.calls or (yield from _fitting(entrant, plan.sampling.sample_seconds))
        reference = calls[plan.entrants[0].name]
        if (
            entrant.calls is None
            and reference <= calls[entrant.name] * ALIKE
            and calls[entrant.name] <= reference * ALIKE
        ):
            calls[entrant.name] = reference
    return calls


def _fitting(entrant: Contender, target: float) -> Generator[Request, Taken, int]:
    calls = 1
    while True:
        fastest = math.inf
        for _ in range(TRIES):
            taken = yield Request(entrant, calls)
            fastest = min(fastest, max(taken.measured, taken.wall))
            if not target <= fastest < target * CERTAIN:
                break
        if fastest >= target:
            return calls
        calls = more_calls(calls, fastest, target)


def _round(plan: Plan, calls: Mapping[str, int], order: random.Random) -> Generator[Request, Taken, Times]:
    """One sample of everybody, in random order; seconds per operation by name."""
    times: Times = {}
    for entrant in order.sample(plan.entrants, len(plan.entrants)):
        taken = yield Request(entrant, calls[entrant.name])
        if not taken.measured > 0:
            raise BenchmarkError(
                f"{plan.name}: {calls[entrant.name]} calls of {entrant.name!r} took no time on the {plan.clock} clock; "
                "let a sample do more (calls, sample_seconds) or choose another clock"
            )
        times[entrant.name] = taken.measured / (calls[entrant.name] * entrant.operations)
    return times


def _rows(plan: Plan, rounds: Sequence[Times], calls: Mapping[str, int], *, last: bool) -> tuple[Row, ...]:
    baseline, control, *contenders = (_row(plan, entrant, rounds, calls) for entrant in plan.entrants)
    return (
        replace(baseline, role="baseline"),
        replace(control, role="control"),
        *(_judged(row, control, last=last) for row in contenders),
    )


def _row(plan: Plan, entrant: Contender, rounds: Sequence[Times], calls: Mapping[str, int]) -> Row:
    baseline, name = plan.entrants[0].name, entrant.name
    ratio = estimate_median([times[name] / times[baseline] for times in rounds], plan.sampling.confidence)
    seconds = median([times[name] for times in rounds])
    return Row(name, "contender", seconds, ratio, calls[name], plan.gates.get(name))


def _judged(row: Row, control: Row, *, last: bool) -> Row:
    verdict = judge_ratio(row.gate, row.ratio, control=control.ratio.median, last=last) if row.gate else None
    return replace(row, verdict=verdict, change=changed(row.ratio, control.ratio))
