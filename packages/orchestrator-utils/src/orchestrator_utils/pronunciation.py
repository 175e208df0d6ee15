"""Saying names as they are said: a table of words and how to write them for a voice, applied to sentences before they are spoken.

>>> from orchestrator_utils.pronunciation import Pronunciations
>>> table = Pronunciations({"Szczęsny": "Schtschensni", "St. Moritz": "Sankt Moritz", "wifi": "why fie", "IT": "eye tee"})
>>> table.apply("The WiFi of Mr Szczęsny in St. Moritz: ask IT about it.").text
'The why fie of Mr Schtschensni in Sankt Moritz: ask eye tee about it.'

An entry is found as whole words only. One without capitals is found in any case; one with capitals only as it is written, so that `IT` is
not "it". The longest entry wins, and what was put in is not looked at again.

`PronouncedSpeech` speaks through another voice with a table, and tells the times of the words as they stand in the sentence, not as they were
spelled for the voice: what the caller heard is reported in the sentence's own words.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Speech, SpeechChunk, SpeechRequest, WordTiming

__all__ = ["PronouncedSpeech", "Pronunciations", "Spelled"]

_MOST: Final = 2_000
_LONGEST: Final = 120


class _Place(NamedTuple):
    """A part of the sentence, and where it stands in what is spoken."""

    start: int
    end: int
    spoken_start: int
    spoken_end: int


@dataclass(frozen=True, slots=True)
class Spelled:
    """A sentence, and what the voice is given in its place."""

    original: str
    text: str
    _places: tuple[_Place, ...] = field(repr=False, default=())

    def inside(self, position: int) -> bool:
        """Whether the character at `position` of the sentence stands in a replaced part, but not at its beginning."""
        return any(place.start < position < place.end for place in self._places)

    def words(self) -> _Words:
        """Turns the times of spoken words into those of the sentence's own words."""
        return _Words(_groups(self))

    def spoken_at(self, position: int, *, end: bool) -> int:
        """Where the character at `position` of the sentence stands in what is spoken; inside a replaced part, its beginning or its `end`."""
        shift = 0
        for place in self._places:
            if position <= place.start and not (end and position > place.start):
                break
            if position < place.end or (end and position == place.end):
                return place.spoken_end if end else place.spoken_start
            shift = place.spoken_end - place.end
        return position + shift


class Pronunciations:
    """A table; see the module.

    Args:
        entries: From a word or words of the sentence to what the voice is given.

    Raises:
        ConfigurationError: An entry is empty or too long, two are the same, or there are too many; names the entry.
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        if len(entries) > _MOST:
            raise ConfigurationError(f"a pronunciation table has at most {_MOST} entries, not {len(entries)}")
        self._exact: dict[str, str] = {}
        self._any_case: dict[str, str] = {}
        for written, spoken in entries.items():
            word = " ".join(written.split())
            if not word or not spoken.strip() or max(len(word), len(spoken)) > _LONGEST:
                raise ConfigurationError(
                    f"pronunciation of {written!r}: both sides must be a text of at most {_LONGEST} characters"
                )
            table = self._any_case if word == word.lower() else self._exact
            if table.setdefault(word, spoken.strip()) != spoken.strip():
                raise ConfigurationError(f"pronunciation of {written!r} stands there twice")
        words = sorted({*self._exact, *self._any_case}, key=len, reverse=True)
        pattern = "|".join(_pattern(word, any_case=word in self._any_case) for word in words)
        self._found = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)") if words else None

    def __len__(self) -> int:
        return len(self._exact) + len(self._any_case)

    def apply(self, text: str) -> Spelled:
        """The sentence as the voice is to be given it."""
        if self._found is None:
            return Spelled(text, text)
        parts: list[str] = []
        places: list[_Place] = []
        at = length = 0
        for match in self._found.finditer(text):
            written = " ".join(match.group().split())
            spoken = self._exact.get(written) or self._any_case[written.lower()]
            parts += [text[at : match.start()], spoken]
            begin = length + match.start() - at
            length = begin + len(spoken)
            places.append(_Place(match.start(), match.end(), begin, length))
            at = match.end()
        return Spelled(text, "".join([*parts, text[at:]]), tuple(places))


def _pattern(word: str, *, any_case: bool) -> str:
    escaped = r"\s+".join(map(re.escape, word.split(" ")))
    return f"(?i:{escaped})" if any_case else escaped


class _Group(NamedTuple):
    """Words of the sentence, and how many spoken words stand for them."""

    words: tuple[str, ...]
    spoken: int


def _groups(spelled: Spelled) -> list[_Group]:
    """The smallest groups of words that stand for each other, in order."""
    spoken = [match.span() for match in re.finditer(r"\S+", spelled.text)]
    groups: list[_Group] = []
    words: list[str] = []
    taken = done = 0
    for match in re.finditer(r"\S+", spelled.original):
        words.append(match.group())
        reach = spelled.spoken_at(match.end(), end=True)
        while taken < len(spoken) and spoken[taken][0] < reach:
            taken += 1
        # The group ends where a word of the sentence and a spoken word end together.
        if taken > done and spoken[taken - 1][1] <= reach and not spelled.inside(match.end()):
            groups.append(_Group(tuple(words), taken - done))
            words, done = [], taken
    if words and done < len(spoken):
        groups.append(_Group(tuple(words), len(spoken) - done))
    return groups


class _Words:
    """The times of the sentence's words, as the times of the spoken ones come in."""

    def __init__(self, groups: list[_Group]) -> None:
        self._groups = groups
        self._heard: list[WordTiming] = []

    def take(self, timings: tuple[WordTiming, ...]) -> tuple[WordTiming, ...]:
        """The words that are complete now."""
        self._heard += timings
        found: list[WordTiming] = []
        while self._groups and len(self._heard) >= self._groups[0].spoken:
            group = self._groups.pop(0)
            heard, self._heard = self._heard[: group.spoken], self._heard[group.spoken :]
            found.extend(_share(group.words, heard))
        return tuple(found)


def _share(words: tuple[str, ...], heard: list[WordTiming]) -> Iterator[WordTiming]:
    """The words share the time of what was spoken for them by their length."""
    if len(words) == 1:
        yield WordTiming(words[0], heard[0].start_ms, heard[-1].end_ms)
        return
    start, length, total, done = heard[0].start_ms, heard[-1].end_ms - heard[0].start_ms, sum(map(len, words)), 0
    for word in words:
        begin = start + length * done // total
        done += len(word)
        yield WordTiming(word, begin, start + length * done // total)


class PronouncedSpeech:
    """Speaks through `speech` with a table; words are told as the sentence writes them.

    Args:
        speech: The voice.
        table: What to give it instead of some words.
    """

    def __init__(self, speech: Speech, table: Pronunciations) -> None:
        self._speech = speech
        self._table = table

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        """See `Speech`; raises what the voice raises."""
        spelled = self._table.apply(request.text)
        words = spelled.words()
        async with aclosing(self._speech.synthesize(replace(request, text=spelled.text))) as stream:
            async for chunk in stream:
                told = words.take(chunk.words) if chunk.words else ()
                yield replace(chunk, words=told) if chunk.words else chunk
