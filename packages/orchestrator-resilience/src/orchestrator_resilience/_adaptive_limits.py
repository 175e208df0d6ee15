"""How many calls a dependency can take together, found from how long they take: pure, the time is an argument.

The times of the calls that end are gathered in windows, and a window's average is only believed as far as its spread allows: many kinds of
work differ tenfold from call to call without any load. So the limit rises until calls have become slower beyond doubt, and falls by as much
as they have. What "slower" is measured against, the time of an unloaded call, is measured anew at half the limit every so often, and when
calls stay slow: a dependency can become slower for good.

Calls that failed say nothing about time. Those that were refused for lack of room, or timed out, count by their share.
"""

from __future__ import annotations

import math
from typing import Protocol

from orchestrator_resilience._call_times import Spread, Times, doubt
from orchestrator_resilience.config import BulkheadConfig

_PROBE_EVERY = 150
"""Windows between two measurements of the unloaded time."""
_FALL = 0.5
"""Below this share of what the limit was when the unloaded time was measured, that time itself is doubted."""
_FIRST_SAMPLES = 50
"""Calls before the limit moves for the first time."""
_MEMORY = 200
"""Calls that the unloaded time is averaged over at most."""
_ENOUGH_REFUSALS = 0.1
"""Share of refused calls from which on there are too many calls, rather than some that had bad luck."""
_CAREFUL_RISES = 10
"""Rises after too many refusals that are not yet doubled."""


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
    """Gathers the windows and knows the time of an unloaded call; `_next` is the algorithm."""

    def __init__(self, config: BulkheadConfig) -> None:
        self._config = config
        self._limit = float(config.limit)
        self.limit = config.limit
        """The present limit, whole."""
        self._cold = True
        self._unloaded: float | None = None
        self._known_from = 0
        self._measured_at: float | None = None
        self._windows = 0
        self._rises = 0
        self._accepted = self._limit
        self._spread = Spread()
        self._before_probe: float | None = None
        self._slow_probe: float | None = None
        self._open(-math.inf)

    def _open(self, begins: float) -> None:
        self._begins = self._began = begins
        self.limit = int(self._limit)
        self._enough = self._spread.samples
        self._times = Times(self._spread.share)
        self._refused = 0
        self._most_running = 0

    def ended(self, started: float, now: float, *, running: int, overloaded: bool) -> None:
        if now < self._begins:
            return
        if not self._times.count + self._refused:
            self._began = now
        if overloaded:
            self._refused += 1
        else:
            self._times.add(now - started)
        self._most_running = max(self._most_running, running)
        ended = self._times.count + self._refused
        if ended >= self._enough and (ended >= self._limit or self._is_far_too_slow()):
            self._close(now)

    def _is_far_too_slow(self) -> bool:
        """Not worth waiting for the rest of the window."""
        times, unloaded = self._times, self._unloaded
        if self._before_probe is not None or unloaded is None or not times.count:
            return False
        return times.average - times.doubt > 1.5 * unloaded

    def _close(self, now: float) -> None:
        self._windows += 1
        before, times, settle = self._limit, self._times, False
        refused = self._refused / (times.count + self._refused)
        if refused > _ENOUGH_REFUSALS and self._refused > 1:
            self._retreat(times, now)
        elif self._before_probe is not None:
            self._probed(times, self._before_probe)
        elif self._cold:
            # The first calls began together, and the short ones end first: their average is too low.
            self._cold, settle = False, True
        elif 2 * self._most_running >= self._limit:
            # With less than half of the limit in use, the times say nothing about it.
            self._accepted = before
            self._judge(times)
        if self._before_probe is None and self._is_time_to_probe():
            self._before_probe, self._limit = self._limit, self._bounded(self._limit / 2)
            self._windows, self._measured_at = 0, self._before_probe
        if times.count:
            self._spread.add(times)
            # After a fall, the calls that end next are still those of the crowd before it.
            settle = settle or self._limit < 0.9 * before
        self._open(now + 1.5 * times.average if settle and times.count else now)

    def _retreat(self, times: Times, now: float) -> None:
        """Too many were refused: back to what was accepted before, or, if that is too much as well, to as many as are served."""
        # A refusal may take no time at all, so their share says little. Those served at a time, by Little's law, say it well.
        lasted, limit = now - self._began, self._limit
        long_enough = times.count > 0 and lasted > times.average / 2
        known = times.sum / lasted if long_enough else self._accepted
        self._limit = self._bounded(max(limit / 2, min(known, 0.95 * limit)))
        self._accepted = self._limit
        self._rises, self._before_probe, self._slow_probe = -_CAREFUL_RISES, None, None

    def _is_time_to_probe(self) -> bool:
        if self._measured_at is None or self._limit < 2 * self._config.min_limit:
            return False
        every = _PROBE_EVERY if 2 * self._known_from >= _MEMORY else _PROBE_EVERY / 3
        return self._windows >= every or self._limit < _FALL * self._measured_at

    def _probed(self, times: Times, limit: float) -> None:
        """A window at half of `limit`, or less, has ended."""
        slow_before, self._slow_probe = self._slow_probe, None
        slower = self._unloaded is not None and times.average - times.doubt > self._unloaded
        faster = slow_before is not None and times.average + times.doubt < slow_before
        if slower and (slow_before is None or faster) and self._limit > self._config.min_limit:
            # Either unloaded calls have become slower, or half is still too many. At a quarter it will be seen.
            self._slow_probe, self._limit = times.average, self._bounded(self._limit / 2)
            return
        self._learn(times)
        # If fewer calls have not been faster, the many are not the reason.
        self._limit = self._bounded(limit if slow_before is None or slower else self._limit * 2)
        self._before_probe = None

    def _judge(self, times: Times) -> None:
        """Move the limit by what a window showed."""
        if self._unloaded is None or (self._measured_at is None and self._known_from < _FIRST_SAMPLES):
            self._learn(times)
            return
        if self._measured_at is None:
            self._measured_at = self._limit
        limit = self._next(max(times.average - times.doubt, self._unloaded), self._unloaded)
        self._rises = self._rises + 1 if limit > self._limit else min(self._rises, 0)
        self._limit = self._bounded(limit)

    def _learn(self, times: Times) -> None:
        """Take a measurement of the unloaded time, together with what is known of it unless they contradict each other."""
        known, count = self._unloaded, self._known_from
        if known is not None:
            off = math.hypot(times.doubt, doubt(known, count, self._spread.share))
            if abs(times.average - known) <= 2 * off:
                both = count + times.count
                self._unloaded = (known * count + times.average * times.count) / both
                self._known_from = min(_MEMORY, both)
                return
        self._unloaded, self._known_from = times.average, times.count

    def _bounded(self, limit: float) -> float:
        return min(float(self._config.max_limit), max(float(self._config.min_limit), limit))

    def _step(self, usual: float) -> float:
        """How far to rise: twice as far with each rise in a row, up to a quarter of the limit."""
        return max(usual, min(usual * 2.0 ** min(max(self._rises, 0), 10), self._limit / 4))

    def _next(self, time: float, unloaded: float) -> float:
        raise NotImplementedError


