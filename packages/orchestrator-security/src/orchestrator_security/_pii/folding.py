"""One spelling for many: small letters without marks."""

from __future__ import annotations

import unicodedata

_WHOLE = str.maketrans(
    {"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "đ": "d", "ł": "l", "\u0131": "i", "þ": "th", "ð": "d"}
)
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


_LONG_ENOUGH = 5
"""Letters; in shorter names (`Zoe`, `Joe`) a pair of vowels is no umlaut."""


def folded(text: str) -> str:
    """Small letters, diacritics dropped, compatible characters (full-width figures, ligatures) made plain."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_WHOLE))
    return "".join([character for character in plain if not unicodedata.combining(character)])


def spellings(text: str) -> set[str]:
    """The folded spellings of a known value: plain, and with German and Nordic letters written out or taken together."""
    composed = unicodedata.normalize("NFC", text.casefold())
    written_out = folded(composed.translate(_GERMAN))
    together = written_out
    if len(together) < _LONG_ENOUGH:
        return {folded(text), written_out}
    for pair, letter in (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a")):
        together = together.replace(pair, letter)
    return {folded(text), written_out, together}
