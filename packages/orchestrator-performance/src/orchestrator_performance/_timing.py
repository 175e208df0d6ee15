"""How long something takes: fixed buckets for ever, for a scraper, and percentiles since they were asked for last."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator_performance.benchmarking import LatencyHistogram

__all__ = ["BOUNDS", "Timing"]

BOUNDS: Final = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds."""

_TOGETHER: Final = 256
"""So many durations are sorted into buckets at once, which costs far less than one by one."""


class Timing:
    """Durations in seconds, and how many of them ended badly."""

    __slots__ = ("_counts", "_fresh", "_histogram", "_total", "failures", "window_failures")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._fresh: list[float] = []
        self._total = 0.0
        self._histogram: LatencyHistogram | None = None
        self.failures = 0
        self.window_failures = 0

    @property
    def count(self) -> int:
        """How many there were."""
        self._sort()
        return sum(self._counts)

    @property
    def total(self) -> float:
        """Of all, in seconds."""
        self._sort()
        return self._total

    @property
    def histogram(self) -> LatencyHistogram:
        """Since `roll`, or since the beginning."""
        self._sort()
        return self._window()

    def record(self, seconds: float, *, failed: bool = False) -> None:
        """Count one more."""
        self._fresh.append(seconds)
        if failed:
            self.failures += 1
            self.window_failures += 1
        if len(self._fresh) >= _TOGETHER:
            self._sort()

    def roll(self) -> tuple[LatencyHistogram, int]:
        """What was recorded since the last time, and how many of it failed."""
        window, failures = self.histogram, self.window_failures
        self._histogram, self.window_failures = None, 0
        return window, failures

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, with their upper bounds as Prometheus writes them."""
        self._sort()
        found: list[tuple[str, float]] = []
        seen = 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self._counts, strict=True):
            seen += count
            found.append((bound, seen))
        return found

    def _window(self) -> LatencyHistogram:
        if self._histogram is None:
            # Whoever only imports a cache does not pay for the tools of measurement.
            from orchestrator_performance.benchmarking import LatencyHistogram  # noqa: PLC0415

            self._histogram = LatencyHistogram()
        return self._histogram

    def _sort(self) -> None:
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, []
        values = sorted(max(0.0, each) for each in fresh)
        below = 0
        for number, bound in enumerate(BOUNDS):
            upto = bisect_right(values, bound, below)
            self._counts[number] += upto - below
            below = upto
        self._counts[-1] += len(values) - below
        self._total += sum(values)
        self._window().record_sorted(values)
