"""What a closed circuit remembers: pure, without a clock of its own.

A window is written by the calls that were admitted under it. A change of state puts up a new window, so a late outcome of an older
generation falls into one that nobody reads any more.

Only failures and slow calls are stored, with the number of the call; a success is one increment. That is what keeps the path of a
healthy call short, and eviction is amortised O(1).
"""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Window(Protocol):
    """Calls, failures and slow calls of the recent past."""

    calls: int
    """All outcomes written so far. Counting a success may be done by adding 1 here, unless `timed`."""

    timed: bool
    """Whether `success` has to be told the time."""

    def success(self, now: float) -> None: ...
    def bad(self, now: float, *, failed: bool, slow: bool) -> None:
        """A failure, a slow success, or a slow failure."""
        ...

    def totals(self, now: float) -> tuple[int, int, int]:
        """Calls, failures and slow calls in the window."""
        ...


class CountWindow:
    """The last `size` calls."""

    timed = False
    __slots__ = ("_failures", "_size", "_slow", "calls")

    def __init__(self, size: int) -> None:
        self._size = size
        self.calls = 0
        self._failures: deque[int] = deque()
        self._slow: deque[int] = deque()

    def success(self, now: float) -> None:  # noqa: ARG002 - the protocol's
        self.calls += 1

    def bad(self, now: float, *, failed: bool, slow: bool) -> None:  # noqa: ARG002 - the protocol's
        self.calls += 1
        if failed:
            self._failures.append(self.calls)
        if slow:
            self._slow.append(self.calls)
        self._evict()

    def _evict(self) -> None:
        oldest = self.calls - self._size
        for numbers in (self._failures, self._slow):
            while numbers and numbers[0] <= oldest:
                numbers.popleft()

    def totals(self, now: float) -> tuple[int, int, int]:  # noqa: ARG002 - the protocol's
        self._evict()
        return min(self.calls, self._size), len(self._failures), len(self._slow)


class RunWindow:
    """The failures in a row: any success ends the run."""

    timed = False
    __slots__ = ("_last", "_run", "_slow_run", "calls")

    def __init__(self) -> None:
        self.calls = 0
        self._last = 0
        self._run = 0
        self._slow_run = 0

    def success(self, now: float) -> None:  # noqa: ARG002 - the protocol's
        self.calls += 1

    def bad(self, now: float, *, failed: bool, slow: bool) -> None:  # noqa: ARG002 - the protocol's
        in_a_row = self.calls == self._last
        self.calls += 1
        self._last = self.calls
        self._run = (self._run if in_a_row else 0) + 1 if failed else 0
        self._slow_run = (self._slow_run if in_a_row else 0) + 1 if slow else 0

    def totals(self, now: float) -> tuple[int, int, int]:  # noqa: ARG002 - the protocol's
        if self.calls != self._last:
            return 0, 0, 0
        return max(self._run, self._slow_run), self._run, self._slow_run


class TimeWindow:
    """The calls of the last `seconds`, in `buckets` equal parts."""

    timed = True
    __slots__ = ("_buckets", "_head", "_sum", "_width", "calls")

    def __init__(self, seconds: float, buckets: int = 30) -> None:
        self._width = seconds / buckets
        self._buckets = [[0, 0, 0] for _ in range(buckets)]
        self._head: int | None = None
        self._sum = [0, 0, 0]
        self.calls = 0

    def _bucket(self, now: float) -> list[int]:
        number = int(now // self._width)
        size = len(self._buckets)
        if number == self._head:
            return self._buckets[number % size]
        if self._head is None:
            self._head = number
        for step in range(min(number - self._head, size)):
            bucket = self._buckets[(self._head + 1 + step) % size]
            for place, value in enumerate(bucket):
                self._sum[place] -= value
                bucket[place] = 0
        self._head = max(self._head, number)
        return self._buckets[self._head % size]

    def _add(self, now: float, failed: int, slow: int) -> None:
        bucket = self._bucket(now)
        self.calls += 1
        for place, value in enumerate((1, failed, slow)):
            bucket[place] += value
            self._sum[place] += value

    def success(self, now: float) -> None:
        bucket = self._bucket(now)
        bucket[0] += 1
        self._sum[0] += 1
        self.calls += 1

    def bad(self, now: float, *, failed: bool, slow: bool) -> None:
        self._add(now, int(failed), int(slow))

    def totals(self, now: float) -> tuple[int, int, int]:
        self._bucket(now)
        return self._sum[0], self._sum[1], self._sum[2]
