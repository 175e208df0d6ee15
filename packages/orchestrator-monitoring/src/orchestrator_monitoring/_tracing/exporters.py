"""Where spans go: the console, memory for tests, and any exporter of OpenTelemetry's SDK (extra `[otel]`)."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from opentelemetry.trace import SpanContext, Status, StatusCode

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Json
from orchestrator_monitoring._tracing.span import RecordedSpan, Scope

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

__all__ = ["ConsoleExporter", "MemoryExporter", "SdkExporter", "as_json"]


class MemoryExporter:
    """Keeps the latest spans for a test to look at."""

    def __init__(self, *, most: int = 10_000) -> None:
        self._spans: deque[RecordedSpan] = deque(maxlen=most)

    @property
    def spans(self) -> tuple[RecordedSpan, ...]:
        """In the order in which they were exported."""
        return tuple(self._spans)

    def named(self, name: str) -> tuple[RecordedSpan, ...]:
        """Those of this name."""
        return tuple(span for span in self._spans if span.name == name)

    def clear(self) -> None:
        """Forget them."""
        self._spans.clear()

    def describe(self, resource: Mapping[str, str]) -> None:
        """Nothing is said of the process here."""

    def export(self, spans: Sequence[RecordedSpan]) -> int:
        """Keep them all."""
        self._spans.extend(spans)
        return len(spans)

    def shutdown(self) -> None:
        """The spans stay."""


class ConsoleExporter:
    """One line of JSON for each span, to standard error unless told otherwise."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    def describe(self, resource: Mapping[str, str]) -> None:
        """What is said of the process is not repeated on every line."""

    def export(self, spans: Sequence[RecordedSpan]) -> int:
        """Write them all at once, so that lines of several processes do not mix."""
        out = self._out or sys.stderr
        out.write("".join(json.dumps(as_json(span), ensure_ascii=False) + "\n" for span in spans))
        out.flush()
        return len(spans)

    def shutdown(self) -> None:
        """The stream is its owner's to close."""


def as_json(span: RecordedSpan) -> dict[str, Json]:
    """A span for people to read: ids as in the headers, times in UTC, milliseconds."""
    told: dict[str, Json] = {
        "span": span.name,
        "kind": span.kind.name.lower(),
        "trace_id": f"{span.trace_id:032x}",
        "span_id": f"{span.span_id:016x}",
        "parent_id": None if span.parent is None else f"{span.parent.span_id:016x}",
        "start": _instant(span.start),
        "ms": round((span.end_time - span.start) / 1e6, 3),
    }
    if span.status is not StatusCode.UNSET:
        told["status"] = span.status.name.lower()
    if span.status_text:
        told["error"] = span.status_text
    told["attributes"] = dict(span.attributes)
    if span.events:
        told["events"] = [
            {"event": each.name, "ms": round((each.at - span.start) / 1e6, 3), **each.attributes}
            for each in span.events
        ]
    if span.links:
        told["links"] = [f"{each.context.trace_id:032x}-{each.context.span_id:016x}" for each in span.links]
    return told


def _instant(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


class SdkExporter:
    """Hands spans to an exporter of OpenTelemetry's SDK, whichever it is.

    Raises:
        ConfigurationError: The SDK is not installed.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        try:
            from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                "the SDK's exporters need the extra: install orchestrator-monitoring[otel]"
            ) from error
        self._success = SpanExportResult.SUCCESS
        self._exporter = exporter
        self._resource: Resource | None = None
        self._scopes: dict[Scope, InstrumentationScope] = {}

    def describe(self, resource: Mapping[str, str]) -> None:
        """Say this of the process from now on."""
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

        # Not Resource.create, which reads the environment.
        self._resource = Resource(dict(resource))

    def export(self, spans: Sequence[RecordedSpan]) -> int:
        """All of them or none, as far as the exporter tells."""
        done = self._exporter.export([self._readable(span) for span in spans])
        return len(spans) if done is self._success else 0

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()

    def _readable(self, span: RecordedSpan) -> ReadableSpan:
        from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415

        parent = span.parent
        return ReadableSpan(
            name=span.name,
            context=span.get_span_context(),
            parent=parent if parent is None or isinstance(parent, SpanContext) else parent.get_span_context(),
            resource=self._resource,
            attributes=span.attributes,
            events=[Event(each.name, each.attributes, each.at) for each in span.events],
            links=span.links,
            kind=span.kind,
            status=Status(span.status, span.status_text),
            start_time=span.start,
            end_time=span.end_time,
            instrumentation_scope=self._scope(span.scope),
        )

    def _scope(self, scope: Scope) -> InstrumentationScope:
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

        if scope not in self._scopes:
            self._scopes[scope] = InstrumentationScope(scope.name, scope.version or None)
        return self._scopes[scope]
