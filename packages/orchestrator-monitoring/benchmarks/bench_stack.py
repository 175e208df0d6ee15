"""What correlation, spans, HTTP metrics and the timers of the process's monitor cost a request, over the same FastAPI application without them.

Spans are measured to the end: made, judged, encoded as OTLP, compressed, and thrown away in the place of the network, all in this process,
whose CPU time counts with all threads.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from fastapi import FastAPI

from orchestrator_monitoring.http_metrics import HTTP_METRICS, HttpMetricsMiddleware
from orchestrator_monitoring.metrics import Metrics
from orchestrator_monitoring.tracing import OtlpExporter, Tracing, TracingConfig, TracingMiddleware
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare, run_main
from orchestrator_performance.benchmarking.asgi import request
from orchestrator_performance.monitor import Timers
from orchestrator_utils.correlation import CorrelationMiddleware, current

WITHOUT_SPANS = Gate(at_most=1.25)
WITH_SPANS = Gate(at_most=2.0)
MANY = 256
HEADERS = [
    (b"host", b"api.example"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"),
    (b"accept", b"application/json"),
    (b"authorization", b"Bearer 0123456789abcdef0123456789abcdef"),
    (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
]


class Encoded(OtlpExporter):
    """All the work of an export but the network's."""

    def _attempt(self, body: bytes, until: float) -> tuple[int, bytes, float | None]:  # noqa: ARG002
        return 200, b"", None


def application(*middleware: tuple[type, dict[str, Any]]) -> FastAPI:
    """The last one is the outermost."""
    app = FastAPI()

    @app.get("/calls/{number}")
    async def call(number: int) -> dict[str, int]:
        return {"number": number}

    for each, options in middleware:
        app.add_middleware(each, **options)
    return app


def requests(app: Any, made: Tracing | None = None) -> Callable[[], Awaitable[None]]:
    """Many requests; then all their spans are exported.

    So the exporting thread's work falls into the time of the requests that caused it, not into that of whoever comes next.
    """
    one = request(app, "/calls/7", headers=HEADERS)

    async def call() -> None:
        for _ in range(MANY):
            await one()
        if made is not None and not made.flush():
            raise AssertionError("the spans were not exported in time")

    return call


def tracing(ratio: float) -> Tracing:
    """A queue that is never full in the time of a sample, so that nothing is spared by dropping it."""
    return Tracing(
        TracingConfig(ratio=ratio, queue=100_000, interval=60.0), exporter=Encoded("http://collector.invalid")
    )


def metrics() -> tuple[type, dict[str, Any]]:
    """With the timers that the application keeps besides, as it has them."""
    timers = Timers(200)

    def observe(method: str, route: str, status: int) -> Callable[[float], None]:
        record = timers.timing("request", f"{method} {route}").record
        return partial(record, failed=True) if status >= 500 else record

    return HttpMetricsMiddleware, {"metrics": Metrics(HTTP_METRICS), "observe": observe}


def spans(made: Tracing) -> tuple[type, dict[str, Any]]:
    return TracingMiddleware, {"provider": made.provider, "correlation": current}


CORRELATION: tuple[type, dict[str, Any]] = (CorrelationMiddleware, {})


def stack() -> Report:
    made = tracing(1.0)

    def contender(name: str, *middleware: tuple[type, dict[str, Any]], traced: bool = False) -> Contender:
        return Contender(name, requests(application(*middleware), made if traced else None), calls=1, operations=MANY)

    try:
        report = compare(
            "the standard stack over bare FastAPI, CPU of the process with all threads",
            baseline=contender("bare FastAPI"),
            contenders=[
                contender("correlation, metrics, timers", metrics(), CORRELATION),
                contender("correlation, spans", spans(made), CORRELATION, traced=True),
                contender("correlation, spans, metrics, timers", metrics(), spans(made), CORRELATION, traced=True),
            ],
            gates={"correlation, metrics, timers": WITHOUT_SPANS, "correlation, spans, metrics, timers": WITH_SPANS},
            seconds=12,
        )
    finally:
        made.shutdown()
    counts = made.counts()
    if counts["queue_full"] or counts["export_failed"] or not counts["exported"]:
        raise AssertionError(f"not every span was exported: {counts}")
    return report


def benches() -> Iterable[Bench]:
    yield stack


if __name__ == "__main__":
    sys.exit(run_main(benches))
