"""Correlation: one id for everything that happened because of one request, and its place in a W3C trace.

What the user types: `app.add_middleware(CorrelationMiddleware)`, then `current()` anywhere below it and
`headers=outgoing_headers()` on every request to another service. Work that no request began says `with bind(call_id=...)`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from orchestrator_utils._asgi import ASGIApp, Message, Receive, Scope, Send
from orchestrator_utils._context import CORRELATION, CURRENT, SCOPE_KEY, Ids, is_identifier, read_headers
from orchestrator_utils._trace_context import SAMPLED, child_of, flags_of, span_id_of, trace_id_of

__all__ = ["CORRELATION_HEADER", "Correlation", "CorrelationMiddleware", "bind", "current", "outgoing_headers"]

CORRELATION_HEADER: Final = "X-Correlation-ID"

_TRACERESPONSE: Final = b"traceresponse"
_ANSWER_NAMES: Final = frozenset({CORRELATION, _TRACERESPONSE})
_STARTS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


@dataclass(frozen=True, slots=True)
class Correlation:
    """What a piece of work belongs to.

    Attributes:
        correlation_id: The same for everything one request caused; an identifier of at most 128 characters.
        trace_id: 32 hexadecimal digits.
        span_id: This piece of work within the trace, 16 hexadecimal digits.
        parent_id: The span that caused it, or "".
        flags: The trace flags: 1 sampled, 2 random.
        tracestate: What other tracing systems passed along, already checked; or "".
        call_id: The call that is being worked on, if any.
        tenant_id: The tenant it is worked on for, if any.
    """

    correlation_id: str
    trace_id: str
    span_id: str
    parent_id: str = ""
    flags: int = 0
    tracestate: str = ""
    call_id: str | None = None
    tenant_id: str | None = None

    @property
    def sampled(self) -> bool:
        """Whether the caller may have recorded the trace."""
        return bool(self.flags & SAMPLED)

    @property
    def traceparent(self) -> str:
        """This span as a W3C `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def current() -> Correlation | None:
    """What the running code belongs to, or None outside of every request and `bind`."""
    ids = CURRENT.get()
    return None if ids is None else _shown(ids)


def outgoing_headers() -> dict[str, str]:
    """The headers that let another service go on: `traceparent` with a new child span, `tracestate`, `X-Correlation-ID`.

    Call it once per request. Empty outside of every request and `bind`: there is nothing to go on with.
    """
    ids = CURRENT.get()
    if ids is None:
        return {}
    correlation_id, place, _, tracestate, _, _ = ids
    headers = {"traceparent": child_of(place).decode(), CORRELATION_HEADER: correlation_id.decode()}
    if tracestate:
        headers["tracestate"] = tracestate
    return headers


@contextmanager
def bind(
    *,
    headers: Mapping[str, str] | None = None,
    correlation_id: str | None = None,
    call_id: str | None = None,
    tenant_id: str | None = None,
) -> Generator[Correlation]:
    """Work inside belongs to a child span of the current one; to a new trace where there is none.

    Args:
        headers: Go on from these instead of the current context: what `outgoing_headers` gave to whoever queued the work.
        correlation_id: Takes the place of the inherited one if it is an identifier; otherwise it is ignored.
        call_id: The call that is being worked on; inherited when not given.
        tenant_id: The tenant it is worked on for; inherited when not given.

    >>> with bind(correlation_id="order-7", call_id="call-1") as work:
    ...     work.call_id, outgoing_headers()["X-Correlation-ID"]
    ('call-1', 'order-7')
    """
    outer = CURRENT.get()
    name, place, caller, tracestate, *_ = _derived(outer, headers)
    if correlation_id is not None and is_identifier(given := correlation_id.encode("utf-8", "replace")):
        name = given
    if outer is not None:
        call_id = outer[4] if call_id is None else call_id
        tenant_id = outer[5] if tenant_id is None else tenant_id
    ids = (name, place, caller, tracestate, call_id, tenant_id)
    token = CURRENT.set(ids)
    try:
        yield _shown(ids)
    finally:
        CURRENT.reset(token)


class CorrelationMiddleware:
    """Gives every HTTP request and WebSocket its `Correlation`, and the answer its `X-Correlation-ID` and `traceresponse`.

    Mount it outermost, so that everything below, error answers included, is correlated. A second one further in does nothing.

    Args:
        app: The application below.
        trust_incoming: Whether to go on with the caller's trace and correlation id. False at a trust boundary: both start anew.
    """

    def __init__(self, app: ASGIApp, *, trust_incoming: bool = True) -> None:
        self.app = app
        self._trust_incoming = trust_incoming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"} or SCOPE_KEY in scope:
            await self.app(scope, receive, send)
            return
        ids = read_headers(scope["headers"] if self._trust_incoming else ())
        # In place on purpose: layers further out, whose context variables are their own, find the ids here.
        scope[SCOPE_KEY] = ids

        # Not a coroutine function: handing the inner awaitable through saves one coroutine per message.
        def correlated_send(message: Message) -> Awaitable[None]:
            if message["type"] in _STARTS:
                # A new list: the old one may belong to a response object that is sent more than once.
                headers = [(CORRELATION, ids[0]), (_TRACERESPONSE, ids[1])]
                for pair in message.get("headers") or ():
                    if pair[0] not in _ANSWER_NAMES:
                        headers.append(pair)  # noqa: PERF401 - a comprehension costs one more frame on Python 3.11
                message["headers"] = headers
            return send(message)

        token = CURRENT.set(ids)
        try:
            await self.app(scope, receive, correlated_send)
        finally:
            CURRENT.reset(token)


def _shown(ids: Ids) -> Correlation:
    name, place, caller, tracestate, call_id, tenant_id = ids
    return Correlation(
        correlation_id=name.decode(),
        trace_id=trace_id_of(place),
        span_id=span_id_of(place),
        parent_id=span_id_of(caller),
        flags=flags_of(place),
        tracestate=tracestate,
        call_id=call_id,
        tenant_id=tenant_id,
    )


def _derived(outer: Ids | None, headers: Mapping[str, str] | None) -> Ids:
    if headers is not None:
        return read_headers([(_bytes(name).lower(), _bytes(value)) for name, value in headers.items()])
    if outer is None:
        return read_headers(())
    name, place, _, tracestate, call_id, tenant_id = outer
    return name, child_of(place), place, tracestate, call_id, tenant_id


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")
