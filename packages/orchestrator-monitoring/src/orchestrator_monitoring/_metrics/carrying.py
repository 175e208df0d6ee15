"""Metrics that another library keeps, carried to where all processes are counted together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from prometheus_client import Metric as ScrapedFamily

from orchestrator_monitoring._metrics.catalogue import Catalogue
from orchestrator_monitoring._metrics.children import Cells
from orchestrator_monitoring._metrics.declarations import Histogram, Metric
from orchestrator_monitoring._metrics.series import LabelValues, SeriesKey

if TYPE_CHECKING:
    from orchestrator_monitoring._metrics.folder import SharedFolder

__all__ = ["Carried", "Collected"]


class Collected(Protocol):
    """What can be asked for its metrics: a collector or a registry of prometheus-client."""

    def collect(self) -> Iterable[ScrapedFamily]:
        """All of them, now."""
        ...


class Carried:
    """A foreign collector whose metrics are declared, so that they are known and can be shared.

    Args:
        source: Asked at every scrape.
        declared: What it exports.
    """

    def __init__(self, source: Collected, declared: Iterable[Metric]) -> None:
        self._source = source
        self.declared = Catalogue(declared)
        self._cells: dict[SeriesKey, tuple[Cells, int]] = {}

    def collect(self) -> Iterator[ScrapedFamily]:
        """What it says now; `_created` is left out, as from our own."""
        for family in self._source.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            for sample in family.samples:
                self.declared.require(sample.name, *sample.labels)
            yield family

    def share(self, folder: SharedFolder) -> None:
        """Write what it says now where all processes find it."""
        for key, numbers in self._series().items():
            cells = self._cells.get(key)
            if cells is None:
                cells = self._cells[key] = folder.take(key)
            for offset, number in enumerate(numbers):
                cells[0][cells[1] + offset] = number

    def after_fork(self) -> None:
        """What was written before is the parent's."""
        self._cells.clear()

    def _series(self) -> dict[SeriesKey, list[float]]:
        plain: dict[SeriesKey, list[float]] = {}
        buckets: defaultdict[SeriesKey, dict[str, float]] = defaultdict(dict)
        for family in self.collect():
            for sample in family.samples:
                metric = self.declared.require(sample.name)
                key = SeriesKey.of(metric, _told(metric, sample.labels))
                if isinstance(metric, Histogram):
                    buckets[key][sample.labels.get("le", sample.name.removeprefix(metric.name))] = sample.value
                else:
                    plain[key] = [sample.value]
        return plain | {key: _cells_of(key, samples) for key, samples in buckets.items()}


def _told(metric: Metric, labels: dict[str, str]) -> LabelValues:
    return tuple(labels.get(name, "") for name in metric.labels)


def _cells_of(key: SeriesKey, samples: dict[str, float]) -> list[float]:
    """Cells of a histogram from its cumulative samples."""
    by_bound = {float(le): value for le, value in samples.items() if not le.startswith("_")}
    cumulative = [by_bound.get(bound, 0.0) for bound in (*key.buckets, float("inf"))]
    return [now - before for now, before in zip(cumulative, [0.0, *cumulative], strict=False)] + [
        samples.get("_sum", 0.0)
    ]
