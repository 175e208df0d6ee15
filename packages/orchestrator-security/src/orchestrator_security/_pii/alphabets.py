"""Letters as they are spelled on the telephone: by the words of spelling alphabets, by their names, and `M as in Mike`.

English (ICAO), German (DIN 5009 of 1996 and of 2022), Spanish and French alphabets. In all of them a word stands for its first letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator_security._pii.folding import folded
from orchestrator_security._pii.spelled import TIMES

_ENGLISH: Final = (
    "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliett juliet kilo lima mike november oscar papa quebec romeo sierra tango "
    "uniform victor whiskey whisky xray yankee zulu"
)
_GERMAN: Final = (
    "anton berta caesar cäsar dora emil friedrich gustav heinrich ida julius kaufmann konrad ludwig martha nordpol otto paula quelle richard samuel "
    "siegfried theodor ulrich viktor wilhelm xanthippe ypsilon zacharias zeppelin ärger ökonom übermut "
    "aachen berlin chemnitz düsseldorf essen frankfurt goslar hamburg ingelheim jena köln leipzig münchen nürnberg offenbach potsdam quickborn "
    "rostock salzwedel tübingen unna völklingen wuppertal xanten zwickau"
)
_SPANISH: Final = (
    "antonio barcelona burgos carmen cáceres dolores domingo enrique españa francia francisco gerona guadalajara historia huelva inés italia irene "
    "josé jaén kilo lorenzo león lugo madrid maría navarra ñoño oviedo orense parís palencia querido queso ramón sevilla sábado tarragona toledo "
    "ulises úbeda valencia washington xilófono yegua zaragoza zamora"
)
_FRENCH: Final = (
    "anatole berthe célestin désiré eugène françois gaston henri irma joseph kléber louis marcel nicolas oscar pierre quintal raoul suzanne thérèse "
    "ursule victor william xavier yvonne zoé"
)
_WORDS: Final = frozenset(folded(f"{_ENGLISH} {_GERMAN} {_SPANISH} {_FRENCH}").split())

_NAMES: Final[Mapping[str, str]] = {
    name: letter
    for letter, names in {
        "b": "bee be", "c": "cee ce tse", "d": "dee de", "f": "ef eff efe effe", "g": "gee ge", "h": "aitch haitch hache ache",
        "j": "jay jot jota ji", "k": "kay ka", "l": "el ell ele elle", "m": "em eme emme", "n": "en ene enne",
        "p": "pee pe", "q": "cue queue ku cu", "r": "ar er erre ere", "s": "ess es ese esse", "t": "tee te",
        "v": "vee ve vau uve", "w": "weh", "x": "ex ix equis iks", "y": "wye upsilon ye", "z": "zed zee zet zett zeta zede",
        "ss": "eszett",
    }.items()
    for name in names.split()
}  # fmt: skip
"""Names of letters, without those that are everyday words (`you`, `why`)."""

_AS_IN: Final = frozenset({"as", "for", "like", "wie", "de", "como", "comme"})
_PAUSES: Final = "dash hyphen minus bindestrich strich guion tiret space leerzeichen espacio espace then dann luego puis capital uh um aeh eh euh umlaut"
_BETWEEN: Final = frozenset(_PAUSES.split())
_TWO_WORDS: Final[Mapping[tuple[str, str], str]] = {
    **dict.fromkeys((("double", "u"), ("doble", "u"), ("doble", "uve"), ("doble", "ve"), ("double", "ve")), "w"),
    **dict.fromkeys((("i", "griega"), ("y", "griega"), ("i", "grec"), ("i", "grecque")), "y"),
    ("x", "ray"): "x",
}


def read(words: list[str], at: int) -> tuple[str, int]:
    """The letters that `words[at]` and those behind it spell, and how many words they take; none and 0 if they spell nothing.

    Words are folded. What is said between letters takes words and gives no letter.
    """
    word = words[at]
    following = words[at + 1] if at + 1 < len(words) else ""
    if (word, following) in _TWO_WORDS:
        return _TWO_WORDS[word, following], 2
    times = TIMES.get(word)
    if times is not None and following:
        letter, count = _letter(words, at + 1)
        return (letter * times, count + 1) if letter else ("", 0)
    if word in _BETWEEN:
        return "", 1
    return _letter(words, at)


def spells(word: str) -> bool:
    """Whether the word may stand for a letter."""
    return word.isalpha() if len(word) == 1 else word in _WORDS or word in _NAMES


def _letter(words: list[str], at: int) -> tuple[str, int]:
    word = words[at]
    if len(word) == 1 and word.isalpha():
        return word, 1 + _example(words, at + 1, word)
    if word in _WORDS:
        return word[0], 1
    return (_NAMES[word], 1) if word in _NAMES else ("", 0)


def _example(words: list[str], at: int, letter: str) -> int:
    """The words of `as in Mike` behind an M."""
    if at + 1 >= len(words) or words[at] not in _AS_IN:
        return 0
    example = at + 2 if words[at : at + 2] == ["as", "in"] else at + 1
    if words[example : example + 2] == [letter, "ray"]:
        return example + 2 - at
    if example < len(words) and len(words[example]) > 1 and words[example].startswith(letter):
        return example + 1 - at
    return 0
