"""What an actor keeps in mind of the events that come in from outside, from here or from other processes, and when to keep a snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from orchestrator_calls._waiters import Waiters
from orchestrator_calls.call import Call
from orchestrator_calls.events import Event, EventType

__all__ = ["Sharing", "SnapshotTimes"]


SNAPSHOT_EVENTS: Final = 256
"""How many events between two snapshots, at least."""

SETTLED: Final = 5.0
"""Seconds after which every event that was kept has been handed over."""


@dataclass(slots=True)
class Sharing:
    """Which events from outside were taken, so that each is taken once, whether it came straight in or as news.

    Attributes:
        position: All events from outside up to this place of the journal are known.
        senders: The processes that appended something.
    """

    position: int = 0
    senders: set[str] = field(default_factory=set[str])
    _ahead: set[int] = field(default_factory=set[int])
    _pending: set[int] = field(default_factory=set[int])
    _last: int = 0
    _asked: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])

    def take(self, event: Event) -> bool:
        """Whether this event is new here."""
        if event.position <= self.position or event.position in self._ahead:
            return False
        self._ahead.add(event.position)
        self._pending.add(event.position)
        self._last = max(self._last, event.position)
        return True

    def seen(self, position: int) -> None:
        """Nothing new will come up to this place."""
        self.position = max(self.position, position)
        self.forget(self.position)

    def forget(self, upto: int) -> None:
        """Nothing up to this place comes a second time."""
        self._ahead = {each for each in self._ahead if each > upto}

    def asked(self, event: Event, key: str, sender: str) -> None:
        """Another process may wait for the answer to this event: `sender`, or nobody knows which."""
        if event.is_input or event.type is EventType.CALL_STARTED:
            self._asked[key] = event.position, sender

    def applied(self, event: Event) -> None:
        """The event counts now."""
        self._pending.discard(event.position)

    def all_applied(self, upto: int) -> bool:
        """Whether no event up to this place is handed over and still waits."""
        return all(position > upto for position in self._pending)

    def settled(self, waiters: Waiters) -> tuple[set[str], int | None]:
        """Who is to be told something, and up to which place all is taken in, if that has to be kept for them."""
        taken = min(self._pending) - 1 if self._pending else self._last
        told, unanswered = set[str](), False
        for key, (position, sender) in list(self._asked.items()):
            done, turn = waiters.known(key)
            if done and (turn is not None or position <= taken):
                del self._asked[key]
                told |= {sender} if sender else self.senders
                unanswered = unanswered or turn is None
        return told, taken if unanswered else None


@dataclass(slots=True)
class SnapshotTimes:
    """When a call has grown enough to be kept as a snapshot, and up to which place of the journal that snapshot holds everything."""

    _begun: int = 0
    _candidate: tuple[int, float] | None = None

    def begin(self, count: int) -> None:
        """The call has `count` events now, and needs no snapshot."""
        self._begun, self._candidate = count, None

    def due(self, call: Call, sharing: Sharing, now: float, *, shared: bool) -> int | None:
        """The place, if it is time.

        An event may be kept and not yet handed over. Where news is read from the journal it tells how far all is known; elsewhere a
        place counts some seconds after it was reached.
        """
        if call.count - self._begun < SNAPSHOT_EVENTS:
            return None
        if self._candidate is None:
            self._candidate = call.position, now
        place, since = self._candidate
        if now - since < SETTLED or not sharing.all_applied(place):
            return None
        return min(place, sharing.position) if shared else place
