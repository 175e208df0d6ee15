"""A bounded mailbox with two lanes: what cannot wait overtakes what can."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from orchestrator_kernel.exceptions import RateLimitError

__all__ = ["Mailbox", "MailboxFull"]

T = TypeVar("T")
K = TypeVar("K")


class MailboxFull(RateLimitError):
    """The call has more waiting than it may; the sender should send again later."""

    default_code = "call_busy"


class Mailbox(Generic[T]):
    """Messages of one call.

    A place is reserved before a message is made durable, so that nothing that was accepted is ever refused or dropped. The call's own
    messages (`post`) need no place: their number is bounded by the call's own work.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._taken = 0
        self._own: deque[T] = deque()
        self._urgent: deque[T] = deque()
        self._normal: deque[T] = deque()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._own) + len(self._urgent) + len(self._normal)

    def reserve(self) -> None:
        """Take a place for a message to come.

        Raises:
            MailboxFull: There is none.
        """
        if self._taken >= self._places:
            raise MailboxFull("the call has too many events waiting; send this one again", retry_after=1.0)
        self._taken += 1

    def release(self) -> None:
        """Give a reserved place back without a message."""
        self._taken -= 1

    @property
    def over(self) -> bool:
        """Whether more waits than there are places for."""
        return self._taken > self._places

    def admit(self) -> None:
        """Take a place for a message that was accepted elsewhere, whether there is one or not."""
        self._taken += 1

    def deliver(self, message: T, *, urgent: bool) -> None:
        """Put a message into the place that was reserved for it."""
        (self._urgent if urgent else self._normal).append(message)
        self._wake.set()

    def post(self, message: T) -> None:
        """Put one of the call's own messages in; it comes before all others."""
        self._own.append(message)
        self._wake.set()

    def take(self) -> T | None:
        """The next message, if there is one."""
        if self._own:
            return self._own.popleft()
        lane = self._urgent or self._normal
        if not lane:
            return None
        self._taken -= 1
        return lane.popleft()

    def take_own(self, kind: type[K]) -> list[K]:
        """All of the call's own messages of one kind, in their order."""
        taken = [message for message in self._own if isinstance(message, kind)]
        self._own = deque(message for message in self._own if not isinstance(message, kind))
        return taken

    async def wait(self, seconds: float | None) -> None:
        """Return when there is a message, or after `seconds`."""
        self._wake.clear()
        if self or (seconds is not None and seconds <= 0):
            return
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
