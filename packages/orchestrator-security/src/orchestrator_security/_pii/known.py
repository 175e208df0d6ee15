"""Known values: the identities of the people in a call, found in every form they take.

A text is read as words of letters and of figures; a value matches a row of whole words that spell it, whatever stands between them. Words
are folded (case, diacritics). For values with figures the text is read again with spoken numbers turned into figures, and where letters are
spelled, with those put together.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from orchestrator_security._pii import alphabets, spelled
from orchestrator_security._pii.folding import folded, spellings
from orchestrator_security._pii.kinds import Kind, Span
from orchestrator_security._pii.spelled import Hundreds
from orchestrator_security._pii.streets import STREET_WORDS, streets

_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*+|\d+")
_LONGEST_VALUE = 1024
_PART = re.compile(r"[,;/\n]")
_SHORTEST_PART = 3
_PHONE_FIGURES = 8
_NUMBER_MARKS = ".,:"
_TRUNK = 16
_PARTICLES = "der die das den dem von vom van zum zur und les des del los las dos the and mrs mr miss herr frau senor senora monsieur madame dr prof"
_NO_PARTS = frozenset(_PARTICLES.split()) | STREET_WORDS
_ENDINGS = frozenset({"s", "es", "ens", "sche", "schen", "scher", "sches"})
"""What a name takes in a sentence: `Müllers Zimmer`, `the Joneses`, `das Müllersche Zimmer`. Apostrophes end a word anyway."""
_INFLECTED = 3
_SPELLED = 3
_SEPARATOR = "\n"
_SPOKEN_AT = {
    "@": ("at", "ät", "arroba", "arobase", "chez", "klammeraffe"),
    ".": ("dot", "punkt", "punto", "point", "period"),
}
_SPOKEN_MARKS = {
    "-": ("dash", "hyphen", "minus", "bindestrich", "guion", "tiret"),
    "_": ("underscore", "unterstrich", "guion bajo", "tiret bas"),
}


Reading: TypeAlias = Callable[[list[str], int], tuple[str, int]]
"""What the words from a place on say, and how many they are; 0 words: the word itself. A piece of no characters is passed over."""


@dataclass(slots=True)
class KnownValues:
    """What is known of one call, in the forms that are looked for; `tenant` is whose call it is, if that is known."""

    tenant: str = ""
    plain: dict[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])
    figures: set[str] = field(default_factory=set[str])
    phones: set[str] = field(default_factory=set[str])

    def add(self, values: Iterable[str]) -> None:
        """Look for these too; empty ones, and what has neither letters nor figures, are nothing to look for."""
        for value in values:
            self._add(value[:_LONGEST_VALUE])

    def _add(self, value: str) -> None:
        self._add_address(value)
        if any(map(str.isdigit, value)):
            self._add_figures(value)
            # Of `room 412` the number alone is said, too.
            self.figures.update(
                part for part in value.split() if sum(map(str.isdecimal, part)) >= _SHORTEST_PART and part.isdecimal()
            )
            digits = "".join(filter(str.isdecimal, folded(value)))
            if len(digits) >= _PHONE_FIGURES and not any(map(str.isalpha, value)):
                self.phones.add(digits)
        else:
            self._add_plain(value)
            self._add_parts(value)
        if "@" in value:
            self._add_spoken_address(value)

    def _add_figures(self, value: str) -> None:
        self.figures |= {_joined(form) for form in spellings(value)} - {""}

    def _add_address(self, value: str) -> None:
        """The parts of an address, and its street with and without a number, because nobody says all of it."""
        parts = _PART.split(value)
        for part in parts:
            if len(parts) > 1 and any(map(str.isdigit, part)) and sum(map(str.isalpha, part)) >= _SHORTEST_PART:
                self._add_figures(part)
            for form in spellings(part):
                for street in streets(_WORD.findall(form)):
                    if any(map(str.isdigit, street)):
                        self.figures.add(_joined(street))
                    else:
                        self._add_plain(street)

    def _add_parts(self, value: str) -> None:
        """The parts of a name, because people are called by one of them."""
        parts = _WORD.findall(value)
        if 2 <= len(parts) <= 6 and "@" not in value:
            for part in parts:
                if len(part) >= _SHORTEST_PART and folded(part) not in _NO_PARTS:
                    self._add_plain(part)

    def _add_plain(self, value: str) -> None:
        """A value without figures, with the places between its words: there, and between single letters, a text may break it."""
        for form in spellings(value):
            parts, places, length = _WORD.findall(form), list[int](), 0
            for part in parts:
                length += len(part)
                places.append(length)
            if length:
                self.plain["".join(parts)] = frozenset(places)

    def _add_spoken_address(self, value: str) -> None:
        """`zoe at example dot org`, with the words of one language for all marks."""
        for at, point, dash, line in zip(
            _SPOKEN_AT["@"], _SPOKEN_AT["."] + ("",), _SPOKEN_MARKS["-"], (*_SPOKEN_MARKS["_"], "", ""), strict=False
        ):
            spoken = (
                value.replace("@", f" {at} ")
                .replace(".", f" {point} ")
                .replace("-", f" {dash} ")
                .replace("_", f" {line} ")
            )
            if any(map(str.isdigit, value)):
                self.figures |= {_joined(form) for form in spellings(spoken)}
            else:
                self._add_plain(spoken)

    def spans(self, text: str) -> list[Span]:
        """Where one of the values stands."""
        words = [(folded(match.group()), match.start(), match.end()) for match in _WORD.finditer(text)]
        if not words:
            return []
        names = [word for word, _, _ in words]
        read = _Read.of(words, _as_it_is)
        found = [*_matches(read, self.plain, endings=True), *_matches(read, dict.fromkeys(self.figures))]
        spoken = spelled.says_numbers(names) if self.figures or self.phones else ""
        if spoken:
            figures = _Read.of(words, spelled.read)
            found += _matches(figures, dict.fromkeys(self.figures))
            found += _phones(figures, self.phones)
        else:
            found += _phones(read, self.phones)
        if spoken == spelled.HUNDREDS:
            for hundreds in (Hundreds.ROUND, Hundreds.SUMMED):
                summed = _Read.of(words, partial(spelled.read, hundreds=hundreds))
                found += _matches(summed, dict.fromkeys(self.figures))
        if sum(map(alphabets.spells, names)) > 1:
            found += self._spelled(words)
        return [span for span in found if not _within_number(text, span)]

    def _spelled(self, words: list[tuple[str, int, int]]) -> Iterator[Span]:
        """What is spelled letter by letter; nobody hears whether an O is a zero."""
        read = _Read.of(words, _letters)
        values = (value.replace("o", "0") for value in (*self.plain, *self.figures))
        return _matches(read, dict.fromkeys(value for value in values if len(value) >= _SPELLED))


def _within_number(text: str, span: Span) -> bool:
    """`4.12` in `4.12.2026` is not room 412."""
    behind, ahead = text[max(0, span.start - 2) : span.start], text[span.end : span.end + 2]
    return (
        (len(ahead) == 2 and ahead[0] in _NUMBER_MARKS and ahead[1].isdigit() and text[span.end - 1].isdigit())
        or (len(behind) == 2 and behind[1] in _NUMBER_MARKS and behind[0].isdigit() and text[span.start].isdigit())
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Read:
    """A text as one row of characters, and the words they come from."""

    row: str
    words: list[tuple[int, int]]
    starts: list[int]
    firsts: dict[int, int]
    lasts: dict[int, int]

    @classmethod
    def of(cls, words: list[tuple[str, int, int]], reading: Reading) -> _Read:
        pieces: list[str] = []
        places: list[tuple[int, int]] = []
        starts: list[int] = []
        firsts: dict[int, int] = {}
        lasts: dict[int, int] = {}
        names = [word for word, _, _ in words]
        at = length = 0
        while at < len(words):
            piece, count = reading(names, at)
            if not count:
                piece, count = names[at], 1
            elif not piece:
                at += count
                continue
            firsts[length] = lasts[length + len(piece)] = len(places)
            starts.append(length)
            places.append((words[at][1], words[at + count - 1][2]))
            pieces.append(piece)
            length += len(piece)
            at += count
        return cls("".join(pieces), places, starts, firsts, lasts)


def _joined(text: str) -> str:
    return "".join(_WORD.findall(text))


def _as_it_is(_words: list[str], _at: int) -> tuple[str, int]:
    return "", 0


def _letters(words: list[str], at: int) -> tuple[str, int]:
    """Letters and figures one by one; every other word ends what is spelled."""
    if len(words[at]) == 1 and words[at].isalpha():
        piece, count = alphabets.read(words, at)
    else:
        piece, count = spelled.read(words, at)
        if not count:
            piece, count = alphabets.read(words, at)
    return (piece.replace("o", "0"), count) if count else (_SEPARATOR, 1)


def _matches(read: _Read, values: Mapping[str, frozenset[int] | None], *, endings: bool = False) -> Iterator[Span]:
    for value, places in values.items():
        at = read.row.find(value)
        while at >= 0:
            first, last = read.firsts.get(at), read.lasts.get(at + len(value))
            if first is not None and last is None and endings:
                last = _inflected(read, at, len(value))
            if first is None or last is None or not _breaks_well(read, first, last, len(value), places):
                at = read.row.find(value, at + 1)
                continue
            yield Span(read.words[first][0], read.words[last][1], Kind.KNOWN)
            at = read.row.find(value, at + len(value))


def _inflected(read: _Read, at: int, length: int) -> int | None:
    """The word in which a value ends, if the rest of it is an ending."""
    end = at + length
    place = bisect_right(read.starts, end - 1) - 1
    begin = read.starts[place]
    until = read.starts[place + 1] if place + 1 < len(read.starts) else len(read.row)
    known = end - max(begin, at)
    ending = read.row[end:until]
    return place if known >= _INFLECTED + (len(ending) > 1) and ending in _ENDINGS else None


def _breaks_well(read: _Read, first: int, last: int, length: int, places: frozenset[int] | None) -> bool:
    """Whether the words of the text end where those of the value do, or are single letters: `to be` is not the name Tobe."""
    if places is None or first == last:
        return True
    start = read.starts[first]
    ends = [each - start for each in read.starts[first + 1 : last + 1]]
    # A break within a word of the value is one between two single letters.
    return all(
        end in places or (end - begin == 1 and behind - end == 1)
        for begin, end, behind in zip([0, *ends], ends, [*ends[1:], length], strict=False)
    )


def _phones(read: _Read, phones: Iterable[str]) -> Iterator[Span]:
    """Numbers that end like a known one: dialled from here or from abroad, they begin differently."""
    for digits in phones:
        ending = digits[-_PHONE_FIGURES:]
        at = read.row.find(ending)
        while at >= 0:
            end = at + len(ending)
            last = read.lasts.get(end)
            if last is not None:
                begin = at
                while begin > max(0, at - _TRUNK) and read.row[begin - 1].isdigit():
                    begin -= 1
                first = next((read.firsts[place] for place in range(begin, at + 1) if place in read.firsts), None)
                if first is None:
                    # The number begins within a longer row of figures: take that whole.
                    first = read.firsts[max(place for place in read.firsts if place <= begin)]
                yield Span(read.words[first][0], read.words[last][1], Kind.KNOWN)
            at = read.row.find(ending, at + 1)
