"""Where samples are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from orchestrator_monitoring._slo.indicators import Counted, Counts
from orchestrator_monitoring._slo.maintenance import Maintenance, excluded
from orchestrator_monitoring._slo.objectives import DAY, HOUR, Slo
from orchestrator_monitoring._slo.samples import KEPT_SECONDS, SloSample, hour_of, window_counts

__all__ = ["CountsSource", "MemorySloStore", "SloStore", "filled_hours"]


class CountsSource(Protocol):
    """Tells how many events there were: the store of samples, or Prometheus."""

    async def counts(self, slos: Sequence[Counted], at: float) -> Mapping[str, Mapping[int, Counts]]:
        """The events of every objective in each of its windows that end at `at` (Unix seconds).

        Raises:
            OrchestratorError: They cannot be told now.
        """
        ...

    async def hours(self, slo: Slo, at: float) -> Sequence[Counts]:
        """The events of each hour of the objective's window, oldest first; hours before the first with events may be missing.

        Raises:
            OrchestratorError: They cannot be told now.
        """
        ...


class SloStore(CountsSource, Protocol):
    """Keeps the samples of all processes."""

    async def add(self, samples: Sequence[SloSample]) -> None:
        """Keep samples. One that is there already (objective, process and time) is kept once, so an unsure caller may repeat itself.

        Raises:
            DatabaseError: None of them is kept.
        """
        ...

    async def exclude(self, window: Maintenance) -> None:
        """Keep a maintenance. Samples that touch it do not count, be they of the last three days or yet to come.

        Raises:
            DatabaseError: It is not kept.
        """
        ...

    async def maintenance(self, since: float) -> Sequence[Maintenance]:
        """Those that end after an instant, earliest first."""
        ...

    async def purge(self, at: float) -> None:
        """Drop what no window reaches any more: samples after 3 days, hours and maintenance after 100."""
        ...


class MemorySloStore:
    """A `SloStore` for one process; what it holds ends with it."""

    def __init__(self) -> None:
        self._samples: dict[tuple[str, str, float], SloSample] = {}
        self._hours: dict[str, dict[int, Counts]] = {}
        self._maintenance: list[Maintenance] = []

    async def add(self, samples: Sequence[SloSample]) -> None:
        for each in samples:
            key = (each.slo, each.process, each.at)
            if key in self._samples:
                continue
            off = each.excluded or excluded(self._maintenance, each.slo, each.since, each.at)
            self._samples[key] = replace(each, excluded=off)
            if not off:
                self._add_hour(each, 1)

    def _add_hour(self, sample: SloSample, sign: int) -> None:
        hours, hour = self._hours.setdefault(sample.slo, {}), hour_of(sample.at)
        hours[hour] = hours.get(hour, Counts(0.0, 0.0)) + Counts(sign * sample.part, sign * sample.total)

    async def exclude(self, window: Maintenance) -> None:
        self._maintenance.append(window)
        for key, each in self._samples.items():
            if not each.excluded and excluded([window], each.slo, each.since, each.at):
                self._samples[key] = replace(each, excluded=True)
                self._add_hour(each, -1)

    async def maintenance(self, since: float) -> Sequence[Maintenance]:
        return sorted((each for each in self._maintenance if each.ends > since), key=lambda each: each.starts)

    async def counts(self, slos: Sequence[Counted], at: float) -> Mapping[str, Mapping[int, Counts]]:
        return {
            slo.name: window_counts(
                (each for each in self._samples.values() if each.slo == slo.name),
                self._hours.get(slo.name, {}),
                at,
                slo.windows,
            )
            for slo in slos
        }

    async def hours(self, slo: Slo, at: float) -> Sequence[Counts]:
        return filled_hours(self._hours.get(slo.name, {}), at - slo.window, at)

    async def purge(self, at: float) -> None:
        self._samples = {key: each for key, each in self._samples.items() if each.at > at - KEPT_SECONDS}
        for name, hours in self._hours.items():
            self._hours[name] = {hour: each for hour, each in hours.items() if hour > at - 100 * DAY}
        self._maintenance = [each for each in self._maintenance if each.ends > at - 100 * DAY]


def filled_hours(known: Mapping[int, Counts], since: float, at: float) -> list[Counts]:
    """The hours of a span, from the first that is known on; hours without events are zeros."""
    inside = [hour for hour in known if since <= hour < at]
    if not inside:
        return []
    return [known.get(hour, Counts(0.0, 0.0)) for hour in range(min(inside), hour_of(at) + 1, HOUR)]
