"""A bounded queue with priorities, byte limits and ages."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Generic, TypeVar

from orchestrator_kernel.ports import Clock
from orchestrator_resilience._clocks import direct
from orchestrator_resilience._priorities import Lines, Priority, Shed
from orchestrator_resilience._queue_models import Dropped, DropReason, Entry, QueueClosed, QueueSnapshot
from orchestrator_resilience._validation import refuse
from orchestrator_resilience.config import QueueConfig
from orchestrator_resilience.deadlines import remaining
from orchestrator_resilience.events import Decision, DecisionObserver, tell

T = TypeVar("T")

logger = logging.getLogger(__name__)

_REFUSALS = {
    "too_large": "it is larger than the queue",
    "no_room": "there is no room",
    "waited_too_long": "there was no room in time",
    "closed": "the queue is closed",
}


class BoundedQueue(Generic[T]):
    """Holds so much and no more. The most important first; old work is dropped when it can no longer be done in time. For one event loop.

    Whatever the strategy, nothing is lost while something less important is kept: an arrival displaces it, at once, or after its
    wait if the strategy is to block. Blocked producers come in by importance, then in their order, large items too.

    Args:
        config: How much, and what happens to more.
        on_drop: Told of every item that was accepted, or dropped at the door, and will not be delivered.
        size: Bytes of an item, for `max_bytes`.
        name: For observers and snapshots.
        clock: Where ages come from.
        observers: Told of every drop and every refusal.

    Source of the ages: Nichols and Jacobson, Controlling Queue Delay; of newest-first under overload: Maurer, Fail at Scale.
    """

    def __init__(
        self,
        config: QueueConfig | None = None,
        *,
        on_drop: Callable[[Dropped[T]], None],
        size: Callable[[T], int] | None = None,
        name: str = "",
        clock: Clock | None = None,
        observers: Iterable[DecisionObserver] = (),
    ) -> None:
        self.config = config or QueueConfig()
        self.name = name
        if self.config.max_bytes is not None and size is None:
            raise refuse("size", size, "a function that answers the bytes of an item, because max_bytes is set")
        self._on_drop = on_drop
        self._size = size
        self._monotonic = direct(clock).monotonic
        self._observers = tuple(observers)
        self._lines: Lines[Entry[T]] = Lines()
        self._blocked: Lines[Entry[T]] = Lines()
        self._getters: deque[asyncio.Future[None]] = deque()
        self._bytes = 0
        # Room of producers that were blocked and have not yet come in.
        self._kept_items = 0
        self._kept_bytes = 0
        self._dropped = 0
        self._refused = 0
        self._closed = False
        self._empty_at = self._monotonic()

    async def put(self, item: T, priority: Priority = Priority.DEFAULT) -> None:
        """Add an item, or do with it what the strategy says.

        Raises:
            Shed: The item was refused: it is larger than the queue, there is no room (`reject`), or there was none in time (`block`, `adaptive`),
                or the queue is closed.
        """
        size = self._size(item) if self._size else 0
        if self._closed:
            raise self._refusal("closed")
        if self.config.max_bytes is not None and size > self.config.max_bytes:
            raise self._refusal("too_large")
        entry = Entry(item, priority, self._monotonic(), size)
        ahead = self._blocked.highest() if len(self._blocked) else None
        if (self._fits(size) and (ahead is None or ahead < priority)) or await self._make_room(entry):
            self._accept(entry)

    async def get(self, max_wait_seconds: float | None = None) -> T:
        """The next item that is young enough; waits for one, as long as the deadline around it allows.

        Raises:
            TimeoutError: There was none within `max_wait_seconds`.
            QueueClosed: There will be no more.
        """
        if (entry := self._take()) is not None:
            return entry.item
        async with asyncio.timeout(max_wait_seconds):
            while (entry := self._take()) is None:
                if self._closed:
                    raise QueueClosed("the queue is closed and empty")
                await self._something_came()
        return entry.item

    async def __aiter__(self) -> AsyncIterator[T]:
        """Every item, until the queue is closed and empty."""
        while True:
            try:
                item = await self.get()
            except QueueClosed:
                return
            yield item

    def close(self, *, deliver: bool = True) -> None:
        """Take nothing more. What is in the queue is still delivered, or dropped and told to its owner."""
        self._closed = True
        while len(self._blocked):
            self._grant(self._blocked.serve(newest=False), self._refusal("closed"))
        while not deliver and len(self._lines):
            entry = self._lines.serve(newest=False)
            self._gone(entry, self._monotonic())
            self._drop(entry, "closed")
        for getter in self._getters:
            if not getter.done():
                getter.set_result(None)

    def snapshot(self) -> QueueSnapshot:
        """The queue now."""
        return QueueSnapshot(
            name=self.name,
            items=len(self._lines),
            bytes=self._bytes,
            blocked=len(self._blocked),
            overloaded=self._overloaded(self._monotonic()),
            dropped=self._dropped,
            refused=self._refused,
        )

    # -- consumers

    def _take(self) -> Entry[T] | None:
        if not len(self._lines):
            return None
        now = self._monotonic()
        overloaded = self._overloaded(now)
        self._expire(now, overloaded=overloaded)
        if not len(self._lines):
            return None
        entry = self._lines.serve(newest=overloaded)
        self._gone(entry, now)
        return entry

    async def _something_came(self) -> None:
        getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._getters.append(getter)
        try:
            await getter
        except BaseException:
            if getter.done() and not getter.cancelled() and len(self._lines):
                self._wake()
            raise
        finally:
            if getter in self._getters:
                self._getters.remove(getter)

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _expire(self, now: float, *, overloaded: bool) -> None:
        age = self.config.target_seconds if overloaded else self.config.interval_seconds
        for entry in self._lines.take_while_oldest(lambda entry: now - entry.put > age):
            self._gone(entry, now)
            self._drop(entry, "too old")

    # -- producers

    def _fits(self, size: int) -> bool:
        limit = self.config.max_bytes
        bytes_left = limit is None or self._bytes + self._kept_bytes + size <= limit
        return bytes_left and len(self._lines) + self._kept_items < self.config.max_items

    def _overloaded(self, now: float) -> bool:
        return len(self._lines) > 0 and now - self._empty_at > self.config.interval_seconds

    async def _make_room(self, entry: Entry[T]) -> bool:
        """Whether the entry may come in now; False if it was dropped."""
        strategy, now = self.config.strategy, self._monotonic()
        overloaded = self._overloaded(now)
        self._expire(now, overloaded=overloaded)
        if strategy == "block" or (strategy == "adaptive" and not overloaded):
            return await self._block(entry)
        if self._displace(entry, equals=strategy in {"drop-oldest", "adaptive"}):
            return True
        if strategy == "reject":
            raise self._refusal("no_room")
        self._drop(entry, "no room")
        return False

    def _displace(self, entry: Entry[T], *, equals: bool = False) -> bool:
        """Drop what is less important, or as important, until the entry fits; False, and nothing is dropped, if that would not be enough."""
        below = Priority(entry.priority - 1) if not equals and entry.priority else entry.priority
        losable = [each for each in self._lines if each.priority <= below] if equals or entry.priority else []
        limit, held = self.config.max_bytes, self._bytes + self._kept_bytes
        if limit is not None and held - sum(each.size for each in losable) + entry.size > limit:
            return False
        if len(self._lines) + self._kept_items - len(losable) >= self.config.max_items:
            return False
        newest = self.config.strategy in {"drop-newest", "reject", "block"}
        while not self._fits(entry.size):
            loser = self._lines.lose(below, newest=newest)
            if loser is None:
                return False
            self._forget(loser, self._monotonic())
            self._drop(loser, "displaced")
        return True

    async def _block(self, entry: Entry[T]) -> bool:
        left = remaining()
        limit = self.config.max_wait_seconds if left is None else min(left, self.config.max_wait_seconds)
        entry.granted = granted = asyncio.get_running_loop().create_future()
        self._blocked.append(entry, entry.priority)
        try:
            async with asyncio.timeout(limit):
                await granted
        except BaseException as error:
            self._blocked.remove(entry, entry.priority)
            in_time = granted.done() and not granted.cancelled() and granted.exception() is None
            if in_time:
                self._kept_items -= 1
                self._kept_bytes -= entry.size
            if isinstance(error, TimeoutError):
                # If the room came with the end of the wait it is still there: nobody else has run.
                if in_time or self._displace(entry):
                    return True
                self._admit_blocked()
                raise self._refusal("waited_too_long") from None
            self._admit_blocked()
            raise
        self._kept_items -= 1
        self._kept_bytes -= entry.size
        return True

    def _grant(self, entry: Entry[T], refusal: Shed | None = None) -> None:
        granted = entry.granted
        if granted is None or granted.done():
            return
        if refusal is not None:
            granted.set_exception(refusal)
            return
        self._kept_items += 1
        self._kept_bytes += entry.size
        granted.set_result(None)

    def _admit_blocked(self) -> None:
        """Keep room for those whose turn it is. A large item is waited for: small ones do not overtake it for ever."""
        while (entry := self._blocked.next()) is not None and self._fits(entry.size):
            self._blocked.remove(entry, entry.priority)
            self._grant(entry)

    def _accept(self, entry: Entry[T]) -> None:
        if self._closed:
            raise self._refusal("closed")
        if entry.granted is not None:
            # The age counts from the moment of entry: the wait before was the producer's.
            entry.put = self._monotonic()
        if not len(self._lines):
            self._empty_at = entry.put
        self._lines.append(entry, entry.priority)
        self._bytes += entry.size
        self._wake()
        if len(self._blocked):
            # More may have been displaced than was needed.
            self._admit_blocked()

    # -- losses

    def _gone(self, entry: Entry[T], now: float) -> None:
        self._forget(entry, now)
        self._admit_blocked()

    def _forget(self, entry: Entry[T], now: float) -> None:
        self._bytes -= entry.size
        if not len(self._lines):
            self._empty_at = now

    def _drop(self, entry: Entry[T], reason: DropReason) -> None:
        self._dropped += 1
        self._tell(reason.replace(" ", "_"), self._monotonic() - entry.put)
        try:
            self._on_drop(Dropped(entry.item, entry.priority, reason))
        except Exception:
            logger.exception("the owner of a dropped item could not be told")

    def _refusal(self, reason: str) -> Shed:
        self._refused += 1
        self._tell(reason)
        return Shed(f"the queue does not take this item: {_REFUSALS[reason]}", details={"reason": reason})

    def _tell(self, decision: str, seconds: float | None = None) -> None:
        if self._observers:
            tell(self._observers, Decision("queue", self.name, decision, seconds))
