"""The way out: OTLP as the official messages read it, a collector that fails, and a queue that never makes anybody wait."""

import gzip
import io
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from tracing_support import FormRedactor, Traced

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._tracing.otlp import OtlpEncoder, rejected_spans
from orchestrator_monitoring.tracing import (
    ConsoleExporter,
    MemoryExporter,
    OtlpExporter,
    SdkExporter,
    Tracing,
    TracingConfig,
)

_texts = st.text(max_size=200)
_ints = st.integers(-(2**63), 2**63 - 1)
_values = st.one_of(
    _texts,
    st.booleans(),
    _ints,
    st.floats(allow_nan=False),
    st.lists(_texts, max_size=3),
    st.lists(_ints, max_size=3),
    st.lists(st.booleans(), max_size=3),
)
_attributes = st.dictionaries(st.text(min_size=1, max_size=20), _values, max_size=5)


def official(spans, resource):
    """The same spans by the SDK's own encoder. It leaves the trace's flags out of `flags`, and losses of ours are counted together."""
    exporter = InMemorySpanExporter()
    sdk = SdkExporter(exporter)
    sdk.describe(resource)
    sdk.export(spans)
    request = encode_spans(exporter.get_finished_spans())
    for group in request.resource_spans[0].scope_spans:
        for span in group.spans:
            if not span.status.code:
                span.ClearField("status")  # written, and empty
    return request


def ours(spans, resource):
    request = ExportTraceServiceRequest()
    request.ParseFromString(OtlpEncoder(resource).request(spans))
    for group in request.resource_spans[0].scope_spans:
        for span in group.spans:
            span.flags &= ~0xFF
            span.dropped_attributes_count = 0
            for link in span.links:
                link.flags &= ~0xFF
    return request


class TestOtlp:
    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_the_official_messages_read_what_their_own_encoder_writes(self, data):
        traced = Traced()
        state = TraceState([("congo", "t61"), ("rojo", "00f")]) if data.draw(st.booleans()) else None
        for _ in range(data.draw(st.integers(1, 4))):
            context = None
            if data.draw(st.booleans()):
                remote = SpanContext(
                    data.draw(st.integers(1, 2**128 - 1)),
                    data.draw(st.integers(1, 2**64 - 1)),
                    is_remote=True,
                    trace_flags=TraceFlags(1),
                    trace_state=state,
                )
                context = trace.set_span_in_context(trace.NonRecordingSpan(remote))
            tracer = traced.provider.get_tracer(
                data.draw(st.sampled_from(["a", "b"])), data.draw(st.sampled_from(["1", None]))
            )
            span = tracer.start_span(
                data.draw(_texts),
                context,
                data.draw(st.sampled_from(list(SpanKind))),
                data.draw(_attributes),
                [Link(SpanContext(7, 8, is_remote=False), data.draw(_attributes))]
                if data.draw(st.booleans())
                else None,
            )
            traced.ticks.advance(0.1)
            if data.draw(st.booleans()):
                span.add_event(data.draw(_texts), data.draw(_attributes))
            if data.draw(st.booleans()):
                span.set_status(Status(data.draw(st.sampled_from([StatusCode.OK, StatusCode.ERROR]))))
            span.end()
        spans = traced.spans
        resource = {"service.name": "x", "service.instance.id": "y"}
        assert ours(spans, resource) == official(spans, resource)
        traced.tracing.shutdown()

    def test_messages_of_errors_and_losses_are_told(self):
        traced = Traced(redactor=FormRedactor())
        span = traced.tracer.start_span("x", attributes={"object": object()})
        span.set_status(StatusCode.ERROR, "broke")
        span.end()
        request = ExportTraceServiceRequest()
        request.ParseFromString(OtlpEncoder({}).request(traced.spans))
        [told] = request.resource_spans[0].scope_spans[0].spans
        assert (told.status.message, told.status.code, told.dropped_attributes_count) == ("broke", 2, 1)
        assert told.flags & 0xFF == 0x03
        traced.tracing.shutdown()

    def test_values_that_only_look_alike_are_told_apart(self):
        traced = Traced()
        for value in (1, 1.0, True, "1"):
            traced.tracer.start_span("x", attributes={"a": value}).end()
        spans = traced.spans
        assert ours(spans, {}) == official(spans, {})
        traced.tracing.shutdown()

    def test_the_answer_of_the_collector_is_read(self):
        answer = ExportTraceServiceResponse()
        assert rejected_spans(answer.SerializeToString()) == 0
        answer.partial_success.rejected_spans = 300
        answer.partial_success.error_message = "too old"
        assert rejected_spans(answer.SerializeToString()) == 300

    @given(st.binary(max_size=40))
    def test_no_answer_breaks_the_reader(self, answer):
        assert rejected_spans(answer) >= 0


