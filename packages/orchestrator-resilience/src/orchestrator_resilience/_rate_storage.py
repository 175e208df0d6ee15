"""The in-process storage, registered with limits as `async+monotonic://`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from limits import RateLimitItem
from limits.aio.storage import MovingWindowSupport, Storage

from orchestrator_kernel.ports import Clock
from orchestrator_resilience._clocks import direct
from orchestrator_resilience._rate_algorithms import Algorithm, Decision, Gcra, TokenBucket
from orchestrator_resilience._rate_windows import FixedWindow, SlidingCounter, SlidingWindow

STRATEGIES = ("gcra", "token-bucket", "fixed-window", "sliding-window", "sliding-window-counter")


def make_algorithm(strategy: str, item: RateLimitItem, burst: int | None) -> Algorithm[Any]:
    """The algorithm of one limit."""
    amount, period = item.amount, float(item.get_expiry())
    match strategy:
        case "gcra":
            return Gcra(amount, period, burst)
        case "token-bucket":
            return TokenBucket(amount, period, burst)
        case "fixed-window":
            return FixedWindow(amount, period)
        case "sliding-window":
            return SlidingWindow(amount, period)
        case _:
            return SlidingCounter(amount, period)


class MonotonicStorage(Storage, MovingWindowSupport):
    """Counts in this process, on monotonic time, without threads or sweeps. limits' own fixed and moving strategies run on it, too.

    Args:
        uri: As limits calls it; nothing of it is used.
        clock: Where time comes from.
    """

    STORAGE_SCHEME = ["async+monotonic"]  # noqa: RUF012 - the form in which limits reads it

    def __init__(self, uri: str | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(uri)
        self.monotonic: Callable[[], float] = direct(clock).monotonic
        self.lock = threading.Lock()
        self._counters: dict[int, FixedWindow] = {}
        self._logs: dict[tuple[int, int], SlidingWindow] = {}

    def decide(
        self, limits: Sequence[Algorithm[Any]], key: Hashable, cost: int, *, count: bool = True
    ) -> list[Decision]:
        """All limits together: counted by all of them, or by none; or not at all, only to look."""
        now = self.monotonic()
        with self.lock:
            tested = [each.test(key, now, cost) for each in limits]
            if count and all(decision.allowed for decision in tested):
                return [each.hit(key, now, cost) for each in limits]
            return tested

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return ValueError

    def _counter(self, expiry: int) -> FixedWindow:
        # limits compares the count itself, so this window has no limit of its own.
        return self._counters.setdefault(expiry, FixedWindow(2**40, float(expiry)))

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        decision = self._counter(expiry).hit(key, self.monotonic(), amount)
        return decision.limit - decision.remaining

    async def get(self, key: str) -> int:
        return max(
            (each.limit - each.test(key, self.monotonic()).remaining for each in self._counters.values()), default=0
        )

    async def get_expiry(self, key: str) -> float:
        now = self.monotonic()
        return now + max((each.test(key, now).reset_after for each in self._counters.values()), default=0.0)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        log = self._logs.setdefault((limit, expiry), SlidingWindow(limit, float(expiry)))
        return log.hit(key, self.monotonic(), amount).allowed

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = self.monotonic()
        log = self._logs.get((limit, expiry))
        if log is None:
            return now, 0
        decision = log.test(key, now)
        return now + decision.reset_after - expiry if decision.reset_after else now, limit - decision.remaining

    async def check(self) -> bool:
        return True

    async def reset(self) -> int | None:
        count = sum(map(len, self._kept()))
        for each in self._kept():
            each.clear()
        return count

    async def clear(self, key: str) -> None:
        for each in self._kept():
            each.clear(key)

    def _kept(self) -> list[Algorithm[Any]]:
        return [*self._counters.values(), *self._logs.values()]
