"""The trace of a call: one span for the call, its turns below it, whatever process they happen in.

Trace and span ids come from the call's id under a key that the processes share, so that each finds its place without asking: a call that
was begun here, resumed there and ended by a third process is one trace with one root. The root is written by whoever sees the call's end.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from math import inf
from typing import Final

from opentelemetry.context import attach, detach
from opentelemetry.context.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    TracerProvider,
    get_tracer,
    set_span_in_context,
)

from orchestrator_monitoring._tracing.privacy import CALL, TURN
from orchestrator_monitoring._tracing.recorder import IDENTITY
from orchestrator_monitoring._tracing.span import RecordedSpan
from orchestrator_monitoring.trace_context import RANDOM, SAMPLED

__all__ = ["CallTraces", "trace_of_call"]

_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND: Final = timedelta(microseconds=1)
_word = re.compile(r"[a-z][a-z0-9_.-]{0,47}")

FAILED: Final = "failed"


@dataclass(slots=True)
class _Turn:
    span: Span
    closed_at: int = 0
    timed: bool = False


@dataclass(slots=True)
class _Known:
    """What this process knows of a call."""

    tenant: str
    since: int
    resumed: bool
    turns: OrderedDict[str, _Turn] = field(default_factory=OrderedDict[str, _Turn])
    opened: int = 0
    interrupted: int = 0
    slowest: float = 0.0


class CallTraces:
    """Follows calls; every method is quick, never raises for a call it does not know, and is called by one event loop.

    Args:
        provider: A `Tracing`'s; with another one, spans have ids of their own and a call is one trace per process.
        key: Shared by all processes, so that nobody else can tell a trace from a call's id.
        ratio: The share of calls whose turns are kept anyway; the call's own span always is.
        slow_turn: Seconds from which a turn is kept, whatever its share: from the input to the first sound, or to the reply.
        max_calls: Calls that are followed at one time; the one that was heard of longest ago is let go.
    """

    def __init__(
        self,
        provider: TracerProvider,
        *,
        key: bytes = b"",
        ratio: float = 1.0,
        slow_turn: float = 1.5,
        max_calls: int = 10_000,
    ) -> None:
        self._tracer: Tracer = get_tracer("orchestrator_monitoring.calls", tracer_provider=provider)
        self._key = key[:64]
        self._least = (1.0 - ratio) * 2**56
        self._slow_turn = slow_turn
        self._max_calls = max_calls
        self._calls: OrderedDict[str, _Known] = OrderedDict()

    def place(self, call_id: str) -> SpanContext:
        """Where the call stands in its trace: the same in every process, before and after it is written."""
        trace_id, span_id = self._ids(call_id)
        sampled = (trace_id & (2**56 - 1)) >= self._least
        return SpanContext(trace_id, span_id, True, TraceFlags(RANDOM | SAMPLED if sampled else RANDOM))

    def _ids(self, call_id: str, turn: str = "") -> tuple[int, int]:
        span = blake2b(f"{call_id}\n{turn}".encode(), digest_size=8, key=self._key, person=b"span").digest()
        return _trace_id(call_id, self._key), int.from_bytes(span, "big") or 1

    # --- the call -----------------------------------------------------------------------------------------------------------

    def seen(self, call_id: str, tenant: str, at: datetime, *, resumed: bool = False) -> bool:
        """Something happened in a call. True the first time; `resumed` when it was not begun here: a span of its own tells so."""
        known = self._calls.get(call_id)
        if known is not None:
            self._calls.move_to_end(call_id)
            return False
        self._calls[call_id] = _Known(tenant, _nanoseconds(at), resumed)
        if len(self._calls) > self._max_calls:
            self._calls.popitem(last=False)
        if resumed:
            span = self._below(call_id, "call resumed")
            _keep(span, "resumed")
            span.end()
        return True

    def knows(self, call_id: str) -> bool:
        """Whether something was told of the call here."""
        return call_id in self._calls

    def resumed(self, call_id: str) -> bool:
        """Whether the call is known here, and began elsewhere or before a restart."""
        known = self._calls.get(call_id)
        return known is not None and known.resumed

    def ended(
        self,
        call_id: str,
        tenant: str,
        at: datetime,
        *,
        state: str,
        reason: str = "",
        started_at: datetime | None = None,
    ) -> None:
        """Write the call's span, and end what is open below it.

        Args:
            call_id: Whatever this process knows of it is forgotten.
            tenant: Whose it is.
            at: When it ended.
            state: `failed` makes it an error.
            reason: Told if it is a word; `other` if it is more.
            started_at: When it began, where this process has not seen it.
        """
        known = self._calls.pop(call_id, None) or _Known(tenant, _nanoseconds(at), resumed=True)
        for turn in known.turns.values():
            self._end(turn)
        trace_id, span_id = self._ids(call_id)
        start = known.since if started_at is None else _nanoseconds(started_at)
        span = self._tracer.start_span(
            "call",
            Context({IDENTITY: (trace_id, span_id)}),
            SpanKind.SERVER,
            self._told(call_id, known, state, reason),
            start_time=start,
        )
        if state == FAILED:
            span.set_status(StatusCode.ERROR)
        _keep(span, "call")
        _never_slow(span)
        span.end(_nanoseconds(at))

    def _told(self, call_id: str, known: _Known, state: str, reason: str) -> Mapping[str, str | int | float | bool]:
        told: dict[str, str | int | float | bool] = {
            CALL: call_id,
            "orchestrator.tenant.id": known.tenant,
            "orchestrator.call.state": _worded(state),
            "orchestrator.call.resumed": known.resumed,
            "orchestrator.call.turns": known.opened,
            "orchestrator.call.turns_interrupted": known.interrupted,
        }
        if reason:
            told["orchestrator.call.end_reason"] = _worded(reason)
        if known.slowest:
            told["orchestrator.call.slowest_turn_seconds"] = known.slowest
        return told

    # --- turns --------------------------------------------------------------------------------------------------------------

    def turn_opened(self, call_id: str, turn: str, at: datetime | None = None, *, kind: str = "") -> None:
        """A turn was opened; may be told before or after the work on it began."""
        open_turn = self._turn(call_id, turn)
        if open_turn is None:
            return
        if kind:
            open_turn.span.set_attribute("orchestrator.turn.kind", _worded(kind))
        if at is not None and isinstance(open_turn.span, RecordedSpan):
            open_turn.span.start = min(open_turn.span.start, _nanoseconds(at))

    @contextmanager
    def at_turn(self, call_id: str, turn: str) -> Generator[Span | None]:
        """Work inside happens below the turn's span; the turn is opened if it is not."""
        found = self._turn(call_id, turn)
        if found is None:
            yield None
            return
        token = attach(set_span_in_context(found.span))
        try:
            yield found.span
        finally:
            detach(token)

    @contextmanager
    def at_call(self, call_id: str, name: str, attributes: Mapping[str, str] | None = None) -> Generator[Span]:
        """Work inside has a span of its own right below the call's, for example an action that outlives its turn."""
        span = self._below(call_id, name)
        span.set_attributes(attributes or {})
        token = attach(set_span_in_context(span))
        try:
            yield span
        except Exception as error:
            span.record_exception(error)
            span.set_status(StatusCode.ERROR, str(error))
            raise
        finally:
            detach(token)
            span.end()

    def turn_event(self, call_id: str, turn: str, name: str) -> None:
        """Something happened in a turn that is open here; `interrupted` is counted."""
        known = self._calls.get(call_id)
        if known is None:
            return
        if name == "interrupted":
            known.interrupted += 1
        if turn in known.turns:
            known.turns[turn].span.add_event(name)

    def turn_timed(self, call_id: str, turn: str, seconds: float, channel: str) -> None:
        """How long the caller waited for the first sound, or for the reply."""
        known = self._calls.get(call_id)
        found = None if known is None else known.turns.get(turn)
        if known is None or found is None:
            return
        known.slowest = max(known.slowest, seconds)
        found.timed = True
        found.span.set_attribute("orchestrator.turn.seconds", seconds)
        found.span.set_attribute("orchestrator.turn.channel", _worded(channel))
        if seconds >= self._slow_turn:
            _keep(found.span, "slow_turn")
        self._end_if_over(known, turn)

    def turn_closed(self, call_id: str, turn: str, at: datetime, *, outcome: str, reason: str = "") -> None:
        """The answer is at its end; the span ends with it, or with the first sound if that is later."""
        found = self._turn(call_id, turn)
        if found is None:
            return
        found.span.set_attribute("orchestrator.turn.outcome", _worded(outcome))
        if outcome == FAILED:
            found.span.set_attribute("error.type", _worded(reason or FAILED))
            found.span.set_status(StatusCode.ERROR)
        found.closed_at = _nanoseconds(at)
        self._end_if_over(self._calls[call_id], turn)

    def _turn(self, call_id: str, turn: str) -> _Turn | None:
        known = self._calls.get(call_id)
        if known is None:
            return None
        found = known.turns.get(turn)
        if found is None:
            for earlier in [key for key, each in known.turns.items() if each.closed_at]:
                # Nothing of it will sound any more.
                self._end(known.turns.pop(earlier))
            span = self._below(call_id, "turn", turn)
            span.set_attribute(TURN, turn.rpartition("/")[2])
            _never_slow(span)
            found = known.turns[turn] = _Turn(span)
            known.opened += 1
        return found

    def _end_if_over(self, known: _Known, turn: str) -> None:
        found = known.turns[turn]
        if found.closed_at and found.timed:
            self._end(known.turns.pop(turn), now=True)

    def _end(self, turn: _Turn, *, now: bool = False) -> None:
        turn.span.end(None if now or not turn.closed_at else turn.closed_at)

    def _below(self, call_id: str, name: str, turn: str = "") -> Span:
        above = set_span_in_context(NonRecordingSpan(self.place(call_id)), Context())
        if turn:
            above = Context({**above, IDENTITY: self._ids(call_id, turn)})
        return self._tracer.start_span(name, above, attributes={CALL: call_id})


def trace_of_call(call_id: str, *, key: bytes = b"") -> str:
    """The trace that a call is, 32 hexadecimal digits; `key` as `CallTraces` has it."""
    return f"{_trace_id(call_id, key[:64]):032x}"


def _trace_id(call_id: str, key: bytes) -> int:
    return int.from_bytes(blake2b(call_id.encode(), digest_size=16, key=key, person=b"trace").digest(), "big") or 1


def _nanoseconds(at: datetime) -> int:
    # Whole microseconds, as a float would lose some.
    return (at - _EPOCH) // _MICROSECOND * 1000


def _worded(text: str) -> str:
    """A word of a closed vocabulary as it is; of anything else, which a person may have said, nothing."""
    return text if _word.fullmatch(text) else "other"


def _keep(span: Span, reason: str) -> None:
    if isinstance(span, RecordedSpan):
        span.keep(reason)


def _never_slow(span: Span) -> None:
    """A turn is as slow as its first sound, and a call that lasts is a good one."""
    if isinstance(span, RecordedSpan):
        span.segment.slow = inf
