"""What correlation, spans and HTTP metrics cost a request, over the same FastAPI application without them.

Spans are measured to the end: made, judged, encoded as OTLP, compressed, and thrown away in the place of the network, all in this process,
whose CPU time counts with all threads.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import FastAPI

from orchestrator_monitoring.http_metrics import HTTP_METRICS, HttpMetricsMiddleware
from orchestrator_monitoring.metrics import Metrics
from orchestrator_monitoring.tracing import OtlpExporter, Tracing, TracingConfig, TracingMiddleware
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare, run_main
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
    """Requests in process: no server, no sockets, only the application's own work; then all their spans are exported.

    So the exporting thread's work falls into the time of the requests that caused it, not into that of whoever comes next.
    """

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise AssertionError(message)

    def one() -> Awaitable[None]:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/calls/7",
            "raw_path": b"/calls/7",
            "query_string": b"",
            "root_path": "",
            "headers": list(HEADERS),
            "client": ("192.0.2.1", 1000),
            "server": ("api.example", 80),
        }
        return app(scope, receive, send)

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
    return HttpMetricsMiddleware, {"metrics": Metrics(HTTP_METRICS)}


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
                contender("correlation, metrics", metrics(), CORRELATION),
                contender("correlation, spans", spans(made), CORRELATION, traced=True),
                contender("correlation, spans, metrics", metrics(), spans(made), CORRELATION, traced=True),
            ],
            gates={"correlation, metrics": WITHOUT_SPANS, "correlation, spans, metrics": WITH_SPANS},
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
