"""PromQL's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["PromqlRefused", "Token", "TokenKind", "seconds_of", "tokens_of"]

TokenKind = Literal["duration", "number", "name", "text", "sign", "end"]

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
# Nanoseconds are kept in 64 bits.
_LONGEST: Final = 2**63 / 1e9
_SIMPLE: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
}
_duration = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_word = re.compile(
    r"""(?P<space>[ \t\r\n]+|\#[^\n]*)
      | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![a-zA-Z0-9_.]))
      | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![a-zA-Z0-9_.])
      | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
      | (?P<sign>==|!=|=~|!~|<=|>=|[-+*/%^<>={}()\[\],:@])""",
    re.VERBOSE,
)
_colon = re.compile(r"(?P<sign>:)")
_escape = re.compile(r"""\\(?:[abfnrtv\\"']|[0-7]{3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})""")


class PromqlRefused(ConfigurationError):
    """It is no PromQL, or asks for what PromQL does not have; `position` counts characters from 1."""

    default_code = "promql_refused"

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(f"at character {position}: {message}", details={"position": position})
        self.reason = message
        self.position = position

    def __reduce__(self) -> tuple[object, ...]:
        return _refused, (self.reason, self.position)


def _refused(message: str, position: int) -> PromqlRefused:
    return PromqlRefused(message, position=position)


@dataclass(frozen=True, slots=True)
class Token:
    """One word: `value` is what a text says without its quotes; for everything else as it is written."""

    kind: TokenKind
    value: str
    position: int

    @property
    def word(self) -> str:
        """For what is written in any case."""
        return self.value.lower() if self.kind == "name" else self.value


def tokens_of(query: str) -> Iterator[Token]:
    """The words of a query, and an end.

    Raises:
        PromqlRefused: There is a character or a text that begins no word.
    """
    at, in_range = 0, False
    while at < len(query):
        # Within a range a colon stands between its length and its step; elsewhere a name may hold it.
        found = _colon.match(query, at) if in_range and query[at] == ":" else _word.match(query, at)
        if found is None:
            raise PromqlRefused(f"{query[at]!r} begins nothing that PromQL knows", position=at + 1)
        kind, value = str(found.lastgroup), found.group()
        if kind == "text":
            yield Token("text", _said(value, at), at + 1)
        elif kind != "space":
            in_range = value == "[" or (in_range and value != "]")
            yield Token(kind, value, at + 1)  # type: ignore[arg-type]  # the groups of the pattern are the kinds
        at = found.end()
    yield Token("end", "", len(query) + 1)


def _said(quoted: str, at: int) -> str:
    if quoted[0] == "`":
        return quoted[1:-1]
    inner, other = quoted[1:-1], "'" if quoted[0] == '"' else '"'
    if "\\" in _escape.sub("", inner) or any(each == f"\\{other}" for each in _escape.findall(inner)):
        raise PromqlRefused("a backslash escapes nothing that PromQL knows", position=at + 1)
    try:
        return _escape.sub(_unescaped, inner)
    except ValueError:
        raise PromqlRefused("an escape names no character", position=at + 1) from None


def _unescaped(found: re.Match[str]) -> str:
    escape = found.group()[1:]
    if escape in _SIMPLE:
        return _SIMPLE[escape]
    return chr(int(escape, 8) if escape[0].isdigit() else int(escape[1:], 16))


def seconds_of(token: Token) -> float:
    """A duration such as 1h30m in seconds.

    Raises:
        PromqlRefused: Its units do not fall, or it is zero.
    """
    found = _duration.fullmatch(token.value) if token.kind == "duration" else None
    if found is None:
        raise PromqlRefused(f"{token.value or 'the end'} is no duration such as 5m or 1h30m", position=token.position)
    parts = zip(found.groups(), ("y", "w", "d", "h", "m", "s", "ms"), strict=True)
    seconds = sum(int(number) * _UNITS[unit] for number, unit in parts if number)
    if seconds >= _LONGEST:
        raise PromqlRefused("the duration is out of bounds", position=token.position)
    return seconds
