"""Cutting a sentence into pieces that can be spoken one by one, and finding its words again in the audio. Pure.

A word here is what `str.split` makes of the text, whatever a voice makes of it: it may speak one word as several ("2024") or
not at all ("-").
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator_kernel.ports import WordTiming

__all__ = ["Segment", "WordTracker", "segments"]

_CLOSING = "\"')]}»”’"  # noqa: RUF001 - typographic quotes are what texts hold
_SHORT_STOP = frozenset(",、，")  # noqa: RUF001 - full-width forms are what texts hold
_MIDDLE_STOP = frozenset(";:；：")  # noqa: RUF001 - as above
_FULL_STOP = frozenset("!?…。！？")  # noqa: RUF001 - as above

# Milliseconds of silence that a formant voice makes at these stops at normal speed, measured on espeak-ng 1.52.
_SHORT_PAUSE_MS, _MIDDLE_PAUSE_MS, _FULL_PAUSE_MS = 140, 220, 290

# An engine stops at control characters or takes them as commands; a space of the same length keeps the positions.
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), " ")


@dataclass(frozen=True, slots=True)
class Segment:
    """Some words that are spoken in one go, and the silence after them (milliseconds at normal speed)."""

    words: tuple[str, ...]
    pause_ms: int = 0

    @property
    def text(self) -> str:
        """What to speak: as many characters as the words and one space between them, without control characters."""
        return " ".join(self.words).translate(_CONTROLS)


def segments(text: str, *, shortest: int = 12, longest: int = 160) -> list[Segment]:
    """Cut at the end of a clause once there are `shortest` characters, and anywhere between words before there are `longest`.

    All words come back, in order; a single word may be longer than `longest`.
    """
    found: list[Segment] = []
    words: list[str] = []
    length = -1
    for word in text.split():
        if words and length + 1 + len(word) > longest:
            found.append(Segment(tuple(words)))
            words, length = [], -1
        words.append(word)
        length += 1 + len(word)
        pause = _pause_after(word)
        if pause and length >= shortest:
            found.append(Segment(tuple(words), pause))
            words, length = [], -1
    if words:
        found.append(Segment(tuple(words)))
    elif found:
        found[-1] = Segment(found[-1].words)
    return found


def _pause_after(word: str) -> int:
    word = word.rstrip(_CLOSING)
    stop = word[-1:]
    if stop in _SHORT_STOP:
        return _SHORT_PAUSE_MS
    if stop in _MIDDLE_STOP:
        return _MIDDLE_PAUSE_MS
    if stop in _FULL_STOP:
        return _FULL_PAUSE_MS
    # "Dr.", "z.B." and "3." are no ends of sentences; a longer word before the stop hardly ever is an abbreviation.
    if stop == "." and len(word) > 4 and word[:-1].isalpha():
        return _FULL_PAUSE_MS
    return 0


@dataclass(slots=True)
class WordTracker:
    """Turns "the voice is now at character P, sample S" into timings of the segment's words, as they become certain.

    A word lasts from its own beginning to that of the next word the voice announces; words in between that it did not announce
    share that time by their length.

    Attributes:
        words: The segment's words.
        rate: Samples per second.
        offset: Samples of the sentence before this segment.
    """

    words: tuple[str, ...]
    rate: int
    offset: int = 0
    _starts: list[int] = field(init=False)
    _current: int = field(init=False, default=0)
    _since: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        at = 0
        self._starts = []
        for word in self.words:
            self._starts.append(at)
            at += len(word) + 1

    def reach(self, position: int, sample: int) -> tuple[WordTiming, ...]:
        """The voice begins to speak what is at character `position` (from 0) at `sample` (from the segment's start)."""
        index = bisect.bisect_right(self._starts, max(position, 0)) - 1
        return self._advance(index, sample)

    def finish(self, samples: int) -> tuple[WordTiming, ...]:
        """The segment has ended after `samples` samples: what is left of its words."""
        return self._advance(len(self.words), samples)

    def _advance(self, index: int, sample: int) -> tuple[WordTiming, ...]:
        if index <= self._current:
            return ()
        end = max(sample, self._since)
        passed = tuple(self._share(self.words[self._current : index], self._since, end))
        self._current, self._since = index, end
        return passed

    def _share(self, words: tuple[str, ...], start: int, end: int) -> Iterator[WordTiming]:
        total = sum(map(len, words))
        done = 0
        for word in words:
            begin = start + (end - start) * done // total
            done += len(word)
            yield WordTiming(word, self._ms(begin), self._ms(start + (end - start) * done // total))

    def _ms(self, sample: int) -> int:
        return (self.offset + sample) * 1000 // self.rate
