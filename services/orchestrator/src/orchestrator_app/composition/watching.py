"""People who watch calls live: what the runtime tells, passed on to those who listen."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Final

from orchestrator_calls.notices import EventKept, Notice, StateChanged
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import Json

__all__ = ["Watched", "Watchers"]

logger = logging.getLogger(__name__)

_BACKLOG: Final = 512

Follow = Callable[[str, Callable[[Notice], None]], Coroutine[object, object, None]]
"""Tells what happens in a call of another process, until it is over."""

Watched = asyncio.Queue[dict[str, Json] | None]
"""What one watcher is told, in its order; None when there will be nothing more."""


class Watchers:
    """Queues of those who watch a call. One that does not keep up gets None, and nothing more."""

    def __init__(self) -> None:
        self._queues: defaultdict[str, set[Watched]] = defaultdict(set)
        self._others: list[Callable[[Notice], None]] = []
        self._follow: Follow | None = None
        self._following: dict[str, asyncio.Task[None]] = {}

    def also(self, observer: Callable[[Notice], None]) -> None:
        """Tell `observer` of every notice of every call."""
        self._others.append(observer)

    def follow_with(self, follow: Follow) -> None:
        """How calls of other processes are watched."""
        self._follow = follow

    @contextmanager
    def watch(self, call_id: str) -> Generator[Watched, None, None]:
        """The queue of one watcher, for as long as the context lasts."""
        queue: Watched = asyncio.Queue()
        self._queues[call_id].add(queue)
        if self._follow is not None and call_id not in self._following:
            self._following[call_id] = asyncio.create_task(self._elsewhere(self._follow, call_id))
        try:
            yield queue
        finally:
            self._queues[call_id].discard(queue)
            if not self._queues[call_id]:
                del self._queues[call_id]
                if (task := self._following.pop(call_id, None)) is not None:
                    task.cancel()

    async def _elsewhere(self, follow: Follow, call_id: str) -> None:
        try:
            await follow(call_id, self.observe)
        except OrchestratorError:
            # Watchers see no more of it; the call itself is not touched.
            logger.exception("a call of another process can be watched no more", extra={"call_id": call_id})

    def observe(self, notice: Notice) -> None:
        """Pass a notice on to the watchers of its call."""
        for observer in self._others:
            observer(notice)
        message = _message(notice)
        if message is None:
            return
        call_id, content = message
        for queue in tuple(self._queues.get(call_id, ())):
            if queue.qsize() >= _BACKLOG:
                self._queues[call_id].discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(content)


def _message(notice: Notice) -> tuple[str, dict[str, Json]] | None:
    match notice:
        case EventKept(event):
            content: dict[str, Json] = {
                "type": event.type.value,
                "id": event.id,
                "source": event.source,
                "sequence": event.sequence,
                "occurred_at": event.occurred_at.isoformat(),
                "position": event.position,
                "data": dict(event.payload),
            }
            return event.call_id, content
        case StateChanged():
            return notice.call_id, {
                "type": "state",
                "before": notice.before.value,
                "state": notice.after.value,
                "reason": notice.reason,
            }
        case _:
            return None
