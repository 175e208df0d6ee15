"""The rate-limiting algorithms, in memory: pure, the time is an argument.

Each keeps one small state per key, forgets a key when its state says nothing any more, and looks at three other keys for every new one, so
that a flood of keys costs each hit the same. None of them counts a request that it refuses.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar, cast

State = TypeVar("State")

_NEVER = math.inf
# What rounding may add up to: a millionth of a unit.
_SLACK = 1e-6


class Decision(NamedTuple):
    """Whether a request may pass, with what its sender needs to know. Times in seconds from now.

    Attributes:
        allowed: Whether it may; if so it has been counted.
        limit: Units that an idle sender has.
        reset_after: When all units are there again, if nothing more is taken.
        retry_after: When a refused request of the same cost can pass; 0 if it passed, infinite if it costs more than the limit.
        left: Units left, unless they come back one by one.
        each: Seconds in which one unit comes back; 0 if they do not come back one by one.
    """

    allowed: bool
    limit: int
    reset_after: float
    retry_after: float
    left: float
    each: float

    @property
    def remaining(self) -> int:
        """Whole units left."""
        # Worked out when somebody asks: most decisions are only looked at for `allowed`.
        left = self.limit - self.reset_after / self.each if self.each else self.left
        return max(0, int(left + _SLACK))


# Twice as fast as calling the class, on the path of every request.
_decision = cast("Callable[[type[Decision], tuple[bool, int, float, float, float, float]], Decision]", tuple.__new__)  # pyright: ignore[reportUnknownMemberType] - typeshed's


class Algorithm(Generic[State]):
    """One limit for many keys."""

    __slots__ = ("_cells", "_hand", "_keys", "_period", "limit")

    def __init__(self, amount: int, period: float) -> None:
        self.limit = amount
        self._period = period
        self._cells: dict[Hashable, State] = {}
        self._keys: list[Hashable] = []
        self._hand = 0

    def hit(self, key: Hashable, now: float, cost: int = 1) -> Decision:
        """Decide, and count if allowed."""
        raise NotImplementedError

    def test(self, key: Hashable, now: float, cost: int = 1) -> Decision:
        """Decide as `hit` would, and count nothing; `remaining` and `reset_after` are as before the request."""
        raise NotImplementedError

    def _idle(self, state: State, now: float) -> bool:
        """Whether the state says no more than a missing one."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._cells)

    def clear(self, key: Hashable | None = None) -> None:
        """Forget one key, or all."""
        if key is None:
            self._cells.clear()
            self._keys.clear()
        else:
            # Its place among the keys is taken away when the hand comes by.
            self._cells.pop(key, None)

    def _remember(self, key: Hashable, state: State, now: float) -> None:
        """A key that was not there; three others are looked at: of two idle ones, the first may have let a live one into its place."""
        for _ in range(min(3, len(self._keys))):
            if self._hand >= len(self._keys):
                self._hand = 0
            other = self._keys[self._hand]
            seen = self._cells.get(other)
            if seen is None or self._idle(seen, now):
                self._cells.pop(other, None)
                self._keys[self._hand] = self._keys[-1]
                self._keys.pop()
            else:
                self._hand += 1
        self._cells[key] = state
        self._keys.append(key)

    def _fresh(self) -> Decision:
        return Decision(True, self.limit, 0.0, 0.0, self.limit, 0.0)

    def _too_dear(self, left: float, reset_after: float) -> Decision:
        return Decision(False, self.limit, reset_after, _NEVER, left, 0.0)


