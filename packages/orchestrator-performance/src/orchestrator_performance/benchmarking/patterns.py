"""Loads that change while they last: how many operations shall begin when.

A pattern is the number of arrivals that are expected until each instant. Arrival number `n` falls on the instant at which `n` are expected, so
that every part of a pattern has as many arrivals as it says, and the same every time. `irregular` gives the same load by independent callers:
a Poisson process whose rate follows the pattern.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, count, repeat

from orchestrator_performance.benchmarking._errors import BenchmarkError

__all__ = ["Pattern", "constant", "parse_pattern", "ramp", "random_steps", "sine", "spike", "steps"]

_PRECISION = 1e-9
_FORMS = "constant:RATE, ramp:FROM..TO, spike:BASE..PEAK@FROM+FOR, step:RATE,RATE,…, sine:MEAN~SWING/PERIOD or random:LOW..HIGH/EVERY"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A load over time; iterating over it gives the arrivals, as offsets in seconds from the start.

    Attributes:
        name: For tables.
        seconds: How long it lasts.
        expected: The arrivals expected until an instant, from 0 at the start; never falls.
    """

    name: str
    seconds: float
    expected: Callable[[float], float]

    def __iter__(self) -> Iterator[float]:
        return self._at(map(float, count()))

    def irregular(self, seed: int = 0) -> Iterator[float]:
        """The arrivals of many independent callers: random, and as many on average as the pattern says."""
        gaps = random.Random(seed)
        return self._at(accumulate(gaps.expovariate(1.0) for _ in repeat(None)))

    def _at(self, numbers: Iterator[float]) -> Iterator[float]:
        at, total = 0.0, self.expected(self.seconds)
        for number in numbers:
            if number >= total:
                return
            at = self._instant(number, at)
            yield at

    def _instant(self, number: float, low: float) -> float:
        """When `number` are expected; not before `low`."""
        high = self.seconds
        while high - low > _PRECISION:
            middle = (low + high) / 2
            if self.expected(middle) < number:
                low = middle
            else:
                high = middle
        return high if number else 0.0


def constant(rate: float, seconds: float) -> Pattern:
    """`rate` arrivals a second."""
    return _stepwise(f"constant {rate:g}/s", [(rate, seconds)])


def steps(rates: list[float], each: float) -> Pattern:
    """One rate after the other, `each` seconds long."""
    return _stepwise("step " + ", ".join(f"{rate:g}" for rate in rates) + "/s", [(rate, each) for rate in rates])


def spike(base: float, peak: float, *, at: float, lasts: float, seconds: float) -> Pattern:
    """`base` arrivals a second, and `peak` from the second `at` on for `lasts` seconds.

    Raises:
        BenchmarkError: The spike does not lie within `seconds`.
    """
    if not (at >= 0 and lasts > 0 and at + lasts <= seconds):
        raise BenchmarkError(f"a spike from {at:g} s on for {lasts:g} s does not lie within {seconds:g} s")
    parts = [(base, at), (peak, lasts), (base, seconds - at - lasts)]
    return _stepwise(f"spike {base:g} to {peak:g}/s", [part for part in parts if part[1] > 0])


def ramp(start: float, end: float, seconds: float) -> Pattern:
    """From one rate to another, up or down, in a straight line."""
    _check(seconds, start, end)
    slope = (end - start) / seconds
    return Pattern(f"ramp {start:g} to {end:g}/s", seconds, lambda at: start * at + slope * at * at / 2)


def sine(mean: float, swing: float, period: float, seconds: float) -> Pattern:
    """`mean` arrivals a second, up and down by `swing` in each `period` seconds; it begins at the mean and rises.

    Raises:
        BenchmarkError: The rate would fall below 0.
    """
    _check(seconds, mean, swing)
    if swing > mean or not period > 0:
        raise BenchmarkError(f"a rate of {mean:g} cannot swing by {swing:g} in {period:g} s: it would fall below 0")
    turn = 2 * math.pi / period
    name = f"sine {mean:g} by {swing:g}/s"
    return Pattern(name, seconds, lambda at: mean * at + swing * (1 - math.cos(turn * at)) / turn)


