"""Numbers as they are spoken, in English, German, Spanish and French: single figures, pairs up to 99, hundreds and thousands.

A word may mean different numbers in different languages (`six`, `once`); each reading is kept, because a known number that is redacted
once too often does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

_ONES: Final[Mapping[str, str]] = {
    "zero": "0",
    "oh": "0",
    "o": "0",
    "nought": "0",
    "naught": "0",
    "nil": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "niner": "9",
    "null": "0",
    "eins": "1",
    "ein": "1",
    "eine": "1",
    "zwei": "2",
    "zwo": "2",
    "drei": "3",
    "vier": "4",
    "funf": "5",
    "fuenf": "5",
    "sechs": "6",
    "sieben": "7",
    "acht": "8",
    "neun": "9",
    "cero": "0",
    "uno": "1",
    "un": "1",
    "una": "1",
    "dos": "2",
    "tres": "3",
    "cuatro": "4",
    "cinco": "5",
    "seis": "6",
    "siete": "7",
    "ocho": "8",
    "nueve": "9",
    "une": "1",
    "deux": "2",
    "trois": "3",
    "quatre": "4",
    "cinq": "5",
    "sept": "7",
    "huit": "8",
    "neuf": "9",
}
_TEENS: Final[Mapping[str, str]] = {
    "ten": "10",
    "eleven": "11",
    "twelve": "12",
    "thirteen": "13",
    "fourteen": "14",
    "fifteen": "15",
    "sixteen": "16",
    "seventeen": "17",
    "eighteen": "18",
    "nineteen": "19",
    "zehn": "10",
    "elf": "11",
    "zwolf": "12",
    "zwoelf": "12",
    "dreizehn": "13",
    "vierzehn": "14",
    "funfzehn": "15",
    "fuenfzehn": "15",
    "sechzehn": "16",
    "siebzehn": "17",
    "achtzehn": "18",
    "neunzehn": "19",
    "diez": "10",
    "once": "11",
    "doce": "12",
    "trece": "13",
    "catorce": "14",
    "quince": "15",
    "dieciseis": "16",
    "diecisiete": "17",
    "dieciocho": "18",
    "diecinueve": "19",
    "veintiuno": "21",
    "veintiun": "21",
    "veintidos": "22",
    "veintitres": "23",
    "veinticuatro": "24",
    "veinticinco": "25",
    "veintiseis": "26",
    "veintisiete": "27",
    "veintiocho": "28",
    "veintinueve": "29",
    "dix": "10",
    "onze": "11",
    "douze": "12",
    "treize": "13",
    "quatorze": "14",
    "quinze": "15",
    "seize": "16",
}
_TENS: Final[Mapping[str, str]] = {
    "twenty": "2",
    "thirty": "3",
    "forty": "4",
    "fifty": "5",
    "sixty": "6",
    "seventy": "7",
    "eighty": "8",
    "ninety": "9",
    "zwanzig": "2",
    "dreissig": "3",
    "vierzig": "4",
    "funfzig": "5",
    "fuenfzig": "5",
    "sechzig": "6",
    "siebzig": "7",
    "achtzig": "8",
    "neunzig": "9",
    "veinte": "2",
    "treinta": "3",
    "cuarenta": "4",
    "cincuenta": "5",
    "sesenta": "6",
    "setenta": "7",
    "ochenta": "8",
    "noventa": "9",
    "vingt": "2",
    "trente": "3",
    "quarante": "4",
    "cinquante": "5",
    "soixante": "6",
    "septante": "7",
    "huitante": "8",
    "nonante": "9",
}
TIMES: Final[Mapping[str, int]] = {
    "double": 2,
    "triple": 3,
    "treble": 3,
    "doppel": 2,
    "doppelte": 2,
    "doppelt": 2,
    "dreifach": 3,
    "zweimal": 2,
    "dreimal": 3,
    "doble": 2,
}
_JOINERS = frozenset({"y", "et", "and", "und"})


def _german_pairs() -> dict[str, str]:
    ones = {
        word: figure
        for word, figure in _ONES.items()
        if word in {"ein", "zwei", "drei", "vier", "funf", "fuenf", "sechs", "sieben", "acht", "neun"}
    }
    tens = {word: figure for word, figure in _TENS.items() if word.endswith(("zig", "ssig"))}
    return {f"{one}und{ten}": tens[ten] + ones[one] for one in ones for ten in tens}


NUMBERS: Final[Mapping[str, str]] = {**_TEENS, **_german_pairs()}
_BELOW_HUNDRED: Final[Mapping[str, int]] = {
    **{word: int(figure) for word, figure in _ONES.items()},
    **{word: int(figures) for word, figures in NUMBERS.items()},
    **{word: 10 * int(figure) for word, figure in _TENS.items()},
}
_SCALES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("hundred", "hundert", "cent", "cents", "ciento", "cien"), 100),
    **dict.fromkeys(("thousand", "tausend", "mil", "mille"), 1000),
}
_ALONE: Final = frozenset({"hundert", "cent", "ciento", "cien", "tausend", "mil", "mille"})
"""These say one hundred or one thousand without a number before them."""
_SPANISH_HUNDREDS: Final[Mapping[str, int]] = {
    f"{stem}ient{end}": 100 * figure
    for stem, figure in (
        *(("dosc", 2), ("tresc", 3), ("cuatroc", 4), ("quin", 5), ("seisc", 6), ("setec", 7), ("ochoc", 8)),
        ("novec", 9),
    )
    for end in ("os", "as")
}


class Hundreds(StrEnum):
    """How `four hundred twelve` is read."""

    WORDS = "words"
    """Hundreds are no numbers: a row of figures without them."""
    ROUND = "round"
    """400, and then 12."""
    SUMMED = "summed"
    """412."""


HUNDREDS: Final = "hundreds"
_SPOKEN: Final = frozenset({*_ONES, *_TEENS, *_TENS, *TIMES, *NUMBERS})


def says_numbers(words: Iterable[str]) -> str:
    """Whether one of the words says a number: `HUNDREDS` if it is one of hundreds or thousands, empty if there is none."""
    said = ""
    for word in words:
        if word in _SPOKEN:
            said = said or "numbers"
        elif word in _SCALES or word in _SPANISH_HUNDREDS or "hundert" in word or "tausend" in word:
            return HUNDREDS
    return said


def read(words: list[str], at: int, hundreds: Hundreds = Hundreds.WORDS) -> tuple[str, int]:
    """The figures that begin at `words[at]`, and how many words they take; none and 0 if it is no number.

    Words are folded; a word of figures stands for itself.
    """
    if hundreds is not Hundreds.WORDS:
        total, count = _large(words, at, summed=hundreds is Hundreds.SUMMED)
        if count:
            return str(total), count
    word = words[at]
    times = TIMES.get(word)
    if times is not None and at + 1 < len(words):
        figures, count = read_one(words, at + 1)
        return (figures * times, count + 1) if len(figures) == 1 else ("", 0)
    return read_one(words, at)


def read_one(words: list[str], at: int) -> tuple[str, int]:
    """`read` without `double` and the like."""
    word = words[at]
    if word.isdigit():
        return word, 1
    if word in _ONES:
        return _french_eighty(words, at) if word == "quatre" else (_ONES[word], 1)
    if word in NUMBERS:
        return _french_sum(words, at, int(NUMBERS[word]), 1) if word == "dix" else (NUMBERS[word], 1)
    if word in _TENS:
        return _with_ones(words, at, int(_TENS[word]) * 10)
    return "", 0


def _with_ones(words: list[str], at: int, tens: int) -> tuple[str, int]:
    """`twenty three`, `treinta y cuatro`, `soixante et onze`, `soixante dix sept`."""
    follow = at + 1
    if follow < len(words) and words[follow] in _JOINERS:
        follow += 1
    word = words[follow] if follow < len(words) else ""
    if word in _ONES and _ONES[word] != "0":
        return str(tens + int(_ONES[word])), follow - at + 1
    if words[at] == "soixante" and word in _TEENS:
        return _french_sum(words, follow, tens + int(_TEENS[word]), follow - at + 1)
    return str(tens), 1


def _french_eighty(words: list[str], at: int) -> tuple[str, int]:
    """`quatre vingt(s)`, `quatre vingt trois`, `quatre vingt dix sept`; else 4."""
    if at + 1 >= len(words) or words[at + 1] not in {"vingt", "vingts"}:
        return "4", 1
    # In `quatre-vingts quatre` the `s` says that the number is over.
    word = words[at + 2] if at + 2 < len(words) and words[at + 1] == "vingt" else ""
    if word in _ONES and _ONES[word] != "0":
        return str(80 + int(_ONES[word])), 3
    if word in _TEENS:
        return _french_sum(words, at + 2, 80 + int(_TEENS[word]), 3)
    return "80", 2


def _french_sum(words: list[str], at: int, total: int, count: int) -> tuple[str, int]:
    """`dix sept` is one number."""
    if words[at] == "dix" and at + 1 < len(words) and words[at + 1] in {"sept", "huit", "neuf"}:
        return str(total + int(_ONES[words[at + 1]])), count + 1
    return str(total), count


def _large(words: list[str], at: int, *, summed: bool) -> tuple[int, int]:
    """A number of hundreds or thousands and the words it takes: `four hundred and twelve`, `mil doscientos cuatro`; 0 words if it is none."""
    total, follow, least = 0, at, 10_000
    while follow < len(words):
        value, scale, count = _scaled(words, follow, first=follow == at)
        if not count or scale >= least:
            break
        total, follow, least = total + value, follow + count, scale
        if not summed:
            return total, follow - at
        if follow < len(words) and words[follow] in _JOINERS:
            follow += 1
    if follow == at:
        return 0, 0
    # A joiner that nothing follows belongs to the sentence.
    behind, count = _below_hundred(words, follow) if least > 1 else (0, 0)
    if count:
        return total + behind, follow + count - at
    return total, follow - at - (words[follow - 1] in _JOINERS)


def _scaled(words: list[str], at: int, *, first: bool) -> tuple[int, int, int]:
    """So many hundreds or thousands, the smallest scale in it (1 if more than a scale was said), and the words it takes; 0 words if it is none."""
    word = words[at]
    if word in _SPANISH_HUNDREDS:
        return _SPANISH_HUNDREDS[word], 100, 1
    if "hundert" in word or "tausend" in word:
        value, scale = _compound(word)
        if value:
            return value, scale, 1
    if word in _ALONE:
        return _SCALES[word], _SCALES[word], 1
    factor, count = (1, 1) if first and word in {"a", "an"} else _below_hundred(words, at)
    scale = _SCALES.get(words[at + count], 0) if count and at + count < len(words) else 0
    return (factor * scale, scale, count + 1) if scale else (0, 0, 0)


def _below_hundred(words: list[str], at: int) -> tuple[int, int]:
    figures, count = read_one(words, at) if at < len(words) else ("", 0)
    small = len(figures) <= 2 and figures.isdecimal() and int(figures) > 0
    return (int(figures), count) if small else (0, 0)


def _compound(word: str) -> tuple[int, int]:
    """A German number in one word, and its smallest scale, 1 if it is complete: `vierhundertzwoelf`; 0 if it is none."""
    total, rest, least = 0, word, 0
    for scale, value in (("tausend", 1000), ("hundert", 100)):
        head, found, tail = rest.partition(scale)
        if found:
            factor = _BELOW_HUNDRED.get(head, 0) if head else 1
            if not factor:
                return 0, 0
            total, rest, least = total + factor * value, tail.removeprefix("und"), value
    if rest:
        behind = _BELOW_HUNDRED.get(rest, 0)
        return (total + behind, 1) if behind else (0, 0)
    return total, least
