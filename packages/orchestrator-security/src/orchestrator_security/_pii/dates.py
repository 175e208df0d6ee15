"""Dates of birth: a date is one only if the words before it say so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator_security._pii import words
from orchestrator_security._pii.kinds import Kind, Span

_MONTHS = (
    "jan|feb|m[aä]r|apr|ma[iyjg]|jun|jul|aug|sep|o[ck]t|nov|de[czk]|ene|abr|ago|dic|f[ée]v|avr|juin|juil|ao[uû]|d[ée]c|gen|mag|giu|lug|set|ott"
    "|maart|mrt|mei|sty|lut|kwi|maj|cze|lip|sie|wrz|pa[źz]|lis|gru|out|fev|dez"
)
_DATE = re.compile(
    r"(?<![0-9])(?:"
    r"[0-9]{4}[./ -]{1,2}[0-9]{1,2}[./ -]{1,2}[0-9]{1,2}"
    r"|[0-9]{1,2}[./ -]{1,2}[0-9]{1,2}[./ -]{1,2}(?:[0-9]{4}|[0-9]{2})"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th|er|º|\.)?,?[ -](?:(?:of|de|den) )?(?:{_MONTHS})[^\W\d_]{{0,9}}\.?,?[ -](?:de |del )?(?:[0-9]{{4}}|[0-9]{{2}})"
    rf"|(?:{_MONTHS})[^\W\d_]{{0,7}}\.? [0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}}"
    r")(?![0-9])",
    re.IGNORECASE,
)
_REACH = 40
_STOP = re.compile(r"[.!?] [A-ZÄÖÜÉ]")


def birth_dates(line: words.Line) -> Iterator[Span]:
    """Dates within a few characters behind a word such as `born` or `Geburtsdatum`."""
    text, size = line.text, len(line.text)
    # Places behind several such words are read once, however many words there are.
    places: list[tuple[int, int, bool]] = []
    for word in words.BIRTH.finditer(line.lower):
        start, end = word.end(), min(size, word.end() + _REACH)
        if places and start <= places[-1][1]:
            places[-1] = (places[-1][0], end, False)
        else:
            places.append((start, end, True))
    for start, end, single in places:
        for match in _DATE.finditer(text, start, end):
            if not _STOP.search(text, max(start, match.start() - _REACH), match.start()):
                yield Span(match.start(), match.end(), Kind.BIRTH_DATE)
            if single:
                break