class Gcra(Algorithm[float]):
    """The generic cell rate algorithm: units come back evenly, `burst` of them at most. One number per key: when it is idle again.

    Source: ITU-T I.371; Brandur, redis-cell.
    """

    __slots__ = ("_interval", "_span")

    def __init__(self, amount: int, period: float, burst: int | None = None) -> None:
        super().__init__(burst or amount, period)
        self._interval = period / amount
        self._span = self._interval * (self.limit + _SLACK)

    def hit(self, key: Hashable, now: float, cost: int = 1) -> Decision:
        interval = self._interval
        try:
            arrival = self._cells[key]
        except KeyError:
            self._remember(key, now, now)
            arrival = now
        if arrival < now:  # noqa: PLR1730 - a call of max() is a fifth of this method
            arrival = now
        arrival += interval * cost
        used = arrival - now
        if used > self._span:
            return self.test(key, now, cost)
        self._cells[key] = arrival
        return _decision(Decision, (True, self.limit, used, 0.0, 0.0, interval))

    def test(self, key: Hashable, now: float, cost: int = 1) -> Decision:
        used = max(0.0, self._cells.get(key, now) - now)
        if cost > self.limit:
            return self._too_dear(self.limit - used / self._interval, used)
        over = used + self._interval * cost - self._span
        return Decision(over <= 0, self.limit, used, max(0.0, over), 0.0, self._interval)

    def _idle(self, state: float, now: float) -> bool:
        return state <= now


class TokenBucket(Algorithm[tuple[float, float]]):
    """A bucket of `burst` tokens that fills at `amount` a period. Two numbers per key: tokens, and when they were counted."""

    __slots__ = ("_rate",)

    def __init__(self, amount: int, period: float, burst: int | None = None) -> None:
        super().__init__(burst or amount, period)
        self._rate = amount / period

    def _tokens(self, key: Hashable, now: float) -> float:
        state = self._cells.get(key)
        return float(self.limit) if state is None else min(self.limit, state[0] + (now - state[1]) * self._rate)

    def hit(self, key: Hashable, now: float, cost: int = 1) -> Decision:
        decision = self.test(key, now, cost)
        if not decision.allowed:
            return decision
        tokens = max(0.0, self._tokens(key, now) - cost)
        if key in self._cells:
            self._cells[key] = (tokens, now)
        else:
            self._remember(key, (tokens, now), now)
        return Decision(True, self.limit, (self.limit - tokens) / self._rate, 0.0, tokens, 0.0)

    def test(self, key: Hashable, now: float, cost: int = 1) -> Decision:
        tokens = self._tokens(key, now)
        reset = (self.limit - tokens) / self._rate
        if cost > self.limit:
            return self._too_dear(tokens, reset)
        allowed = tokens + _SLACK >= cost
        return Decision(allowed, self.limit, reset, 0.0 if allowed else (cost - tokens) / self._rate, tokens, 0.0)

    def _idle(self, state: tuple[float, float], now: float) -> bool:
        return state[0] + (now - state[1]) * self._rate >= self.limit


class FixedWindow(Algorithm[tuple[int, float]]):
    """`amount` per window; a key's window begins with its first request. Up to twice the limit can pass around a window's end."""

    __slots__ = ()

    def hit(self, key: Hashable, now: float, cost: int = 1) -> Decision:
        decision = self.test(key, now, cost)
        if not decision.allowed:
            return decision
        used = self.limit - decision.remaining + cost
        ends = now + (decision.reset_after or self._period)
        if key in self._cells:
            self._cells[key] = (used, ends)
        else:
            self._remember(key, (used, ends), now)
        return Decision(True, self.limit, ends - now, 0.0, self.limit - used, 0.0)

    def test(self, key: Hashable, now: float, cost: int = 1) -> Decision:
        used, ends = self._cells.get(key, (0, now))
        if ends <= now:
            used, ends = 0, now
        if cost > self.limit:
            return self._too_dear(self.limit - used, ends - now)
        allowed = used + cost <= self.limit
        return Decision(allowed, self.limit, ends - now, 0.0 if allowed else ends - now, self.limit - used, 0.0)

    def _idle(self, state: tuple[int, float], now: float) -> bool:
        return state[1] <= now


