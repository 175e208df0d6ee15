"""What the relay was given to say, and what of it was heard. A state machine without I/O; times are monotonic seconds.

Three things tell what was heard, each better than the next: the tokens that the relay says it played, the end of its speaking, and how long such
a text takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from orchestrator_calls.events import EventType
from orchestrator_calls.legs._heard import Words, seconds_to_speak
from orchestrator_calls.playback import Report

__all__ = ["Account"]


QUICK: Final = 0.7
"""A quick voice takes this share of the time that a slow one takes."""


@dataclass(slots=True)
class _Given:
    """A sentence that the relay has.

    Attributes:
        due: When it counts as finished though the relay said nothing.
        soonest: When a quick voice would be through with it.
    """

    key: str
    text: str
    at: float
    due: float
    soonest: float
    over: bool = False
    told: str = ""
    played_ms: int = 0

    @property
    def turn(self) -> str:
        return self.key.rpartition("/")[0]


class Account:
    """The sentences of one relay session."""

    def __init__(self) -> None:
        self._given: list[_Given] = []
        self._words = Words(())
        self._position = 0
        self._speaking_since: float | None = None
        self._tells = False

    @property
    def begun(self) -> frozenset[str]:
        """The keys of the sentences that are not over."""
        return frozenset(each.key for each in self._open)

    @property
    def due(self) -> float | None:
        """When `expire` is to be asked next; None while nothing is open."""
        return min((each.due for each in self._open), default=None)

    def left(self, now: float) -> float:
        """Seconds that the relay is busy with what it has, at least."""
        return max([0.0, *(each.soonest - now for each in self._open)])

    @property
    def _open(self) -> list[_Given]:
        return [each for each in self._given if not each.over]

    def give(self, key: str, text: str, now: float, since: float | None = None) -> Report:
        """The relay was given a sentence; `since` is when its turn began."""
        if not self._open:
            self._given.clear()
            self._position = 0
        takes = seconds_to_speak(text)
        due = max([now, *(each.due for each in self._open)]) + takes
        self._given.append(_Given(key, text, now, due, now + self.left(now) + takes * QUICK))
        self._words = Words([each.text for each in self._given])
        latency = None if since is None else max(0.0, now - since) * 1000
        return Report(EventType.PLAYBACK_STARTED, key, latency_ms=latency)

    def played(self, text: str, now: float) -> list[Report]:
        """The relay told that it played this text; text that it was never given is ignored."""
        position = self._words.after(text, self._position)
        if position is None or position <= self._position:
            return []
        self._tells = True
        self._position = position
        return list(self._advance(now))

    def _advance(self, now: float) -> Iterator[Report]:
        """Report what the position says of each sentence that is not over."""
        waits = soonest = now
        for number, each in enumerate(self._given):
            if each.over:
                continue
            heard = self._words.heard(number, self._position)
            if heard == each.text:
                yield self._finish(each, now)
            elif heard and heard != each.told:
                each.told, each.played_ms = heard, self._elapsed(each, now)
                yield Report(EventType.PLAYBACK_PROGRESS, each.key, each.played_ms, heard)
            if not each.over:
                # What is left of the open sentences is estimated anew from what is known now.
                takes = seconds_to_speak(each.text[len(each.told) :])
                waits = each.due = waits + takes
                soonest = each.soonest = soonest + takes * QUICK

    def speaking(self, now: float, *, on: bool) -> list[Report]:
        """The relay's voice began to speak, or fell silent: what it had before it began is over then."""
        if on:
            self._speaking_since = now
            return []
        since, self._speaking_since = self._speaking_since, None
        if since is None:
            return []
        return [self._finish(each, now) for each in self._open if each.at <= since]

    def expire(self, now: float) -> list[Report]:
        """What must have been played by now."""
        return [self._finish(each, now) for each in self._open if each.due <= now]

    def interrupted(self, heard: str, now: float) -> list[Report]:
        """The caller spoke over us: the relay dropped all it had. `heard` is what was played of it."""
        position = self._words.until(heard, self._position)
        if position is not None:
            self._position = max(self._position, position)
        return list(self._clear(self._open, now, "interrupted"))

    def stop(self, keys: Collection[str] | None, now: float, reason: str) -> list[Report]:
        """These sentences (all) are not to be spoken any more.

        What the relay told until now was heard; of a relay that tells nothing, what the time was enough for.
        """
        if not self._tells:
            self._position = max([self._position, *(self._timed(each, now) for each in self._open)])
        return list(self._clear([each for each in self._open if keys is None or each.key in keys], now, reason))

    def _clear(self, items: Collection[_Given], now: float, reason: str) -> Iterator[Report]:
        for each in items:
            heard = self._words.heard(self._given.index(each), self._position)
            each.over = True
            if heard == each.text:
                yield Report(EventType.PLAYBACK_FINISHED, each.key, self._elapsed(each, now))
            else:
                yield Report(EventType.PLAYBACK_CLEARED, each.key, self._elapsed(each, now), heard, reason)

    def _finish(self, each: _Given, now: float) -> Report:
        each.over = True
        self._position = max(self._position, self._end_of(self._given.index(each)))
        return Report(EventType.PLAYBACK_FINISHED, each.key, self._elapsed(each, now))

    def _timed(self, each: _Given, now: float) -> int:
        """The position that the voice has come to in this sentence, by our clock."""
        number = self._given.index(each)
        length = seconds_to_speak(each.text)
        share = max(0.0, min(1.0, 1 - (each.due - now) / length))
        return self._end_of(number - 1) + int(self._words.count(number) * share) if share else 0

    def _end_of(self, number: int) -> int:
        return sum(self._words.count(before) for before in range(number + 1))

    @staticmethod
    def _elapsed(each: _Given, now: float) -> int:
        """Milliseconds since it was given, more than any report of it told before: a report is known by them."""
        return max(each.played_ms + 1, round((now - each.at) * 1000))
