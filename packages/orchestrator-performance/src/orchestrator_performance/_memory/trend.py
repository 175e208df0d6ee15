"""Whether a series grows, how fast, and how sure that is. Pure.

The slope is Theil and Sen's (the median of the slopes between all pairs), which a third of the samples may spoil. The confidence is that of the
Mann-Kendall test, with the correction of Yue and Wang (2004, "The Mann-Kendall Test Modified by Effective Sample Size") for samples that
resemble their neighbours; without it nearly every series of memory looks like a trend. A series is first reduced to medians of equal spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import erf, sqrt
from statistics import median
from typing import Final

__all__ = ["LEAST_POINTS", "Trend", "trend_of"]

LEAST_POINTS: Final = 8
_SPANS: Final = 40


@dataclass(frozen=True, slots=True)
class Trend:
    """How a series moves.

    Attributes:
        per_second: The slope.
        confidence: That it grows and does not just wander, 0 to 1; 0 when it does not grow.
    """

    per_second: float
    confidence: float


def trend_of(times: Sequence[float], values: Sequence[float]) -> Trend | None:
    """The trend of values at growing times (seconds); None when there are too few to tell."""
    times, values = _reduced(times, values)
    count = len(values)
    if count < LEAST_POINTS:
        return None
    slopes: list[float] = []
    score = 0
    for i in range(count):
        for j in range(i + 1, count):
            span = times[j] - times[i]
            if span > 0:
                slopes.append((values[j] - values[i]) / span)
            score += (values[j] > values[i]) - (values[j] < values[i])
    slope = median(slopes) if slopes else 0.0
    if slope <= 0 or score <= 0:
        return Trend(slope, 0.0)
    variance = count * (count - 1) * (2 * count + 5) / 18 * _resemblance(times, values, slope)
    z = (score - 1) / sqrt(variance)
    return Trend(slope, max(0.0, erf(z / sqrt(2))))


def _reduced(times: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Medians of at most `_SPANS` equal parts."""
    count = len(values)
    if count <= _SPANS:
        return list(times), list(values)
    edges = [count * i // _SPANS for i in range(_SPANS + 1)]
    parts = list(pairwise(edges))
    return [median(times[a:b]) for a, b in parts], [median(values[a:b]) for a, b in parts]


def _resemblance(times: Sequence[float], values: Sequence[float], slope: float) -> float:
    """By how much fewer independent samples there are than samples: 1 when each is its own."""
    rest = [value - slope * time for time, value in zip(times, values, strict=True)]
    middle = sum(rest) / len(rest)
    rest = [each - middle for each in rest]
    power = sum(each * each for each in rest)
    # What is left of a straight line is rounding, and resembles itself perfectly.
    if power <= len(rest) * (1e-9 * max(map(abs, values))) ** 2:
        return 1.0
    count, factor = len(rest), 1.0
    for lag in range(1, count // 2):
        likeness = sum(rest[i] * rest[i + lag] for i in range(count - lag)) / power
        if likeness < 2 / sqrt(count):
            break
        factor += 2 * (1 - lag / count) * likeness
    return factor
