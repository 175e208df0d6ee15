"""What tracing says about itself: how many spans there were, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator_monitoring.metrics import Counter, Gauge, OneOf
from orchestrator_monitoring.metrics import Metric as Declared

__all__ = ["FATES", "TRACING_METRICS", "TracingCollector"]

FATES: Final = (
    "exported",
    "sampled_out",
    "queue_full",
    "export_failed",
    "segment_full",
    "abandoned",
    "shutdown",
)
"""What can become of a span: all but the first two are losses."""

_SPANS: Final = Counter(
    "orchestrator_trace_spans_total", "Spans that ended, by what became of them.", labels={"fate": OneOf(*FATES)}
)
_WAITING: Final = Gauge("orchestrator_trace_spans_waiting", "Spans that wait for the exporter.")

TRACING_METRICS: Final[tuple[Declared, ...]] = (_SPANS, _WAITING)
"""What `TracingCollector` exports."""


class _Counted(Protocol):
    def counts(self) -> Mapping[str, int]: ...

    @property
    def waiting(self) -> int: ...


class TracingCollector(Collector):
    """For `metrics.carry(TracingCollector(tracing), TRACING_METRICS)`, or any registry of prometheus-client."""

    def __init__(self, tracing: _Counted) -> None:
        self._tracing = tracing

    def collect(self) -> Iterable[Metric]:
        """The counts, now."""
        spans = CounterMetricFamily(_SPANS.family, _SPANS.help, labels=["fate"])
        for fate, count in self._tracing.counts().items():
            spans.add_metric([fate], count)
        yield spans
        yield GaugeMetricFamily(_WAITING.name, _WAITING.help, self._tracing.waiting)
