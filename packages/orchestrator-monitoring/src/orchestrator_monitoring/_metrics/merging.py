"""One value from those of several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isnan
from typing import TYPE_CHECKING, Final

from orchestrator_monitoring._metrics.declarations import Across, Gauge, Metric
from orchestrator_monitoring._metrics.series import LabelValues, SeriesKey

if TYPE_CHECKING:
    from orchestrator_monitoring._metrics.folder import Read

__all__ = ["Values", "merged"]

Values = dict[LabelValues, list[float]]
"""The cells of a metric by the values of its labels."""

_GAUGES: Final[Mapping[Across, Callable[[float, float], float]]] = {
    "sum": lambda one, other: one + other,
    "max": max,
    "min": min,
}


def merged(read: Read, metrics: Iterable[Metric]) -> dict[str, Values]:
    """What all processes have counted, by the name of the metric. What another version declared differently is left out."""
    declared = {metric.name: metric for metric in metrics}
    found: dict[str, Values] = {name: {} for name in declared}
    for series in (read.folded, *read.live):
        for key, numbers in series.items():
            metric = declared.get(key.metric)
            if metric is None or len(key.labels) != len(metric.labels) or key != SeriesKey.of(metric, key.labels):
                continue
            if isnan(numbers[0]):
                continue  # A gauge that its process could not read.
            values = found[key.metric]
            before = values.get(key.labels)
            if before is None:
                values[key.labels] = list(numbers)
            else:
                join = _GAUGES[metric.across if isinstance(metric, Gauge) else "sum"]
                values[key.labels] = [join(one, other) for one, other in zip(before, numbers, strict=True)]
    return found
