"""What is scraped passes Prometheus's own linter: its exit code decides, because its last line of output may be blank."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence

import prometheus_client
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring.business_metrics import BUSINESS_METRICS
from orchestrator_monitoring.health import HEALTH_METRICS
from orchestrator_monitoring.http_metrics import HTTP_METRICS
from orchestrator_monitoring.metrics import Counter, Gauge, Histogram, Metric, Metrics, OneOf, Registered


def lint(exposition: bytes) -> tuple[int, str]:
    program = ["promtool", "check", "metrics"]
    done = subprocess.run(program, input=exposition, capture_output=True, check=False, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()


def scraped(declarations: Iterable[Metric]) -> bytes:
    """One series of each."""
    metrics = Metrics(declarations, registers={"tenants": bool})
    for each in metrics.catalogue:
        values = [_some(bound) for bound in each.labels.values()]
        if isinstance(each, Histogram):
            metrics.histogram(each).labels(*values).observe(0.5)
        elif isinstance(each, Gauge):
            metrics.gauge(each).labels(*values).set(1.0)
        elif isinstance(each, Counter):
            metrics.counter(each).labels(*values).inc()
    return metrics.scrape().body


def _some(bound: object) -> str:
    return bound.values[0] if isinstance(bound, OneOf) else "a tenant" if isinstance(bound, Registered) else "a name"


@pytest.mark.parametrize("group", [BUSINESS_METRICS, HTTP_METRICS, HEALTH_METRICS], ids=["business", "http", "health"])
def test_our_metrics_pass(group: Sequence[Metric]) -> None:
    assert lint(scraped(group)) == (0, "")


def test_the_linter_would_tell() -> None:
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Gauge("callsTotal_total", "", registry=registry).set(1)
    assert lint(prometheus_client.generate_latest(registry))[0] == 3


WORDS = st.sampled_from(
    [
        "calls",
        "total",
        "count",
        "sum",
        "bucket",
        "created",
        "seconds",
        "ratio",
        "gauge",
        "histogram",
        "call",
        "http",
        "x1",
        "9",
        "A",
        "",
    ]
)
NAME = st.lists(WORDS, min_size=1, max_size=4).map("_".join)


@settings(max_examples=60, deadline=None)
@given(NAME, st.sampled_from([Counter, Gauge, Histogram]))
def test_what_may_be_declared_passes(name: str, kind: type[Metric]) -> None:
    try:
        metric = kind(name, "Something that is counted.")
    except ConfigurationError:
        return
    code, told = lint(scraped([metric]))
    assert code == 0, told
