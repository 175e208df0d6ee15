"""A process that starts workers which count until they are killed; run by the tests, never imported by them.

It reads a line for each worker to start, and answers with its process id. Every worker writes a byte to `told` after each thing it has counted.
When its input ends it kills the workers that are left.
"""

from __future__ import annotations

import os
import signal
import sys

from orchestrator_monitoring.metrics import Counter, Gauge, Histogram, Metrics, OneOf

CALLS = Counter("calls_total", "Calls.", labels={"kind": OneOf("a", "b")})
SECONDS = Histogram("calls_duration_seconds", "How long.", unit="seconds", buckets=(0.1, 1.0))
RUNNING = Gauge("calls_running", "Calls that run.")
DECLARED = (CALLS, SECONDS, RUNNING)


def count(folder: str, told: int) -> None:
    metrics = Metrics(DECLARED, folder=folder)
    calls, seconds = metrics.counter(CALLS).labels("a"), metrics.histogram(SECONDS).labels()
    metrics.gauge(RUNNING).labels().set(1)
    turn = 0
    while True:
        turn += 1
        calls.inc()
        os.write(told, b".")
        seconds.observe(0.05 * (turn % 40))
        if turn % 50 == 0:
            metrics.scrape()


def main() -> None:
    folder, told = sys.argv[1], os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    workers = []
    for _ in sys.stdin:
        worker = os.fork()
        if worker == 0:
            count(folder, told)
        workers.append(worker)
        sys.stdout.write(f"{worker}\n")
        sys.stdout.flush()
    for worker in workers:
        try:
            os.kill(worker, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
