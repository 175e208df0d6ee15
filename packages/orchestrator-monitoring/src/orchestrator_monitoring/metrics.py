"""Metrics declared once, as data; bound once, then counted; scraped by Prometheus.

What the user types:

    STARTED = Counter("orchestrator_calls_started_total", "Calls that began.", labels={"tenant": Registered("tenants")})
    metrics = Metrics([STARTED], registers={"tenants": tenants.__contains__})
    started = metrics.counter(STARTED).labels("hotel-7")
    started.inc()
    metrics.scrape(accept).body

A label's values are bounded where it is declared: what is out of bounds is counted as `other`. `metrics.catalogue` knows every metric and its labels, so
that dashboards, objectives and alerts can ask before they name one. With a `folder` several processes answer scrapes for each other.
"""

from __future__ import annotations

from orchestrator_monitoring._metrics.catalogue import Catalogue, UnknownMetric
from orchestrator_monitoring._metrics.children import CounterChild, Exemplar, GaugeChild, HistogramChild, TraceId
from orchestrator_monitoring._metrics.declarations import (
    LATENCY_BUCKETS,
    Across,
    Counter,
    Gauge,
    Histogram,
    Metric,
    MetricKind,
)
from orchestrator_monitoring._metrics.exposition import Scrape
from orchestrator_monitoring._metrics.families import Family
from orchestrator_monitoring._metrics.label_bounds import OTHER, AtMost, LabelBound, OneOf, Registered
from orchestrator_monitoring._metrics.quantiles import estimate_quantile
from orchestrator_monitoring._metrics.registry import OWN_METRICS, Metrics, Sample

__all__ = [
    "LATENCY_BUCKETS",
    "OTHER",
    "OWN_METRICS",
    "Across",
    "AtMost",
    "Catalogue",
    "Counter",
    "CounterChild",
    "Exemplar",
    "Family",
    "Gauge",
    "GaugeChild",
    "Histogram",
    "HistogramChild",
    "LabelBound",
    "Metric",
    "MetricKind",
    "Metrics",
    "OneOf",
    "Registered",
    "Sample",
    "Scrape",
    "TraceId",
    "UnknownMetric",
    "estimate_quantile",
]
