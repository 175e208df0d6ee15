"""Words that recognizers got slightly wrong, and compounds that nobody listed, as the words that the script knows.

A word is mended only when it is long, unknown, and one letter away from exactly one known word; a compound only when all of its parts
are known. Names keep the caller's letters in any case, since values are cut from the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

__all__ = ["Spelling"]

_LONG: Final = 6
"""Shorter words are one letter away from too many others."""
_ENDING: Final = 2
"""The last letters must agree: they inflect a word ("reservo" is not "reserva")."""
_PART: Final = 4
"""A part of a compound has at least so many letters."""
_TELLING: Final = 7
"""The last part of a compound tells enough by itself when it has so many letters ("Rückenmassage")."""
_LONGEST: Final = 24
"""Longer words are left alone; bounds the work per word."""
_JOINTS: Final = ("", "s", "n", "en", "es")


class Spelling:
    """What is known of the words of one language.

    Args:
        words: What others may be a misspelling of.
        known: Further words that are no misspelling.
        stems: Beginnings of words that are none.
        heads: Words that may end a compound; none where the language writes no compounds.
        endings: What makes a plural of a word.
        diminutives: Endings of small things to those of the word itself.
    """

    def __init__(
        self,
        words: Iterable[str],
        *,
        known: Iterable[str] = (),
        stems: tuple[str, ...] = (),
        heads: Iterable[str] = (),
        endings: tuple[str, ...] = (),
        diminutives: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        meant = frozenset(words)
        self._meant = meant
        self._endings = endings
        self._diminutives = diminutives or {}
        self._known = meant.union(known)
        self._stems = stems
        self._heads = frozenset(head for head in heads if len(head) >= _PART)
        near: dict[str, set[str]] = {}
        for word in meant:
            if _LONG <= len(word) <= _LONGEST and word.isalpha():
                for form in (word, *_shorter(word)):
                    near.setdefault(form, set()).add(word)
        self._near = near

    def mend(self, word: str) -> tuple[str, ...]:
        """The known word or words for `word`, or itself."""
        if word in self._known or not _LONG - 1 <= len(word) <= _LONGEST:
            return (word,)
        single = next(
            (word[: -len(end)] for end in self._endings if word.endswith(end) and word[: -len(end)] in self._meant), ""
        )
        if len(single) >= _PART:
            return (single,)
        small = next(self._larger(word), "")
        if small:
            return (small,)
        parts = self._parts(word)
        if parts:
            return parts
        if word.startswith(self._stems):
            return (word,)
        meant = self._near.get(word, set()).union(*(self._near.get(form, ()) for form in _shorter(word)))
        meant = {other for other in meant if _alike(word, other)}
        return (meant.pop(),) if len(meant) == 1 else (word,)

    def _larger(self, word: str) -> Iterator[str]:
        """The words of which `word` is a diminutive ("masajito")."""
        for end, whole in self._diminutives.items():
            if word.endswith(end):
                for ending in whole:
                    larger = word[: -len(end)] + ending
                    if len(larger) >= _PART and larger in self._meant:
                        yield larger

    def _parts(self, word: str) -> tuple[str, ...]:
        for at in range(_PART, len(word) - _PART + 1):
            head = word[at:]
            if head in self._heads:
                for joint in _JOINTS:
                    first = word[: at - len(joint)]
                    known = first in self._known or len(head) >= _TELLING
                    if word[at - len(joint) : at] == joint and len(first) >= _PART - 1 and known:
                        return first, head
        return ()


def _shorter(word: str) -> Iterator[str]:
    return (word[:at] + word[at + 1 :] for at in range(len(word)))


def _alike(one: str, other: str) -> bool:
    return one[0] == other[0] and one[-_ENDING:] == other[-_ENDING:] and _one_apart(one, other)


def _one_apart(one: str, other: str) -> bool:
    """Whether one letter is missing, too many, different, or two neighbours changed places."""
    if len(one) > len(other):
        one, other = other, one
    at = next((n for n, letter in enumerate(one) if letter != other[n]), len(one))
    if len(one) < len(other):
        return len(other) - len(one) == 1 and one[at:] == other[at + 1 :]
    swapped = one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]
    return one[at + 1 :] == other[at + 1 :] or swapped
