"""The way out: a bounded queue and one thread that hands spans to the exporter, so that no request ever waits for a collector."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from threading import Condition, Thread
from typing import Protocol

from orchestrator_monitoring._tracing.span import RecordedSpan

__all__ = ["ExportQueue", "Sink"]

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Where spans go; called by one thread."""

    def describe(self, resource: Mapping[str, str]) -> None:
        """What is said of the whole process, for example `service.name`; before the first span."""
        ...

    def export(self, spans: Sequence[RecordedSpan]) -> int:
        """How many arrived; may take its time, may raise."""
        ...

    def shutdown(self) -> None:
        """Nothing more will come."""
        ...


class ExportQueue:
    """Holds spans until they are exported. What does not fit is dropped, and counted.

    Args:
        size: Spans that may wait.
        batch: Spans of one export.
        interval: Seconds after which fewer than `batch` are exported.
    """

    def __init__(self, sink: Sink, *, size: int = 4096, batch: int = 512, interval: float = 2.0) -> None:
        self._sink = sink
        self._size, self._batch, self._interval = size, min(batch, size), interval
        self._waiting: deque[RecordedSpan] = deque()
        self._changed = Condition()
        self._thread: Thread | None = None
        self._busy = False
        self._hurry = False
        self._closed = False
        self._counts: Counter[str] = Counter()

    def put(self, spans: Sequence[RecordedSpan]) -> None:
        """Take spans in, as many as fit."""
        with self._changed:
            if self._closed:
                self._counts["shutdown"] += len(spans)
                return
            if self._thread is None:
                # Begun at the first span, and so in the process that makes it, after a server has forked.
                self._thread = Thread(target=self._run, name="span export", daemon=True)
                self._thread.start()
            room = self._size - len(self._waiting)
            if room < len(spans):
                self._counts["queue_full"] += len(spans) - room
                spans = spans[:room]
            self._waiting.extend(spans)
            if len(self._waiting) >= self._batch:
                self._changed.notify_all()

    def counts(self) -> Mapping[str, int]:
        """Spans by what became of them: `exported`, and why others were not: `queue_full`, `export_failed`, `shutdown`."""
        with self._changed:
            return dict(self._counts)

    @property
    def waiting(self) -> int:
        """Spans that wait."""
        return len(self._waiting)

    def flush(self, seconds: float = 5.0) -> bool:
        """Export what waits; false when that was not done in time."""
        until = time.monotonic() + seconds
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, until - time.monotonic())

    def shutdown(self, seconds: float = 5.0) -> bool:
        """Export what waits and end; what is left after `seconds` is dropped, and false is returned."""
        done = self._thread is None or self.flush(seconds)
        with self._changed:
            self._closed = True
            self._counts["shutdown"] += len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        self._sink.shutdown()
        if self._thread is not None and done:
            self._thread.join(seconds)
        return done

    # --- the thread ---------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (spans := self._next()) is not None:
            arrived = self._export(spans)
            with self._changed:
                self._busy = False
                self._counts["exported"] += arrived
                self._counts["export_failed"] += len(spans) - arrived
                self._changed.notify_all()

    def _next(self) -> list[RecordedSpan] | None:
        with self._changed:
            due = time.monotonic() + self._interval
            while not self._closed:
                full, left = len(self._waiting) >= self._batch, due - time.monotonic()
                late = self._hurry or left <= 0
                if self._waiting and (full or late):
                    break
                if late:
                    self._hurry, due = False, time.monotonic() + self._interval
                    continue
                self._changed.wait(left)
            if self._closed:
                return None
            self._busy = True
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._batch))]

    def _export(self, spans: Sequence[RecordedSpan]) -> int:
        try:
            return self._sink.export(spans)
        except Exception as error:  # noqa: BLE001 - an exporter is a third party's: whatever it raises must not end the thread
            logger.warning("spans were not exported: %s", type(error).__name__, extra={"spans": len(spans)})
            return 0
