"""How long something takes: fixed buckets for ever, for a scraper, and percentiles since they were asked for last."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator_performance.benchmarking import LatencyHistogram

__all__ = ["BOUNDS", "Timing"]

BOUNDS: Final = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds."""


class Timing:
    """Durations in seconds, and how many of them ended badly."""

    __slots__ = ("_histogram", "count", "counts", "failures", "total", "window_failures")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.count = 0
        self.total = 0.0
        self.failures = 0
        self.window_failures = 0
        self._histogram: LatencyHistogram | None = None

    @property
    def histogram(self) -> LatencyHistogram:
        """Since `roll`, or since the beginning."""
        if self._histogram is None:
            # Whoever only imports a cache does not pay for the tools of measurement.
            from orchestrator_performance.benchmarking import LatencyHistogram  # noqa: PLC0415

            self._histogram = LatencyHistogram()
        return self._histogram

    def record(self, seconds: float, *, failed: bool = False) -> None:
        """Count one more."""
        seconds = max(0.0, seconds)
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.count += 1
        self.total += seconds
        self.histogram.record(seconds)
        if failed:
            self.failures += 1
            self.window_failures += 1

    def roll(self) -> tuple[LatencyHistogram, int]:
        """What was recorded since the last time, and how many of it failed."""
        window, failures = self.histogram, self.window_failures
        self._histogram, self.window_failures = None, 0
        return window, failures

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, with their upper bounds as Prometheus writes them."""
        found: list[tuple[str, float]] = []
        seen = 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self.counts, strict=True):
            seen += count
            found.append((bound, seen))
        return found
