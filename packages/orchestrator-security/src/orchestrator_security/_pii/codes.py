"""Codes of letters and figures: IBANs, national ids, documents, and secrets."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from orchestrator_security._pii import check_digits as checks
from orchestrator_security._pii import words
from orchestrator_security._pii.kinds import Kind, Span

_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ \u00a0-]?[A-Za-z0-9])")
_MARKS = str.maketrans("", "", " \u00a0\u202f.-/")
_LONGEST_IBAN = 34 + 12

_ID = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?P<es>[0-9]{8}[ -]?[A-Z]|[0-9]{2}\.[0-9]{3}\.[0-9]{3}[ -]?[A-Z]|[XYZ][ -]?[0-9]{7}[ -]?[A-Z])"
    r"|(?P<it>[A-Z]{6}[ ]?[0-9A-Z]{2}[A-Z][0-9A-Z]{2}[ ]?[A-Z][0-9A-Z]{3}[A-Z])"
    r"|(?P<nino>[A-Z]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{2}[ -]?[A-D])"
    r"|(?P<pt>[0-9]{8}[ -]?[0-9][ -]?[A-Z][A-Z0-9][0-9])"
    r"|(?P<fr>[12][ ]?[0-9]{2}[ ]?[0-9]{2}[ ]?2[AB][ ]?[0-9]{3}[ ]?[0-9]{3}[ ]?[0-9]{2})"
    r"|(?P<licence>[A-Z9]{5}[ ]?[0-9][0156][0-9][0-3][0-9]{2}[ ]?[A-Z9]{2}[0-9][A-Z]{2})"
    r"|(?P<de>[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}[0-9])"
    r")(?![A-Za-z0-9])"
)
_DOCUMENT = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z<]{0,9}[0-9])[A-Za-z0-9]{6,16}(?![A-Za-z0-9])")
# A capital beside a figure, but not those of `2026-11-22T12:00:01.123Z`.
_CAPITAL = re.compile(r"[0-9][ -]?[A-Z](?![0-9]{2}:)(?<!\.[0-9]{3}Z)(?<!:[0-9]{2}Z)|[A-Z][ -]?[0-9](?![0-9]:)")

_FORMS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA|AROA|AIDA)[A-Z2-7]{16}"
    r"|gh[oprsu]_[A-Za-z0-9]{30,251}|github_pat_[A-Za-z0-9_]{30,251}|glpat-[\w-]{20,64}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,251}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,251}|whsec_[A-Za-z0-9+/]{16,128}"
    r"|sk-[A-Za-z0-9_-]{20,251}|AIza[\w-]{35}|ya29\.[\w-]{20,251}|SG\.[\w-]{16,64}\.[\w-]{16,64}"
    r"|npm_[A-Za-z0-9]{30,64}|pypi-[\w-]{30,251}|hv[bsr]\.[\w-]{20,251}|dop_v1_[0-9a-f]{64}|AC[0-9a-f]{32}|SK[0-9a-f]{32}"
    r"|eyJ[\w-]{8,4096}\.eyJ[\w-]{8,8192}(?:\.[\w-]{0,1024})?"
    r")"
)
FORMS_WITHOUT_FIGURES = ("AKIA", "ASIA", "glpat-", "_live_", "_test_", "xox")
"""Beginnings of forms that now and then come without any figure."""

_BLOB = re.compile(r"[A-Za-z0-9+/_-]{24,4096}+")
_KEY = re.compile(
    r"(?:passwo?r?d|passwd|passphrase|\bpwd|secret|api[_ -]?key|access[_ -]?key|private[_ -]?key|\btoken|[_-]token|authori[sz]ation|credentials?|\bpin)"
    r"[\"']?\s{0,3}(?:[=:]|\bis\b)\s{0,3}[\"']?(?:(?:bearer|basic|digest|token)\s{1,3})?([^\s\"',;&<>]{1,4096})",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(?:bearer|basic)\s{1,3}([A-Za-z0-9._~+/-]{12,4096}=*)", re.IGNORECASE)
_ENCODED = re.compile(r"[0-9=]|[a-z][A-Z]")
_SECRET_STEMS = ("pass", "pwd", "secret", "key", "token", "authori", "credential", "bearer", "basic", "pin")
_LEAST_ENTROPY = 3.7
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----((?:\\[rn]|[A-Za-z0-9+/= :,]|-(?!-))++)")


def ibans(text: str, start: int, end: int, found: list[Span]) -> None:
    """IBANs that begin in the word `text[start:end]`, with or without spaces."""
    end = min(len(text), end + 2)  # the next group of four is a word of its own
    match = _IBAN_START.search(text, start, end)
    while match is not None:
        stop = _iban_end(text, match.start())
        if stop:
            found.append(Span(match.start(), stop, Kind.IBAN))
        match = _IBAN_START.search(text, max(match.end(), stop), end) if stop < end else None


def whole_line(line: words.Line, found: list[Span]) -> None:
    """What is looked for all over a line at once, because it can have spaces in it or no digit at all."""
    text = line.text
    if _CAPITAL.search(text) is not None:
        found.extend(ids(text))
    if "PRIVATE KEY-----" in text:
        found.extend(private_keys(text))
    without_figures(text, line.lower, found)


def without_figures(text: str, lower: str, found: list[Span]) -> None:
    """What has a form and may have no digit: some keys, and whatever is called a secret."""
    for start in FORMS_WITHOUT_FIGURES:
        if start in text:
            found.extend(tokens(text, 0, len(text)))
            break
    for stem in _SECRET_STEMS:
        if stem in lower:
            found.extend(named_secrets(text))
            break


def _iban_end(text: str, start: int) -> int:
    country = text[start : start + 2].upper()
    length = checks.iban_length(country)
    if length is None:
        return 0
    window = text[start : start + _LONGEST_IBAN]
    at = count = 0
    for character in window:
        at += 1
        if character.isascii() and character.isalnum():
            count += 1
            if count == length:
                break
        elif character not in " \u00a0\u202f-":
            return 0
    if count < length or (at < len(window) and window[at].isalnum()):
        return 0
    compact = window[:at].translate(_MARKS).upper()
    return start + at if compact.isascii() and checks.is_iban(compact) else 0


def ids(text: str) -> Iterator[Span]:
    """National ids and documents of capitals and figures."""
    for match in _ID.finditer(text):
        name = str(match.lastgroup)
        if name == "licence":
            yield Span(match.start(), match.end(), Kind.DRIVING_LICENCE)
        elif _ID_CHECKS[name](match.group().translate(_MARKS)):
            passport = name == "de" and words.PASSPORT.search(words.before(text, match.start())) is not None
            yield Span(match.start(), match.end(), Kind.PASSPORT if passport else Kind.NATIONAL_ID)


_ID_CHECKS = {
    "de": checks.is_de_document,
    "es": checks.is_es_id,
    "it": checks.is_it_cf,
    "nino": checks.is_uk_nino,
    "pt": checks.is_pt_card,
    "fr": checks.is_fr_nir,
}


def documents(text: str, start: int, end: int) -> Iterator[Span]:
    """Passports and driving licences, which only the words before them tell from other codes."""
    match = _DOCUMENT.search(text, start, end)
    if match is None:
        return
    told = words.before(text, start)
    if words.PASSPORT.search(told):
        yield Span(match.start(), match.end(), Kind.PASSPORT)
    elif words.LICENCE.search(told):
        yield Span(match.start(), match.end(), Kind.DRIVING_LICENCE)


def tokens(text: str, start: int, end: int) -> Iterator[Span]:
    """Keys and tokens in one word: by their makers' forms, or because nothing else looks so random."""
    found = False
    for match in _FORMS.finditer(text, start, end):
        found = True
        yield Span(match.start(), match.end(), Kind.SECRET)
    if not found and "://" not in text[start:end]:
        for match in _BLOB.finditer(text, start, end):
            if _is_random(match.group()):
                yield Span(match.start(), match.end(), Kind.SECRET)


