"""Everything that the application may show at `/metrics` passes Prometheus's own linter, whoever counts it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from app_support import settings
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from orchestrator_app.composition.application import compose
from orchestrator_app.composition.metrics import CATALOGUE
from orchestrator_app.composition.metrics import Metrics as AppMetrics
from orchestrator_app.composition.performance import Performance
from orchestrator_monitoring import metrics as declaring
from orchestrator_monitoring.metrics import OWN_METRICS, LabelBound, Metric, Metrics, OneOf, Registered


def lint(exposition: bytes) -> tuple[int, str]:
    """The exit code decides: the last line of output may be blank."""
    program = ["promtool", "check", "metrics"]
    done = subprocess.run(program, input=exposition, capture_output=True, check=False, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()


def scraped(declarations: Iterable[Metric]) -> bytes:
    """One series of each; what every `Metrics` counts of itself is there anyway."""
    metrics = Metrics([each for each in declarations if each not in OWN_METRICS], registers={"tenants": bool})
    for each in metrics.catalogue:
        values = [_some(bound) for bound in each.labels.values()]
        match each:
            case declaring.Histogram():
                metrics.histogram(each).labels(*values).observe(0.5)
            case declaring.Gauge():
                metrics.gauge(each).labels(*values).set(1.0)
            case declaring.Counter():
                metrics.counter(each).labels(*values).inc()
            case _:
                pytest.fail(f"{each.name} is of a kind that is not written here")
    return metrics.scrape().body


def _some(bound: LabelBound) -> str:
    return bound.values[0] if isinstance(bound, OneOf) else "harbour" if isinstance(bound, Registered) else "a name"


def test_the_whole_catalogue_passes() -> None:
    exposition = scraped(CATALOGUE)
    shown = {line.split()[2] for line in exposition.decode().splitlines() if line.startswith("# TYPE ")}
    assert shown == {each.name for each in CATALOGUE}
    assert len(shown) > 100
    assert lint(exposition) == (0, "")


async def test_what_is_scraped_passes_too(tmp_path: Path) -> None:
    # Other libraries write their own; here they do, and above they are written as they are declared.
    registry = compose(settings(tmp_path)).registry
    exposition = registry.get(AppMetrics).counted.scrape().body
    assert exposition.count(b"# TYPE orchestrator_resilience_") > 10
    assert lint(exposition) == (0, "")
    await registry.get(Performance).pools.close()


def test_the_linter_would_tell_of_one_among_them() -> None:
    registry = CollectorRegistry()
    Gauge("orchestrator_badlyNamed_total", "", registry=registry).set(1)
    code, told = lint(scraped(CATALOGUE) + generate_latest(registry))
    assert code == 3
    assert "badlyNamed" in told
