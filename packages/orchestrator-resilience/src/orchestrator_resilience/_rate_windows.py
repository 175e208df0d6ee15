"""The rate-limiting algorithms that count in windows, in memory: pure, the time is an argument."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable

from orchestrator_resilience._rate_algorithms import NEVER, SLACK, Algorithm, Decision, decided


class FixedWindow(Algorithm[tuple[float, float]]):
    """`amount` per window; a key's window begins with its first request. Up to twice the limit can pass around a window's end."""

    __slots__ = ()

    def hit(self, key: Hashable, now: float, cost: float = 1) -> Decision:
        decision = self.test(key, now, cost)
        if not decision.allowed:
            return decision
        used = self.limit - decision.left + cost
        ends = now + (decision.reset_after or self._period)
        self._keep(key, (used, ends), now)
        return decided(True, self.limit, ends - now, 0.0, self.limit - used, 0.0)

    def test(self, key: Hashable, now: float, cost: float = 1) -> Decision:
        used, ends = self._cells.get(key, (0, now))
        if ends <= now:
            used, ends = 0, now
        if cost > self.limit:
            return self._too_dear(self.limit - used, ends - now)
        allowed = used + cost <= self.limit
        return decided(allowed, self.limit, ends - now, 0.0 if allowed else ends - now, self.limit - used, 0.0)

    def charge(self, key: Hashable, now: float, cost: float) -> None:
        used, ends = self._cells.get(key, (0, now))
        if ends <= now:
            used, ends = 0, now + self._period
        self._keep(key, (min(self.limit, used + cost), ends), now)

    def _idle(self, state: tuple[float, float], now: float) -> bool:
        return state[1] <= now


class _Log:
    """The requests of one key: when, and how many units."""

    __slots__ = ("entries", "units")

    def __init__(self) -> None:
        self.entries: deque[tuple[float, float]] = deque()
        self.units: float = 0


class SlidingWindow(Algorithm[_Log]):
    """`amount` in any window, exactly: the log of each key's requests."""

    __slots__ = ()

    def hit(self, key: Hashable, now: float, cost: float = 1) -> Decision:
        decision = self.test(key, now, cost)
        if not decision.allowed or cost == 0:
            return decision
        log = self._cells.get(key) or _Log()
        log.entries.append((now, cost))
        log.units += cost
        if key not in self._cells:
            self._remember(key, log, now)
        return decided(True, self.limit, self._period, 0.0, self.limit - log.units, 0.0)

    def test(self, key: Hashable, now: float, cost: float = 1) -> Decision:
        log = self._cells.get(key)
        if log is not None:
            while log.entries and log.entries[0][0] < now - self._period:
                log.units -= log.entries.popleft()[1]
        if log is None or not log.entries:
            return self._fresh() if cost <= self.limit else self._too_dear(self.limit, 0.0)
        remaining, reset = self.limit - log.units, log.entries[-1][0] + self._period - now
        if cost > self.limit:
            return self._too_dear(remaining, reset)
        if cost <= remaining:
            return decided(True, self.limit, reset, 0.0, remaining, 0.0)
        return decided(False, self.limit, reset, self._wait(log, cost - remaining) - now, remaining, 0.0)

    def charge(self, key: Hashable, now: float, cost: float) -> None:
        left = self.test(key, now).left
        if left > 0:
            self.hit(key, now, min(cost, left))

    def _wait(self, log: _Log, needed: float) -> float:
        """When so many units will have left the window."""
        for moment, units in log.entries:
            needed -= units
            if needed <= 0:
                # An entry counts up to and including the end of its window.
                return math.nextafter(moment + self._period, NEVER) + SLACK
        return NEVER

    def _idle(self, state: _Log, now: float) -> bool:
        return not state.entries or state.entries[-1][0] < now - self._period


class SlidingCounter(Algorithm[tuple[int, float, float]]):
    """`amount` in any window, nearly: this window's count, and the last one's weighted by how much of it still overlaps.

    Three numbers per key: the window, its count, the count of the one before. Source: limits; Cloudflare, How we built rate limiting.
    """

    __slots__ = ()

    def _counts(self, key: Hashable, now: float) -> tuple[int, float, float, float]:
        """The present window, both counts, and the share of the last window that still overlaps."""
        position = now / self._period
        window = math.floor(position)
        kept, current, previous = self._cells.get(key, (window, 0, 0))
        if kept == window - 1:
            current, previous = 0, current
        elif kept != window:
            current, previous = 0, 0
        return window, current, previous, 1.0 - (position - window)

    def hit(self, key: Hashable, now: float, cost: float = 1) -> Decision:
        decision = self.test(key, now, cost)
        if not decision.allowed:
            return decision
        window, current, previous, _ = self._counts(key, now)
        state = (window, current + cost, previous)
        self._keep(key, state, now)
        after = self.test(key, now, 0)
        return decided(True, self.limit, after.reset_after, 0.0, after.left, 0.0)

    def test(self, key: Hashable, now: float, cost: float = 1) -> Decision:
        _, current, previous, overlap = self._counts(key, now)
        used = math.floor(previous * overlap) + current
        remaining = max(0, self.limit - used)
        left = overlap * self._period
        reset = left + self._period if current else (left if previous else 0.0)
        if cost > self.limit:
            return self._too_dear(remaining, reset)
        if used + cost <= self.limit:
            return decided(True, self.limit, reset, 0.0, remaining, 0.0)
        return decided(False, self.limit, reset, self._wait(current, previous, overlap, cost), remaining, 0.0)

    def charge(self, key: Hashable, now: float, cost: float) -> None:
        window, current, previous, _ = self._counts(key, now)
        self._keep(key, (window, min(self.limit, current + cost), previous), now)

    def _wait(self, current: float, previous: float, overlap: float, cost: float) -> float:
        """Seconds until the weighted count leaves room: within this window if the last one's weight is the cause, else in the next."""
        room = self.limit - cost - current
        if room >= 0:
            return max(0.0, overlap - (room + 1) / previous) * self._period + SLACK
        needed = (self.limit - cost + 1) / current
        return (overlap + max(0.0, 1.0 - needed)) * self._period + SLACK

    def _idle(self, state: tuple[int, float, float], now: float) -> bool:
        return state[0] < math.floor(now / self._period) - 1
