"""The part of a trace that is judged as one: a span without a parent in this process, and everything below it.

Whether it is worth keeping is known when its first span ends: then errors and slowness have shown. Until then its spans wait here, so
many at most. A pure state machine; what is kept goes to `Judge.emit`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

from opentelemetry.trace import StatusCode

from orchestrator_monitoring._tracing.privacy import Privacy

if TYPE_CHECKING:
    from orchestrator_monitoring._tracing.span import RecordedSpan

__all__ = ["KEPT_BECAUSE", "Judge", "Rules", "Segment"]

KEPT_BECAUSE: Final = "orchestrator.sampling.kept"
"""The attribute of a segment's first span that says why it was kept: `sampled`, `error`, `slow`, or a reason that was given."""

_LOW_56_BITS: Final = (1 << 56) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is kept. `ratio` 0 to 1 of all traces, by their ids, so that every process comes to the same; `slow` in seconds."""

    ratio: float = 1.0
    slow: float = 2.0
    max_spans: int = 256
    max_segments: int = 10_000

    def sampled(self, trace_id: int) -> bool:
        """Whether a trace with this id belongs to the share that is kept (consistent probability sampling over 56 bits)."""
        return (trace_id & _LOW_56_BITS) >= (1.0 - self.ratio) * (_LOW_56_BITS + 1)


class Emit(Protocol):
    """Takes what is kept."""

    def __call__(self, spans: Sequence[RecordedSpan]) -> None: ...


class Judge:
    """What all segments of a process share: the rules, the clocks, and the counts of what was not kept."""

    def __init__(
        self,
        rules: Rules,
        privacy: Privacy,
        emit: Emit,
        *,
        wall: Callable[[], int],
        ticks: Callable[[], int],
    ) -> None:
        self.rules, self.privacy, self.emit = rules, privacy, emit
        self.wall, self.ticks = wall, ticks
        self.sampled_out = 0
        self.segment_full = 0
        self.abandoned = 0
        self._open = 0
        self._lock = Lock()

    @property
    def open(self) -> int:
        """Segments whose first span runs."""
        return self._open

    def opened(self) -> bool:
        """One more; false when there are so many that its spans cannot wait."""
        with self._lock:
            self._open += 1
            return self._open <= self.rules.max_segments

    def closed(self, lost: int, left: int) -> None:
        """One less: so many spans of it were lost, and left out on purpose."""
        with self._lock:
            self._open -= 1
            self.segment_full += lost
            self.sampled_out += left

    def gone(self, spans: int) -> None:
        """One less, whose first span nobody ended: so many spans waited for it."""
        with self._lock:
            self._open -= 1
            self.abandoned += spans

    def left_out(self) -> None:
        """A late span of a segment that was not kept."""
        with self._lock:
            self.sampled_out += 1


class Segment:
    """One part of one trace; see the module.

    Args:
        sampled: Whether the trace is in the share that is kept anyway.
        root: The id of its first span.

    Attributes:
        slow: From how many seconds on it is kept for being slow.
        reason: Why it is kept; empty as long as it is not.
    """

    __slots__ = (
        "_anchor",
        "_judge",
        "_kept",
        "_lost",
        "_room",
        "_root",
        "_spans",
        "_ticks",
        "privacy",
        "reason",
        "slow",
    )

    def __init__(self, judge: Judge, *, sampled: bool, root: int) -> None:
        self.privacy = judge.privacy
        self.slow = judge.rules.slow
        self.reason = "sampled" if sampled else ""
        self._judge = judge
        self._root = root
        self._spans: list[RecordedSpan] = []
        self._kept: bool | None = None
        self._lost = 0
        self._room = judge.rules.max_spans if judge.opened() else 0
        # One reading of the wall's clock for all: within a segment no span begins before its cause, though that clock be set.
        self._anchor, self._ticks = judge.wall(), judge.ticks()

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        return self._anchor + self._judge.ticks() - self._ticks

    def keep(self, reason: str) -> None:
        """Keep it, whatever else."""
        if not self.reason or self.reason == "sampled":
            self.reason = reason

    def ended(self, span: RecordedSpan) -> None:
        """Take a span that has ended; the last word on all of them falls with the first one's end."""
        if span.status is StatusCode.ERROR:
            self.keep("error")
        if self._kept is not None:
            self._late(span)
        elif span.span_id == self._root:
            self._decide(span)
        elif len(self._spans) < self._room:
            self._spans.append(span)
        else:
            self._lost += 1

    def _decide(self, root: RecordedSpan) -> None:
        if not root.long_lived and root.end_time - root.start >= self.slow * 1e9:
            self.keep("slow")
        spans, self._spans = self._spans, []
        spans.append(root)
        self._kept = bool(self.reason)
        if self._kept:
            root.attributes[KEPT_BECAUSE] = self.reason
            self._judge.closed(self._lost, 0)
            self._judge.emit(spans)
        else:
            self._judge.closed(self._lost, len(spans))

    def _late(self, span: RecordedSpan) -> None:
        """Work that went on after the first span's end: an error is told even if the rest was left out."""
        if self._kept or span.status is StatusCode.ERROR:
            self._judge.emit((span,))
        else:
            self._judge.left_out()

    def __del__(self) -> None:
        # A first span that nobody ended: what waited for it is lost, and the count of open segments goes down all the same.
        if self._kept is None:
            self._judge.gone(1 + len(self._spans) + self._lost)


def new_trace_id() -> int:
    """Random, not 0."""
    return random.getrandbits(128) or 1


def new_span_id() -> int:
    """Random, not 0."""
    return random.getrandbits(64) or 1
