"""The events from outside in canonical order: what they made of the call, and which inputs among them still wait for a turn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from orchestrator_calls._walk import Walk, step
from orchestrator_calls.events import CallState, Event, EventType
from orchestrator_calls.ordering import CanonicalLog

__all__ = ["Walked"]

_LISTENING: Final = frozenset({CallState.INITIALIZING, CallState.CONNECTING, CallState.ACTIVE})


class Walked:
    """Events as they come, walked in their order: an event that comes late is put in its place, and those behind it are walked again.

    Attributes:
        log: The events, but for a beginning that was forgotten.
        base: What that beginning made of the call.
        waiting: By id, the inputs that have no turn, those that are too late for one among them.
        taken: The ids of the inputs that have a turn, though the turn may be known before the input.
        opened: For each source that counts, the count of the last input that has a turn.
    """

    def __init__(self) -> None:
        self.log = CanonicalLog()
        self.base = Walk()
        self.waiting: dict[str, Event] = {}
        self.taken: set[str] = set()
        self.opened: dict[str, int] = {}
        self._walks: list[Walk] = []

    @property
    def walk(self) -> Walk:
        """What all of them made of the call."""
        return self._walks[-1] if self._walks else self.base

    def insert(self, event: Event) -> None:
        """Take one in; its id is new."""
        if event.id in self.taken:
            self._note(event)
        elif event.is_input:
            self.waiting[event.id] = event
        self.rewalk(self.log.insert(event))

    def rewalk(self, start: int) -> None:
        """Walk again from this place of the order."""
        del self._walks[start:]
        for index in range(start, len(self.log)):
            self._walks.append(step(self.walk, self.log.at(index)))

    def take(self, inputs: Iterable[str]) -> None:
        """These inputs have a turn; earlier ones of their sources are late from now on."""
        for input_id in inputs:
            self.taken.add(input_id)
            taken = self.waiting.pop(input_id, None) or self.event(input_id)
            if taken is not None:
                self._note(taken)

    def _note(self, taken: Event) -> None:
        if taken.sequence is not None:
            self.opened[taken.source] = max(self.opened.get(taken.source, 0), taken.sequence)

    def event(self, event_id: str) -> Event | None:
        """The one with this id."""
        return self.log.at(self.log.index(event_id)) if event_id in self.log else None

    def in_time(self) -> list[Event]:
        """Inputs without a turn that may still get one, in canonical order."""
        inputs = [event for event in self.waiting.values() if self._listened_to(event) and not self._late(event)]
        return sorted(inputs, key=lambda event: self.log.index(event.id))

    def _listened_to(self, event: Event) -> bool:
        index = self.log.index(event.id)
        return (self._walks[index - 1] if index else self.base).state in _LISTENING

    def _late(self, event: Event) -> bool:
        """A later input of the same source was taken already: answering now would go back in the conversation."""
        return event.sequence is not None and event.sequence < self.opened.get(event.source, 0)

    def interrupted_after(self, event_id: str) -> bool:
        """Whether the caller began to speak again after this event and before the next input, in the order of the event's own source."""
        if event_id not in self.log:
            return False
        index = self.log.index(event_id)
        source = self.log.at(index).source
        for place in range(index + 1, len(self.log)):
            later = self.log.at(place)
            if later.source == source and (later.is_input or later.type is EventType.SPEECH_STARTED):
                return later.type is EventType.SPEECH_STARTED
        return False

    def forget(self, upto: int, *, keep: int, needed: str) -> None:
        """Forget a beginning that is in the journal at places up to `upto`.

        What stays is the last `keep` events, those from the first that may still get a turn on, and those from `needed` on (an id, or empty).
        """
        ids = [event.id for event in self.in_time()[:1]]
        if needed:
            ids.append(needed)
        last = max(0, min([len(self.log) - keep, *map(self.log.index, ids)]))
        drop = next((index for index in range(last) if not 0 < self.log.at(index).position <= upto), last)
        if drop:
            self.base = self._walks[drop - 1]
            for index in range(drop):
                self.waiting.pop(self.log.at(index).id, None)
            self.log.forget(drop)
            del self._walks[:drop]
