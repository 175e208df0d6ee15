"""What it costs to count, over a bound child of prometheus-client; and what a scrape costs after many workers have died."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import prometheus_client
from prometheus_client import multiprocess

from orchestrator_monitoring.metrics import Counter, Histogram, Metrics, OneOf
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare

EVENTS = Counter("orchestrator_bench_events_total", "Events.", labels={"kind": OneOf("a", "b")})
SECONDS = Histogram("orchestrator_bench_seconds", "Seconds.", unit="seconds", labels={"kind": OneOf("a", "b")})
DEAD = 48


def counting() -> Report:
    theirs = prometheus_client.Counter(
        "bench_events", "Events.", ["kind"], registry=prometheus_client.CollectorRegistry()
    )
    alone, shared = Metrics([EVENTS]), Metrics([EVENTS], folder=tempfile.mkdtemp(prefix="bench-metrics-"))
    family = alone.counter(EVENTS)
    return compare(
        "a counter's increment",
        baseline=Contender("prometheus-client, bound child", theirs.labels("a").inc),
        contenders=[
            Contender("bound child", family.labels("a").inc),
            Contender("bound child, several processes", shared.counter(EVENTS).labels("a").inc),
            Contender("looked up each time", lambda: family.labels("a").inc()),
        ],
        gates={"bound child": Gate(at_most=1.1), "bound child, several processes": Gate(at_most=1.1)},
    )


def observing() -> Report:
    theirs = prometheus_client.Histogram(
        "bench_seconds",
        "Seconds.",
        ["kind"],
        buckets=SECONDS.buckets,
        registry=prometheus_client.CollectorRegistry(),
    ).labels("a")
    alone, shared = Metrics([SECONDS]), Metrics([SECONDS], folder=tempfile.mkdtemp(prefix="bench-metrics-"))
    ours, ours_shared = alone.histogram(SECONDS).labels("a"), shared.histogram(SECONDS).labels("a")
    return compare(
        "a value of a histogram",
        baseline=Contender("prometheus-client, bound child", lambda: theirs.observe(0.3)),
        contenders=[
            Contender("bound child", lambda: ours.observe(0.3)),
            Contender("bound child, several processes", lambda: ours_shared.observe(0.3)),
        ],
        gates={"bound child": Gate(at_most=1.1), "bound child, several processes": Gate(at_most=1.1)},
    )


def declared() -> list[Counter | Histogram]:
    kinds = OneOf(*(f"kind{number}" for number in range(10)))
    return [
        *(Counter(f"orchestrator_bench_{number}_total", "Some.", labels={"kind": kinds}) for number in range(10)),
        *(
            Histogram(f"orchestrator_bench_{number}_seconds", "Some.", unit="seconds", labels={"kind": kinds})
            for number in range(5)
        ),
    ]


def count_all(metrics: Metrics) -> None:
    for number in range(10):
        for each in declared():
            if isinstance(each, Counter):
                metrics.counter(each).labels(f"kind{number}").inc()
            else:
                metrics.histogram(each).labels(f"kind{number}").observe(0.2)


def ours_after(dead: int) -> Metrics:
    """A process that shares its folder with so many that have been killed."""
    folder = tempfile.mkdtemp(prefix="bench-metrics-")
    for _ in range(dead):
        worker = os.fork()
        if worker == 0:
            count_all(Metrics(declared(), folder=folder))
            os.kill(os.getpid(), 9)
        os.waitpid(worker, 0)
    metrics = Metrics(declared(), folder=folder)
    count_all(metrics)
    metrics.scrape()
    return metrics


THEIRS = """
import os, sys, prometheus_client
kinds = [f"kind{number}" for number in range(10)]
counters = [prometheus_client.Counter(f"bench_{number}", "Some.", ["kind"]) for number in range(10)]
histograms = [prometheus_client.Histogram(f"bench_{number}_seconds", "Some.", ["kind"]) for number in range(5)]
for _ in range(int(sys.argv[1])):
    worker = os.fork()
    if worker == 0:
        for kind in kinds:
            for each in counters:
                each.labels(kind).inc()
            for each in histograms:
                each.labels(kind).observe(0.2)
        os.kill(os.getpid(), 9)
    os.waitpid(worker, 0)
"""


def theirs_after(dead: int) -> prometheus_client.CollectorRegistry:
    folder = tempfile.mkdtemp(prefix="bench-metrics-")
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder}
    subprocess.run([sys.executable, "-c", THEIRS, str(dead)], env=environment, check=True)
    for worker in {path.stem.rpartition("_")[2] for path in Path(folder).glob("*.db")}:
        multiprocess.mark_process_dead(int(worker), folder)
    registry = prometheus_client.CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, folder)
    return registry


def scraping() -> Report:
    none, many = ours_after(0), ours_after(DEAD)
    return compare(
        f"a scrape after {DEAD} workers were killed",
        baseline=Contender("after none", none.scrape),
        contenders=[Contender(f"after {DEAD}", many.scrape)],
        gates={f"after {DEAD}": Gate(at_most=1.5)},
    )


def scraping_theirs() -> Report:
    one, many = theirs_after(1), theirs_after(DEAD)
    return compare(
        f"the same of prometheus-client's multiprocess mode, {DEAD} dead workers to 1",
        baseline=Contender("after 1", lambda: prometheus_client.generate_latest(one)),
        contenders=[Contender(f"after {DEAD}", lambda: prometheus_client.generate_latest(many))],
    )


def benches() -> Iterable[Bench]:
    yield counting
    yield observing
    yield scraping
    yield scraping_theirs
