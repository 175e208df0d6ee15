"""How late the event loop is, and who keeps it."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from types import FrameType
from typing import Final

from orchestrator_performance._timing import Timing

__all__ = ["Blocked", "LoopWatch"]

_KEPT: Final = 50
_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class Blocked:
    """The event loop stood still.

    Attributes:
        at: Monotonic seconds.
        seconds: For how long, about.
        stack: Where it was caught, innermost last, as `file:line function`.
    """

    at: float
    seconds: float
    stack: tuple[str, ...]


class LoopWatch:
    """A timer on the loop that measures its own lateness, and a thread that looks where the loop stands while the timer is overdue."""

    def __init__(self, interval: float, blocked_seconds: float) -> None:
        self._interval = interval
        self._limit = blocked_seconds
        self._handle: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._due = 0.0
        self._loop_thread = 0
        self._caught: tuple[float, tuple[str, ...]] | None = None
        self.lag = Timing()
        self.blocked: deque[Blocked] = deque(maxlen=_KEPT)
        self.blocks = 0
        """How often the loop stood still, since the start."""

    def start(self) -> None:
        """Watch the running loop."""
        if self._handle is not None:
            return
        self._loop_thread = threading.get_ident()
        self._ended.clear()
        self._arm()
        self._thread = threading.Thread(target=self._look, name="loop watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=1)
            self._thread = None

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        # The loop's clock is time.monotonic, but for loops made for tests.
        self._due = time.monotonic() + self._interval
        self._handle = loop.call_later(self._interval, self._tick)

    def _tick(self) -> None:
        late = max(0.0, time.monotonic() - self._due)
        self.lag.record(late)
        caught, self._caught = self._caught, None
        if late >= self._limit:
            self.blocks += 1
            at, stack = caught if caught is not None else (self._due, ())
            self.blocked.append(Blocked(at, late, stack))
        self._arm()

    def _look(self) -> None:
        while not self._ended.wait(self._limit / 2):
            overdue = time.monotonic() - self._due
            if overdue < self._limit or self._caught is not None:
                continue
            # The documented way to see another thread's stack.
            frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            self._caught = (time.monotonic(), _stack(frame))


def _stack(frame: FrameType | None) -> tuple[str, ...]:
    """Innermost last; file names without their folders: where it is installed is the machine's business."""
    found: list[str] = []
    while frame is not None and len(found) < _DEPTH:
        code = frame.f_code
        found.append(f"{'/'.join(code.co_filename.rsplit('/', 2)[-2:])}:{frame.f_lineno} {code.co_qualname}")
        frame = frame.f_back
    return tuple(reversed(found))
