"""The span of an outgoing request, and the headers that let the other side go on (httpx; extra `[http]`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING, Final, cast

import httpx
from opentelemetry.trace import Span, SpanKind, StatusCode, get_tracer

from orchestrator_monitoring._tracing.propagation import inject

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from orchestrator_kernel.ports import Redactor

__all__ = ["TracedTransport"]

_METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
_REFUSAL: Final = 400


class TracedTransport(httpx.AsyncBaseTransport):
    """Gives every request a span from its first byte to the end of its answer's body, and writes `traceparent` and `tracestate`.

    Of the URL the origin is told, and the path after the redactor; never user, password or query.

    Args:
        inner: What sends the requests. For `create_client(config, wrap=lambda inner: TracedTransport(inner, provider=provider))`.
        provider: Where spans come from; OpenTelemetry's global one unless given.
        baggage_to: Hosts that are told the baggage too; it may hold what strangers need not know, so nobody else is.
        redactor: For the path; without one only the origin is told.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        *,
        provider: TracerProvider | None = None,
        baggage_to: Collection[str] = (),
        redactor: Redactor | None = None,
    ) -> None:
        self._inner = inner
        self._tracer = get_tracer("orchestrator_monitoring.httpx", tracer_provider=provider)
        self._baggage_to = frozenset(baggage_to)
        self._redactor = redactor

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        method = request.method if request.method in _METHODS else "_OTHER"
        span = self._tracer.start_span(
            method if method != "_OTHER" else "HTTP", kind=SpanKind.CLIENT, attributes=self._told(request, method)
        )
        # httpx's headers are a mapping of texts; the cast tells no more than that.
        inject(cast("dict[str, str]", request.headers), span, baggage=request.url.host in self._baggage_to)
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException as error:
            _failed(span, error)
            span.end()
            raise
        span.set_attribute("http.response.status_code", response.status_code)
        if response.status_code >= _REFUSAL:
            span.set_attribute("error.type", str(response.status_code))
            span.set_status(StatusCode.ERROR)
        if response.is_closed:
            # It was made whole, as a cache does: there is nothing to wait for.
            span.end()
        else:
            response.stream = _TracedStream(cast("httpx.AsyncByteStream", response.stream), span)
        return response

    def _told(self, request: httpx.Request, method: str) -> dict[str, str | int]:
        url = request.url
        scheme = url.scheme
        told: dict[str, str | int] = {
            "http.request.method": method,
            "server.address": url.host,
            "server.port": url.port or (443 if scheme == "https" else 80),
            "url.full": f"{scheme}://{url.netloc.decode('ascii')}{self._path(url)}",
        }
        attempt = request.extensions.get("attempt")
        if isinstance(attempt, int) and attempt > 1:
            told["http.request.resend_count"] = attempt - 1
        return told

    def _path(self, url: httpx.URL) -> str:
        return "/REDACTED" if self._redactor is None else self._redactor.redact_text(url.path)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _TracedStream(httpx.AsyncByteStream):
    """The answer's body; the span ends with it."""

    def __init__(self, inner: httpx.AsyncByteStream, span: Span) -> None:
        self._inner = inner
        self._span = span

    async def __aiter__(self) -> AsyncIterator[bytes]:
        first = True
        try:
            async for piece in self._inner:
                if first:
                    first = False
                    self._span.add_event("http.response.first_byte")
                yield piece
        except Exception as error:
            _failed(self._span, error)
            raise

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._span.end()


def _failed(span: Span, error: BaseException) -> None:
    # A cancelled request is nobody's fault: it is told, and is no error. Texts of httpx's errors can hold a URL with its query.
    span.set_attribute("error.type", type(error).__qualname__)
    if isinstance(error, Exception):
        span.set_status(StatusCode.ERROR)
