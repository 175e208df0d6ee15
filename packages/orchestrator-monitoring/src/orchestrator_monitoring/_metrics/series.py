"""What a series is where several processes keep theirs."""

from __future__ import annotations

import json
from dataclasses import dataclass

from orchestrator_monitoring._metrics.declarations import Histogram, Metric

__all__ = ["LabelValues", "SeriesKey"]

LabelValues = tuple[str, ...]
"""The values of a metric's labels, in the order of its declaration."""


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """The metric with its shape, and the values of its labels."""

    metric: str
    kind: str
    labels: LabelValues
    buckets: tuple[float, ...] = ()

    @classmethod
    def of(cls, metric: Metric, labels: LabelValues) -> SeriesKey:
        """The key of one series of a declared metric."""
        return cls(metric.name, metric.kind, labels, metric.buckets if isinstance(metric, Histogram) else ())

    @property
    def size(self) -> int:
        """Its cells: of a histogram one for each bucket, one for +Inf, and the sum."""
        return len(self.buckets) + 2 if self.kind == "histogram" else 1

    def to_line(self, at: int) -> bytes:
        """As a line that says where its cells begin."""
        return json.dumps([self.metric, self.kind, self.labels, self.buckets, at]).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> tuple[SeriesKey, int]:
        """What `to_line` wrote."""
        metric, kind, labels, buckets, at = json.loads(line)
        return cls(metric, kind, tuple(labels), tuple(buckets)), at
