"""What an objective counts: events, and which of them are bad."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from orchestrator_monitoring._slo.selectors import Matcher, Selector

__all__ = ["Counted", "Counts", "Indicator", "LatencyIndicator", "RatioIndicator", "Reading", "counted"]

Reading: TypeAlias = tuple[str, Mapping[str, str], float]
"""A sample as a scrape shows it: name, labels, value."""


class Counts(NamedTuple):
    """Events of a time span: all of them, and the part that the indicator names (the bad or the good ones)."""

    part: float
    total: float

    def __add__(self, other: object) -> Counts:
        if not isinstance(other, Counts):
            return NotImplemented
        return Counts(self.part + other.part, self.total + other.total)


@dataclass(frozen=True, slots=True)
class RatioIndicator:
    """Bad events, or good ones, out of all; counters.

    Attributes:
        total: All events.
        part: The bad ones; the good ones when `good` is set.
        good: Which of the two.
    """

    total: Selector
    part: Selector
    good: bool = False

    def error_ratio(self, counts: Counts) -> float | None:
        """The bad share, from 0 to 1; None without events."""
        if counts.total <= 0:
            return None
        share = counts.part / counts.total
        return min(max(1 - share if self.good else share, 0.0), 1.0)

    @property
    def ratio(self) -> RatioIndicator:
        """Itself: every indicator can be seen as a ratio."""
        return self


@dataclass(frozen=True, slots=True)
class LatencyIndicator:
    """Events within a time, out of all; a histogram.

    Attributes:
        histogram: Its name, without `_bucket`, and matchers.
        within: Seconds; a bound of the histogram's buckets.
    """

    histogram: Selector
    within: float

    def error_ratio(self, counts: Counts) -> float | None:
        """The slow share, from 0 to 1; None without events."""
        return self.ratio.error_ratio(counts)

    @property
    def ratio(self) -> RatioIndicator:
        """The same as counters: the bucket of the bound out of the count."""
        name, matchers = self.histogram.metric, self.histogram.matchers
        bound = Matcher("le", "=", f"{self.within:g}")
        return RatioIndicator(
            Selector(f"{name}_count", matchers), Selector(f"{name}_bucket", (*matchers, bound)), good=True
        )


Indicator: TypeAlias = RatioIndicator | LatencyIndicator


class Counted(Protocol):
    """Something whose events are counted over windows: an objective, or a rule on a ratio."""

    @property
    def name(self) -> str:
        """Under which its samples are kept."""
        ...

    @property
    def indicator(self) -> Indicator:
        """What is counted."""
        ...

    @property
    def windows(self) -> tuple[int, ...]:
        """Seconds, short to long."""
        ...


def counted(indicator: Indicator, readings: Iterable[Reading]) -> Counts:
    """What the counters of an indicator show in these samples."""
    ratio = indicator.ratio
    part = total = 0.0
    for metric, labels, value in readings:
        if ratio.total.accepts(metric, labels):
            total += value
        if ratio.part.accepts(metric, labels):
            part += value
    return Counts(part, total)
