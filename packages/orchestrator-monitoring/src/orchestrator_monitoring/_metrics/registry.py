"""The metrics of a process: declared, bound, counted, scraped."""

from __future__ import annotations

import asyncio
import logging
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from typing import TYPE_CHECKING, Final, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client import Metric as ScrapedFamily
from prometheus_client.registry import Collector

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._metrics.bounding import admission
from orchestrator_monitoring._metrics.carrying import Carried, Collected
from orchestrator_monitoring._metrics.catalogue import Catalogue
from orchestrator_monitoring._metrics.children import (
    Cells,
    Child,
    CounterChild,
    GaugeChild,
    HistogramChild,
    TraceId,
)
from orchestrator_monitoring._metrics.declarations import Counter, Gauge, Histogram, Metric
from orchestrator_monitoring._metrics.exposition import Scrape, encode, family_of
from orchestrator_monitoring._metrics.families import Family
from orchestrator_monitoring._metrics.merging import Values, merged
from orchestrator_monitoring._metrics.series import LabelValues, SeriesKey

if TYPE_CHECKING:
    from orchestrator_monitoring._metrics.folder import SharedFolder

__all__ = ["OWN_METRICS", "Metrics", "Sample"]

logger = logging.getLogger(__name__)

_PROCESSES: Final = Gauge(
    "orchestrator_metrics_processes", "Live processes whose numbers this scrape holds.", across="max"
)
_ENDED: Final = Counter(
    "orchestrator_metrics_processes_ended_total", "Processes that ended and whose counts go on in this scrape."
)
_UNREAD: Final = Counter(
    "orchestrator_metrics_unread_total", "Series or collectors that raised instead of answering a scrape."
)
OWN_METRICS: Final[tuple[Metric, ...]] = (_PROCESSES, _ENDED, _UNREAD)
"""What the metrics say about themselves; part of every `Metrics`."""

ChildT = TypeVar("ChildT", bound=Child)
AnyFamily = Family[CounterChild] | Family[GaugeChild] | Family[HistogramChild]


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of a scrape."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


