"""The median and its interval. Pure, deterministic, standard library only.

The interval is the percentile bootstrap of the median, computed exactly instead of by resampling: a resample of n values drawn from
the sorted values has its r-th smallest at or below the k-th of them with probability P(Binomial(n, k/n) >= r) (Efron, "Bootstrap
methods: another look at the jackknife", 1979, section 3). It is what infinitely many resamples would give, so it needs no seed.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator_performance.benchmarking._errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median and the interval that holds the true one with the stated confidence."""

    median: float
    low: float
    high: float


def median(values: Sequence[float]) -> float:
    """The middle value; of an even number of values, the mean of the two in the middle."""
    if not values:
        raise BenchmarkError("a median needs at least one value")
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return ordered[middle - 1] + (ordered[middle] - ordered[middle - 1]) / 2


def estimate_median(values: Sequence[float], confidence: float = 0.99) -> Estimate:
    """The median with its exact percentile bootstrap interval.

    Of an even number of values the interval reaches from the lower resampled median's quantile to the upper one's, which is wider
    than the bootstrap of their mean by at most one rank on each side.

    Args:
        values: At least one.
        confidence: Between 0 and 1, both excluded.

    Raises:
        BenchmarkError: No values, or a confidence that is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise BenchmarkError(f"confidence must lie between 0 and 1, not {confidence:g}")
    ordered = sorted(values)
    count = len(ordered)
    middle = median(ordered)
    tail = (1 - confidence) / 2
    low = _quantile_rank(count, (count + 1) // 2, tail)
    high = _quantile_rank(count, count // 2 + 1, 1 - tail)
    return Estimate(middle, ordered[low - 1], ordered[high - 1])


def _quantile_rank(count: int, rank: int, probability: float) -> int:
    """The smallest k for which a resample's `rank`-th smallest is at or below the k-th value with at least `probability`."""
    return bisect_left(range(1, count), probability, key=lambda k: binomial_tail(count, k / count, rank)) + 1


def binomial_tail(count: int, chance: float, at_least: int) -> float:
    """P(Binomial(count, chance) >= at_least), for 0 < chance < 1."""
    log_chance, log_other = math.log(chance), math.log1p(-chance)
    log_all = math.lgamma(count + 1)
    return math.fsum(
        math.exp(
            log_all
            - math.lgamma(hits + 1)
            - math.lgamma(count - hits + 1)
            + hits * log_chance
            + (count - hits) * log_other
        )
        for hits in range(at_least, count + 1)
    )
