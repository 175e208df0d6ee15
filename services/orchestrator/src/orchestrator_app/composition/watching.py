"""People who watch calls live: what the runtime tells, passed on to those who listen."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from orchestrator_calls.notices import EventKept, Notice, StateChanged
from orchestrator_kernel.ports import Json

__all__ = ["Watched", "Watchers"]

_BACKLOG: Final = 512

Watched = asyncio.Queue[dict[str, Json] | None]
"""What one watcher is told, in its order; None when there will be nothing more."""


class Watchers:
    """Queues of those who watch a call. One that does not keep up gets None, and nothing more."""

    def __init__(self) -> None:
        self._queues: defaultdict[str, set[Watched]] = defaultdict(set)

    @contextmanager
    def watch(self, call_id: str) -> Generator[Watched, None, None]:
        """The queue of one watcher, for as long as the context lasts."""
        queue: Watched = asyncio.Queue()
        self._queues[call_id].add(queue)
        try:
            yield queue
        finally:
            self._queues[call_id].discard(queue)
            if not self._queues[call_id]:
                del self._queues[call_id]

    def observe(self, notice: Notice) -> None:
        """Pass a notice on to the watchers of its call."""
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