class Metrics(Collector):
    """Every declared metric, ready to be counted.

    Args:
        groups: Declarations.
        registers: For labels that are `Registered`: whether a name is known.
        trace_id: The id of the trace that is being recorded, or an empty text: histograms keep it as an exemplar.
        folder: Shared by the processes that answer scrapes for each other; None where each answers for itself.

    Raises:
        ConfigurationError: Two declarations share a name, a label needs a register that is not given, or the folder cannot be used.
    """

    def __init__(
        self,
        *groups: Iterable[Metric],
        registers: Mapping[str, Callable[[str], bool]] | None = None,
        trace_id: TraceId | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        self._registers = dict(registers or {})
        self._trace_id = trace_id
        self._folder = None if folder is None else _shared(folder)
        self._carried: list[Carried] = []
        self._followed: dict[str, Callable[[], Mapping[LabelValues, float]]] = {}
        self.catalogue = Catalogue(*groups, OWN_METRICS)
        self._families: dict[str, AnyFamily] = {each.name: self._family(each) for each in self.catalogue}
        self._unread = self.counter(_UNREAD).labels()
        self._processes = self.gauge(_PROCESSES).labels()
        self._processes.set(1.0)
        self.registry = CollectorRegistry()
        self.registry.register(self)
        if self._folder is not None:
            _call_after_fork(self)

    # -- counting

    def counter(self, metric: Counter) -> Family[CounterChild]:
        """The series of a declared counter."""
        return self._of(metric)  # type: ignore[return-value]  # a Counter's family was made by _family

    def gauge(self, metric: Gauge) -> Family[GaugeChild]:
        """The series of a declared gauge."""
        return self._of(metric)  # type: ignore[return-value]

    def histogram(self, metric: Histogram) -> Family[HistogramChild]:
        """The series of a declared histogram."""
        return self._of(metric)  # type: ignore[return-value]

    def _of(self, metric: Metric) -> AnyFamily:
        family = self._families.get(metric.name)
        if family is None or (family.metric is not metric and family.metric != metric):
            raise ConfigurationError(
                f"metric {metric.name} is not among the declarations that these Metrics were made of",
                details={"metric": metric.name},
            )
        return family

    def follow(self, metric: Gauge, read: Callable[[], Mapping[LabelValues, float]]) -> None:
        """Ask `read` for all series of a gauge at every scrape; a series that it does not name is zero.

        When it raises, the gauge is missing from that scrape and the error is logged.
        """
        self._of(metric)
        self._followed[metric.name] = read

    def carry(self, source: Collected, declared: Iterable[Metric]) -> None:
        """Scrape a collector of another library, too.

        With a folder its numbers are written there at `refresh` and when this process is scraped.

        Args:
            source: A collector or a registry of prometheus-client.
            declared: What it exports; anything else it says is refused.

        Raises:
            ConfigurationError: One of its metrics has the name of another.
        """
        carried = Carried(source, declared)
        Catalogue(self.catalogue, *(each.declared for each in self._carried), carried.declared)
        self._carried.append(carried)

    # -- making

    def _family(self, metric: Metric) -> AnyFamily:
        admit = tuple(
            admission(bound, self._registers, self._seen(metric.name, at))
            for at, bound in enumerate(metric.labels.values())
        )
        if isinstance(metric, Histogram):
            return Family(metric, admit, self._histogram_maker(metric))
        if isinstance(metric, Gauge):
            return Family(metric, admit, lambda labels: GaugeChild(*self._take(metric, labels)))
        return Family(metric, admit, lambda labels: CounterChild(*self._take(metric, labels)))

    def _histogram_maker(self, metric: Histogram) -> Callable[[LabelValues], HistogramChild]:
        def make(labels: LabelValues) -> HistogramChild:
            return HistogramChild(*self._take(metric, labels), metric.buckets, self._trace_id)

        return make

    def _take(self, metric: Metric, labels: LabelValues) -> tuple[Cells, int]:
        key = SeriesKey.of(metric, labels)
        return ([0.0] * key.size, 0) if self._folder is None else self._folder.take(key)

    def _seen(self, metric: str, at: int) -> Callable[[], Iterable[str]]:
        folder = self._folder
        return tuple if folder is None else lambda: folder.label_values(metric, at)

    # -- scraping

    def scrape(self, accept: str = "") -> Scrape:
        """All metrics, in the format that an `Accept` header asks for: OpenMetrics (with exemplars) or the text format."""
        return encode(self, accept)

    async def scrape_aside(self, accept: str = "") -> Scrape:
        """As `scrape`, written out in a thread, so that the event loop goes on: what is asked is asked here, on the loop."""
        asked = self._asked()
        return await asyncio.to_thread(lambda: encode(_Collected([*self._counted(), *asked]), accept))

    def read(self) -> Iterator[Sample]:
        """All metrics as plain samples, buckets cumulative."""
        for family in self.collect():
            for sample in family.samples:
                yield Sample(sample.name, sample.value, sample.labels)

    def refresh(self) -> None:
        """Write down what is only known by asking: gauges that follow a function, and what is carried.

        Where processes share a folder each calls it every few seconds; what is scraped of the others is as old as their last call.
        """
        for family in self._families.values():
            if isinstance(family.metric, Gauge):
                self._refresh(family)  # type: ignore[arg-type]  # a Gauge's
        if self._folder is not None:
            for carried in self._carried:
                self._asking(carried.share, self._folder)

    def _refresh(self, family: Family[GaugeChild]) -> None:
        for child in family.children().values():
            self._asking(child.refresh)
        read = self._followed.get(family.metric.name)
        if read is not None and not self._asking(self._set_all, family, read):
            for child in family.children().values():
                child.set(nan)

    @staticmethod
    def _set_all(family: Family[GaugeChild], read: Callable[[], Mapping[LabelValues, float]]) -> None:
        counted: dict[GaugeChild, float] = dict.fromkeys(family.children().values(), 0.0)
        for labels, value in read().items():
            # Several may be counted under one `other`.
            child = family.labels(*labels)
            counted[child] = counted.get(child, 0.0) + value
        for child, value in counted.items():
            child.set(value)

    def _asking(self, ask: Callable[..., object], *given: object) -> bool:
        try:
            ask(*given)
        except Exception:
            # One that cannot answer must not take all the others from the scrape.
            self._unread.inc()
            logger.exception("a metric could not be read")
            return False
        return True

    def describe(self) -> list[ScrapedFamily]:
        """Nothing: names are checked when they are declared."""
        return []

    def collect(self) -> Iterator[ScrapedFamily]:
        """For prometheus-client's registry: all families, now."""
        asked = self._asked()
        yield from self._counted()
        yield from asked

    def _asked(self) -> list[ScrapedFamily]:
        """What is known by asking; on the thread of those who are asked."""
        self.refresh()
        return [] if self._folder is not None else list(self._pass_on())

    def _counted(self) -> Iterator[ScrapedFamily]:
        """What was counted; on any thread."""
        values = self._own_values() if self._folder is None else self._shared_values(self._folder)
        for name, metric in {each.name: each for each in self._all()}.items():
            if values.get(name):
                yield family_of(metric, values[name], self._exemplars(name))

    def _all(self) -> Iterator[Metric]:
        yield from self.catalogue
        if self._folder is not None:
            for carried in self._carried:
                yield from carried.declared

    def _pass_on(self) -> Iterator[ScrapedFamily]:
        for carried in self._carried:
            families: list[ScrapedFamily] = []
            if self._asking(families.extend, carried.collect()):
                yield from families

    def _own_values(self) -> dict[str, Values]:
        return {
            name: {
                labels: numbers
                for labels, child in family.children().items()
                if not isnan((numbers := child.values())[0])  # A gauge that could not be read.
            }
            for name, family in self._families.items()
        }

    def _shared_values(self, folder: SharedFolder) -> dict[str, Values]:
        read = folder.read()
        values = merged(read, self._all())
        values[_PROCESSES.name] = {(): [float(len(read.live))]}
        values[_ENDED.name] = {(): [float(read.ended)]}
        return values

    def _exemplars(self, name: str) -> dict[LabelValues, dict[int, tuple[str, float, float]]]:
        family = self._families.get(name)
        children = {} if family is None else family.children()
        return {labels: shown for labels, child in children.items() if (shown := child.exemplars())}

    # -- processes

    def close(self) -> None:
        """Leave the folder; what was counted goes on in the scrapes of the others."""
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def after_fork(self) -> None:
        """Count for oneself in a process that was forked; called by itself."""
        if self._folder is None:
            return
        self._folder.after_fork()
        for family in self._families.values():
            family.after_fork()
            for labels, child in family.children().items():
                child.move(*self._take(family.metric, labels))
        for carried in self._carried:
            carried.after_fork()
        self._processes.set(1.0)


@dataclass(frozen=True, slots=True)
class _Collected:
    """Families that were collected before."""

    families: Sequence[ScrapedFamily]

    def collect(self) -> Sequence[ScrapedFamily]:
        return self.families


def _shared(path: str | os.PathLike[str]) -> SharedFolder:
    # Only who shares needs a system that has file locks.
    from orchestrator_monitoring._metrics.folder import SharedFolder  # noqa: PLC0415

    return SharedFolder(path)


def _call_after_fork(metrics: Metrics) -> None:
    reference = weakref.ref(metrics)

    def call() -> None:
        forked = reference()
        if forked is not None:
            forked.after_fork()

    os.register_at_fork(after_in_child=call)
