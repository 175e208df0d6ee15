"""The street in a postal address: what people say of it, without town and postcode, in English, German, Spanish and French."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["STREET_WORDS", "streets"]

_SAME: Final = (
    ("strasse", "str"),
    ("platz", "pl"),
    ("street", "st"),
    ("road", "rd"),
    ("avenue", "ave", "av"),
    ("boulevard", "blvd", "bd", "boul"),
    ("drive", "dr"),
    ("lane", "ln"),
    ("square", "sq"),
    ("calle", "c"),
    ("avenida", "avda", "av"),
    ("plaza", "pza"),
    ("paseo", "po"),
    ("place", "pl"),
)
"""Long forms, and how they are shortened."""

_BEFORE_WORDS: Final = (
    "calle c avenida avda av plaza pza paseo camino carretera ronda travesia rue avenue boulevard bd boul place chemin quai impasse allee route "
    "cours square passage"
)
_BEFORE: Final = frozenset(_BEFORE_WORDS.split())
"""They stand before the name."""
_BEHIND_WORDS: Final = (
    "street st road rd avenue ave av boulevard blvd drive dr lane ln square sq close court crescent gardens grove terrace way mews "
    "strasse str weg platz allee gasse damm ufer ring chaussee steig"
)
_BEHIND: Final = frozenset(_BEHIND_WORDS.split())
"""They stand behind it."""
_COMPOUND: Final = re.compile(r"\w{3,}(?:strasse|str|weg|platz|allee|gasse|damm|ufer|ring|chaussee|steig)\Z")
_MOST_WORDS: Final = 5
_SHORTEST_NAME: Final = 3

STREET_WORDS: Final = _BEFORE | _BEHIND
"""Words that name no street by themselves."""


def streets(words: Sequence[str]) -> Iterator[str]:
    """The streets in one part of an address (folded words), each with its number and alone, long and short; none where no word tells of a street."""
    for at, word in enumerate(words):
        first = last = at
        if word in _BEFORE and at + 1 < len(words) and not words[at + 1][0].isdigit():
            while last + 1 < len(words) and last - first < _MOST_WORDS and not words[last + 1][0].isdigit():
                last += 1
        elif word in _BEHIND:
            while first > 0 and last - first < _MOST_WORDS and not words[first - 1][0].isdigit():
                first -= 1
        elif not _COMPOUND.match(word):
            continue
        name = words[first : last + 1]
        if len("".join(each for each in name if each not in STREET_WORDS)) >= _SHORTEST_NAME:
            yield from _with_numbers(words, first, last)
            return


def _with_numbers(words: Sequence[str], first: int, last: int) -> Iterator[str]:
    behind = _number(words, last + 1)
    before = words[first - 1 : first] if first > 0 and words[first - 1][0].isdigit() else ()
    for name in _forms(words[first : last + 1]):
        yield name
        if behind:
            yield " ".join((name, *behind))
        if before:
            yield " ".join((*before, name))


def _number(words: Sequence[str], at: int) -> Sequence[str]:
    """A house number, with the letter behind it."""
    if at >= len(words) or not words[at][0].isdigit():
        return ()
    letter = at + 1 < len(words) and len(words[at + 1]) == 1 and words[at + 1].isalpha()
    return words[at : at + 1 + letter]


def _forms(name: Sequence[str]) -> Iterator[str]:
    """The name as it is, and with the word for a street written out or shortened."""
    yield " ".join(name)
    for forms in _SAME:
        for place in {0, len(name) - 1}:
            for form in forms:
                ending = name[place] == form or (
                    place == len(name) - 1 and _COMPOUND.match(name[place]) and name[place].endswith(form)
                )
                if ending:
                    stem = name[place].removesuffix(form)
                    for other in forms:
                        yield " ".join((*name[:place], f"{stem}{other}", *name[place + 1 :]))
