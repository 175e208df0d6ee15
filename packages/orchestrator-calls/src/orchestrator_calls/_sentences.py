"""Cutting text that is still being written into sentences, so that the first is spoken while the rest is made. Pure.

Any cutting of the text into pieces gives the same sentences. Where it is not clear whether a point ends a sentence, it does not: two
sentences spoken as one sound better than one spoken as two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["SentenceCutter", "spoken"]

LONGEST: Final = 300
"""Characters after which a text without an end is cut at its last pause."""
MOST_MARKS: Final = 16
"""So many marks in a row belong to one end: a text of nothing but points must not be looked through again from each of them."""

_ENDS: Final = ".!?…"
_WIDE_ENDS: Final = "。！？"  # noqa: RUF001 - the marks themselves
_CLOSERS: Final = "\"'”’»)]}"  # noqa: RUF001 - the marks themselves
_OPENERS: Final = "\"'“«([„‚*"  # noqa: RUF001 - the marks themselves
_PAUSES: Final = ",;:–—"  # noqa: RUF001 - the marks themselves


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ABBREVIATIONS: Final = {
    "en": _words("mr mrs ms dr prof st jr sr vs etc e.g i.e approx inc ltd dept tel ext jan feb aug sept oct nov dec"),
    "de": _words(
        "bzw z.b d.h u.a usw ca evtl ggf inkl exkl str nr hr fr frl ing dr prof mind max min tgl zzgl bspw sog vgl abs std stk tel"
    ),
    "es": _words("sr sra srta dr dra d dña ud uds p.ej ej pág núm av avda dpto aprox tel"),
    "fr": _words("m mm mme mlle dr pr av bd p.ex env janv févr juil déc tél boul"),
}
_WORD_BEFORE: Final = re.compile(r"[^\s(\[{\"'«“¿¡]*\Z")
_DAY_PERIOD: Final = frozenset({"a.m", "p.m"})


class SentenceCutter:
    """Cuts one answer.

    Args:
        language: BCP 47; German writes ordinals with a point.
    """

    def __init__(self, language: str = "en-US") -> None:
        spoken_language = language.partition("-")[0].lower()
        self._ordinals = spoken_language == "de"
        self._abbreviations = _ABBREVIATIONS.get(spoken_language, _ABBREVIATIONS["en"])
        self._text = ""

    def feed(self, piece: str) -> Iterator[str]:
        """The sentences that are whole now."""
        self._text = (self._text + piece).lstrip()
        while (end := self._end()) is not None:
            sentence, self._text = self._text[:end].strip(), self._text[end:].lstrip()
            if sentence:
                yield sentence

    def rest(self) -> Iterator[str]:
        """What is left when nothing more comes."""
        sentence, self._text = self._text.strip(), ""
        if sentence:
            yield sentence

    def _end(self) -> int | None:
        """Where the first sentence ends for sure; None where more has to be seen."""
        for place, char in enumerate(self._text):
            if char == "\n":
                return place + 1
            if char in _WIDE_ENDS:
                after = self._past(place + 1)
                if after < len(self._text):
                    return after
            elif char in _ENDS:
                after = self._past(place + 1)
                if self._is_end(place, after):
                    return after
            if place >= LONGEST:
                return self._pause(place)
        return None

    def _past(self, place: int) -> int:
        """Past further ends and closing marks."""
        last = min(len(self._text), place + MOST_MARKS)
        while place < last and self._text[place] in _ENDS + _WIDE_ENDS + _CLOSERS:
            place += 1
        return place

    def _is_end(self, place: int, after: int) -> bool:
        rest = self._text[after : after + LONGEST]
        following = rest.lstrip(" \t\u00a0")
        if not following or len(following) == len(rest):
            return bool(following) and following[0] == "\n"
        begins = following[0]
        if begins in _OPENERS:
            if len(following) == 1:
                return False  # what it encloses decides
            begins = following[1]
        if self._text[place] != ".":
            # `Yahoo! is` goes on; an ellipsis may.
            return not begins.islower()
        return not begins.islower() and self._point_ends(place, begins)

    def _point_ends(self, place: int, begins: str) -> bool:
        """Whether a point before something that looks like a beginning ends the sentence."""
        found = _WORD_BEFORE.search(self._text[:place])
        word = (found.group() if found else "").lower()
        if word in _DAY_PERIOD:
            return True
        if word in self._abbreviations or (len(word) == 1 and word.isalpha()):
            return False
        if "." in word and all(len(part) <= 1 for part in word.split(".")):
            return False  # initials, and abbreviations of letters
        if word.isdecimal() and len(word) <= 2 and begins.isalpha():
            return not self._ordinals
        return True

    def _pause(self, limit: int) -> int:
        """The last pause, or space, or simply the limit."""
        part = self._text[:limit]
        pause = max(part.rfind(f"{mark} ") for mark in _PAUSES)
        if pause > limit // 3:
            return pause + 1
        space = part.rfind(" ")
        return space if space > limit // 3 else limit


_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_BULLET: Final = re.compile(r"^\s*(?:[-*+•]|#{1,6}|>)\s+")
_MARKS: Final = re.compile(r"\*{1,3}|`{1,3}|_{2,3}|~~")
_PICTURES: Final = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]")


def spoken(sentence: str) -> str:
    """A sentence without what cannot be spoken: marks of Markdown, links, pictures, control characters. Empty where nothing is left."""
    text = _LINK.sub(r"\1", sentence)
    text = _MARKS.sub("", _BULLET.sub("", text))
    text = _PICTURES.sub("", text)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if any(char.isalnum() for char in text) else ""
