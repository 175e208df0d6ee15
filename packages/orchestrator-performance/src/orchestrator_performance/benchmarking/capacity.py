"""How much a service can carry: measured by a search, predicted from a few loads, and when a growing demand will reach it.

The search measures; its answer is a bracket between a load that was carried and one that was not. The prediction reads a curve: in a queue
that fills up (M/M/1, and as a good approximation most services on their way to the knee) the response time at any percentile is
`T = k / (capacity - load)`, so `1 / T` falls in a straight line as the load rises. The line is Theil's and Sen's, which a third of wild points
does not move; the interval is the percentile bootstrap over the points.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from orchestrator_performance.benchmarking._errors import BenchmarkError
from orchestrator_performance.benchmarking._statistics import Estimate, median

__all__ = ["Bracket", "Prediction", "find_capacity", "forecast_reaching", "predict_capacity"]

FEWEST_POINTS = 5
FEWEST_DAYS = 7
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Bracket:
    """What a search found.

    Attributes:
        carried: The largest load that was carried; 0 if not even the smallest was.
        refused: The smallest load that was not; None if the largest that was tried was carried.
        trials: Every load that was tried, in order, and whether it was carried.
    """

    carried: int
    refused: int | None
    trials: tuple[tuple[int, bool], ...]


async def find_capacity(
    carries: Callable[[int], Awaitable[bool]], *, start: int, most: int, resolution: float = 0.1
) -> Bracket:
    """Search the largest load that is carried: doubling until one is not, then halving the gap.

    Args:
        carries: Tries a load and says whether it was carried; called for one load at a time.
        start: The first load, from 1.
        most: The largest load to try.
        resolution: How near the ends of the bracket come to each other, as a part of the lower one.

    Raises:
        BenchmarkError: The loads are not 1 <= start <= most, or the resolution is not above 0.
    """
    if not (1 <= start <= most and resolution > 0):
        raise BenchmarkError(
            f"a search goes from a load of at least 1 upwards, with a resolution above 0: {start}..{most} by {resolution:g}"
        )
    trials = list[tuple[int, bool]]()

    async def attempt(load: int) -> bool:
        carried = await carries(load)
        trials.append((load, carried))
        return carried

    carried, refused, load = 0, None, start
    while refused is None and carried < most:
        if await attempt(load):
            carried, load = load, min(load * 2, most)
        else:
            refused = load
    while refused is not None and refused - carried > max(1, carried * resolution):
        middle = (carried + refused) // 2
        if await attempt(middle):
            carried = middle
        else:
            refused = middle
    return Bracket(carried, refused, tuple(trials))


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted value.

    Attributes:
        value: The most likely one, with the interval that holds 95 % of the resamples.
        beyond: Whether it lies outside of what was measured, and is a guess by so much more.
    """

    value: Estimate
    beyond: bool


def predict_capacity(points: Sequence[tuple[float, float]], limit: float) -> Prediction:
    """The load at which a percentile of the response time reaches `limit`.

    Args:
        points: (load, response time in seconds at the percentile), at least five, of at least three loads; best from a third of the limit on,
            because at low load the time says nothing about queues.
        limit: Seconds.

    Raises:
        BenchmarkError: Too few points, a time or load that is not above 0, or times that do not rise with the load.
    """
    if len(points) < FEWEST_POINTS or len({load for load, _ in points}) < 3:
        raise BenchmarkError(
            f"a prediction needs at least {FEWEST_POINTS} points of at least 3 loads, not {len(points)}"
        )
    if not limit > 0 or any(not (load > 0 and seconds > 0) for load, seconds in points):
        raise BenchmarkError("loads, times and the limit are numbers above 0")
    inverted = [(load, 1 / seconds) for load, seconds in points]
    reached = _crossing(inverted, 1 / limit, falls=True)
    if reached is None:
        raise BenchmarkError(
            "the response times do not rise with the load: there is no queue to be seen yet; load it more"
        )
    estimate = _bootstrapped(inverted, 1 / limit, reached, falls=True)
    return Prediction(estimate, reached > max(load for load, _ in points))


def forecast_reaching(history: Sequence[tuple[float, float]], capacity: float) -> Prediction | None:
    """When a growing demand reaches the capacity.

    Args:
        history: (day, demand), at least seven days, in any unit of demand.
        capacity: In the same unit.

    Returns:
        The day, on the scale of the history, with its interval; None if the demand does not grow.

    Raises:
        BenchmarkError: Fewer than seven points, or all on one day.
    """
    if len(history) < FEWEST_DAYS or len({day for day, _ in history}) < 2:
        raise BenchmarkError(f"a forecast needs at least {FEWEST_DAYS} points on different days, not {len(history)}")
    reached = _crossing(history, capacity, falls=False)
    if reached is None:
        return None
    estimate = _bootstrapped(history, capacity, reached, falls=False)
    return Prediction(estimate, reached > max(day for day, _ in history))


def _crossing(points: Sequence[tuple[float, float]], level: float, *, falls: bool) -> float | None:
    """Where the line of Theil and Sen through the points reaches a level; None if it does not go there."""
    slopes = [
        (second[1] - first[1]) / (second[0] - first[0])
        for first, second in combinations(points, 2)
        if second[0] != first[0]
    ]
    if not slopes:
        return None
    slope = median(slopes)
    if slope >= 0 if falls else slope <= 0:
        return None
    offset = median([height - slope * at for at, height in points])
    return (level - offset) / slope


def _bootstrapped(points: Sequence[tuple[float, float]], level: float, middle: float, *, falls: bool) -> Estimate:
    draw = random.Random(len(points))  # the same points give the same interval
    crossings = [_crossing(draw.choices(points, k=len(points)), level, falls=falls) for _ in range(_RESAMPLES)]
    # A resample whose line does not go there says that the level is never reached.
    found = sorted(float("inf") if each is None else each for each in crossings)
    low, high = found[round(_RESAMPLES * 0.025)], found[round(_RESAMPLES * 0.975) - 1]
    return Estimate(middle, min(low, middle), max(high, middle))
