"""A span that is being recorded: OpenTelemetry's interface over a few plain fields, because every request pays for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from traceback import walk_tb
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple

from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from orchestrator_monitoring._tracing.privacy import CALL, Admitted, Value

if TYPE_CHECKING:
    from opentelemetry.util.types import AnyValue, Attributes

    from orchestrator_monitoring._tracing.segment import Segment

__all__ = ["Happening", "RecordedSpan", "Scope"]

MAX_ATTRIBUTES: Final = 64
MAX_EVENTS: Final = 64
MAX_LINKS: Final = 16
_MAX_FRAMES: Final = 24


class Scope(NamedTuple):
    """Who writes a span: the name and version of an instrumentation."""

    name: str
    version: str = ""


class Happening(NamedTuple):
    """An event of a span; `at` in nanoseconds since the epoch."""

    name: str
    at: int
    attributes: Mapping[str, Value]


class RecordedSpan(Span):
    """A span of this process; what it belongs to and what becomes of it is its segment's to say.

    Attributes:
        trace_id, span_id, flags, state: Its place in the trace.
        parent: The span above it, here or in another process.
        start, end: Nanoseconds since the epoch; `end` is 0 while it runs.
        long_lived: It outlives what happens below it by far, so what happens there is judged by itself.
        call: The call whose known identities are redacted in it.
        lost: Attributes, events and links that were one too many, or of no type that can be told.
    """

    def __init__(
        self,
        name: str,
        kind: SpanKind,
        scope: Scope,
        segment: Segment,
        place: tuple[int, int, int, TraceState | None],
        parent: SpanContext | RecordedSpan | None,
        start: int,
        *,
        long_lived: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.scope = scope
        self.segment = segment
        self.trace_id, self.span_id, self.flags, self.state = place
        self.parent = parent
        self.start = start
        self.end_time = 0
        self.long_lived = long_lived
        self.call: str | None = parent.call if isinstance(parent, RecordedSpan) else None
        self.attributes: dict[str, Value] = {}
        self.events: Sequence[Happening] = ()
        self.links: Sequence[Link] = ()
        self.status = StatusCode.UNSET
        self.status_text: str | None = None
        self.lost = 0
        self._context: SpanContext | None = None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end_time - self.start) / 1e9

    def get_span_context(self) -> SpanContext:
        if self._context is None:
            self._context = SpanContext(self.trace_id, self.span_id, False, TraceFlags(self.flags), self.state)
        return self._context

    def is_recording(self) -> bool:
        return not self.end_time

    def end(self, end_time: int | None = None) -> None:
        if self.end_time:
            return
        # A span that ended before it began would be refused by those who keep it.
        self.end_time = max(self.start, self.segment.now() if end_time is None else end_time)
        self.segment.ended(self)

    def keep(self, reason: str) -> None:
        """Have it and what it is the root of exported, whatever sampling says; `reason` is told with it."""
        self.segment.keep(reason)

    # --- what is told of it -------------------------------------------------------------------------------------------------

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        if type(attributes) is Admitted and not self.end_time:
            self.attributes.update(attributes)
            return
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def set_attribute(self, key: str, value: AnyValue) -> None:
        if self.end_time:
            return
        if key == CALL and isinstance(value, str):
            self.call = value
        kept = self.segment.privacy.admit(key, value, self.call)
        if kept is None or (len(self.attributes) >= MAX_ATTRIBUTES and key not in self.attributes):
            self.lost += 1
        else:
            self.attributes[key] = kept

    def update_name(self, name: str) -> None:
        if not self.end_time:
            self.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        code = status if isinstance(status, StatusCode) else status.status_code
        if isinstance(status, Status):
            description = status.description
        # The specification: OK is final, and UNSET takes nothing back.
        if self.end_time or self.status is StatusCode.OK or code is StatusCode.UNSET:
            return
        self.status = code
        failed = code is StatusCode.ERROR and description is not None
        self.status_text = self.segment.privacy.message(description or "", self.call) if failed else None

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        if self.end_time:
            return
        if len(self.events) >= MAX_EVENTS:
            self.lost += 1
            return
        at = self.segment.now() if timestamp is None else timestamp
        self.events = (*self.events, Happening(name, at, self._admitted(attributes or {})))

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        if self.end_time or not context.is_valid:
            return
        if len(self.links) >= MAX_LINKS:
            self.lost += 1
            return
        self.links = (*self.links, Link(context, self._admitted(attributes or {})))

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002 - OpenTelemetry's interface
    ) -> None:
        message = self.segment.privacy.message(str(exception), self.call)
        told: dict[str, AnyValue] = {
            "exception.type": _type_name(exception),
            "exception.stacktrace": _frames(exception.__traceback__),
            **({"exception.escaped": True} if escaped else {}),
            **(attributes or {}),
        }
        if message:
            told["exception.message"] = message
        self.add_event("exception", told, timestamp)

    def _admitted(self, attributes: Mapping[str, AnyValue]) -> dict[str, Value]:
        kept: dict[str, Value] = {}
        for key, value in attributes.items():
            admitted = self.segment.privacy.admit(key, value, self.call)
            if admitted is None or len(kept) >= MAX_ATTRIBUTES:
                self.lost += 1
            else:
                kept[key] = admitted
        return kept

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        if isinstance(exc_val, Exception):
            self.record_exception(exc_val)
            self.set_status(StatusCode.ERROR, str(exc_val))
        self.end()

    def __repr__(self) -> str:
        return f"RecordedSpan({self.name!r}, trace_id={self.trace_id:032x}, span_id={self.span_id:016x})"


def _type_name(exception: BaseException) -> str:
    kind = type(exception)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _frames(traceback: TracebackType | None) -> str:
    """Where it was raised, innermost last: modules, lines and functions, no values and no paths of the machine."""
    frames: Sequence[str] = [
        f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_qualname}"
        for frame, line in walk_tb(traceback)
    ]
    return "\n".join(frames[-_MAX_FRAMES:])
