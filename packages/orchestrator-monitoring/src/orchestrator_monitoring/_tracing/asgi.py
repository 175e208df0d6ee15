"""The span of a request: pure ASGI, HTTP and WebSocket, by OpenTelemetry's semantic conventions for HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Final, Protocol

from opentelemetry.context import attach, detach
from opentelemetry.context.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, StatusCode, get_tracer, set_span_in_context

from orchestrator_monitoring._asgi import ASGIApp, Message, Receive, Scope, Send
from orchestrator_monitoring._metrics.routes import UNMATCHED, RouteTemplates
from orchestrator_monitoring._tracing.baggage import read_baggage
from orchestrator_monitoring._tracing.privacy import Admitted
from orchestrator_monitoring._tracing.propagation import extract, remote
from orchestrator_monitoring._tracing.recorder import IDENTITY, LONG_LIVED
from orchestrator_monitoring._tracing.span import RecordedSpan
from orchestrator_monitoring.trace_context import TraceParent

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

__all__ = ["Correlated", "TracingMiddleware"]

# RFC 9110 and RFC 5789; whatever else a client writes there is told as one word.
_METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
_SERVER_FAULT: Final = 500
# RFC 6455: an endpoint that met the unexpected, a bad gateway (IANA), and what the other side did wrong is not among them.
_FAULTS: Final = frozenset({1011, 1014})
# How Starlette tells an endpoint that the client has left: nobody's fault, and raised through as often as not.
_GONE: Final = frozenset({"ClientDisconnect", "WebSocketDisconnect"})
_UNROUTED: Final = "REDACTED"
_MAX_KNOWN: Final = 4096


class Correlated(Protocol):
    """What a correlation layer further out has found in the headers, or made: hexadecimal ids, flags, tracestate."""

    @property
    def trace_id(self) -> str: ...
    @property
    def span_id(self) -> str: ...
    @property
    def parent_id(self) -> str: ...
    @property
    def flags(self) -> int: ...
    @property
    def tracestate(self) -> str: ...


class TracingMiddleware:
    """Gives every HTTP request and WebSocket a span, which is the current one below.

    The span is named by method and route template. It tells the scheme, the server's name, the protocol's version, the status, and of the
    path no more than the template: no query, no address, no header of the client. Mount it right below the correlation.

    Args:
        app: The application below.
        provider: Where spans come from; OpenTelemetry's global one unless given.
        correlation: Asked for the ids that a layer further out has given to the request: the span takes their trace and its own id from
            there, so that a log line and a span are found by each other. Without it the headers are read here.
        trust_incoming: Whether to go on with the caller's trace and baggage. False at a trust boundary. Where `correlation` answers, that
            layer has decided about the trace, and this is about baggage.
        exempt: Paths without a span, for example probes.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        provider: TracerProvider | None = None,
        correlation: Callable[[], Correlated | None] | None = None,
        trust_incoming: bool = True,
        exempt: Collection[str] = (),
    ) -> None:
        self.app = app
        self._start = get_tracer("orchestrator_monitoring.asgi", tracer_provider=provider).start_span
        self._correlation = correlation
        self._trust_incoming = trust_incoming
        self._exempt = frozenset(exempt)
        self._templates = RouteTemplates()
        self._known: dict[tuple[object, ...], tuple[str, Admitted]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in {"http", "websocket"} or scope["path"] in self._exempt:
            await self.app(scope, receive, send)
        elif kind == "http":
            await self._request(scope, receive, send)
        else:
            await self._socket(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method not in _METHODS:
            method = "_OTHER"
        beginning, within = self._contexts(scope)
        span = self._start(_name(method), beginning, SpanKind.SERVER, self._beginning(scope, method))
        status = 0

        # Not a coroutine function: handing the inner awaitable through saves one coroutine per message.
        def watched_send(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if _is_event_stream(message):
                    _lives_long(span)
            return send(message)

        token = attach(set_span_in_context(span, within))
        try:
            await self.app(scope, receive, watched_send)
        except Exception as error:
            _failed(span, error)
            raise
        finally:
            detach(token)
            if span.is_recording():
                self._answered(span, scope, method, status)
            span.end()

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        beginning, within = self._contexts(scope)
        # What happens during a connection is judged as it happens: it may last for hours.
        beginning = Context({**beginning, LONG_LIVED: True})
        span = self._start("GET", beginning, SpanKind.SERVER, self._beginning(scope, "GET"))
        status, closed = 0, 0

        def watched_send(message: Message) -> Awaitable[None]:
            nonlocal status, closed
            match message["type"]:
                case "websocket.accept":
                    status = 101
                case "websocket.close":
                    # Closing before accepting is how ASGI refuses the handshake.
                    status, closed = (status, message.get("code", 1000)) if status else (403, 0)
                case "websocket.http.response.start":
                    status = message["status"]
                case _:
                    pass
            return send(message)

        async def watched_receive() -> Message:
            nonlocal closed
            message = await receive()
            if message["type"] == "websocket.disconnect":
                closed = closed or message.get("code") or 1005
            return message

        token = attach(set_span_in_context(span, within))
        try:
            await self.app(scope, watched_receive, watched_send)
        except Exception as error:
            _failed(span, error)
            raise
        finally:
            detach(token)
            if span.is_recording():
                self._answered(span, scope, "GET", status)
                if closed:
                    _closed(span, closed)
            span.end()

    def _beginning(self, scope: Scope, method: str) -> Admitted:
        """What is known before the request is routed; the same few for all requests of a server."""
        server = tuple(scope.get("server") or ())
        key = (method, scope["scheme"], scope.get("http_version", "1.1"), server)
        known = self._known.get(key)
        if known is None:
            told = Admitted(
                {"http.request.method": method, "url.scheme": key[1], "network.protocol.version": key[2]}
                | ({"server.address": server[0]} if server else {})
                | ({"server.port": server[1]} if server and server[1] else {})
            )
            known = self._remember(key, ("", told))
        return known[1]

    def _answered(self, span: Span, scope: Scope, method: str, status: int) -> None:
        """Name it by its route. Of a path that fits none nothing is told: anything may stand there."""
        template = self._templates.of(scope)
        key = (method, template, status)
        known = self._known.get(key)
        if known is None:
            routed = template != UNMATCHED
            told = Admitted({"url.path": template if routed else _UNROUTED})
            if routed:
                told["http.route"] = template
            if status:
                told["http.response.status_code"] = status
            # A 4xx is the client's fault, so by the conventions it is no error of the server's span.
            if status >= _SERVER_FAULT:
                told["error.type"] = str(status)
            known = self._remember(key, (_name(method, template if routed else ""), told))
        span.update_name(known[0])
        span.set_attributes(known[1])
        if status >= _SERVER_FAULT:
            span.set_status(StatusCode.ERROR)

    def _remember(self, key: tuple[object, ...], told: tuple[str, Admitted]) -> tuple[str, Admitted]:
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[key] = told
        return told

    def _contexts(self, scope: Scope) -> tuple[Context, Context]:
        """What the span begins from, and what its children find beside it: baggage, never the names that were meant for the span itself."""
        headers = scope["headers"]
        found = None if self._correlation is None else self._correlation()
        if found is None:
            beginning = extract(headers) if self._trust_incoming else Context()
            return beginning, beginning
        within = Context()
        if self._trust_incoming:
            carried = [value.decode("latin-1") for name, value in headers if name == b"baggage"]
            within = read_baggage(carried, within) if carried else within
        trace_id = int(found.trace_id, 16)
        beginning = Context({**within, IDENTITY: (trace_id, int(found.span_id, 16))})
        if found.parent_id:
            caller = remote(TraceParent(trace_id, int(found.parent_id, 16), found.flags), found.tracestate)
            beginning = set_span_in_context(NonRecordingSpan(caller), beginning)
        return beginning, within


def _name(method: str, template: str = "") -> str:
    known = "HTTP" if method == "_OTHER" else method
    return f"{known} {template}" if template else known


def _closed(span: Span, code: int) -> None:
    span.set_attribute("orchestrator.websocket.close_code", code)
    if code in _FAULTS:
        span.set_attribute("error.type", str(code))
        span.set_status(StatusCode.ERROR)


def _failed(span: Span, error: Exception) -> None:
    if type(error).__name__ in _GONE:
        return
    span.record_exception(error)
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(StatusCode.ERROR, str(error))


def _is_event_stream(message: Message) -> bool:
    for name, value in message.get("headers") or ():
        if name == b"content-type":
            return bool(value.startswith(b"text/event-stream"))
    return False


def _lives_long(span: Span) -> None:
    if isinstance(span, RecordedSpan):
        span.long_lived = True
