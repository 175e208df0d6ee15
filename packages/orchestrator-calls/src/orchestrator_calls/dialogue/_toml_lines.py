"""Where each key of a TOML document stands.

The standard library's reader gives values without places, and a script that is refused must name its lines. The document has been
read by `tomllib` before, so this scanner follows the shape and judges nothing.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

__all__ = ["Path", "find_lines"]

Path = tuple[str | int, ...]
"""Keys and list indexes from the root to a value."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)+")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_BASIC: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL: Final = re.compile(r"'[^'\n]*'")
_LONG_BASIC: Final = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL)
_LONG_LITERAL: Final = re.compile(r"'''.*?'{3,5}", re.DOTALL)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


def find_lines(text: str) -> dict[Path, int]:
    """The line, from 1, of every table, key and list item of a valid document."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_at = 0
        self._line = 1
        self._lists: dict[Path, int] = {}
        self.lines: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        self._skip()
        while self._at < len(self._text):
            if self._peek("[["):
                table = self._header(2)
                self._lists[table] = self._lists.get(table, -1) + 1
                self._mark(table)
                table = (*table, self._lists[table])
                self._mark(table)
            elif self._peek("["):
                table = self._header(1)
                self._mark(table)
            else:
                self._pair(table)
            self._skip()

    def _header(self, brackets: int) -> Path:
        self._at += brackets
        path: list[str | int] = []
        keys = self._keys()
        for index, key in enumerate(keys):
            path.append(key)
            # A header inside of a list of tables speaks of its last one.
            if index < len(keys) - 1 and tuple(path) in self._lists:
                path.append(self._lists[tuple(path)])
        for length in range(1, len(path)):
            # A table that has no header of its own begins where the first one inside of it does.
            self._mark(tuple(path[:length]))
        self._skip()
        self._at += brackets
        return tuple(path)

    def _pair(self, table: Path) -> None:
        here = table
        for key in self._keys():
            here = (*here, key)
            self._mark(here)
        self._at += 1
        self._skip()
        self._value(here)

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._skip()
            keys.append(self._key())
            self._skip()
            if not self._peek("."):
                return keys
            self._at += 1

    def _key(self) -> str:
        for quoted in (_BASIC, _LITERAL):
            match = quoted.match(self._text, self._at)
            if match:
                self._at = match.end()
                return str(tomllib.loads(f"key = {match.group()}")["key"])
        match = _BARE.match(self._text, self._at)
        if match is None:  # cannot be: the document was read before
            raise ValueError(f"no key at character {self._at}")
        self._at = match.end()
        return match.group()

    def _value(self, path: Path) -> None:
        if self._peek("["):
            self._items(path)
        elif self._peek("{"):
            self._inline(path)
        else:
            for scalar in (_LONG_BASIC, _LONG_LITERAL, _BASIC, _LITERAL, _SCALAR):
                match = scalar.match(self._text, self._at)
                if match:
                    self._at = match.end()
                    return

    def _items(self, path: Path) -> None:
        self._at += 1
        index = 0
        self._skip()
        while not self._peek("]"):
            here = (*path, index)
            self._mark(here)
            self._value(here)
            index += 1
            self._skip()
            if self._peek(","):
                self._at += 1
                self._skip()
        self._at += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        self._skip()
        while not self._peek("}"):
            self._pair(path)
            self._skip()
            if self._peek(","):
                self._at += 1
                self._skip()
        self._at += 1

    def _skip(self) -> None:
        match = _BLANK.match(self._text, self._at)
        if match:
            self._at = match.end()

    def _peek(self, mark: str) -> bool:
        return self._text.startswith(mark, self._at)

    def _mark(self, path: Path) -> None:
        self._line += self._text.count("\n", self._line_at, self._at)
        self._line_at = self._at
        self.lines.setdefault(path, self._line)
