"""Cutting text into the pieces that are read one by one, the same pieces for every way in which the text arrives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST_LINE = 65_536
_SAFE_CUT = re.compile(r"[^\d\s][\s,;&{}](?=[^\d\s])")
_BACK = 4096
_BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----\s*\Z")
_BODY = re.compile(r"\s*(?:[A-Za-z0-9+/=]*|(?:Proc-Type|DEK-Info|Comment|Version): .{0,200})\s*\Z")


class Piece(NamedTuple):
    """A part of a text; `whole` says that it ends where nothing personal can be cut in two."""

    text: str
    whole: bool


class Lines:
    """Takes text in chunks and gives pieces: lines with their ends, or parts of lines that are too long."""

    def __init__(self) -> None:
        self._rest: list[str] = []
        self._size = 0

    def feed(self, chunk: str) -> Iterator[Piece]:
        """The pieces that are complete with this chunk."""
        self._rest.append(chunk)
        self._size += len(chunk)
        if "\n" not in chunk and self._size <= LONGEST_LINE:
            return
        *complete, rest = "".join(self._rest).split("\n")
        for line in complete:
            if len(line) < LONGEST_LINE:
                yield Piece(line + "\n", whole=True)
            else:
                yield from _pieces(line + "\n")
        *cut, last = _pieces(rest)
        self._rest, self._size = [last.text], len(last.text)
        yield from cut

    def flush(self) -> Iterator[Piece]:
        """What is left."""
        rest = "".join(self._rest)
        self._rest, self._size = [], 0
        if rest:
            yield Piece(rest, whole=True)


def pieces(text: str) -> Iterator[Piece]:
    """The pieces of a whole text."""
    lines = Lines()
    yield from lines.feed(text)
    yield from lines.flush()


def _pieces(line: str) -> Iterator[Piece]:
    """A line, cut after at most `LONGEST_LINE` characters as often as it takes; each cut depends on what stands before it only."""
    at = 0
    while len(line) - at > LONGEST_LINE:
        low, high = at + LONGEST_LINE - _BACK, at + LONGEST_LINE
        cut = max((match.end() for match in _SAFE_CUT.finditer(line, low, high)), default=0)
        yield Piece(line[at : cut or high], whole=bool(cut))
        at = cut or high
    yield Piece(line[at:], whole=True)


class KeyBlocks:
    """Tells the lines of private keys in PEM, which give nothing away when they are read one by one."""

    def __init__(self) -> None:
        self._inside = False

    def holds(self, line: str) -> bool:
        """Whether the line is a part of a key."""
        if "-----" in line and _BEGIN.search(line):
            self._inside = True
            return False
        self._inside = self._inside and _BODY.match(line) is not None
        return self._inside
