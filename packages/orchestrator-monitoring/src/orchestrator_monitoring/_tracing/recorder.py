"""The tracer provider: OpenTelemetry's interface, half of what its SDK costs, and the judgement at the end instead of the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from opentelemetry.context import create_key, get_current
from opentelemetry.trace import Link, NoOpTracer, SpanContext, SpanKind, Tracer, TracerProvider, get_current_span

from orchestrator_monitoring._tracing.segment import Judge, Segment, new_span_id, new_trace_id
from orchestrator_monitoring._tracing.span import RecordedSpan, Scope
from orchestrator_monitoring.trace_context import RANDOM, SAMPLED

if TYPE_CHECKING:
    from opentelemetry.context.context import Context
    from opentelemetry.trace import TraceState
    from opentelemetry.util.types import Attributes

__all__ = ["IDENTITY", "LONG_LIVED", "Recorder"]

IDENTITY: Final = create_key("orchestrator-span-identity")
"""In the context that a span is started with: its own (trace id, span id), where something else has named them already."""

LONG_LIVED: Final = create_key("orchestrator-span-long-lived")
"""In the context that a span is started with: true when it outlives by far what happens below it, as a socket or a call does."""


class Recorder(TracerProvider):
    """Makes tracers whose spans are recorded and judged by one judge."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> Tracer:
        del schema_url, attributes
        return RecordingTracer(self._judge, Scope(instrumenting_module_name, instrumenting_library_version or ""))


class RecordingTracer(NoOpTracer):
    """Starts spans; `start_as_current_span` is the API's own over `start_span`."""

    def __init__(self, judge: Judge, scope: Scope) -> None:
        self._judge = judge
        self._scope = scope

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - OpenTelemetry's interface
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002
    ) -> RecordedSpan:
        del record_exception, set_status_on_exception  # they concern `with`, which use_span handles
        around = get_current() if context is None else context
        above = get_current_span(around)
        identity = cast("tuple[int, int] | None", around.get(IDENTITY)) if context is not None else None
        long_lived = context is not None and around.get(LONG_LIVED) is True
        if isinstance(above, RecordedSpan):
            span = self._below(name, kind, above, identity, start_time, long_lived=long_lived)
        else:
            remote = above.get_span_context()
            span = self._first(
                name, kind, remote if remote.is_valid else None, identity, start_time, long_lived=long_lived
            )
        if attributes:
            span.set_attributes(attributes)
        for link in links or ():
            span.add_link(link.context, link.attributes)
        return span

    def _below(
        self,
        name: str,
        kind: SpanKind,
        above: RecordedSpan,
        identity: tuple[int, int] | None,
        start: int | None,
        *,
        long_lived: bool,
    ) -> RecordedSpan:
        span_id = new_span_id() if identity is None else identity[1]
        segment = above.segment
        if above.long_lived:
            segment = Segment(self._judge, sampled=bool(above.flags & SAMPLED), root=span_id)
        place = (above.trace_id, span_id, above.flags, above.state)
        begun = segment.now() if start is None else start
        return RecordedSpan(name, kind, self._scope, segment, place, above, begun, long_lived=long_lived)

    def _first(
        self,
        name: str,
        kind: SpanKind,
        remote: SpanContext | None,
        identity: tuple[int, int] | None,
        start: int | None,
        *,
        long_lived: bool,
    ) -> RecordedSpan:
        state: TraceState | None = None
        if remote is not None:
            trace_id, sampled, state = remote.trace_id, remote.trace_flags.sampled, remote.trace_state
            flags = remote.trace_flags & (SAMPLED | RANDOM)
            span_id = new_span_id() if identity is None else identity[1]
        else:
            trace_id, span_id = identity or (new_trace_id(), new_span_id())
            sampled = self._judge.rules.sampled(trace_id)
            flags = RANDOM | SAMPLED if sampled else RANDOM
        segment = Segment(self._judge, sampled=sampled, root=span_id)
        begun = segment.now() if start is None else start
        place = (trace_id, span_id, int(flags), state)
        return RecordedSpan(name, kind, self._scope, segment, place, remote, begun, long_lived=long_lived)
