"""Which part of what was said somebody heard: the words that a leg tells, found in the sentences that it was given. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Words", "seconds_to_speak"]

# A character is a word of its own where words are written without spaces between them.
_ALONE: Final = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_WORD: Final = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+(?:['\u2019][^\W_{_ALONE}]+)*")

LETTER_SECONDS: Final = 0.07
IDEOGRAM_SECONDS: Final = 0.22
PAUSE_SECONDS: Final = 0.4


def seconds_to_speak(text: str) -> float:
    """About how long a voice takes for `text`, rather too long than too short; used only where the leg tells nothing."""
    ideograms = sum("\u3040" <= char <= "\ud7a3" for char in text)
    return PAUSE_SECONDS + (len(text) - ideograms) * LETTER_SECONDS + ideograms * IDEOGRAM_SECONDS


@dataclass(frozen=True, slots=True)
class _Word:
    folded: str
    sentence: int
    end: int


class Words:
    """The words of sentences that are spoken one after the other.

    Positions count words over all sentences; `len` is the position after the last one.
    """

    def __init__(self, sentences: Sequence[str]) -> None:
        self._sentences = tuple(sentences)
        self._words = tuple(
            _Word(match.group().casefold(), number, match.end())
            for number, sentence in enumerate(self._sentences)
            for match in _WORD.finditer(sentence)
        )

    def __len__(self) -> int:
        return len(self._words)

    def after(self, heard: str, position: int) -> int | None:
        """The position after `heard`; None where it is not found.

        `heard` continues at `position`, or repeats all from the beginning, or is a piece from the middle: then the first place after
        `position` counts, since claiming less is safer than claiming more.
        """
        told = [match.group().casefold() for match in _WORD.finditer(heard)]
        if not told:
            return position
        return self._find(told, position)

    def until(self, heard: str, position: int) -> int | None:
        """As `after`, for text whose last word may be cut short."""
        told = [match.group().casefold() for match in _WORD.finditer(heard)]
        found = self._find(told, position) if told else position
        return found if found is not None or len(told) < 2 else self._find(told[:-1], position)

    def _find(self, told: Sequence[str], position: int) -> int | None:
        starts: list[int] = [position, 0, *range(position + 1, len(self._words) - len(told) + 1)]
        for start in starts:
            if self._at(start, told):
                return max(position, start + len(told))
        return None

    def _at(self, start: int, told: Sequence[str]) -> bool:
        if start + len(told) > len(self._words):
            return False
        return all(self._words[start + number].folded == word for number, word in enumerate(told))

    def count(self, sentence: int) -> int:
        """How many words the sentence has."""
        return sum(word.sentence == sentence for word in self._words)

    def heard(self, sentence: int, position: int) -> str:
        """What of a sentence lies before `position`: all of it, its beginning, or nothing."""
        ends = [word.end for word in self._words[:position] if word.sentence == sentence]
        if len(ends) == self.count(sentence):
            return self._sentences[sentence] if ends or self._passed(sentence, position) else ""
        return self._sentences[sentence][: ends[-1]] if ends else ""

    def _passed(self, sentence: int, position: int) -> bool:
        """A sentence without words was heard when a word after it was."""
        return any(word.sentence > sentence for word in self._words[:position])
