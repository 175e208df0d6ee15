"""One series each: what is bound once and then counts.

A child writes into cells: a list in a process that is alone, shared memory among several. One lock per child, held for a few
instructions, because metrics are also counted by threads.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from math import inf, nan
from threading import Lock
from time import time
from typing import Protocol

__all__ = ["Cells", "Child", "CounterChild", "Exemplar", "GaugeChild", "HistogramChild", "TraceId"]

TraceId = Callable[[], str]
"""The id of the trace that is being recorded now; empty when none is."""


class Cells(Protocol):
    """Numbers side by side."""

    def __getitem__(self, at: int, /) -> float: ...

    def __setitem__(self, at: int, value: float, /) -> None: ...


Exemplar = tuple[str, float, float]
"""A trace id, the value that was counted in it, and when (seconds since 1970)."""


class Child:
    """What all three kinds have."""

    __slots__ = ("_at", "_cells", "_lock")

    def __init__(self, cells: Cells, at: int) -> None:
        self._cells = cells
        self._at = at
        self._lock = Lock()

    def move(self, cells: Cells, at: int) -> None:
        """Count elsewhere from now on: after a fork the old cells are the parent's."""
        self._cells, self._at, self._lock = cells, at, Lock()

    def values(self) -> list[float]:
        """Its cells now."""
        with self._lock:
            return [self._cells[self._at]]

    def exemplars(self) -> dict[int, Exemplar]:
        """The last exemplar by cell."""
        return {}


class CounterChild(Child):
    """A counter of one series."""

    __slots__ = ("_exemplar",)

    def __init__(self, cells: Cells, at: int) -> None:
        super().__init__(cells, at)
        self._exemplar: Exemplar | None = None

    def inc(self, amount: float = 1.0, *, trace_id: str = "") -> None:
        """Count `amount` more.

        Args:
            amount: Zero or more.
            trace_id: Shown beside the counter as an exemplar, where the scraper asks for OpenMetrics.

        Raises:
            ValueError: The amount is negative or no finite number.
        """
        if not 0.0 <= amount < inf:
            raise ValueError(f"a counter only grows: {amount}")
        with self._lock:
            self._cells[self._at] += amount
        if trace_id:
            self._exemplar = (trace_id, amount, time())

    def exemplars(self) -> dict[int, Exemplar]:
        """The last exemplar, if there is one."""
        return {} if self._exemplar is None else {0: self._exemplar}


class GaugeChild(Child):
    """A gauge of one series."""

    __slots__ = ("_read",)

    def __init__(self, cells: Cells, at: int) -> None:
        super().__init__(cells, at)
        self._read: Callable[[], float] | None = None

    def set(self, value: float) -> None:
        """It is `value` now."""
        with self._lock:
            self._cells[self._at] = value

    def inc(self, amount: float = 1.0) -> None:
        """It has risen by `amount`."""
        with self._lock:
            self._cells[self._at] += amount

    def dec(self, amount: float = 1.0) -> None:
        """It has fallen by `amount`."""
        with self._lock:
            self._cells[self._at] -= amount

    def follow(self, read: Callable[[], float]) -> None:
        """Ask `read` at every scrape instead; when it raises, the series is missing from that scrape and the error is logged."""
        self._read = read

    @property
    def followed(self) -> Callable[[], float] | None:
        """What is asked at every scrape, if anything is."""
        return self._read

    def refresh(self) -> None:
        """Ask now, and keep the answer; what cannot be read is no number until it can be."""
        if self._read is not None:
            self.set(nan)
            self.set(float(self._read()))


class HistogramChild(Child):
    """A histogram of one series: a cell for each bucket, one for +Inf, and the sum."""

    __slots__ = ("_bounds", "_exemplars", "_sum", "_trace_id")

    def __init__(self, cells: Cells, at: int, bounds: tuple[float, ...], trace_id: TraceId | None) -> None:
        super().__init__(cells, at)
        self._bounds = bounds
        self._sum = at + len(bounds) + 1
        self._trace_id = trace_id
        self._exemplars: dict[int, Exemplar] = {}

    def move(self, cells: Cells, at: int) -> None:
        """Count elsewhere from now on."""
        super().move(cells, at)
        self._sum = at + len(self._bounds) + 1

    def observe(self, value: float, *, trace_id: str = "") -> None:
        """Count a value.

        Args:
            value: Zero or more, so that the sum never falls.
            trace_id: Shown as the exemplar of its bucket; without one, what the `trace_id` of `Metrics` says is taken.

        Raises:
            ValueError: The value is negative or no finite number.
        """
        if not 0.0 <= value < inf:
            raise ValueError(f"a histogram takes numbers from zero up: {value}")
        bucket = bisect_left(self._bounds, value)
        with self._lock:
            cells = self._cells
            cells[self._at + bucket] += 1.0
            cells[self._sum] += value
        if not trace_id and self._trace_id is not None:
            trace_id = self._trace_id()
        if trace_id:
            self._exemplars[bucket] = (trace_id, value, time())

    def observe_and_count(self, value: float, counter: CounterChild) -> None:
        """As `observe`, and one more in a counter that is counted in no other way: one lock for both, on the path of every request."""
        bucket = bisect_left(self._bounds, value)
        with self._lock:
            cells = self._cells
            cells[self._at + bucket] += 1.0
            cells[self._sum] += value
            counter._cells[counter._at] += 1.0  # noqa: SLF001 - of the same kind
        if self._trace_id is not None and (trace_id := self._trace_id()):
            self._exemplars[bucket] = (trace_id, value, time())

    def values(self) -> list[float]:
        """Its cells now."""
        with self._lock:
            cells = self._cells
            return [cells[at] for at in range(self._at, self._sum + 1)]

    def exemplars(self) -> dict[int, Exemplar]:
        """The last exemplar of each bucket."""
        return dict(self._exemplars)
