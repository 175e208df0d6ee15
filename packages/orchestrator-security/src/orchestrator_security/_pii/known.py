"""Known values: the identities of the people in a call, found in every form they take.

A text is read as words of letters and of figures; a value matches a row of whole words that spell it, whatever stands between them. Words
are folded (case, diacritics), and for values with figures the text is read a second time with spoken numbers turned into figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator_security._pii import spelled
from orchestrator_security._pii.folding import folded, spellings
from orchestrator_security._pii.kinds import Kind, Span

_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*+|\d+")
_LONGEST_VALUE = 1024
_SHORTEST_PART = 3
_PHONE_FIGURES = 8
_NUMBER_MARKS = ".,:"
_TRUNK = 16
_PARTICLES = frozenset(
    [
        "der",
        "die",
        "das",
        "den",
        "dem",
        "von",
        "vom",
        "van",
        "zum",
        "zur",
        "und",
        "les",
        "des",
        "del",
        "los",
        "las",
        "dos",
        "the",
        "and",
        "mrs",
        "mr",
        "miss",
        "herr",
        "frau",
        "senor",
        "senora",
        "monsieur",
        "madame",
        "dr",
        "prof",
    ]
)
_SPOKEN_AT = {
    "@": ("at", "ät", "arroba", "arobase", "chez", "klammeraffe"),
    ".": ("dot", "punkt", "punto", "point", "period"),
}
_SPOKEN_MARKS = {
    "-": ("dash", "hyphen", "minus", "bindestrich", "guion", "tiret"),
    "_": ("underscore", "unterstrich", "guion bajo", "tiret bas"),
}


@dataclass(slots=True)
class KnownValues:
    """What is known of one call, in the forms that are looked for."""

    plain: dict[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])
    figures: set[str] = field(default_factory=set[str])
    phones: set[str] = field(default_factory=set[str])

    def add(self, values: Iterable[str]) -> None:
        """Look for these too; empty ones, and what has neither letters nor figures, are nothing to look for."""
        for value in values:
            self._add(value[:_LONGEST_VALUE])

    def _add(self, value: str) -> None:
        if any(map(str.isdigit, value)):
            self.figures |= {_joined(form) for form in spellings(value)} - {""}
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

    def _add_parts(self, value: str) -> None:
        """The parts of a name, because people are called by one of them."""
        parts = _WORD.findall(value)
        if 2 <= len(parts) <= 6 and "@" not in value:
            for part in parts:
                if len(part) >= _SHORTEST_PART and folded(part) not in _PARTICLES:
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
        read = _Read.of(words, numbers=False)
        found = [*_matches(read, self.plain), *_matches(read, dict.fromkeys(self.figures))]
        if self.figures or self.phones:
            spoken = _Read.of(words, numbers=True)
            found += _matches(spoken, dict.fromkeys(self.figures))
            found += _phones(spoken, self.phones)
        return [span for span in found if not _within_number(text, span)]


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
    def of(cls, words: list[tuple[str, int, int]], *, numbers: bool) -> _Read:
        pieces: list[str] = []
        places: list[tuple[int, int]] = []
        starts: list[int] = []
        firsts: dict[int, int] = {}
        lasts: dict[int, int] = {}
        names = [word for word, _, _ in words]
        at = length = 0
        while at < len(words):
            piece, count = spelled.read(names, at) if numbers else ("", 0)
            if not count:
                piece, count = names[at], 1
            firsts[length] = lasts[length + len(piece)] = len(places)
            starts.append(length)
            places.append((words[at][1], words[at + count - 1][2]))
            pieces.append(piece)
            length += len(piece)
            at += count
        return cls("".join(pieces), places, starts, firsts, lasts)


def _joined(text: str) -> str:
    return "".join(_WORD.findall(text))


def _matches(read: _Read, values: Mapping[str, frozenset[int] | None]) -> Iterator[Span]:
    for value, places in values.items():
        at = read.row.find(value)
        while at >= 0:
            first, last = read.firsts.get(at), read.lasts.get(at + len(value))
            if first is None or last is None or not _breaks_well(read, first, last, len(value), places):
                at = read.row.find(value, at + 1)
                continue
            yield Span(read.words[first][0], read.words[last][1], Kind.KNOWN)
            at = read.row.find(value, at + len(value))


def _breaks_well(read: _Read, first: int, last: int, length: int, places: frozenset[int] | None) -> bool:
    """Whether the words of the text end where those of the value do, or are single letters: `to be` is not the name Tobe."""
    breaks = last - first
    if places is None or breaks in {0, length - 1}:
        return True
    start = read.starts[first]
    return breaks <= len(places) and all(each - start in places for each in read.starts[first + 1 : last + 1])


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
