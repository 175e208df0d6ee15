"""Latencies in log-linear buckets: small, mergeable, and right to one percent."""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self, cast

from orchestrator_performance.benchmarking._errors import BenchmarkError

SUB_BUCKETS = 64
SMALLEST = 2.0**-30
_LAST_BUCKET = (sys.float_info.max_exp + 30) * SUB_BUCKETS + SUB_BUCKETS - 1


class LatencyHistogram:
    """Counts of latencies in seconds.

    Every power of two is cut into 64 buckets of one width, as in Gil Tene's HdrHistogram. A bucket's middle stands for its values,
    so that a percentile is off by at most 1/128 (0.8 %) of the true value; below a nanosecond it is off by at most a nanosecond.
    Minimum, maximum and count are exact. The size grows with the spread of the values, not with their number: 64 counts per doubling.

    Example:
        >>> histogram = LatencyHistogram.of([0.010] * 99 + [2.0])
        >>> histogram.count, histogram.maximum, round(histogram.percentile(99), 3)
        (100, 2.0, 0.01)
    """

    __slots__ = ("_buckets", "_count", "_maximum", "_minimum")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._count = 0
        self._minimum = math.inf
        self._maximum = 0.0

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """A histogram of these seconds."""
        histogram = cls()
        for value in values:
            histogram.record(value)
        return histogram

    @property
    def count(self) -> int:
        """How many values were recorded."""
        return self._count

    @property
    def minimum(self) -> float:
        """The smallest value in seconds, exact; 0 if there is none."""
        return self._minimum if self._count else 0.0

    @property
    def maximum(self) -> float:
        """The largest value in seconds, exact; 0 if there is none."""
        return self._maximum

    def record(self, seconds: float, count: int = 1) -> None:
        """Add a latency, `count` times.

        Raises:
            BenchmarkError: It is negative, infinite or not a number, or the count is below 1.
        """
        if not (0 <= seconds < math.inf and count >= 1):
            raise BenchmarkError(
                f"a latency is a finite number of seconds from 0 on, at least once: {seconds} x {count}"
            )
        index = _index(seconds)
        self._buckets[index] = self._buckets.get(index, 0) + count
        self._count += count
        self._minimum = min(self._minimum, seconds)
        self._maximum = max(self._maximum, seconds)

    def record_sorted(self, latencies: Sequence[float]) -> None:
        """Add many that are in ascending order: a look-up for each bucket instead of one for each latency.

        Raises:
            BenchmarkError: The first is negative, or the last no finite number; nothing was added then.
        """
        if not latencies:
            return
        lowest, highest = latencies[0], latencies[-1]
        if not (lowest >= 0 and highest < math.inf):
            raise BenchmarkError(f"latencies are finite numbers of seconds from 0 on: {lowest} to {highest}")
        place = 0
        while place < len(latencies):
            index = _index(latencies[place])
            after = bisect_left(latencies, _end(index), place)
            self._buckets[index] = self._buckets.get(index, 0) + after - place
            place = after
        self._count += len(latencies)
        self._minimum = min(self._minimum, lowest)
        self._maximum = max(self._maximum, highest)

    def merged(self, other: LatencyHistogram) -> LatencyHistogram:
        """A new histogram of both sets of values, exactly as if they had been recorded into one."""
        result = LatencyHistogram()
        for index, count in (*self._buckets.items(), *other._buckets.items()):
            result._buckets[index] = result._buckets.get(index, 0) + count
        result._count = self._count + other._count
        result._minimum = min(self._minimum, other._minimum)
        result._maximum = max(self._maximum, other._maximum)
        return result

    def percentile(self, percent: float) -> float:
        """The smallest recorded value, in seconds, that at least `percent` % of the values do not exceed (nearest rank).

        Within 0.8 % of that value; `percentile(100)` is the exact maximum; 0 if nothing was recorded.

        Raises:
            BenchmarkError: `percent` is not between 0 and 100.
        """
        if not 0 <= percent <= 100:
            raise BenchmarkError(f"a percentile lies between 0 and 100, not {percent:g}")
        if not self._count:
            return 0.0
        rank = nearest_rank(percent, self._count)
        if rank == self._count:
            return self._maximum
        seen = 0
        for index, count in self:
            seen += count
            if seen >= rank:
                return min(max(_middle(index), self._minimum), self._maximum)
        raise AssertionError("the counts of the buckets do not add up")

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The buckets that hold something, as (index, count), from fast to slow."""
        return iter(sorted(self._buckets.items()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LatencyHistogram):
            return NotImplemented
        return self._buckets == other._buckets and (self.minimum, self.maximum) == (other.minimum, other.maximum)

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"<LatencyHistogram of {self._count}, {self.minimum:.3g} to {self.maximum:.3g} s>"

    def as_json(self) -> dict[str, float | list[list[int]]]:
        """What `from_json` reads: exact minimum and maximum in seconds, and [bucket, count] pairs."""
        return {"minimum": self.minimum, "maximum": self.maximum, "buckets": [[index, count] for index, count in self]}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """The histogram whose `as_json` this is.

        Raises:
            BenchmarkError: It is not one.
        """
        match data:
            case {"minimum": float() | int() as low, "maximum": float() | int() as high, "buckets": buckets} if (
                isinstance(buckets, list)
            ):
                histogram = cls()
                for index, count in map(_stored_bucket, cast("list[object]", buckets)):
                    histogram._buckets[index] = histogram._buckets.get(index, 0) + count
                    histogram._count += count
            case _:
                raise BenchmarkError("a stored histogram has minimum, maximum and buckets")
        if not histogram._count:
            return histogram
        histogram._minimum, histogram._maximum = float(low), float(high)
        if (_index_or_none(low), _index_or_none(high)) != (min(histogram._buckets), max(histogram._buckets)):
            raise BenchmarkError(f"minimum {low} and maximum {high} lie outside the stored buckets")
        return histogram


def _stored_bucket(pair: object) -> tuple[int, int]:
    match pair:
        case [int() as index, int() as count] if 0 <= index <= _LAST_BUCKET and count >= 1:
            return index, count
        case _:
            raise BenchmarkError(f"not a bucket of a histogram: {pair!r}")


def _index_or_none(seconds: float) -> int | None:
    return _index(seconds) if 0 <= seconds < math.inf else None


def nearest_rank(percent: float, count: int) -> int:
    """The rank, from 1, of the smallest of `count` values that at least `percent` % of them do not exceed."""
    # 99.9 % of 1000 must be rank 999 although 0.999 has no exact binary form.
    return min(count, max(1, math.ceil(round(percent * count / 100, 9))))


def _index(seconds: float) -> int:
    if seconds < SMALLEST:
        return 0
    mantissa, exponent = math.frexp(seconds)
    return (exponent + 30) * SUB_BUCKETS + int((mantissa * 2 - 1) * SUB_BUCKETS)


def _end(index: int) -> float:
    """The first latency that is beyond the bucket."""
    if index == 0:
        return SMALLEST
    if index >= _LAST_BUCKET:
        return math.inf
    exponent, part = divmod(index, SUB_BUCKETS)
    return math.ldexp(1 + (part + 1) / SUB_BUCKETS, exponent - 31)


def _middle(index: int) -> float:
    if index == 0:
        return 0.0
    exponent, part = divmod(index, SUB_BUCKETS)
    return math.ldexp(1 + (part + 0.5) / SUB_BUCKETS, exponent - 31)
