"""Order among events that arrive in none.

Two pure parts. `CanonicalLog` gives one order to a set of events, whatever the order they came in. `Sequencer` holds back an event
that decides something while an earlier one of its source may still be on its way, for at most the reorder window.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

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
    """

    def __init__(self) -> None:
        self._keys: list[OrderKey] = []
        self._events: dict[str, Event] = {}
        self._counted: dict[str, list[tuple[int, datetime, str]]] = {}
        self._key_of: dict[str, OrderKey] = {}

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

    def insert(self, event: Event) -> int:
        """Add an event; the first place whose content changed (the length before, when it came last). Ids are unique."""
        self._events[event.id] = event
        if event.sequence is None:
            return self._place(OrderKey(event.occurred_at, event.source, -1, event.id))
        counted = self._counted.setdefault(event.source, [])
        entry = (event.sequence, event.occurred_at, event.id)
        latest = self._key_of[counted[-1][2]] if counted else None
        if latest is None or entry > counted[-1]:
            counted.append(entry)
            at = max(event.occurred_at, latest.at) if latest else event.occurred_at
            return self._place(OrderKey(at, event.source, event.sequence, event.id))
        insort(counted, entry)
        return self._replace_source(event.source)

    def _place(self, key: OrderKey) -> int:
        index = bisect_left(self._keys, key)
        self._keys.insert(index, key)
        self._key_of[key.id] = key
        return index

    def _replace_source(self, source: str) -> int:
        """An earlier count came late: the times of all later ones of its source may have changed."""
        changed = len(self._keys)
        latest: datetime | None = None
        for sequence, occurred_at, event_id in self._counted[source]:
            latest = occurred_at if latest is None else max(latest, occurred_at)
            key = OrderKey(latest, source, sequence, event_id)
            old = self._key_of.get(event_id)
            if old == key:
                continue
            if old is not None:
                place = bisect_left(self._keys, old)
                del self._keys[place]
                changed = min(changed, place)
            changed = min(changed, self._place(key))
        return changed


@dataclass(frozen=True, slots=True)
class Gap:
    """Counts `first` to `last` of a source that did not come within the window."""

    source: str
    first: int
    last: int


@dataclass(slots=True)
class _Source:
    next: int = 1
    ahead: set[int] = field(default_factory=set[int])


_WAITS = frozenset({EventType.DTMF, EventType.CALL_ENDED, EventType.HOLD, EventType.RESUME})


class Sequencer:
    """Releases events that decide something in the order of their source.

    An event that decides nothing, or whose predecessors are all there, is released at once. Otherwise it waits until they are there,
    `window` seconds at most. An event of a source that does not count waits the whole window, and so does the end of a call, because
    another source's last words may be on their way.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._sources: dict[str, _Source] = {}
        self._held: list[tuple[float, Event]] = []

    def offer(self, event: Event, now: float) -> tuple[list[Event], list[Gap]]:
        """Take an event in at `now` (monotonic seconds); what is released, in order, and the gaps given up."""
        self._count(event)
        if not (event.is_final or event.type in _WAITS):
            released, gaps = self.expire(now)
            return [event, *released], gaps
        self._held.append((now + self._window, event))
        return self.expire(now)

    def expire(self, now: float) -> tuple[list[Event], list[Gap]]:
        """What is released by `now`: complete, or waited long enough."""
        gaps: list[Gap] = []
        for deadline, event in self._held:
            if deadline <= now and event.sequence is not None:
                gaps.extend(self._give_up(event.source, event.sequence))
        ready = [(deadline, event) for deadline, event in self._held if deadline <= now or self._complete(event)]
        if ready:
            taken = {event.id for _, event in ready}
            self._held = [entry for entry in self._held if entry[1].id not in taken]
        return _in_order(event for _, event in ready), gaps

    @property
    def due(self) -> float | None:
        """When `expire` has something to do, in monotonic seconds; None when nothing is held."""
        return min((deadline for deadline, _ in self._held), default=None)

    def _count(self, event: Event) -> None:
        if event.sequence is None:
            return
        source = self._sources.setdefault(event.source, _Source())
        if event.sequence >= source.next:
            source.ahead.add(event.sequence)
        while source.next in source.ahead:
            source.ahead.discard(source.next)
            source.next += 1

    def _complete(self, event: Event) -> bool:
        if self._window == 0:
            return True
        if event.sequence is None or event.type is EventType.CALL_ENDED:
            return False
        return event.sequence < self._sources[event.source].next

    def _give_up(self, name: str, upto: int) -> list[Gap]:
        source = self._sources[name]
        gaps: list[Gap] = []
        while source.next <= upto:
            arrived = min((count for count in source.ahead if count >= source.next), default=upto + 1)
            gaps.append(Gap(name, source.next, arrived - 1))
            source.next = arrived
            while source.next in source.ahead:
                source.ahead.discard(source.next)
                source.next += 1
        return gaps


def _in_order(events: Iterable[Event]) -> list[Event]:
    """The canonical order of a few events."""
    log = CanonicalLog()
    for event in events:
        log.insert(event)
    return [log.at(index) for index in range(len(log))]
