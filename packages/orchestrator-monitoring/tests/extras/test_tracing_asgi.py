"""The span of a request: what it tells, what it does not, and how a trace and its baggage go through services."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass

import httpx
import pytest
from fastapi import APIRouter, FastAPI, HTTPException, WebSocket
from fastapi.responses import StreamingResponse
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, trace
from opentelemetry.context.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from starlette.applications import Starlette
from starlette.websockets import WebSocketDisconnect
from tracing_support import FormRedactor, Traced

from orchestrator_monitoring._tracing.baggage import BaggageValue, read_baggage, written_baggage
from orchestrator_monitoring.tracing import KEPT_BECAUSE, TracedTransport, TracingMiddleware, extract, inject

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@dataclass(frozen=True)
class Correlated:
    trace_id: str = TRACE
    span_id: str = "1111111111111111"
    parent_id: str = SPAN
    flags: int = 1
    tracestate: str = "congo=1,rojo=2"


def application(traced, **options):
    app, router = FastAPI(), APIRouter(prefix="/v1")

    @router.get("/calls/{call_id}")
    async def call(call_id: str):
        with traced.tracer.start_as_current_span("look up"):
            return {"call": call_id}

    @router.get("/fails/{how}")
    async def fails(how: str):
        if how == "answer":
            raise HTTPException(503)
        raise RuntimeError("zoe@example.org")

    @router.get("/stream")
    async def stream():
        async def pieces():
            traced.ticks.advance(60)
            traced.tracer.start_span("during").end()
            yield b"data: x\n\n"

        return StreamingResponse(pieces(), media_type="text/event-stream")

    @router.websocket("/media/{call_id}")
    async def media(socket: WebSocket, call_id: str):
        if call_id == "refused":
            await socket.close()
            return
        await socket.accept()
        traced.ticks.advance(600)
        traced.tracer.start_span("during").end()
        if call_id == "broken":
            raise RuntimeError
        if call_id == "fault":
            await socket.close(1011)
        else:
            await socket.receive_text()

    @router.get("/baggage")
    async def carried():
        return dict(baggage.get_all())

    app.include_router(router)
    app.add_middleware(TracingMiddleware, provider=traced.provider, **options)
    return app


@pytest.fixture
def traced():
    made = Traced(redactor=FormRedactor())
    yield made
    made.tracing.shutdown()


def get(app, path, **headers):
    async def ask():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk:8080") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


class TestRequests:
    def test_the_span_tells_the_route_and_nothing_of_the_client(self, traced):
        answer = get(application(traced), "/v1/calls/+4930123456?caller=zoe@example.org", **{"user-agent": "phone 7"})
        assert answer.status_code == 200
        below, span = traced.spans
        assert (span.name, span.kind, span.status) == ("GET /v1/calls/{call_id}", SpanKind.SERVER, StatusCode.UNSET)
        assert span.attributes == {
            "http.request.method": "GET",
            "http.route": "/v1/calls/{call_id}",
            "http.response.status_code": 200,
            "network.protocol.version": "1.1",
            "server.address": "desk",
            "server.port": 8080,
            "url.path": "/v1/calls/{call_id}",
            "url.scheme": "http",
            KEPT_BECAUSE: "sampled",
        }
        assert below.parent is span

    def test_a_path_without_a_route_is_not_told(self, traced):
        assert get(application(traced), "/zoe@example.org").status_code == 404
        span = traced.only()
        assert (span.name, span.attributes["url.path"]) == ("GET", "REDACTED")
        assert "http.route" not in span.attributes
        assert span.status is StatusCode.UNSET

    def test_an_unknown_method_is_one_word(self, traced):
        async def ask():
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(application(traced)), base_url="http://x"
            ) as client:
                await client.request("ZOE", "/v1/stream")

        asyncio.run(ask())
        assert traced.only().attributes["http.request.method"] == "_OTHER"
        assert traced.only().name == "HTTP /v1/stream"

    def test_a_server_s_fault_is_an_error(self, traced):
        assert get(application(traced), "/v1/fails/answer").status_code == 503
        span = traced.only()
        assert (span.status, span.attributes["error.type"]) == (StatusCode.ERROR, "503")

    def test_an_exception_is_told_without_its_words(self, traced):
        get(application(traced), "/v1/fails/raise")
        span = traced.only()
        assert (span.status, span.attributes["error.type"]) == (StatusCode.ERROR, "RuntimeError")
        assert span.events[0].attributes["exception.message"] == "[email]"

    def test_probes_may_be_exempt(self, traced):
        assert get(application(traced, exempt={"/v1/baggage"}), "/v1/baggage").status_code == 200
        assert traced.spans == ()

    def test_what_a_long_answer_does_is_judged_by_itself(self):
        traced = Traced(ratio=0.0, slow=1.0)
        assert get(application(traced), "/v1/stream").status_code == 200
        assert traced.spans == ()
        assert traced.counts() == {"sampled_out": 2}
        traced.tracing.shutdown()

    def test_other_scopes_pass(self, traced):
        seen = []

        async def app(scope, receive, send):
            seen.append(scope["type"])

        asyncio.run(TracingMiddleware(app, provider=traced.provider)({"type": "lifespan"}, None, None))
        assert (seen, traced.spans) == (["lifespan"], ())

    def test_it_works_with_the_sdk_s_provider(self, traced):
        exporter, provider = InMemorySpanExporter(), TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        app = Starlette()
        app.add_middleware(TracingMiddleware, provider=provider)
        get(app, "/x", traceparent=PARENT)
        [span] = exporter.get_finished_spans()
        assert span.parent.trace_id == int(TRACE, 16)
        provider.shutdown()


class TestSockets:
    def connect(self, traced, call_id):
        """One connection, which the client closes; the server's messages are of no interest here."""
        incoming = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]

        async def receive():
            return incoming.pop(0)

        async def send(message):
            pass

        scope = {
            "type": "websocket",
            "path": f"/v1/media/{call_id}",
            "scheme": "ws",
            "http_version": "1.1",
            "server": ("desk", 80),
            "headers": [],
            "query_string": b"",
            "root_path": "",
        }
        with suppress(RuntimeError, WebSocketDisconnect):
            asyncio.run(application(traced)(scope, receive, send))
        assert traced.tracing.flush()
        return traced.exporter.named("GET /v1/media/{call_id}")

    def test_a_connection_is_one_span_and_what_happens_in_it_is_told_at_once(self):
        traced = Traced(ratio=1.0, slow=1.0)
        [span] = self.connect(traced, "call-1")
        assert [each.name for each in traced.spans] == ["during", "GET /v1/media/{call_id}"]
        assert (span.seconds, span.attributes["http.response.status_code"]) == (600.0, 101)
        assert span.attributes["orchestrator.websocket.close_code"] == 1000
        assert (span.attributes[KEPT_BECAUSE], span.status) == ("sampled", StatusCode.UNSET)
        traced.tracing.shutdown()

    def test_a_long_connection_is_not_slow(self):
        traced = Traced(ratio=0.0, slow=1.0)
        assert self.connect(traced, "call-1") == ()
        traced.tracing.shutdown()

    def test_a_refused_one_was_never_open(self, traced):
        [span] = self.connect(traced, "refused")
        assert (span.attributes["http.response.status_code"], span.status) == (403, StatusCode.UNSET)

    @pytest.mark.parametrize(("how", "error"), [("broken", "RuntimeError"), ("fault", "1011")])
    def test_faults_are_errors(self, how, error):
        traced = Traced(ratio=0.0)
        [span] = self.connect(traced, how)
        assert (span.status, span.attributes["error.type"]) == (StatusCode.ERROR, error)
        traced.tracing.shutdown()


