"""Caller's words as tokens: case, diacritics, punctuation, contractions and fillers are evened out.

The same `Normaliser` reads what callers say and what patterns are written in, so both meet in one form. Every step is linear in the
length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

__all__ = ["Normaliser", "Token", "fold", "tidy"]

# One run of digits, or one run of letters with apostrophes inside; no choice to come back to, hence linear.
_WORD: Final = re.compile(r"\d+|[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


class Token(NamedTuple):
    """One word: its evened-out form, its place in the tidied text, and what stands between it and the word before."""

    word: str
    start: int
    end: int
    before: str


def tidy(text: str) -> str:
    """`text` in NFKC, the form in which the offsets of tokens count."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def fold(word: str) -> str:
    """`word` without case and diacritics, digits of any script as 0 to 9."""
    if word.isascii():
        return word.lower()
    # Some letters have no case before they are decomposed, and some are composed again by losing it.
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in folded
        if not unicodedata.combining(char)
    )


class Normaliser:
    """Reads text of one language.

    Args:
        expand: Whole words, as they are said, to the words they stand for (`cannot` to `can not`).
        suffixes: What follows an apostrophe to the word it stands for (`d` to `would`).
        fillers: Words or phrases that carry nothing and are dropped.
        umlauts: Whether `ae`, `oe` and `ue` are other spellings of umlauts.
    """

    def __init__(
        self,
        *,
        expand: Mapping[str, str],
        suffixes: Mapping[str, str],
        fillers: Iterable[str],
        umlauts: bool = False,
    ) -> None:
        self._umlauts = umlauts
        self._suffixes = suffixes
        self._expand = {fold(said): tuple(self.word(part) for part in full.split()) for said, full in expand.items()}
        self._fillers: dict[str, list[tuple[str, ...]]] = {}
        for filler in fillers:
            words = tuple(word for said in _WORD.findall(filler) for word in self._words(said))
            self._fillers.setdefault(words[0], []).append(words)

    def word(self, word: str) -> str:
        """One word evened out, without expansion."""
        folded = fold(word)
        if self._umlauts and "e" in folded:
            folded = folded.replace("ae", "a").replace("oe", "o").replace("ue", "u")
        return folded

    def tokens(self, text: str) -> list[Token]:
        """The tokens of a tidied text, fillers left out."""
        found: list[Token] = []
        last = 0
        for match in _WORD.finditer(text):
            start, end = match.span()
            before = text[last:start]
            last = end
            for word in self._words(match.group()):
                found.append(Token(word, start, end, before))
                before = ""
        return self._without_fillers(found)

    def words(self, text: str) -> tuple[str, ...]:
        """The words alone."""
        return tuple(token.word for token in self.tokens(tidy(text)))

    def _words(self, said: str) -> Sequence[str]:
        folded = fold(said).replace("\u2019", "'")
        expanded = self._expand.get(folded)
        if expanded is not None:
            return expanded
        if "'" not in folded:
            return (self.word(said),)
        parts = [self.word(part) for part in folded.split("'") if part] or [folded]
        return [parts[0], *(self._suffixes.get(part, part) for part in parts[1:])]

    def _without_fillers(self, tokens: list[Token]) -> list[Token]:
        kept: list[Token] = []
        index = 0
        while index < len(tokens):
            length = self._filler_at(tokens, index)
            if length:
                index += length
                continue
            kept.append(tokens[index])
            index += 1
        return kept

    def _filler_at(self, tokens: list[Token], index: int) -> int:
        for filler in self._fillers.get(tokens[index].word, ()):
            end = index + len(filler)
            if end <= len(tokens) and all(tokens[index + n].word == word for n, word in enumerate(filler)):
                return len(filler)
        return 0
