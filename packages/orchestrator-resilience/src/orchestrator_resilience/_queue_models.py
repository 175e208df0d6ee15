"""What goes into a queue, and what comes out of it besides items."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_resilience._priorities import Priority

T = TypeVar("T")

DropReason: TypeAlias = Literal["too old", "displaced", "no room", "closed"]


class QueueClosed(OrchestratorError):
    """The queue is closed, and everything that was in it has been delivered."""

    default_code = "queue_closed"
    default_status = 503


@dataclass(frozen=True, slots=True)
class Dropped(Generic[T]):
    """An item that will not be delivered, and why."""

    item: T
    priority: Priority
    reason: DropReason


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """A queue at one moment: what it holds, who waits to put something in, whether it is overloaded, and how many items have been dropped."""

    name: str
    items: int
    bytes: int
    blocked: int
    overloaded: bool
    dropped: int
    refused: int


class Entry(Generic[T]):
    """An item in the queue, or before it."""

    __slots__ = ("granted", "item", "priority", "put", "size")

    def __init__(self, item: T, priority: Priority, put: float, size: int) -> None:
        self.item = item
        self.priority = priority
        self.put = put
        self.size = size
        self.granted: asyncio.Future[None] | None = None
        """A blocked producer's: there is room for it, and the room is kept."""
