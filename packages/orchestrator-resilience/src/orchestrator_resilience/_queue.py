"""A bounded queue with priorities, byte limits and ages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_resilience._priorities import Lines, Priority, Shed
from orchestrator_resilience._validation import refuse
from orchestrator_resilience.config import QueueConfig
from orchestrator_resilience.deadlines import remaining

T = TypeVar("T")

logger = logging.getLogger(__name__)

DropReason: TypeAlias = Literal["too old", "displaced", "no room"]


@dataclass(frozen=True, slots=True)
class Dropped(Generic[T]):
    """An item that will not be delivered, and why."""

    item: T
    priority: Priority
    reason: DropReason


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """A queue at one moment: what it holds, whether it is overloaded, and how many items have been dropped."""

    items: int
    bytes: int
    overloaded: bool
    dropped: int


class _Entry(Generic[T]):
    __slots__ = ("item", "priority", "put", "size")

    def __init__(self, item: T, priority: Priority, put: float, size: int) -> None:
        self.item = item
        self.priority = priority
        self.put = put
        self.size = size


class BoundedQueue(Generic[T]):
    """Holds so much and no more. The most important first; old work is dropped when it can no longer be done in time. For one event loop.

    Args:
        config: How much, and what happens to more.
        on_drop: Told of every item that was accepted, or dropped at the door, and will not be delivered.
        size: Bytes of an item, for `max_bytes`.
        clock: Where ages come from.

    Source of the ages: Nichols and Jacobson, Controlling Queue Delay; of newest-first under overload: Maurer, Fail at Scale.
    """

    def __init__(
        self,
        config: QueueConfig | None = None,
        *,
        on_drop: Callable[[Dropped[T]], None],
        size: Callable[[T], int] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.config = config or QueueConfig()
        if self.config.max_bytes is not None and size is None:
            raise refuse("size", size, "a function that answers the bytes of an item, because max_bytes is set")
        self._on_drop = on_drop
        self._size = size
        self._monotonic = (clock or SystemClock()).monotonic
        self._lines: Lines[_Entry[T]] = Lines()
        self._bytes = 0
        self._dropped = 0
        self._empty_at = self._monotonic()
        self._changed = asyncio.Condition()

    async def put(self, item: T, priority: Priority = Priority.DEFAULT) -> None:
        """Add an item, or do with it what the strategy says.

        Raises:
            Shed: The item was refused: it is larger than the queue, there is no room (`reject`), or there was none in time (`block`, `adaptive`).
        """
        size = self._size(item) if self._size else 0
        if self.config.max_bytes is not None and size > self.config.max_bytes:
            raise self._refusal("larger than the queue")
        entry = _Entry(item, priority, self._monotonic(), size)
        async with self._changed:
            if not self._fits(size) and not await self._make_room(entry):
                return
            # The age counts from the moment of entry: the wait before was the producer's.
            entry.put = self._monotonic()
            if not len(self._lines):
                self._empty_at = entry.put
            self._lines.append(entry, priority)
            self._bytes += size
            self._changed.notify_all()

    async def get(self) -> T:
        """The next item that is young enough; waits for one."""
        async with self._changed:
            while True:
                await self._changed.wait_for(lambda: len(self._lines) > 0)
                now = self._monotonic()
                overloaded = self._overloaded(now)
                self._expire(now, self.config.target_seconds if overloaded else self.config.interval_seconds)
                if len(self._lines):
                    entry = self._lines.serve(newest=overloaded)
                    self._gone(entry, now)
                    return entry.item

    def _expire(self, now: float, age: float) -> None:
        for entry in self._lines.take_while_oldest(lambda entry: now - entry.put > age):
            self._gone(entry, now)
            self._drop(entry, "too old")

    def snapshot(self) -> QueueSnapshot:
        """The queue now."""
        overloaded = self._overloaded(self._monotonic())
        return QueueSnapshot(items=len(self._lines), bytes=self._bytes, overloaded=overloaded, dropped=self._dropped)

    def _fits(self, size: int) -> bool:
        bytes_left = self.config.max_bytes is None or self._bytes + size <= self.config.max_bytes
        return bytes_left and len(self._lines) < self.config.max_items

    def _overloaded(self, now: float) -> bool:
        return len(self._lines) > 0 and now - self._empty_at > self.config.interval_seconds

    async def _make_room(self, entry: _Entry[T]) -> bool:
        """Whether the entry may come in now."""
        strategy = self.config.strategy
        if strategy == "reject":
            raise self._refusal("no room")
        if strategy == "block" or (strategy == "adaptive" and not self._overloaded(self._monotonic())):
            await self._block(entry.size)
            return True
        while not self._fits(entry.size):
            lowest = self._lines.lowest()
            arrival_loses = lowest is None or lowest > entry.priority
            if arrival_loses or (strategy == "drop-newest" and lowest == entry.priority):
                self._drop(entry, "no room")
                return False
            loser = self._lines.lose(entry.priority, newest=strategy == "drop-newest")
            if loser is not None:
                self._gone(loser, self._monotonic())
                self._drop(loser, "displaced")
        return True

    async def _block(self, size: int) -> None:
        left = remaining()
        limit = self.config.max_wait_seconds if left is None else min(left, self.config.max_wait_seconds)
        try:
            async with asyncio.timeout(limit):
                await self._changed.wait_for(lambda: self._fits(size))
        except TimeoutError:
            raise self._refusal("no room in time") from None

    def _gone(self, entry: _Entry[T], now: float) -> None:
        self._bytes -= entry.size
        if not len(self._lines):
            self._empty_at = now
        self._changed.notify_all()

    def _drop(self, entry: _Entry[T], reason: DropReason) -> None:
        self._dropped += 1
        try:
            self._on_drop(Dropped(entry.item, entry.priority, reason))
        except Exception:
            logger.exception("the owner of a dropped item could not be told")

    def _refusal(self, reason: str) -> Shed:
        return Shed(f"the queue has no room for this item: {reason}", details={"reason": reason})