def random_steps(low: float, high: float, *, every: float, seconds: float, seed: int = 0) -> Pattern:
    """Another rate between two bounds `every` so many seconds; the same for the same seed."""
    _check(seconds, low, high)
    if low > high or not every > 0:
        raise BenchmarkError(
            f"a random rate lies between a lower and a higher bound: {low:g}..{high:g} every {every:g} s"
        )
    draw, parts, left = random.Random(seed), list[tuple[float, float]](), seconds
    while left > 0:
        parts.append((draw.uniform(low, high), min(every, left)))
        left -= every
    return _stepwise(f"random {low:g} to {high:g}/s", parts)


def parse_pattern(text: str, seconds: float) -> Pattern:
    """A pattern as it is typed.

    Args:
        text: `constant:50`, `ramp:10..200`, `ramp:200..10`, `spike:20..200@10+5` (from second 10 on, for 5 seconds), `step:10,50,100`,
            `sine:50~30/20` (by 30, in periods of 20 seconds) or `random:10..100/5` (another rate every 5 seconds); rates in arrivals a second.
        seconds: How long it lasts.

    Raises:
        BenchmarkError: It is none of these.
    """
    kind, _, rest = text.partition(":")
    try:
        return _PARSERS[kind](rest, seconds)
    except (KeyError, ValueError):
        raise BenchmarkError(f"{text!r} is no pattern of load; write {_FORMS}") from None


def _parse_ramp(text: str, seconds: float) -> Pattern:
    start, end = _pair(text, "..")
    return ramp(start, end, seconds)


def _parse_spike(text: str, seconds: float) -> Pattern:
    rates, _, when = text.partition("@")
    (base, peak), (at, lasts) = _pair(rates, ".."), _pair(when, "+")
    return spike(base, peak, at=at, lasts=lasts, seconds=seconds)


def _parse_steps(text: str, seconds: float) -> Pattern:
    rates = [float(each) for each in text.split(",")]
    return steps(rates, seconds / len(rates))


def _parse_sine(text: str, seconds: float) -> Pattern:
    mean, rest = text.split("~")
    swing, period = _pair(rest, "/")
    return sine(float(mean), swing, period, seconds)


def _parse_random(text: str, seconds: float) -> Pattern:
    bounds, every = text.split("/")
    low, high = _pair(bounds, "..")
    return random_steps(low, high, every=float(every), seconds=seconds)


_PARSERS: dict[str, Callable[[str, float], Pattern]] = {
    "constant": lambda text, seconds: constant(float(text), seconds),
    "ramp": _parse_ramp,
    "spike": _parse_spike,
    "step": _parse_steps,
    "sine": _parse_sine,
    "random": _parse_random,
}


def _pair(text: str, mark: str) -> tuple[float, float]:
    first, second = text.split(mark)
    return float(first), float(second)


def _stepwise(name: str, parts: list[tuple[float, float]]) -> Pattern:
    """Rates, each for so many seconds."""
    seconds = math.fsum(lasts for _, lasts in parts)
    _check(seconds, *(rate for rate, _ in parts))
    begins = list(accumulate((lasts for _, lasts in parts), initial=0.0))
    before = list(accumulate((rate * lasts for rate, lasts in parts), initial=0.0))

    def expected(at: float) -> float:
        for number in range(len(parts) - 1, -1, -1):
            if at >= begins[number]:
                return before[number] + parts[number][0] * (at - begins[number])
        return 0.0

    return Pattern(name, seconds, expected)


def _check(seconds: float, *rates: float) -> None:
    if not (0 < seconds < math.inf and rates and all(0 <= rate < math.inf for rate in rates) and any(rates)):
        shown = ", ".join(f"{rate:g}" for rate in rates) or "none"
        raise BenchmarkError(
            f"a pattern needs seconds above 0 and rates from 0 on, not all of them 0: {seconds:g} s, rates {shown}"
        )
