"""What happened between two looks at the counters, and windows over that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestrator_monitoring._slo.indicators import Counted, Counts, Reading, counted
from orchestrator_monitoring._slo.maintenance import Maintenance, excluded
from orchestrator_monitoring._slo.objectives import DAY, HOUR

__all__ = ["KEPT_SECONDS", "CounterTrail", "Sampler", "SloSample", "hour_of", "window_counts"]

KEPT_SECONDS: Final = 3 * DAY + 6 * HOUR
"""How long single samples are needed; longer windows are sums of hours."""
_MOST_WAITING: Final = 240


@dataclass(frozen=True, slots=True)
class SloSample:
    """The events of one objective in one process between two instants.

    Attributes:
        slo: The objective's name.
        process: Which process counted; a restarted one is another.
        since: Unix seconds; excluded.
        at: Unix seconds; included.
        part: Events that the indicator names, bad ones or good ones.
        total: All events.
        excluded: They happened in a maintenance and do not count.
    """

    slo: str
    process: str
    since: float
    at: float
    part: float
    total: float
    excluded: bool = False


def hour_of(at: float) -> int:
    """The start of the hour in which events up to `at` are kept; a full hour closes its own.

    >>> hour_of(3600.0), hour_of(3600.5)
    (0, 3600)
    """
    return int(-(-at // HOUR) - 1) * HOUR


@dataclass(slots=True)
class CounterTrail:
    """Follows one objective's counters; what falls has been reset, and counts from zero."""

    slo: str
    process: str
    seen: Counts | None = None
    since: float = 0.0

    def follow(self, at: float, counts: Counts) -> SloSample | None:
        """What came since the last look; None at the first."""
        before, since = self.seen, self.since
        self.seen, self.since = counts, at
        if before is None or at <= since:
            return None
        part, total = (new - old if new >= old else new for new, old in zip(counts, before, strict=True))
        return SloSample(self.slo, self.process, since, at, part, total)


class Sampler:
    """Looks at the counters of this process. What could not be kept yet waits here, in bounded room, and keeps its own times."""

    def __init__(
        self,
        slos: Iterable[Counted],
        read: Callable[[], Iterable[Reading]],
        *,
        process: str,
        maintenance: Sequence[Maintenance] = (),
    ) -> None:
        """Set up.

        Args:
            slos: The objectives.
            read: The samples of this process, and of no other.
            process: Unique to this run of this process.
            maintenance: Planned ones that are known beforehand.
        """
        self._slos = tuple(slos)
        self._read = read
        self._maintenance = maintenance
        self._trails = {slo.name: CounterTrail(slo.name, process) for slo in self._slos}
        self._metrics = {
            each.metric for slo in self._slos for each in (slo.indicator.ratio.total, slo.indicator.ratio.part)
        }
        self.waiting: list[SloSample] = []

    def look(self, at: float) -> None:
        """Take what came since the last look into `waiting`; the first look only remembers."""
        by_metric: dict[str, list[Reading]] = {}
        for reading in self._read():
            if reading[0] in self._metrics:
                by_metric.setdefault(reading[0], []).append(reading)
        for slo in self._slos:
            ratio = slo.indicator.ratio
            names = {ratio.total.metric, ratio.part.metric}
            counts = counted(slo.indicator, (each for name in names for each in by_metric.get(name, ())))
            sample = self._trails[slo.name].follow(at, counts)
            if sample is not None:
                off = excluded(self._maintenance, slo.name, sample.since, sample.at)
                self.waiting.append(replace(sample, excluded=off))
        if len(self.waiting) > _MOST_WAITING * len(self._slos):
            self.waiting = _thinned(self.waiting)


def _thinned(samples: Sequence[SloSample]) -> list[SloSample]:
    """Neighbours joined, two and two."""
    by_slo: dict[tuple[str, bool], list[SloSample]] = {}
    for each in samples:
        by_slo.setdefault((each.slo, each.excluded), []).append(each)
    joined: list[SloSample] = []
    for of_one in by_slo.values():
        for first, *rest in (of_one[index : index + 2] for index in range(0, len(of_one), 2)):
            for second in rest:
                first = replace(  # noqa: PLW2901 - at most one
                    first, at=second.at, part=first.part + second.part, total=first.total + second.total
                )
            joined.append(first)
    return sorted(joined, key=lambda each: each.at)


def window_counts(
    samples: Iterable[SloSample], hours: Mapping[int, Counts], at: float, windows: Iterable[int]
) -> dict[int, Counts]:
    """The events of one objective in each window that ends at `at`.

    A sample counts in a window that holds all of it. Windows longer than three days are sums of hours, and of a share of the hour in which they begin.
    """
    known, found = list(samples), dict[int, Counts]()
    for window in windows:
        start, counts = at - window, Counts(0.0, 0.0)
        if window <= 3 * DAY:
            for each in known:
                if not each.excluded and each.since >= start and each.at <= at:
                    counts += Counts(each.part, each.total)
        else:
            for hour, sums in hours.items():
                share = min(max((hour + HOUR - start) / HOUR, 0.0), 1.0) if hour < at else 0.0
                counts += Counts(sums.part * share, sums.total * share)
        found[window] = counts
    return found