class Collector:
    """Speaks OTLP over HTTP; answers as it is told, then 200."""

    def __init__(self):
        self.answers = []
        self.requests = []
        self.connections = 0
        self.hold = threading.Event()
        self.hold.set()

    @property
    def spans(self):
        return [
            span.name
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @contextmanager
    def running(self):
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                collector.connections += 1

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.hold.wait(20)
                status, headers, answer = collector.answers.pop(0) if collector.answers else (200, {}, b"")
                collector.path, collector.headers = self.path, self.headers
                if status < 300:
                    request = ExportTraceServiceRequest()
                    request.ParseFromString(gzip.decompress(body))
                    collector.requests.append(request)
                try:
                    self.send_response(status)
                    for name, value in {**headers, "content-length": str(len(answer))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    pass  # the exporter has given up

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            self.hold.set()
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def collector():
    return Collector()


def write(tracing, *names):
    tracer = tracing.provider.get_tracer("test")
    for name in names:
        tracer.start_span(name).end()


class TestCollector:
    def test_spans_arrive_over_one_connection(self, collector):
        with collector.running() as url:
            config = TracingConfig(service="desk", resource={"service.version": "3"})
            tracing = Tracing(config, exporter=OtlpExporter(url, headers={"Authorization": "Bearer x"}))
            for name in ("one", "two"):
                write(tracing, name)
                assert tracing.flush()
            assert tracing.shutdown()
            assert collector.spans == ["one", "two"]
            assert (collector.path, collector.headers["authorization"]) == ("/v1/traces", "Bearer x")
            assert collector.connections == 1
            resource = collector.requests[0].resource_spans[0].resource.attributes
            told = {each.key: each.value.string_value for each in resource}
            assert (told["service.name"], told["service.version"]) == ("desk", "3")
            assert tracing.counts()["exported"] == 2

    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_a_passing_fault_is_tried_again(self, collector, status):
        collector.answers = [(status, {"retry-after": "0"}, b""), (status, {"retry-after": "0"}, b"")]
        with collector.running() as url:
            tracing = Tracing(exporter=OtlpExporter(f"{url}/v1/traces"))
            write(tracing, "one")
            assert tracing.shutdown(10)
            assert collector.spans == ["one"]
            assert tracing.counts()["exported"] == 1

    @pytest.mark.parametrize("status", [400, 401, 404, 500])
    def test_a_lasting_one_is_not_and_is_counted(self, collector, status, caplog):
        collector.answers = [(status, {}, b"")]
        with collector.running() as url:
            tracing = Tracing(exporter=OtlpExporter(url, headers={"authorization": "Bearer secret"}))
            write(tracing, "one")
            assert tracing.flush()
            write(tracing, "two")
            assert tracing.shutdown()
            assert collector.spans == ["two"]
            counts = tracing.counts()
            assert (counts["exported"], counts["export_failed"]) == (1, 1)
            assert "spans were not exported" in caplog.text
            assert "secret" not in caplog.text

    def test_a_part_that_is_refused_is_counted(self, collector):
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = 1
        collector.answers = [(200, {}, answer.SerializeToString())]
        with collector.running() as url:
            tracing = Tracing(exporter=OtlpExporter(url))
            write(tracing, "one", "two", "three")
            assert tracing.shutdown()
            counts = tracing.counts()
            assert (counts["exported"], counts["export_failed"]) == (2, 1)

    def test_a_collector_that_is_down_holds_nobody(self, collector):
        with collector.running() as url:
            pass
        tracing = Tracing(TracingConfig(queue=10, batch=5), exporter=OtlpExporter(url, timeout=30))
        started = time.monotonic()
        write(tracing, *("x" * 200))
        assert time.monotonic() - started < 1
        assert not tracing.shutdown(0.2)
        counts = tracing.counts()
        assert sum(counts.values()) >= 195  # the batch under way is counted when its attempt is over
        assert counts["queue_full"] >= 185
        assert counts["exported"] == 0

    def test_one_that_hangs_holds_nobody_either(self, collector):
        collector.hold.clear()
        with collector.running() as url:
            tracing = Tracing(TracingConfig(queue=10, batch=5), exporter=OtlpExporter(url, timeout=0.3))
            started = time.monotonic()
            write(tracing, *("x" * 100))
            assert time.monotonic() - started < 1
            assert tracing.flush(10)
            counts = tracing.counts()
            assert counts["export_failed"] >= 5
            assert sum(counts.values()) == 100
            tracing.shutdown()

    @pytest.mark.parametrize(
        "endpoint",
        [
            "",
            "collector:4318",
            "ftp://collector",
            "http://",
            "http://u:p@collector",
            "http://c?x=1",
            "http://c:x",
            "http://a b",
        ],
    )
    def test_no_endpoint_is_refused(self, endpoint):
        with pytest.raises(ConfigurationError, match="endpoint"):
            OtlpExporter(endpoint)

    def test_a_header_that_cannot_be_sent_is_refused_unseen(self):
        with pytest.raises(ConfigurationError) as refused:
            OtlpExporter("http://collector", headers={"authorization": "secret\n"})
        assert "secret" not in str(refused.value)

    def test_an_unreadable_authority_is_refused(self, tmp_path):
        with pytest.raises(ConfigurationError, match="ca_file"):
            OtlpExporter("https://collector", ca_file=str(tmp_path / "none.pem"))


class Breaking(MemoryExporter):
    def export(self, spans):
        raise RuntimeError("zoe@example.org")


class TestQueue:
    def test_an_exporter_that_raises_ends_nothing(self, caplog):
        tracing = Tracing(exporter=Breaking())
        write(tracing, "one")
        assert tracing.flush()
        write(tracing, "two")
        assert tracing.shutdown()
        assert tracing.counts()["export_failed"] == 2
        assert "zoe" not in caplog.text

    def test_full_batches_leave_by_themselves(self):
        exporter = MemoryExporter()
        tracing = Tracing(TracingConfig(batch=10, interval=60), exporter=exporter)
        write(tracing, *("x" * 10))
        deadline = time.monotonic() + 5
        while len(exporter.spans) < 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(exporter.spans) == 10
        tracing.shutdown()

    def test_what_is_not_full_leaves_after_the_interval(self):
        exporter = MemoryExporter()
        tracing = Tracing(TracingConfig(interval=0.05), exporter=exporter)
        write(tracing, "one")
        deadline = time.monotonic() + 5
        while not exporter.spans and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(exporter.spans) == 1
        tracing.shutdown()

    def test_after_the_end_spans_are_counted_as_lost(self):
        tracing = Tracing(exporter=MemoryExporter())
        write(tracing, "one")
        assert tracing.shutdown()
        write(tracing, "two")
        assert (tracing.counts()["exported"], tracing.counts()["shutdown"]) == (1, 1)
        assert tracing.waiting == 0
        assert tracing.shutdown()

    def test_memory_keeps_the_latest(self):
        exporter = MemoryExporter(most=2)
        tracing = Tracing(exporter=exporter)
        write(tracing, "one", "two", "three")
        assert tracing.shutdown()
        assert [span.name for span in exporter.spans] == ["two", "three"]
        exporter.clear()
        assert exporter.spans == ()


class TestOthers:
    def test_the_console_writes_a_line_of_json_for_each(self):
        out = io.StringIO()
        tracing = Tracing(exporter=ConsoleExporter(out))
        tracer = tracing.provider.get_tracer("test")
        with tracer.start_as_current_span("outer", attributes={"n": 1}) as outer:
            outer.add_link(SpanContext(1, 2, is_remote=True))
            outer.record_exception(ValueError())
            outer.set_status(StatusCode.ERROR)
            tracer.start_span("inner").end()
        assert tracing.shutdown()
        inner, outer = map(json.loads, out.getvalue().splitlines())
        assert (inner["span"], inner["parent_id"]) == ("inner", outer["span_id"])
        assert outer["status"] == "error"
        assert outer["events"][0]["exception.type"] == "ValueError"
        assert outer["links"] == ["00000000000000000000000000000001-0000000000000002"]
        assert outer["start"].endswith("Z")

    def test_any_exporter_of_the_sdk(self):
        exporter = InMemorySpanExporter()
        tracing = Tracing(TracingConfig(service="desk"), exporter=SdkExporter(exporter))
        tracer = tracing.provider.get_tracer("test", "7")
        with tracer.start_as_current_span("outer", attributes={"n": 1}):
            tracer.start_span("inner").end()
        assert tracing.shutdown()
        inner, outer = exporter.get_finished_spans()
        assert inner.parent == outer.get_span_context()
        assert outer.attributes["n"] == 1
        assert (outer.resource.attributes["service.name"], outer.instrumentation_scope.version) == ("desk", "7")
