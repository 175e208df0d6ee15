"""TOML files: reading them, and finding the line of each key."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

from orchestrator_config._paths import SettingPath
from orchestrator_config._walk import is_array, is_table


class Unreadable(Exception):
    """The text is no TOML."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def parse(data: bytes) -> tuple[dict[str, object], dict[SettingPath, int]]:
    """The content, and the line of each key and element as far as it is certain.

    Raises:
        Unreadable: With the line, where the parser tells it.
    """
    import tomllib  # noqa: PLC0415 - only when there is a file

    failure: Unreadable
    try:
        text = data.decode()
        content: dict[str, object] = tomllib.loads(text)
    except UnicodeDecodeError as error:
        failure = Unreadable("is not encoded in UTF-8", data.count(b"\n", 0, error.start) + 1)
    except tomllib.TOMLDecodeError as error:
        failure = _syntax_failure(str(error))
    except RecursionError:
        failure = Unreadable("is nested too deeply")
    else:
        return content, key_lines(text, content)
    raise failure


# The parser quotes characters and keys of the file, which may be part of a secret; said in our own words instead.
_quoting: Final = {
    "Expected '='": "a key without =",
    "Expected": "something is missing here",
    "Cannot declare": "a table is declared twice",
    "Cannot mutate": "adds to a table or value that is complete already",
    "Duplicate inline table key": "a key appears twice",
    "Unescaped": "a backslash that begins no escape",
    "Found invalid character": "a character that is not allowed here",
    "Illegal character": "a character that is not allowed here",
}


def _syntax_failure(message: str) -> Unreadable:
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if not found:
        return Unreadable("is not valid TOML: it ends too early")
    reason = message[: found.start()]
    if re.search(r"['\"]", reason):
        reason = next(
            (own for start, own in _quoting.items() if reason.startswith(start)), "cannot be read from here on"
        )
    return Unreadable(f"is not valid TOML in column {found[2]}: {reason[:1].lower()}{reason[1:]}", int(found[1]))


def key_lines(text: str, content: dict[str, object]) -> dict[SettingPath, int]:
    """The line on which each key, table and array element begins; empty when that cannot be told for certain."""
    scanner = _Scanner(text)
    try:
        scanner.document()
    except (_Lost, RecursionError):
        return {}
    # The scanner is trusted only if it saw exactly what the parser saw.
    return scanner.lines if set(scanner.lines) == set(_paths(content, ())) else {}


def _paths(value: object, path: SettingPath) -> list[SettingPath]:
    members: list[tuple[str | int, object]] = []
    if is_table(value):
        members = list(value.items())
    elif is_array(value):
        members = list(enumerate(value))
    return [each for key, member in members for each in ((*path, key), *_paths(member, (*path, key)))]


class _Lost(Exception):
    """The text is not what the scanner expects."""


_blank: Final = re.compile(r"[ \t]*")
_gap: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_bare: Final = re.compile(r"[A-Za-z0-9_-]+")
_scalar: Final = re.compile(r"[^,\]}\n#]+")
_string: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}' r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)


@dataclass(slots=True)
class _Scanner:
    """Follows the structure of a text that is known to be valid TOML."""

    text: str
    lines: dict[SettingPath, int] = field(default_factory=dict[SettingPath, int])
    _at: int = 0
    _table: SettingPath = ()
    _counts: dict[SettingPath, int] = field(default_factory=dict[SettingPath, int])
    _line_starts: list[int] = field(default_factory=list[int])

    def __post_init__(self) -> None:
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", self.text))]

    def document(self) -> None:
        self._skip(_gap)
        while self._at < len(self.text):
            if self.text.startswith("[", self._at):
                self._header()
            else:
                self._pair(self._table)
            self._skip(_gap)

    def _header(self) -> None:
        start, double = self._at, self.text.startswith("[[", self._at)
        self._at += 1 + double
        self._skip(_blank)
        keys = self._keys()
        self._expect("]]" if double else "]")
        path: SettingPath = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            last = position == len(keys) - 1
            if last and double:
                self._counts[path] = self._counts.get(path, -1) + 1
            self._record(path, start)
            if path in self._counts:
                path = (*path, self._counts[path])
                self._record(path, start)
        self._table = path

    def _pair(self, table: SettingPath) -> None:
        start, path = self._at, table
        for key in self._keys():
            path = (*path, key)
            self._record(path, start)
        self._expect("=")
        self._skip(_blank)
        self._value(path)

    def _keys(self) -> list[str]:
        keys = [self._key()]
        self._skip(_blank)
        while self.text.startswith(".", self._at):
            self._at += 1
            self._skip(_blank)
            keys.append(self._key())
            self._skip(_blank)
        return keys

    def _key(self) -> str:
        if bare := _bare.match(self.text, self._at):
            self._at = bare.end()
            return bare[0]
        literal = self._take(_string)
        if literal.startswith("'"):
            return literal[1:-1]
        import tomllib  # noqa: PLC0415 - only for quoted keys

        return str(tomllib.loads(f"key = {literal}")["key"])

    def _value(self, path: SettingPath) -> None:
        if self.text.startswith("[", self._at):
            self._sequence(path, "]")
        elif self.text.startswith("{", self._at):
            self._sequence(path, "}")
        elif self.text.startswith(('"', "'"), self._at):
            self._take(_string)
        else:
            self._take(_scalar)

    def _sequence(self, path: SettingPath, end: str) -> None:
        self._at += 1
        self._skip(_gap)
        index = 0
        while not self.text.startswith(end, self._at):
            if end == "]":
                self._record((*path, index), self._at)
                self._value((*path, index))
            else:
                self._pair(path)
            index += 1
            self._skip(_gap)
            if self.text.startswith(",", self._at):
                self._at += 1
                self._skip(_gap)
            elif not self.text.startswith(end, self._at):
                raise _Lost
        self._at += 1

    def _record(self, path: SettingPath, position: int) -> None:
        self.lines.setdefault(path, bisect_right(self._line_starts, position))

    def _take(self, pattern: re.Pattern[str]) -> str:
        if not (found := pattern.match(self.text, self._at)):
            raise _Lost
        self._at = found.end()
        return found[0]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if found := pattern.match(self.text, self._at):
            self._at = found.end()

    def _expect(self, token: str) -> None:
        if not self.text.startswith(token, self._at):
            raise _Lost
        self._at += len(token)
