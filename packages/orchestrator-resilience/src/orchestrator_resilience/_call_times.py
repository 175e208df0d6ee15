"""The times of some calls, and how far their average can be believed: pure."""

from __future__ import annotations

import math

_DOUBT = 1.5
"""Standard errors by which an average is believed to be off at most."""
_LEAST_SAMPLES = 10


class Times:
    """The average of some times, and how far off it may be.

    Args:
        usual: Spread of single times, in averages, as known from before: a few times may look alike by chance.
    """

    __slots__ = ("_usual", "count", "squares", "sum")

    def __init__(self, usual: float) -> None:
        self._usual = usual
        self.count = 0
        self.sum = 0.0
        self.squares = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.sum += seconds
        self.squares += seconds * seconds

    @property
    def average(self) -> float:
        return self.sum / self.count

    @property
    def doubt(self) -> float:
        """Seconds by which the average may be off."""
        spread = max(self._usual, _spread(self.average, self.squares / self.count))
        return doubt(self.average, self.count, spread)


def doubt(average: float, count: int, spread: float) -> float:
    """Seconds by which an average of `count` times may be off."""
    return _DOUBT * average * spread / math.sqrt(count)


def _spread(average: float, average_square: float) -> float:
    """Standard deviation of the single times, in averages."""
    return math.sqrt(max(0.0, average_square - average * average)) / average if average > 0 else 0.0


class Spread:
    """How unlike each other the calls of the last windows were."""

    __slots__ = ("_average", "_square", "_windows", "share")

    def __init__(self) -> None:
        self._windows = 0
        self._average = 0.0
        self._square = 0.0
        self.share = 0.0
        """Standard deviation of single times, in averages."""

    def add(self, times: Times) -> None:
        self._windows = min(self._windows + 1, 20)
        self._average += (times.average - self._average) / self._windows
        self._square += (times.squares / times.count - self._square) / self._windows
        self.share = _spread(self._average, self._square)

    @property
    def samples(self) -> float:
        """Calls whose average is good to a quarter."""
        return min(50.0, max(float(_LEAST_SAMPLES), (4 * self.share) ** 2))
