"""How many calls a dependency can take together, found from how long they take: pure, the time is an argument.

Times are averaged over windows of calls that began within the window, so that one slow call says little and a call from before a change
nothing. The time of an unloaded call is the least of these averages, and measured anew at half the limit every so often, because a
dependency can become slower for good.
"""

from __future__ import annotations

import math
from typing import Protocol

from orchestrator_resilience.config import BulkheadConfig

_PROBE_EVERY = 50
_LEAST_SAMPLES = 10


class ConcurrencyLimit(Protocol):
    """A number of calls that may run together."""

    @property
    def limit(self) -> int: ...

    def ended(self, started: float, now: float, *, running: int, overloaded: bool) -> None:
        """A call ended. `running`: calls under way with it; `overloaded`: it timed out or was refused for lack of room."""
        ...


class FixedLimit:
    """Always the same."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def ended(self, started: float, now: float, *, running: int, overloaded: bool) -> None:
        """Nothing follows from it."""


class AdaptiveLimit:
    """Averages the windows and keeps the time of an unloaded call; `_next` is the algorithm."""

    def __init__(self, config: BulkheadConfig) -> None:
        self._config = config
        self._limit = float(config.limit)
        self._unloaded: float | None = None
        self._windows = 0
        self._began = -math.inf
        self._sum = 0.0
        self._samples = 0
        self._most_running = 0
        self._overloaded = False
        self._before_probe: float | None = None

    @property
    def limit(self) -> int:
        """The present limit, whole."""
        return int(self._limit)

    def ended(self, started: float, now: float, *, running: int, overloaded: bool) -> None:
        self._overloaded |= overloaded
        if started < self._began:
            return
        self._sum += now - started
        self._samples += 1
        self._most_running = max(self._most_running, running)
        if self._samples >= max(_LEAST_SAMPLES, self.limit):
            self._close(self._sum / self._samples, now)

    def _close(self, average: float, now: float) -> None:
        self._windows += 1
        probed, self._before_probe = self._before_probe, None
        if probed is not None:
            self._unloaded, self._limit = average, probed
        elif self._unloaded is None or average < self._unloaded:
            self._unloaded = average
        if probed is None and (self._overloaded or 2 * self._most_running >= self.limit):
            # With less than half of the limit in use, the times say nothing about it.
            self._limit = self._bounded(0.5 * self._limit if self._overloaded else self._next(average, self._unloaded))
        if self._windows % _PROBE_EVERY == 0 and self._limit >= 2 * self._config.min_limit:
            self._before_probe, self._limit = self._limit, self._limit / 2
        self._began, self._sum, self._samples = now, 0.0, 0
        self._most_running, self._overloaded = 0, False

    def _bounded(self, limit: float) -> float:
        return min(float(self._config.max_limit), max(float(self._config.min_limit), limit))

    def _next(self, average: float, unloaded: float) -> float:
        raise NotImplementedError


class VegasLimit(AdaptiveLimit):
    """Keeps a few calls queued at the dependency: more when there are fewer, fewer when there are more.

    Source: Brakmo and Peterson, TCP Vegas; Netflix, concurrency-limits.
    """

    def _next(self, average: float, unloaded: float) -> float:
        queued = self._limit * (1 - unloaded / average) if average > 0 else 0.0
        scale = math.log10(max(10.0, self._limit))
        if queued < 3 * scale:
            return self._limit + scale
        # Far too many: down to what is served at once, not step by step.
        return self._limit * unloaded / average + 4 * scale if queued > 6 * scale else self._limit


class GradientLimit(AdaptiveLimit):
    """Moves by how much slower than unloaded the calls are, and leaves the square root of the limit for a queue.

    Source: Envoy, adaptive concurrency.
    """

    def _next(self, average: float, unloaded: float) -> float:
        # A tenth of slowness is noise, as in Envoy's buffer.
        gradient = min(1.0, 1.1 * unloaded / average) if average > 0 else 1.0
        return max(self._limit / 2, self._limit * gradient + math.sqrt(self._limit * gradient) / 2)


def make_limit(config: BulkheadConfig) -> ConcurrencyLimit:
    """The limit that the configuration names."""
    if config.kind == "vegas":
        return VegasLimit(config)
    if config.kind == "gradient":
        return GradientLimit(config)
    return FixedLimit(config.limit)
