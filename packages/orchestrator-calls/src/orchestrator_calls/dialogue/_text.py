"""Caller's words as tokens: case, diacritics, punctuation, contractions and fillers are evened out.

The same `Normaliser` reads what callers say and what patterns are written in, so both meet in one form. Every step is linear in the
length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from orchestrator_calls.dialogue._spelling import Spelling

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
        sounds: Phrases of sounds to the word they stand for ("mm hmm" to "yes"); the longest phrase wins, over fillers too.
        classes: Words that patterns may use in each other's place, by the name of the class, in the pattern notation.
    """

    def __init__(
        self,
        *,
        expand: Mapping[str, str],
        suffixes: Mapping[str, str],
        fillers: Iterable[str],
        umlauts: bool = False,
        sounds: Mapping[str, str] | None = None,
        classes: Mapping[str, str] | None = None,
    ) -> None:
        self.classes = classes or {}
        self.parsed: dict[str, object] = {}
        self._umlauts = umlauts
        self._spelling: Spelling | None = None
        self._suffixes = suffixes
        self._expand = {fold(said): tuple(self.word(part) for part in full.split()) for said, full in expand.items()}
        self._phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for phrase, meaning in (*((filler, "") for filler in fillers), *(sounds or {}).items()):
            words = tuple(word for said in _WORD.findall(phrase) for word in self._words(said))
            self._phrases.setdefault(words[0], []).append((words, self.word(meaning)))
        for starting in self._phrases.values():
            starting.sort(key=lambda known: -len(known[0]))

    def learn(self, spelling: Spelling) -> None:
        """From now on mend words that are not known; patterns are written before, so that they stay as they are."""
        self._spelling = spelling

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
        return self._without_fillers(found if self._spelling is None else self._mended(found, self._spelling))

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

    def _mended(self, tokens: list[Token], spelling: Spelling) -> list[Token]:
        mended: list[Token] = []
        for token in tokens:
            words = spelling.mend(token.word)
            mended.extend(token._replace(word=word, before="" if n else token.before) for n, word in enumerate(words))
        return mended

    def _without_fillers(self, tokens: list[Token]) -> list[Token]:
        kept: list[Token] = []
        index = 0
        while index < len(tokens):
            length, meaning = self._phrase_at(tokens, index)
            if meaning or not length:
                token = tokens[index]
                kept.append(token._replace(word=meaning, end=tokens[index + length - 1].end) if length else token)
            index += length or 1
        return kept

    def _phrase_at(self, tokens: list[Token], index: int) -> tuple[int, str]:
        for phrase, meaning in self._phrases.get(tokens[index].word, ()):
            end = index + len(phrase)
            if end <= len(tokens) and all(tokens[index + n].word == word for n, word in enumerate(phrase)):
                return len(phrase), meaning
        return 0, ""