class _Log:
    """The requests of one key: when, and how many units."""

    __slots__ = ("entries", "units")

    def __init__(self) -> None:
        self.entries: deque[tuple[float, int]] = deque()
        self.units = 0


class SlidingWindow(Algorithm[_Log]):
    """`amount` in any window, exactly: the log of each key's requests."""

    __slots__ = ()

    def hit(self, key: Hashable, now: float, cost: int = 1) -> Decision:
        decision = self.test(key, now, cost)
        if not decision.allowed or cost == 0:
            return decision
        log = self._cells.get(key) or _Log()
        log.entries.append((now, cost))
        log.units += cost
        if key not in self._cells:
            self._remember(key, log, now)
        return Decision(True, self.limit, self._period, 0.0, self.limit - log.units, 0.0)

    def test(self, key: Hashable, now: float, cost: int = 1) -> Decision:
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
            return Decision(True, self.limit, reset, 0.0, remaining, 0.0)
        return Decision(False, self.limit, reset, self._wait(log, cost - remaining) - now, remaining, 0.0)

    def _wait(self, log: _Log, needed: int) -> float:
        """When so many units will have left the window."""
        for moment, units in log.entries:
            needed -= units
            if needed <= 0:
                # An entry counts up to and including the end of its window.
                return math.nextafter(moment + self._period, _NEVER) + _SLACK
        return _NEVER

    def _idle(self, state: _Log, now: float) -> bool:
        return not state.entries or state.entries[-1][0] < now - self._period


class SlidingCounter(Algorithm[tuple[int, int, int]]):
    """`amount` in any window, nearly: this window's count, and the last one's weighted by how much of it still overlaps.

    Three numbers per key: the window, its count, the count of the one before. Source: limits; Cloudflare, How we built rate limiting.
    """

    __slots__ = ()

    def _counts(self, key: Hashable, now: float) -> tuple[int, int, int, float]:
        """The present window, both counts, and the share of the last window that still overlaps."""
        position = now / self._period
        window = math.floor(position)
        kept, current, previous = self._cells.get(key, (window, 0, 0))
        if kept == window - 1:
            current, previous = 0, current
        elif kept != window:
            current, previous = 0, 0
        return window, current, previous, 1.0 - (position - window)

    def hit(self, key: Hashable, now: float, cost: int = 1) -> Decision:
        decision = self.test(key, now, cost)
        if not decision.allowed:
            return decision
        window, current, previous, _ = self._counts(key, now)
        state = (window, current + cost, previous)
        if key in self._cells:
            self._cells[key] = state
        else:
            self._remember(key, state, now)
        after = self.test(key, now, 0)
        return Decision(True, self.limit, after.reset_after, 0.0, after.left, 0.0)

    def test(self, key: Hashable, now: float, cost: int = 1) -> Decision:
        _, current, previous, overlap = self._counts(key, now)
        used = math.floor(previous * overlap) + current
        remaining = max(0, self.limit - used)
        left = overlap * self._period
        reset = left + self._period if current else (left if previous else 0.0)
        if cost > self.limit:
            return self._too_dear(remaining, reset)
        if used + cost <= self.limit:
            return Decision(True, self.limit, reset, 0.0, remaining, 0.0)
        return Decision(False, self.limit, reset, self._wait(current, previous, overlap, cost), remaining, 0.0)

    def _wait(self, current: int, previous: int, overlap: float, cost: int) -> float:
        """Seconds until the weighted count leaves room: within this window if the last one's weight is the cause, else in the next."""
        room = self.limit - cost - current
        if room >= 0:
            return max(0.0, overlap - (room + 1) / previous) * self._period + _SLACK
        needed = (self.limit - cost + 1) / current
        return (overlap + max(0.0, 1.0 - needed)) * self._period + _SLACK

    def _idle(self, state: tuple[int, int, int], now: float) -> bool:
        return state[0] < math.floor(now / self._period) - 1
