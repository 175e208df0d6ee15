"""From the times of characters to the times of words. Pure.

A word here is what `str.split` makes of the text, as everywhere in this package.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from orchestrator_kernel.ports import WordTiming

__all__ = ["Alignment", "AlignmentBroken", "Characters", "read_alignment"]

_JUMP: Final = 0.25
"""Seconds by which the times of a piece must jump back, to near zero, to be counted from its own beginning."""


class AlignmentBroken(ValueError):
    """The times do not fit the characters, or are no times."""


@dataclass(frozen=True, slots=True)
class Characters:
    """Characters of the text with the seconds at which each begins and ends."""

    texts: tuple[str, ...]
    starts: tuple[float, ...]
    ends: tuple[float, ...]


def read_alignment(found: object) -> Characters | None:
    """The characters of one `alignment` object; None where there is none.

    Raises:
        AlignmentBroken: It is malformed.
    """
    if found is None:
        return None
    if not isinstance(found, dict):
        raise AlignmentBroken
    fields = cast("dict[str, object]", found)
    texts, starts, ends = (
        fields.get(name) for name in ("characters", "character_start_times_seconds", "character_end_times_seconds")
    )
    if not (isinstance(texts, list) and isinstance(starts, list) and isinstance(ends, list)):
        raise AlignmentBroken
    names = cast("list[object]", texts)
    begins, finishes = _times(cast("list[object]", starts)), _times(cast("list[object]", ends))
    if not len(names) == len(begins) == len(finishes) or not all(isinstance(name, str) for name in names):
        raise AlignmentBroken
    return Characters(tuple(map(str, names)), begins, finishes)


def _times(values: Sequence[object]) -> tuple[float, ...]:
    times = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(times) != len(values) or not all(math.isfinite(value) and 0 <= value < 86_400 for value in times):
        raise AlignmentBroken
    return tuple(map(float, times))


@dataclass(slots=True)
class Alignment:
    """Words of `text` as their last character is told, in order, each once, with times that never go back.

    Servers count the seconds from the beginning of the audio, some from the beginning of the piece: times that jump back are of the latter
    kind, and the audio before the piece is added.
    """

    text: str
    _words: list[str] = field(init=False)
    _next: int = field(init=False, default=0)
    _open: bool = field(init=False, default=False)
    _start: float = field(init=False, default=0.0)
    _end: float = field(init=False, default=0.0)
    _own_times: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._words = self.text.split()

    def take(self, characters: Characters, before: float) -> tuple[WordTiming, ...]:
        """The words that are complete with these characters; `before` is how many seconds of audio came before their piece."""
        if characters.starts and characters.starts[0] < _JUMP < self._end - characters.starts[0]:
            self._own_times = True
        shift = before if self._own_times else 0.0
        found: list[WordTiming] = []
        for text, start, end in zip(characters.texts, characters.starts, characters.ends, strict=True):
            if text.isspace() or not text:
                found.extend(self._close())
                continue
            if not self._open:
                self._open = True
                self._start = max(start + shift, self._end)
            self._end = max(end + shift, self._start, self._end)
        return tuple(found)

    def finish(self, seconds: float) -> tuple[WordTiming, ...]:
        """What is left when the audio has ended after `seconds`; words whose characters were never told share the rest of it."""
        found = list(self._close())
        left = self._words[self._next :]
        begin, total, done = min(self._end, seconds), sum(map(len, left)), 0
        for word in left:
            start = begin + (seconds - begin) * done / total
            done += len(word)
            found.append(_timing(word, start, begin + (seconds - begin) * done / total))
        self._next = len(self._words)
        return tuple(found)

    def _close(self) -> Iterator[WordTiming]:
        if self._open and self._next < len(self._words):
            yield _timing(self._words[self._next], self._start, self._end)
            self._next += 1
        self._open = False


def _timing(word: str, start: float, end: float) -> WordTiming:
    return WordTiming(word, int(start * 1000), int(end * 1000))