def _is_random(blob: str) -> bool:
    """Capitals, small letters and figures in no order; a hash or UUID has no capitals among its small letters, a name no figures."""
    if blob.islower() or blob.isupper():
        return False
    letters = blob[:64]
    upper = sum(map(str.isupper, letters))
    lower = sum(map(str.islower, letters))
    digits = sum(map(str.isdigit, letters))
    if min(upper, lower) < 4 or digits < 2:
        return False
    counts = Counter(letters)
    entropy = -sum(count / len(letters) * math.log2(count / len(letters)) for count in counts.values())
    return entropy >= _LEAST_ENTROPY and _changes(letters) > len(letters) / 4


def _changes(text: str) -> int:
    """How often the class of the characters changes; rarely in `CamelCase2Words`."""
    classes = [character.isupper() * 2 + character.isdigit() for character in text]
    return sum(one != other for one, other in pairwise(classes))


def named_secrets(text: str) -> Iterator[Span]:
    """What stands behind `password=`, `token:` and the like, whatever it looks like."""
    for pattern in (_KEY, _BEARER):
        for match in pattern.finditer(text):
            value = match.group(1)
            # `token: 12` counts things, `basic customization` is none; `token=[SECRET]` is redacted already.
            is_secret = not (value.isdigit() and len(value) < 4) if pattern is _KEY else _ENCODED.search(value)
            if is_secret and not value.startswith("["):
                yield Span(match.start(1), match.end(1), Kind.SECRET)


def private_keys(text: str) -> Iterator[Span]:
    """Private keys in PEM that stand in one line, with their line ends escaped."""
    for match in _PRIVATE_KEY.finditer(text):
        yield Span(match.start(1), match.end(1), Kind.SECRET)
