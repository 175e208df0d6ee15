"""Many time limits of one length for the price of one timer.

`asyncio.timeout` sets and cancels a timer for every call. Limits of the same length end in the order in which they began, so one timer for
the oldest is enough; beginning and ending a limit is then an entry in a dictionary. Cancellation is asked for and accounted as there.
"""

from __future__ import annotations

import asyncio
from typing import Any


class TimeLimit:
    """One running limit."""

    __slots__ = ("cancelling", "ends", "expired", "settled", "task")

    def __init__(self, task: asyncio.Task[Any], ends: float) -> None:
        self.task = task
        self.ends = ends
        self.cancelling = task.cancelling()
        self.expired = False
        self.settled = False

    def is_its_own(self) -> bool:
        """Whether the cancellation that has just arrived is this limit's, and nobody else has asked for one. Ask once, when expired."""
        self.settled = True
        return self.task.uncancel() <= self.cancelling


class TimeLimits:
    """All running limits of one length, in seconds."""

    __slots__ = ("_loop", "_running", "_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[TimeLimit, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> TimeLimit:
        """A limit for the present task, from now on."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._timer, self._running = loop, None, {}
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a time limit needs a task to cancel")
        limit = TimeLimit(task, loop.time() + self._seconds)
        self._running[limit] = None
        if self._timer is None:
            self._timer = loop.call_at(limit.ends, self._due)
        return limit

    def end(self, limit: TimeLimit) -> None:
        """The limit is no longer needed. The timer stays: it finds nothing to do, or the next limit."""
        self._running.pop(limit, None)
        if limit.expired and not limit.settled:
            # What was cancelled has ended in its own way: the task is not being cancelled any more.
            limit.task.uncancel()

    def _due(self) -> None:
        self._timer = None
        loop = self._loop
        if loop is None:
            return
        now = loop.time()
        while self._running:
            oldest = next(iter(self._running))
            if oldest.ends > now:
                self._timer = loop.call_at(oldest.ends, self._due)
                return
            del self._running[oldest]
            oldest.expired = True
            oldest.task.cancel()
