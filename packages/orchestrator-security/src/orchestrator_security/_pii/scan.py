"""The pass over a line: finds the places where something can stand, and asks the finder of its kind.

Nothing personal that is told by its form is without a digit or an `@`. So the line is searched for them, in C, and only the word around
one is looked at; a run of figures with single spaces between is taken as a whole. Each character belongs to one word or run, and every
expression behind it is bounded, so time grows with the length of the text and with nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrator_security._pii import codes, dates, network, numbers
from orchestrator_security._pii.kinds import Span
from orchestrator_security._pii.words import Line

_ANCHOR = re.compile("[0-9@]")
# What ends a word is mapped to a space, character by character, so that places stay what they are. Characters that stay are in the table
# too: `translate` asks for each, and one that it does not find costs it an exception.
_ENDS = {code: chr(code) for code in range(0x250)} | {
    ord(character): " "
    for character in "\t\r\n\v\f\x1c\x1d\x1e\x1f\x85\u00a0\u2002\u2003\u2007\u2009\u202f\u3000\"'<>{}[]|;,=`“”„«»"
}
_MARKS = "0-9()./–-"  # noqa: RUF001 - people write numbers with en dashes
_RUN = re.compile(rf"[(]?[+]?[0-9][{_MARKS}]*+(?:[ \u00a0\u202f][(]?[0-9][{_MARKS}]*+)*+")
_BEGINS_RUN = frozenset("0123456789+(")
_LABEL = re.compile(r"[A-Za-z_.#-]{1,40}:(?!//|:)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_WIDTH = 10
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?(?![0-9A-Za-z:.@])"
)
_SHORTEST_LINE = 5
_SHORTEST_RUN = 6
_SHORTEST_TOKEN = 20
_EXTENSION_MARK = 6
_LONGEST_WORD = 8192


def spans(text: str) -> list[Span]:
    """What is found by form in one line, in order and without overlaps."""
    found: list[Span] = []
    if len(text) < _SHORTEST_LINE:
        return found
    if _ANCHOR.search(text) is None:
        codes.without_figures(text, text.lower(), found)
        return merged(found) if len(found) > 1 else found
    line = Line(text)
    if "@" in text and "://" in text:
        found.extend(network.credentials(text))
    _words(line, found)
    codes.whole_line(line, found)
    if line.has_birth_word:
        found.extend(dates.birth_dates(line))
    return merged(found) if len(found) > 1 else found


def _words(line: Line, found: list[Span]) -> None:
    text = line.text
    spaced = text.translate(_ENDS)
    at, size, search = 0, len(text), _ANCHOR.search
    while (anchor := search(text, at)) is not None:
        place = anchor.start()
        start = spaced.rfind(" ", at, place) + 1 or at
        end = spaced.find(" ", place)
        end = size if end < 0 else end
        if text[start] in _BEGINS_RUN:
            instant = _INSTANT.match(text, start) if text[start + 4 : start + 5] == "-" else None
            if instant is not None:
                at = instant.end()
                continue
            run = _RUN.match(text, start)
            if run is not None:
                stop = run.end()
                # Most numbers are short and stand alone.
                short = stop - start < _SHORTEST_RUN and spaced[stop : stop + 1] in {" ", ""}
                at = stop if short else _run(line, spaced, start, stop, found)
                continue
        label = _LABEL.match(text, start, end)
        run = None if label is None else _RUN.match(text, label.end())
        _word(line, start, end, found)
        # `tel:030 901820`: the run goes on behind the word.
        at = end if run is None else max(end, _run(line, spaced, run.start(), run.end(), found))


def _run(line: Line, spaced: str, start: int, end: int, found: list[Span]) -> int:
    """A run of figures; where the reading goes on."""
    text = line.text
    if not _continues(text, spaced, end):
        _figures(line, start, end, found)
        return end
    # `30 901820x`: the last word is no figure and is read as a word.
    last = max(start, spaced.rfind(" ", start, end) + 1)
    if last > start:
        _figures(line, start, last - 1, found)
    tail = spaced.find(" ", end)
    end = len(text) if tail < 0 else tail
    _word(line, last, end, found)
    return end


def _continues(text: str, spaced: str, end: int) -> bool:
    if end >= len(text) or spaced[end] == " ":
        return False
    if text[end] in "xX" and text[end + 1 : end + 2].isdigit():
        # `555-0132x7` is a number and its extension, `1920x1080` is one word.
        ending = text[max(0, end - _EXTENSION_MARK) : end]
        return "-" not in ending and "." not in ending
    # `call 4711: …` ends here, `2001:db8::1` does not.
    return text[end] not in "!?:" or text[end + 1 : end + 2].isalnum() or text[end + 1 : end + 2] == ":"


def _figures(line: Line, start: int, end: int, found: list[Span]) -> None:
    """A run of figures and what stands between them."""
    if end - start < _SHORTEST_RUN:
        return
    if line.text.count(".", start, end) >= 3:
        found.extend(network.addresses(line.text, start, end))
        if found and found[-1].start == start and found[-1].end >= end - 1:
            return
    if end - start == _DATE_WIDTH and _DATE.match(line.text, start):
        return
    before = len(found)
    numbers.find(line, start, end, found)
    if len(found) == before and line.has_document_word:
        found.extend(codes.documents(line.text, start, end))


def _word(line: Line, start: int, end: int, found: list[Span]) -> None:
    """A word with a digit or an `@` in it."""
    text = line.text
    if end - start > _LONGEST_WORD:
        found.extend(codes.tokens(text, start, start + _LONGEST_WORD))
        return
    if line.has_at and text.find("@", start, end) >= 0:
        found.extend(network.emails(text, start, end))
    if text.count(":", start, end) >= 2 or text.count(".", start, end) >= 3:
        found.extend(network.addresses(text, start, end))
    if end - start >= _SHORTEST_TOKEN:
        found.extend(codes.tokens(text, start, end))
    if line.has_path_number and (text.find("/+", start, end) >= 0 or text.find("%2", start, end) >= 0):
        found.extend(numbers.in_paths(text, start, end))
    codes.ibans(text, start, end, found)
    if line.has_document_word:
        found.extend(codes.documents(text, start, end))


def merged(found: Iterable[Span]) -> list[Span]:
    """In order; of spans that overlap, the union under the kind of the longest."""
    result: list[Span] = []
    for span in sorted(found):
        if result and span.start < result[-1].end:
            last = result[-1]
            longer = max(last, span, key=lambda each: each.end - each.start)
            result[-1] = Span(last.start, max(last.end, span.end), longer.kind)
        else:
            result.append(span)
    return result
