"""What one span costs, and what writing it as OTLP costs, over OpenTelemetry's SDK doing the same."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Tracer

from orchestrator_monitoring._tracing.otlp import OtlpEncoder
from orchestrator_monitoring.tracing import MemoryExporter, SdkExporter, Tracing, TracingConfig
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare, run_main

MANY = 256
BEFORE = {
    "http.request.method": "GET",
    "url.scheme": "http",
    "network.protocol.version": "1.1",
    "server.address": "api.example",
    "server.port": 80,
}
AFTER = {"http.route": "/calls/{number}", "url.path": "/calls/{number}", "http.response.status_code": 200}


class Nowhere(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002
        return SpanExportResult.SUCCESS


class NowhereOfOurs(MemoryExporter):
    def export(self, spans: Any) -> int:
        return len(spans)


def spans(tracer: Tracer, flush: Any) -> Any:
    def call() -> None:
        for _ in range(MANY):
            span = tracer.start_span("GET", kind=SpanKind.SERVER, attributes=BEFORE)
            span.set_attributes(AFTER)
            span.update_name("GET /calls/{number}")
            span.end()
        flush()

    return call


def one_span() -> Report:
    sdk = TracerProvider()
    sdk.add_span_processor(BatchSpanProcessor(Nowhere(), max_queue_size=4096))
    ours = Tracing(TracingConfig(interval=60.0), exporter=NowhereOfOurs())
    unsampled = Tracing(TracingConfig(ratio=0.0), exporter=NowhereOfOurs())
    try:
        return compare(
            "a span with eight attributes, made, judged and handed to an exporter that does nothing",
            baseline=Contender("OpenTelemetry's SDK", spans(sdk.get_tracer("x"), sdk.force_flush), operations=MANY),
            contenders=[
                Contender("ours", spans(ours.provider.get_tracer("x"), ours.flush), operations=MANY),
                Contender("ours, left out in the end", spans(unsampled.provider.get_tracer("x"), int), operations=MANY),
            ],
            gates={"ours": Gate(at_most=0.6)},
            seconds=4,
        )
    finally:
        sdk.shutdown()
        ours.shutdown()
        unsampled.shutdown()


def otlp() -> Report:
    exporter = MemoryExporter()
    tracing = Tracing(TracingConfig(), exporter=exporter)
    spans(tracing.provider.get_tracer("x"), tracing.flush)()
    tracing.shutdown()
    kept = InMemorySpanExporter()
    sdk = SdkExporter(kept)
    sdk.describe({"service.name": "x"})
    sdk.export(exporter.spans)
    theirs, encoder = kept.get_finished_spans(), OtlpEncoder({"service.name": "x"})
    return compare(
        "256 spans as an OTLP request",
        baseline=Contender("the SDK's encoder", lambda: encode_spans(theirs).SerializeToString(), operations=MANY),
        contenders=[Contender("ours", lambda: encoder.request(exporter.spans), operations=MANY)],
        gates={"ours": Gate(at_most=0.5)},
        seconds=3,
    )


def benches() -> Iterable[Bench]:
    yield one_span
    yield otlp


if __name__ == "__main__":
    sys.exit(run_main(benches))