class VegasLimit(AdaptiveLimit):
    """Keeps a few calls queued at the dependency: more when there are fewer, fewer when there are more.

    Source: Brakmo and Peterson, TCP Vegas; Netflix, concurrency-limits.
    """

    def _next(self, time: float, unloaded: float) -> float:
        served = self._limit * unloaded / time if time > 0 else self._limit
        queued = self._limit - served
        # A small dependency is not made to hold half as much again as it serves.
        scale = min(math.log10(max(10.0, self._limit)), served / 6)
        if queued < 3 * scale:
            return self._limit + self._step(scale)
        # Far too many: down to what is served at once, not step by step.
        return served + 4 * scale if queued > 6 * scale else self._limit


class GradientLimit(AdaptiveLimit):
    """Moves by how much slower than unloaded the calls are, and leaves the square root of the limit for a queue.

    Source: Envoy, adaptive concurrency.
    """

    def _next(self, time: float, unloaded: float) -> float:
        # A tenth of slowness is noise, as in Envoy's buffer.
        gradient = min(1.0, 1.1 * unloaded / time) if time > 0 else 1.0
        kept = max(self._limit / 4, self._limit * gradient)
        usual = math.sqrt(kept) / 2
        return kept + (self._step(usual) if gradient == 1.0 else usual)


def make_limit(config: BulkheadConfig) -> ConcurrencyLimit:
    """The limit that the configuration names."""
    if config.kind == "vegas":
        return VegasLimit(config)
    if config.kind == "gradient":
        return GradientLimit(config)
    return FixedLimit(config.limit)