class TestGoingOn:
    def test_from_the_headers(self, traced):
        get(application(traced), "/v1/stream", traceparent=PARENT, tracestate="congo=1, rojo=2")
        span = traced.exporter.spans[-1] if traced.tracing.flush() else None
        assert (f"{span.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
        assert span.state.to_header() == "congo=1,rojo=2"

    def test_not_at_a_trust_boundary(self, traced):
        app = application(traced, trust_incoming=False)
        answer = get(app, "/v1/baggage", traceparent=PARENT, baggage="a=1")
        assert answer.json() == {}
        assert traced.only().parent is None
        assert traced.only().trace_id != int(TRACE, 16)

    def test_from_the_layer_further_out(self, traced):
        """The span is the place that the correlation has told to logs and to the answer."""
        get(application(traced, correlation=Correlated), "/v1/stream", traceparent="00-" + "1" * 32 + f"-{SPAN}-00")
        span = traced.exporter.spans[-1] if traced.tracing.flush() else None
        assert (f"{span.trace_id:032x}", f"{span.span_id:016x}") == (TRACE, "1" * 16)
        assert (f"{span.parent.span_id:016x}", span.state.to_header()) == (SPAN, "congo=1,rojo=2")

    def test_a_layer_that_began_the_trace(self, traced):
        get(application(traced, correlation=lambda: Correlated(parent_id="", flags=2, tracestate="")), "/v1/calls/1")
        below, span = traced.spans
        assert (span.parent, f"{span.span_id:016x}") == (None, "1" * 16)
        assert below.span_id != span.span_id
        assert below.trace_id == span.trace_id == int(TRACE, 16)

    def test_a_layer_that_has_nothing(self, traced):
        get(application(traced, correlation=lambda: None), "/v1/stream", traceparent=PARENT)
        assert traced.tracing.flush()
        assert traced.exporter.spans[-1].parent.span_id == int(SPAN, 16)

    def test_a_trace_and_its_baggage_go_through_two_services(self, traced):
        """The defect that baggage never left the first service: here it arrives at the second, and nothing leaks into the next request."""
        other = Traced()
        back = application(other)
        front = FastAPI()

        @front.get("/ask")
        async def ask():
            transport = TracedTransport(httpx.ASGITransport(back), provider=traced.provider, baggage_to={"back"})
            async with httpx.AsyncClient(transport=transport, base_url="http://back") as client:
                return (await client.get("/v1/baggage")).json()

        front.add_middleware(TracingMiddleware, provider=traced.provider)
        carried = get(front, "/ask", traceparent=PARENT, baggage="tenant=harbour;ttl=30, name=Z%C3%B6e%2C%20K")
        assert carried.json() == {"tenant": "harbour", "name": "Zöe, K"}
        assert get(front, "/ask").json() == {}
        client, server = traced.exporter.spans[:2] if traced.tracing.flush() else ()
        [behind, _] = other.spans
        assert behind.parent.span_id == client.span_id
        assert client.parent is server
        assert {behind.trace_id, client.trace_id, server.trace_id} == {int(TRACE, 16)}
        other.tracing.shutdown()

    def test_strangers_are_told_no_baggage(self, traced):
        seen = {}

        def answer(request):
            seen.update(request.headers)
            return httpx.Response(200)

        async def ask():
            transport = TracedTransport(httpx.MockTransport(answer), provider=traced.provider, baggage_to={"friend"})
            async with httpx.AsyncClient(transport=transport) as client:
                await client.get("http://stranger")

        token = trace.context_api.attach(baggage.set_baggage("a", "1"))
        asyncio.run(ask())
        trace.context_api.detach(token)
        assert "traceparent" in seen
        assert "baggage" not in seen


class TestBaggage:
    @given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9.-]{0,8}", fullmatch=True), st.text(max_size=30), max_size=10))
    def test_every_value_survives_the_header(self, members):
        context = Context()
        for key, value in members.items():
            context = baggage.set_baggage(key, value, context)
        header = written_baggage(context)
        assert header.isascii()
        assert dict(baggage.get_all(read_baggage([header], Context()))) == members

    @given(st.lists(st.text(max_size=200), max_size=5))
    def test_no_header_breaks_the_reader_and_what_it_passes_on_is_stable(self, headers):
        once = written_baggage(read_baggage(headers, Context()))
        assert written_baggage(read_baggage([once], Context())) == once

    @pytest.mark.parametrize(
        ("header", "passed_on"),
        [
            ("a=1,b=2", "a=1,b=2"),
            (" a = 1 , b = 2 ", "a=1,b=2"),
            ("a=1;p=2;q, b=2", "a=1;p=2;q,b=2"),
            ("a=", "a="),
            ("a=1=2", "a=1=2"),
            ("a=%20%2C", "a=%20%2C"),
            ("a=b+c", "a=b+c"),
            ("a", ""),
            ("=1", ""),
            ("a b=1,c=2", "c=2"),
            ('a="x"', ""),
            ("a=1;=2,c=2", "c=2"),
            ("a=ü,c=2", "c=2"),
            ("", ""),
        ],
    )
    def test_the_grammar(self, header, passed_on):
        assert written_baggage(read_baggage([header], Context())) == passed_on

    def test_no_more_than_every_platform_takes(self):
        many = ",".join(f"k{number}=v" for number in range(100))
        assert len(baggage.get_all(read_baggage([many], Context()))) == 64
        assert baggage.get_all(read_baggage([f"a={'x' * 9000}"], Context())) == {}
        context = Context()
        for number in range(70):
            context = baggage.set_baggage(f"k{number}", "x" * 300, context)
        assert len(written_baggage(context)) <= 8192

    def test_properties_stay_with_their_value(self):
        value = baggage.get_baggage("a", read_baggage(["a=1;ttl=30"], Context()))
        assert isinstance(value, BaggageValue)
        assert (value, value.properties) == ("1", ("ttl=30",))


class TestInjection:
    def test_without_a_provider_the_caller_s_place_is_passed_on(self):
        context = extract([(b"traceparent", PARENT.encode()), (b"tracestate", b"a=1"), (b"baggage", b"b=2")])
        headers = {"tracestate": "old=1"}
        inject(headers, context=context)
        assert headers == {"traceparent": PARENT, "tracestate": "a=1", "baggage": "b=2"}
        inject(headers, context=extract([(b"traceparent", PARENT.encode())]), baggage=False)
        assert "tracestate" not in headers

    def test_nothing_is_made_up(self, caplog):
        headers = {}
        with caplog.at_level(logging.WARNING):
            inject(headers, context=extract([(b"traceparent", b"x"), (b"tracestate", b"a=1")]))
        assert (headers, caplog.text) == ({}, "")

    def test_a_repeated_parent_is_none(self):
        headers = {}
        inject(headers, context=extract([(b"traceparent", PARENT.encode())] * 2))
        assert headers == {}
