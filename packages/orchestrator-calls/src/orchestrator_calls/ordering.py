"""Order among events that arrive in none.

Two pure parts. `CanonicalLog` gives one order to a set of events, whatever the order they came in. `Sequencer` holds back an event
that decides something while an earlier one may still be on its way, for at most the reorder window.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from orchestrator_calls.events import Event, EventType

__all__ = ["CanonicalLog", "Gap", "OrderKey", "Sequencer"]


class OrderKey(NamedTuple):
    """Sorts events: by time, then source, then the source's own count, then id."""

    at: datetime
    source: str
    sequence: int
    id: str


class CanonicalLog:
    """Events in their canonical order, a function of the set alone.

    Within a source the source's own count decides. Between sources, time decides; so that both hold at once, an event's time is the
    latest `occurred_at` of its source up to its count. Clocks of sources may differ: then the order between them is off by as much,
    but it is the same order for every arrival.

    The beginning of a long log can be forgotten; an event that belongs there comes first in what is left.

    Attributes:
        floors: For each source that counts, the count and time of the last event that was forgotten.
    """

    def __init__(self) -> None:
        self._keys: list[OrderKey] = []
        self._events: dict[str, Event] = {}
        self._counted: dict[str, list[tuple[int, datetime, str]]] = {}
        self._key_of: dict[str, OrderKey] = {}
        self.floors: dict[str, tuple[int, datetime]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._events

    def at(self, index: int) -> Event:
        """The event at a place of the order."""
        return self._events[self._keys[index].id]

    def index(self, event_id: str) -> int:
        """The present place of an event."""
        return bisect_left(self._keys, self._key_of[event_id])

    @property
    def latest(self) -> datetime | None:
        """The time of the last event in the order."""
        return self._keys[-1].at if self._keys else None

    def forget(self, count: int) -> None:
        """Drop the first `count` events."""
        for key in self._keys[:count]:
            del self._events[key.id]
            del self._key_of[key.id]
            if key.sequence >= 0:
                self._counted[key.source] = [each for each in self._counted[key.source] if each[2] != key.id]
                known = self.floors.get(key.source)
                if known is None or (key.sequence, key.at) > known:
                    self.floors[key.source] = key.sequence, key.at
        del self._keys[:count]

    def insert(self, event: Event) -> int:
        """Add an event; the first place whose content changed (the length before, when it came last). Ids are unique."""
        self._events[event.id] = event
        if event.sequence is None:
            return self._place(OrderKey(event.occurred_at, event.source, -1, event.id))
        counted = self._counted.setdefault(event.source, [])
        floor = self.floors.get(event.source)
        if floor is not None and event.sequence < floor[0]:
            # Those behind it in the count have their places already.
            return self._place(OrderKey(event.occurred_at, event.source, -1, event.id))
        entry = (event.sequence, event.occurred_at, event.id)
        start = bisect_left(counted, entry)
        counted.insert(start, entry)
        return self._place_counted(event.source, counted, start)

    def _place_counted(self, source: str, counted: Sequence[tuple[int, datetime, str]], start: int) -> int:
        """Place the event at `start` of its source, and again those behind it whose time it changed."""
        changed = len(self._keys)
        floor = self.floors.get(source)
        first = counted[0][1] if floor is None else max(floor[1], counted[0][1])
        latest = self._key_of[counted[start - 1][2]].at if start else first
        for place in range(start, len(counted)):
            sequence, occurred_at, event_id = counted[place]
            latest = max(latest, occurred_at)
            key = OrderKey(latest, source, sequence, event_id)
            old = self._key_of.get(event_id)
            if old == key:
                break
            if old is not None:
                index = bisect_left(self._keys, old)
                del self._keys[index]
                changed = min(changed, index)
            changed = min(changed, self._place(key))
        return changed

    def _place(self, key: OrderKey) -> int:
        index = bisect_left(self._keys, key)
        self._keys.insert(index, key)
        self._key_of[key.id] = key
        return index


@dataclass(frozen=True, slots=True)
class Gap:
    """Counts `first` to `last` of a source that did not come within the window."""

    source: str
    first: int
    last: int


@dataclass(slots=True)
class _Count:
    """How far a source has counted without a hole, and what came beyond the first hole."""

    next: int = 1
    ahead: set[int] = field(default_factory=set[int])

    def add(self, count: int) -> None:
        if count >= self.next:
            self.ahead.add(count)
        self._advance()

    def give_up(self, upto: int) -> list[tuple[int, int]]:
        """Wait for nothing up to `upto` any more; first and last of each hole."""
        holes: list[tuple[int, int]] = []
        for count in sorted(each for each in self.ahead if each <= upto):
            if count >= self.next:
                holes.append((self.next, count - 1))
                self.next = count
                self._advance()
        return holes

    def _advance(self) -> None:
        while self.next in self.ahead:
            self.ahead.discard(self.next)
            self.next += 1


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    event: Event
    deadline: float

    @property
    def stream(self) -> tuple[str, bool]:
        """What comes in one order by itself: the counted events of a source, or its others."""
        return self.event.source, self.event.sequence is None

    @property
    def place(self) -> tuple[int, datetime, str]:
        """The order within the stream."""
        return self.event.sequence or 0, self.event.occurred_at, self.event.id


_MOVES: Final = frozenset(
    {
        EventType.CALL_STARTED,
        EventType.HOLD,
        EventType.RESUME,
        EventType.TRANSFER_REQUESTED,
        EventType.TRANSFER_COMPLETED,
        EventType.TRANSFER_FAILED,
    }
)


class Sequencer:
    """Releases events that decide something (inputs, and what moves the call to another state) in a fixed order.

    Within a source they come in the source's own order: by its count, or by its clock where it does not count. Between sources they come
    as they arrived, because clocks differ. What waits for nothing is released at once: an event that decides nothing, and one whose
    predecessors are all there. Otherwise it waits until they are there, `window` seconds at most: an event of a source that does
    not count therefore waits the whole window, and so does the end of a call, because another source's last words may be on their way.

    So, if no event is delayed by more than the window and deciding events of different sources lie further apart than it, the order of
    release is the order in which they happened, whatever the order of arrival.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._counts: dict[str, _Count] = {}
        self._held: list[_Held] = []

    def offer(self, event: Event, now: float) -> tuple[list[Event], list[Gap]]:
        """Take an event in at `now` (monotonic seconds); what is released, in order, and the gaps given up."""
        if event.sequence is not None:
            self._counts.setdefault(event.source, _Count()).add(event.sequence)
        if not _waits(event):
            released, gaps = self.expire(now)
            return [event, *released], gaps
        self._held.append(_Held(event, now + self._window))
        return self.expire(now)

    def expire(self, now: float) -> tuple[list[Event], list[Gap]]:
        """What is released by `now`: complete, or waited long enough."""
        gaps: list[Gap] = []
        for held in self._held:
            if held.deadline <= now and held.event.sequence is not None:
                holes = self._counts[held.event.source].give_up(held.event.sequence)
                gaps.extend(Gap(held.event.source, first, last) for first, last in holes)
        released: list[Event] = []
        while group := self._next(now):
            released.extend(held.event for held in group)
            self._held = [held for held in self._held if held not in group]
        return released, gaps

    @property
    def counts(self) -> dict[str, tuple[int, list[int]]]:
        """For each source the next count without a hole, and what came beyond it: all that a later `Sequencer` must know."""
        return {source: (count.next, sorted(count.ahead)) for source, count in self._counts.items()}

    def take_up(self, counts: Mapping[str, tuple[int, Sequence[int]]]) -> None:
        """Go on where another one was."""
        self._counts = {source: _Count(following, set(ahead)) for source, (following, ahead) in counts.items()}

    @property
    def due(self) -> float | None:
        """When `expire` has something to do, in monotonic seconds; None when nothing is held."""
        return min((held.deadline for held in self._held), default=None)

    def _next(self, now: float) -> list[_Held]:
        """What may go now. The first that arrived decides: the others wait behind it, but for those of its stream that come before it."""
        if not self._held:
            return []
        first = self._held[0]
        stream = [each for each in self._held if each.stream == first.stream]
        if first.deadline <= now:
            return sorted((each for each in stream if each.place <= first.place), key=lambda each: each.place)
        lowest = min(stream, key=lambda each: each.place)
        return [lowest] if self._complete(lowest.event) else []

    def _complete(self, event: Event) -> bool:
        if event.sequence is None or _ends(event):
            return False
        return event.sequence < self._counts[event.source].next


def _waits(event: Event) -> bool:
    if event.type is EventType.CALL_STARTED and event.sequence is None:
        # What came before it waits in the call until it is there; so it need not wait itself, and the greeting is not late.
        return False
    return event.is_input or event.type in _MOVES or _ends(event)


def _ends(event: Event) -> bool:
    return event.type is EventType.CALL_ENDED or event.is_fatal
