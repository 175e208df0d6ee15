"""What a scraper is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Protocol

from prometheus_client import Metric as ScrapedFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.samples import Exemplar as ScrapedExemplar

from orchestrator_monitoring._metrics.children import Exemplar
from orchestrator_monitoring._metrics.declarations import Histogram, Metric
from orchestrator_monitoring._metrics.merging import Values
from orchestrator_monitoring._metrics.series import LabelValues

__all__ = ["Collecting", "Exemplars", "Scrape", "encode", "family_of"]

Exemplars = Mapping[LabelValues, Mapping[int, Exemplar]]
"""By the values of the labels, then by the cell."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """An answer to a scraper."""

    content_type: str
    body: bytes


class Collecting(Protocol):
    """What has families."""

    def collect(self) -> Iterable[ScrapedFamily]:
        """All of them, now."""
        ...


def encode(source: Collecting, accept: str) -> Scrape:
    """All metrics in the format that an `Accept` header asks for: OpenMetrics, or the text format where it does not."""
    encoder, content_type = choose_encoder(accept)
    return Scrape(content_type, encoder(source))


def family_of(metric: Metric, values: Values, exemplars: Exemplars) -> ScrapedFamily:
    """A metric and its samples as the encoders of prometheus-client take them."""
    family = ScrapedFamily(metric.family, metric.help, metric.kind, metric.unit)
    names = tuple(metric.labels)
    for told, numbers in values.items():
        labels, shown = dict(zip(names, told, strict=True)), exemplars.get(told, {})
        if isinstance(metric, Histogram):
            _add_histogram(family, metric, labels, numbers, shown)
        else:
            family.add_sample(metric.name, labels, numbers[0], None, _exemplar(shown.get(0)))
    return family


def _add_histogram(
    family: ScrapedFamily,
    metric: Histogram,
    labels: dict[str, str],
    numbers: list[float],
    exemplars: Mapping[int, Exemplar],
) -> None:
    total = 0.0
    for at, bound in enumerate((*metric.buckets, inf)):
        total += numbers[at]
        le = {**labels, "le": metric.le(bound)}
        family.add_sample(f"{metric.name}_bucket", le, total, None, _exemplar(exemplars.get(at)))
    family.add_sample(f"{metric.name}_count", labels, total)
    family.add_sample(f"{metric.name}_sum", labels, numbers[-1])


def _exemplar(exemplar: Exemplar | None) -> ScrapedExemplar | None:
    return None if exemplar is None else ScrapedExemplar({"trace_id": exemplar[0]}, exemplar[1], exemplar[2])
