"""The rate-limiting algorithms, in memory: pure, the time is an argument.

Each keeps one small state per key, forgets a key when its state says nothing any more, and looks at three other keys for every new one, so
that a flood of keys costs each hit the same. None of them counts a request that it refuses.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

State = TypeVar("State")

NEVER = math.inf
# What rounding may add up to: a millionth of a unit.
SLACK = 1e-6


class Decision:
    """Whether a request may pass, with what its sender needs to know. Times in seconds from now.

    Attributes:
        allowed: Whether it may; if so it has been counted.
        limit: Units that an idle sender has.
        reset_after: When all units are there again, if nothing more is taken.
        retry_after: When a refused request of the same cost can pass; 0 if it passed, infinite if it costs more than the limit.
        left: Units left, unless they come back one by one.
        each: Seconds in which one unit comes back; 0 if they do not come back one by one.
    """

    # Made by assignment: `__init__` would cost as much as the decision. A named tuple costs twice as much as this.
    __slots__ = ("allowed", "each", "left", "limit", "reset_after", "retry_after")

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
        return max(0, int(left + SLACK))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Decision):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("allowed", "limit", "remaining"))
        return f"Decision({told}, reset_after={self.reset_after:g}, retry_after={self.retry_after:g})"


def decided(allowed: bool, limit: int, reset_after: float, retry_after: float, left: float, each: float) -> Decision:  # noqa: FBT001 - the order of the attributes
    """A decision, off the fastest path."""
    decision = Decision()
    decision.allowed = allowed
    decision.limit = limit
    decision.reset_after = reset_after
    decision.retry_after = retry_after
    decision.left = left
    decision.each = each
    return decision


class Algorithm(Generic[State]):
    """One limit for many keys."""

    __slots__ = ("_cells", "_hand", "_keys", "_period", "limit")

    def __init__(self, amount: int, period: float) -> None:
        self.limit = amount
        self._period = period
        self._cells: dict[Hashable, State] = {}
        self._keys: list[Hashable] = []
        self._hand = 0

    def hit(self, key: Hashable, now: float, cost: float = 1) -> Decision:
        """Decide, and count if allowed."""
        raise NotImplementedError

    def test(self, key: Hashable, now: float, cost: float = 1) -> Decision:
        """Decide as `hit` would, and count nothing; `remaining` and `reset_after` are as before the request."""
        raise NotImplementedError

    def charge(self, key: Hashable, now: float, cost: float) -> None:
        """Count what has been allowed elsewhere, up to the limit."""
        raise NotImplementedError

    def used(self, key: Hashable, now: float) -> float:
        """Units that are not there at the moment."""
        decision = self.test(key, now)
        return decision.reset_after / decision.each if decision.each else self.limit - decision.left

    def keys(self) -> list[Hashable]:
        """The keys that are remembered; some may be idle."""
        return list(self._cells)

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

    def _keep(self, key: Hashable, state: State, now: float) -> None:
        if key in self._cells:
            self._cells[key] = state
        else:
            self._remember(key, state, now)

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
        return decided(True, self.limit, 0.0, 0.0, self.limit, 0.0)

    def _too_dear(self, left: float, reset_after: float) -> Decision:
        return decided(False, self.limit, reset_after, NEVER, left, 0.0)


class Gcra(Algorithm[float]):
    """The generic cell rate algorithm: units come back evenly, `burst` of them at most. One number per key: when it is idle again.

    Source: ITU-T I.371; Brandur, redis-cell.
    """

    __slots__ = ("_interval", "_span")

    def __init__(self, amount: int, period: float, burst: int | None = None) -> None:
        super().__init__(burst or amount, period)
        self._interval = period / amount
        self._span = self._interval * (self.limit + SLACK)

    def hit(self, key: Hashable, now: float, cost: float = 1) -> Decision:
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
        decision = Decision()
        decision.allowed = True
        decision.limit = self.limit
        decision.reset_after = used
        decision.retry_after = decision.left = 0.0
        decision.each = interval
        return decision

    def test(self, key: Hashable, now: float, cost: float = 1) -> Decision:
        used = max(0.0, self._cells.get(key, now) - now)
        if cost > self.limit:
            return self._too_dear(self.limit - used / self._interval, used)
        if used + self._interval * cost <= self._span:
            return decided(True, self.limit, used, 0.0, 0.0, self._interval)
        # Without the slack, so that whoever waits for so long is let in whatever the rounding.
        return decided(False, self.limit, used, used + self._interval * (cost - self.limit), 0.0, self._interval)

    def charge(self, key: Hashable, now: float, cost: float) -> None:
        used = max(0.0, self._cells.get(key, now) - now)
        self._keep(key, now + min(used + self._interval * cost, self._interval * self.limit), now)

    def _idle(self, state: float, now: float) -> bool:
        return state <= now


class Pace:
    """`Gcra` for one key that is always there: what a pipeline's own calls are held to.

    The attributes are open because the shortest path of a pipeline decides with them by itself.
    """

    __slots__ = ("arrival", "interval", "limit", "span")

    def __init__(self, amount: int, period: float) -> None:
        self.limit = amount
        self.interval = period / amount
        self.span = self.interval * (amount + SLACK)
        self.arrival = -math.inf

    def hit(self, now: float) -> Decision:
        """Decide about one unit, and count it if allowed."""
        used = max(0.0, self.arrival - now)
        if used + self.interval > self.span:
            wait = used - self.interval * (self.limit - 1)
            return decided(False, self.limit, used, wait, 0.0, self.interval)
        self.arrival = now + used + self.interval
        return decided(True, self.limit, used + self.interval, 0.0, 0.0, self.interval)

    def reset(self) -> None:
        """Forget what has been used."""
        self.arrival = -math.inf


class TokenBucket(Algorithm[tuple[float, float]]):
    """A bucket of `burst` tokens that fills at `amount` a period. Two numbers per key: tokens, and when they were counted."""

    __slots__ = ("_rate",)

    def __init__(self, amount: int, period: float, burst: int | None = None) -> None:
        super().__init__(burst or amount, period)
        self._rate = amount / period

    def _tokens(self, key: Hashable, now: float) -> float:
        state = self._cells.get(key)
        return float(self.limit) if state is None else min(self.limit, state[0] + (now - state[1]) * self._rate)

    def hit(self, key: Hashable, now: float, cost: float = 1) -> Decision:
        decision = self.test(key, now, cost)
        if not decision.allowed:
            return decision
        tokens = max(0.0, self._tokens(key, now) - cost)
        self._keep(key, (tokens, now), now)
        return decided(True, self.limit, (self.limit - tokens) / self._rate, 0.0, tokens, 0.0)

    def test(self, key: Hashable, now: float, cost: float = 1) -> Decision:
        tokens = self._tokens(key, now)
        reset = (self.limit - tokens) / self._rate
        if cost > self.limit:
            return self._too_dear(tokens, reset)
        allowed = tokens + SLACK >= cost
        return decided(allowed, self.limit, reset, 0.0 if allowed else (cost - tokens) / self._rate, tokens, 0.0)

    def charge(self, key: Hashable, now: float, cost: float) -> None:
        self._keep(key, (max(0.0, self._tokens(key, now) - cost), now), now)

    def _idle(self, state: tuple[float, float], now: float) -> bool:
        return state[0] + (now - state[1]) * self._rate >= self.limit
