"""Many time limits of one length for the price of one timer.

`asyncio.timeout` sets and cancels a timer for every call. Limits of the same length end in the order in which they began, so one timer for
the oldest is enough; beginning and ending a limit is then an entry in a dictionary. Cancellation is asked for and accounted as there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


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

    __slots__ = ("_latest", "_loop", "_running", "_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[TimeLimit, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._latest = 0.0

    def begin(self, ends: float | None = None) -> TimeLimit:
        """A limit for the present task, from now on, or with an end of its own for one that began before."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._timer, self._running, self._latest = loop, None, {}, 0.0
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a time limit needs a task to cancel")
        limit = TimeLimit(task, loop.time() + self._seconds if ends is None else ends)
        self._running[limit] = None
        if limit.ends < self._latest:
            # It began before one that is in front of it: its own timer, for its turn would come too late.
            loop.call_at(limit.ends, self._expire, limit)
            return limit
        self._latest = limit.ends
        if self._timer is None:
            self._timer = loop.call_at(limit.ends, self._due)
        return limit

    def end(self, limit: TimeLimit) -> None:
        """The limit is no longer needed. The timer stays: it finds nothing to do, or the next limit."""
        self._running.pop(limit, None)
        if limit.expired and not limit.settled:
            # What was cancelled has ended in its own way: the task is not being cancelled any more.
            limit.task.uncancel()

    async def bound(self, limit: TimeLimit, pending: Awaitable[T], too_late: Callable[[], Exception]) -> T:
        """Await what the limit is for, and end the limit.

        Raises:
            Exception: The one that `too_late` makes, if the limit ended first.
        """
        try:
            return await pending
        except asyncio.CancelledError as error:
            if limit.expired and limit.is_its_own():
                raise too_late() from error
            raise
        finally:
            self.end(limit)

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
            self._expire(oldest)

    def _expire(self, limit: TimeLimit) -> None:
        if limit in self._running:
            del self._running[limit]
            limit.expired = True
            limit.task.cancel()
