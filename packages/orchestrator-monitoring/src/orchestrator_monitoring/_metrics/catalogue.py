"""All metrics that anybody exports: asked by dashboards, objectives and alerts before they name one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._metrics.declarations import Gauge, Histogram, Metric

__all__ = ["Catalogue", "UnknownMetric"]

_NONE: Final = ""


class UnknownMetric(ConfigurationError):
    """A query names a metric or a label that nobody declares."""

    default_code = "unknown_metric"


class Catalogue:
    """Declared metrics, found by the name of any of their samples.

    Args:
        groups: Declarations, as each package and the application list them.

    Raises:
        ConfigurationError: Two declarations share a name, or the name of a sample.
    """

    def __init__(self, *groups: Iterable[Metric]) -> None:
        self._by_name: dict[str, Metric] = {}
        self._by_sample: dict[str, Metric] = {}
        self._taken: set[str] = set()
        for metric in (each for group in groups for each in group):
            self._add(metric)

    def _add(self, metric: Metric) -> None:
        names = {metric.name, metric.family, *metric.samples}
        for name in sorted(names & self._taken):
            raise ConfigurationError(f"two metrics would be scraped as {name}", details={"metric": name})
        self._taken |= names
        self._by_name[metric.name] = metric
        self._by_sample.update(dict.fromkeys(metric.samples, metric))

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, sample: str) -> bool:
        return sample in self._by_sample

    def find(self, sample: str) -> Metric | None:
        """The metric that a sample belongs to: `x_total`, `x_seconds_bucket`, `x_seconds_count`; None when nobody declares it."""
        return self._by_sample.get(sample)

    def labels_of(self, sample: str) -> frozenset[str] | None:
        """The labels of a sample, `le` of a bucket among them; None when nobody declares it."""
        metric = self._by_sample.get(sample)
        return None if metric is None else metric.labels_of(sample)

    def require(self, sample: str, *labels: str) -> Metric:
        """The metric that a sample belongs to, if it has these labels.

        Raises:
            UnknownMetric: Nobody declares the sample, or it has no such label; says what comes nearest.
        """
        metric = self._by_sample.get(sample)
        if metric is None:
            raise UnknownMetric(f"no metric has a sample {sample}{self._hint(sample)}", details={"metric": sample})
        unknown = sorted(set(labels) - metric.labels_of(sample))
        if unknown:
            known = ", ".join(sorted(metric.labels_of(sample))) or "no label"
            raise UnknownMetric(
                f"{sample} has no label {', '.join(unknown)}; it has {known}", details={"metric": sample}
            )
        return metric

    def _hint(self, sample: str) -> str:
        from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

        if sample in self._by_name:
            return f": it is a histogram, use {', '.join(self._by_name[sample].samples)}"
        near = get_close_matches(sample, self._by_sample, n=1)
        return f"; did you mean {near[0]}?" if near else _NONE

    def table(self) -> str:
        """All metrics as a Markdown table, by name."""
        rows = ["| metric | type | unit | labels | what it tells |", "|---|---|---|---|---|"]
        for metric in sorted(self, key=lambda each: each.name):
            labels = "; ".join(f"`{name}`: {bound}" for name, bound in metric.labels.items())
            rows.append(f"| `{metric.name}` | {_kind(metric)} | {metric.unit} | {labels} | {metric.help} |")
        return "\n".join(rows) + "\n"


def _kind(metric: Metric) -> str:
    if isinstance(metric, Gauge) and metric.across != "sum":
        return f"gauge ({metric.across} of processes)"
    if isinstance(metric, Histogram):
        return f"histogram ({metric.buckets[0]:g} to {metric.buckets[-1]:g})"
    return metric.kind
