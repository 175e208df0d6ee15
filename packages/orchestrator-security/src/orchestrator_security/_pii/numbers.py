"""Cards, phone numbers and national ids among figures.

`find` gets a run of figures with the marks that people put between them. The shapes below are bounded, so each costs at most a
constant at each place; a shape that fits is then asked for its check digits, its plan, or the words before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator_security._pii import check_digits as checks
from orchestrator_security._pii import words
from orchestrator_security._pii.kinds import Kind, Span
from orchestrator_security._pii.words import Line

_S = "[ .\u00a0\u202f/-]"
_BETWEEN = r"(?:\.(?![\s.])|[ ()/\u00a0\u202f–-])"  # noqa: RUF001 - people write numbers with en dashes
# Digits that stay are in the table too: `translate` asks for each, and one that it does not find costs it an exception.
_NOT_DIGITS = str.maketrans("0123456789", "0123456789", " .\u00a0\u202f/()+-–")  # noqa: RUF001
_FEWEST, _MOST = 7, 19
_MOST_DIALLED = 13
_FEWEST_WITH_MARKS = 12  # a longer run with fewer figures is rare

_SHAPE = re.compile(
    rf"""(?<![0-9])(?:
      (?P<international>(?:\+|(?<![.,])00(?=[1-9])|\(\+(?=[1-9][0-9]{{0,3}}\)))[1-9](?:{_BETWEEN}{{0,3}}[0-9]){{6,14}})
    | (?P<card>[2-68][0-9]{{3}}{_S}[0-9]{{4}}{_S}[0-9]{{4}}{_S}[0-9]{{1,4}}(?:{_S}[0-9]{{1,3}})?
        | 3[0-9]{{3}}{_S}[0-9]{{6}}{_S}[0-9]{{4,5}})
    | (?P<row>[0-9]{{1,2}}(?:{_BETWEEN}{{1,3}}[0-9]{{1,2}}(?![0-9])){{6,}}+)
    | (?P<figures>[0-9]{{7,19}})
    | (?P<grouped>\(?[0-9]{{1,10}}\)?(?:{_BETWEEN}{{1,3}}[0-9]{{1,10}}\)?){{1,8}}
        | \([0-9]{{1,5}}\)[0-9]{{1,10}}(?:{_BETWEEN}{{1,3}}[0-9]{{1,10}}){{0,8}})
    )(?![0-9])""",
    re.VERBOSE,
)
_DATE = re.compile(
    r"(?:[0-9]{4}([./-])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([./-])[0-9]{1,2}\2(?:[0-9]{4}|[0-9]{2}))(?![0-9]|[./-][0-9])"
)
_CLOCK = re.compile(r"[0-9]{1,2}[.][0-9]{2}(?: ?[–-] ?[0-9]{1,2}[.][0-9]{2})?\Z")  # noqa: RUF001
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_DECIMAL = re.compile(r"[0-9]+\.[0-9]+\Z")
_GROUPS = re.compile(r"[0-9]+")

# Forms that are told from other numbers by where their marks stand.
_FORM = re.compile(
    r"""(?:
      (?P<ssn>[0-9]{3}-[0-9]{2}-[0-9]{4})
    | (?P<nir>[1-478]([ .\u00a0])[0-9]{2}\3[0-9]{2}\3[0-9]{2}\3[0-9]{3}\3[0-9]{3}\3?[0-9]{2})
    | (?P<tax>[1-9][0-9]([ \u00a0])[0-9]{3}\5[0-9]{3}\5[0-9]{3})
    | (?P<bsn>[0-9]{4}\.[0-9]{2}\.[0-9]{3}|[0-9]{3}([ .\u00a0-])[0-9]{3}\7[0-9]{3,4})
    | (?P<nanp>(?:1[ .-])?(?:\([2-9][0-9]{2}\)[ .-]{0,2}|[2-9][0-9]{2}[ .-]{1,2})[2-9][0-9]{2}[ .-][0-9]{4})
    )(?![0-9])""",
    re.VERBOSE,
)
_FRENCH = re.compile(r"(?<![0-9])0[1-9](?:([ .-])[0-9]{2})(?:\1[0-9]{2}){3}(?![0-9])")
_SINGLE = re.compile(r"[0-9](?:[^0-9]{1,3}[0-9](?![0-9])){6}")
_LONGEST_ROW = 64
_EXTENSION = re.compile(
    r"[ ,]{0,2}(?:x|ext\.?|extension|durchwahl|app\.|poste|int\.) ?[0-9]{1,6}(?![0-9A-Za-z])", re.IGNORECASE
)
_PHONES = re.compile(
    r"""(?:
      [6-9][0-9]{2}([ .-])[0-9]{2}\1[0-9]{2}\1[0-9]{2}
    | [89][0-9]([ .-])[0-9]{3}\2[0-9]{2}\2[0-9]{2}
    | [2-9][0-9]{2}([ .-])[0-9]{3}\3[0-9]{3}
    | 3[0-9]{2}[ .-][0-9]{3}[ .-]?[0-9]{3,4}
    | 2[0-9]([ .-])[0-9]{3}\4(?:[0-9]{4}|[0-9]{2}\4[0-9]{2})
    | 0[1-9]([ .-])[0-9]{2}\5[0-9]{2}\5[0-9]{2}\5[0-9]{2}
    )(?![0-9])""",
    re.VERBOSE,
)


_IN_PATH = re.compile(r"(?:(?<=/)\+|%2[Bb])[1-9][0-9]{6,14}(?![0-9])")


def in_paths(text: str, start: int, end: int) -> Iterator[Span]:
    """International numbers as parts of paths and queries, where the plus may be encoded."""
    return (Span(found.start(), found.end(), Kind.PHONE) for found in _IN_PATH.finditer(text, start, end))


def figures_of(text: str) -> str:
    """The digits alone."""
    return text.translate(_NOT_DIGITS)


def find(line: Line, start: int, end: int, found: list[Span]) -> None:
    """Add the spans in a run of figures, from `start` to `end` in the line; what stands around it is read for words only."""
    text, at = line.text, start
    run = text[start:end]
    if run.isdigit() and not run.startswith("00"):  # no mark between them: only one shape fits
        if _FEWEST <= end - start <= _MOST:
            _add(text, _plain(line, start, end, run), found)
        return
    date = _DATE.match(text, start, end)
    if date is not None:  # most often the whole run
        at = date.end()
    elif end - start < _FEWEST_WITH_MARKS and len(figures_of(run)) < _FEWEST:
        return
    while (match := _SHAPE.search(text, at, end)) is not None:
        date = _DATE.match(text, match.start(), end)
        if date is not None:
            at = date.end()
            continue
        if match.lastgroup == "row" and len(match.group()) > _LONGEST_ROW:
            # A table; in one of any length people are called by the French way of writing only.
            french = _FRENCH.finditer(text, match.start(), match.end())
            found += [Span(each.start(), each.end(), Kind.PHONE) for each in french]
            at = match.end()
            continue
        span = _judged(line, match)
        if span is not None:
            _add(text, span, found)
            at = span.end
        else:
            # The next group of figures may begin something else; of a row of single figures, as they are spoken, none does.
            first = _GROUPS.search(text, match.start(), end)
            at = match.end() if first is None or _SINGLE.match(match.group()) else first.end()


def _add(text: str, span: Span | None, found: list[Span]) -> None:
    """Add a span, a phone number with its extension."""
    if span is not None:
        extension = _EXTENSION.match(text, span.end) if span.kind is Kind.PHONE else None
        found.append(span if extension is None else Span(span.start, extension.end(), span.kind))


def _judged(line: Line, match: re.Match[str]) -> Span | None:
    start, end, shape = match.start(), match.end(), match.lastgroup
    whole = match.group()
    figures = figures_of(whole)
    if shape == "card":
        return _card_or_grouped(line, start, end, figures)
    if len(figures) < _FEWEST:
        return None
    if shape == "international":
        return _international(line.text, start, whole, figures)
    if shape == "figures":
        return _plain(line, start, end, figures)
    if shape == "row" and len(figures) > _MOST:
        return None
    return _grouped(line, start, whole, figures)


def _card_or_grouped(line: Line, start: int, end: int, figures: str) -> Span | None:
    text = line.text
    if checks.is_card(figures):
        return Span(start, end, Kind.CARD)
    count = 0
    for group in _GROUPS.finditer(text, start, end):
        count += group.end() - group.start()
        # A number behind the card's looks like a part of it.
        if 13 <= count < len(figures) and checks.is_card(figures[:count]):
            return Span(start, group.end(), Kind.CARD)
    return _grouped(line, start, text[start:end], figures) if len(figures) <= 15 else None


_PLAN_LENGTHS = {
    "1": 11,
    "33": 11,
    "34": 11,
    "31": 11,
    "48": 11,
    "41": 11,
    "351": 12,
    "44": 12,
    "45": 10,
    "47": 10,
    "32": 11,
    "61": 11,
    "420": 12,
}
"""Digits of a number with its country code, where all (mobile) numbers of the country have one length."""


def _international(text: str, start: int, whole: str, figures: str) -> Span | None:
    digits = figures.removeprefix("00")
    if not 7 <= len(digits) <= 15 or len(set(digits)) == 1:
        return None
    # `+3.140000` is a number; `+49.30901820` is how registries write a phone number.
    if "." in whole and len(digits) < 9 and _DECIMAL.match(whole.removeprefix("+")):
        return None
    for code, length in _PLAN_LENGTHS.items():
        if digits.startswith(code) and len(digits) > length:
            # `+44 (0)20 …` writes the national zero too.
            extra = 1 if "(0)" in whole else 0
            cut = _cut(text, start, length + extra + len(figures) - len(digits))
            if not text[cut : cut + 1].isdigit():
                return Span(start, cut, Kind.PHONE)
    return Span(start, start + len(whole), Kind.PHONE)


def _cut(text: str, start: int, count: int) -> int:
    """Where the digit number `count` from `start` ends."""
    at = start
    while count:
        if text[at].isdigit():
            count -= 1
        at += 1
    return at


def _plain(line: Line, start: int, end: int, figures: str) -> Span | None:
    """Figures without any mark between them."""
    length = len(figures)
    if length >= 13 and checks.is_card(figures):
        return Span(start, end, Kind.CARD)
    if length >= 12 and checks.luhn(figures) and words.CARD.search(words.before(line.text, start)):
        return Span(start, end, Kind.CARD)
    if length == 15 and checks.is_fr_nir(figures):
        return Span(start, end, Kind.NATIONAL_ID)
    if length > 13 or _is_part(line.text, start):
        return None
    kind = _kind_by_words(line, start, end, figures)
    return None if kind is None else Span(start, end, kind)


def _is_part(text: str, start: int) -> bool:
    """`0.1234567`, `/4711…`, `-4711…`, `#4711…`: parts of something else."""
    mark = text[start - 1 : start]
    return bool(mark) and (mark in "._#$€£" or (mark in "/-" and text[start - 2 : start - 1].isalnum()))


def _kind_by_words(line: Line, start: int, end: int, figures: str) -> Kind | None:
    length = len(figures)
    trunk = figures[0] == "0" and figures[1] != "0" and 9 <= length <= 12
    if not (trunk or length == 11 or line.has_phone_word or line.has_id_word):
        return None
    told = words.before(line.text, start)
    if line.has_id_word and length in {9, 10, 11} and words.NATIONAL_ID.search(told) and _is_id(figures):
        return Kind.NATIONAL_ID
    if words.identifies(told):
        return None
    if length == 11 and _is_id(figures):
        return Kind.NATIONAL_ID
    return Kind.PHONE if trunk or _spoken_of(line, told, end) else None


def _spoken_of(line: Line, told: str, end: int) -> bool:
    """Whether the words around say that the number can be dialled."""
    if not line.has_phone_word:
        return False
    return words.PHONE.search(told) is not None or words.PHONE.search(words.after(line.text, end)) is not None


def _is_id(figures: str) -> bool:
    match len(figures):
        case 11:
            return checks.is_de_tax_id(figures) or checks.is_pl_pesel(figures)
        case 9:
            return checks.is_nl_bsn(figures) or checks.is_pt_nif(figures) or checks.is_us_ssn(figures)
        case 10:
            return checks.is_uk_nhs(figures)
        case _:
            return False


def _grouped(line: Line, start: int, whole: str, figures: str) -> Span | None:
    """Figures with marks between them."""
    text, end = line.text, start + len(whole)
    form = _FORM.match(text, start, end)
    phones = _PHONES.match(text, start, end)
    is_card = 12 <= len(figures) <= _MOST and checks.is_card(figures)
    # Most runs of figures end here, before any word is read.
    if form is None and phones is None and not (is_card or figures[0] == "0" or line.has_phone_word):
        return None
    told = words.before(text, start)
    if form is not None:
        kind = _of_form(str(form.lastgroup), figures_of(form.group()), line, told)
        if kind is Kind.NATIONAL_ID or (kind is not None and not words.identifies(told)):
            return Span(start, form.end(), kind)
    if is_card:
        return Span(start, end, Kind.CARD)
    if any(shape.match(whole) for shape in (_IPV4, _DECIMAL, _CLOCK)) or text[start - 1 : start] in {
        "$",
        "€",
        "£",
        "#",
    }:
        return None
    if phones is not None and not words.identifies(told):
        return Span(start, phones.end(), Kind.PHONE)
    return None if words.identifies(told) else _longest_phone(start, whole, spoken_of=_spoken_of(line, told, end))


def _of_form(name: str, figures: str, line: Line, told: str) -> Kind | None:
    if name == "nir":
        return Kind.NATIONAL_ID if checks.is_fr_nir(figures) else None
    if name == "ssn":
        return Kind.NATIONAL_ID if checks.is_us_ssn(figures) else None
    if name == "tax" and _is_id(figures):
        return Kind.NATIONAL_ID
    if name == "bsn" and line.has_id_word and words.NATIONAL_ID.search(told) and _is_id(figures):
        return Kind.NATIONAL_ID
    # A British NHS number and an American phone number look alike; the words before tell, and here they did not.
    nanp = len(figures) in {10, 11} and figures[-10] in "23456789" and figures[-7] in "23456789"
    return Kind.PHONE if nanp else None


def _longest_phone(start: int, whole: str, *, spoken_of: bool) -> Span | None:
    """The longest part from the start that can be dialled, ending behind a group of figures."""
    count = longest = 0
    for group in _GROUPS.finditer(whole):
        count += group.end() - group.start()
        if count > _MOST_DIALLED:
            break
        part = whole[: group.end()]
        if count >= _FEWEST and part.count("(") == part.count(")"):
            figures = figures_of(part)
            if spoken_of or _begins_with_trunk_zero(part, figures):
                longest = group.end()
    return Span(start, start + longest, Kind.PHONE) if longest else None


def _begins_with_trunk_zero(whole: str, figures: str) -> bool:
    """`030 901820`, `0151-23456789`, `(089) 12345`; not `01.02.2026`, `0.5`, `09.30-18.30`."""
    if figures[0] != "0" or figures[1] == "0" or not 8 <= len(figures) <= 12:
        return False
    groups = _GROUPS.findall(whole)
    if max(map(len, groups)) <= 2:
        return len(groups) == 5 and len(figures) == 10
    return len(groups[0]) >= 2 and not ("." in whole and len(groups) == 2)
