"""A place in a trace, from headers into OpenTelemetry's context and out again."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING

from opentelemetry.context.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)

from orchestrator_monitoring._tracing.baggage import read_baggage, written_baggage
from orchestrator_monitoring.trace_context import TraceParent, parse_traceparent, parse_tracestate

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["extract", "inject", "remote"]


def remote(place: TraceParent, tracestate: str = "") -> SpanContext:
    """A span of another process as OpenTelemetry sees it; `tracestate` is checked already."""
    state = (
        TraceState([(key, value) for key, _, value in (each.partition("=") for each in tracestate.split(","))])
        if tracestate
        else None
    )
    return SpanContext(place.trace_id, place.span_id, True, TraceFlags(place.flags), state)


def extract(headers: Sequence[tuple[bytes, bytes]], context: Context | None = None) -> Context:
    """The context with what `traceparent`, `tracestate` and `baggage` say, as far as it is valid.

    Args:
        headers: Lower-case names and values, as in an ASGI scope.
        context: What else is known; nothing when absent.
    """
    parents: list[str] = []
    states: list[str] = []
    carried: list[str] = []
    for name, value in headers:
        if name == b"traceparent":
            parents.append(value.decode("latin-1"))
        elif name == b"tracestate":
            states.append(value.decode("latin-1"))
        elif name == b"baggage":
            carried.append(value.decode("latin-1"))
    around = Context() if context is None else context
    # Of two different claims none counts.
    place = parse_traceparent(parents[0]) if len(parents) == 1 else None
    if place is not None:
        state = parse_tracestate(states).header if states else ""
        around = set_span_in_context(NonRecordingSpan(remote(place, state)), around)
    return read_baggage(carried, around) if carried else around


def inject(
    headers: MutableMapping[str, str], span: Span | None = None, *, context: Context | None = None, baggage: bool = True
) -> None:
    """Write what lets another process go on: `traceparent` and `tracestate` of the span, and `baggage`.

    Args:
        headers: What stands there under these names is replaced.
        span: The current one of the context unless given.
        context: The current one unless given.
        baggage: Whether the context's baggage may be told to that process.
    """
    place = (get_current_span(context) if span is None else span).get_span_context()
    if place.is_valid:
        headers["traceparent"] = TraceParent(place.trace_id, place.span_id, place.trace_flags).header
        if place.trace_state:
            headers["tracestate"] = parse_tracestate([place.trace_state.to_header()]).header
        else:
            headers.pop("tracestate", None)
    if baggage and (carried := written_baggage(context)):
        headers["baggage"] = carried
