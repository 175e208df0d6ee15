"""The `traceparent` and `tracestate` headers of W3C Trace Context, levels 1 and 2, as pure functions.

Whatever breaks the grammar counts as absent: a bad `traceparent` starts a new trace and its `tracestate` is not read, a bad
`tracestate` is dropped and leaves its `traceparent` alone (https://www.w3.org/TR/trace-context-2/).

A place in a trace is kept as the 55 bytes that stand for it in the header, `00-<trace id>-<span id>-<flags>`: that is the form in which
it comes and goes, and most requests need no other.
"""

from __future__ import annotations

import re
from random import getrandbits
from typing import Final

__all__ = [
    "SAMPLED",
    "child_of",
    "flags_of",
    "new_id",
    "new_traceparent",
    "parse_traceparent",
    "parse_tracestate",
    "span_id_of",
    "trace_id_of",
]

SAMPLED: Final = 0x01
"""The caller may have recorded the trace."""

_RANDOM: Final = 0x02  # the right-most seven bytes of the trace id are random (level 2)

_HEX: Final = b"0123456789abcdef"
_VERSION: Final = b"00-"
_DASH: Final = ord("-")
_ZERO: Final = ord("0")
_LENGTH: Final = 55
_NO_TRACE: Final = b"0" * 32
_NO_SPAN: Final = b"0" * 16
_MAX_MEMBERS: Final = 32
_MAX_LENGTH: Final = 512
_LONG_MEMBER: Final = 128

_member = re.compile(
    rb"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)


def parse_traceparent(value: bytes) -> bytes:
    """Return the caller's place in its trace, with none but the defined flags, or b"" when the header breaks the grammar.

    A version above 00 is read by the rule for future versions: its first four fields count, what follows a dash is not looked at.
    """
    if len(value) != _LENGTH or value[:3] != _VERSION:
        value = _as_version_00(value.strip(b" \t"))
    # Three characters that are no hexadecimal digit, all of them dashes at their places: cheaper than a pattern.
    if not value or value[35] != _DASH or value[52] != _DASH or value.translate(None, _HEX) != b"---":
        return b""
    if (value[3] == _ZERO and value[3:35] == _NO_TRACE) or (value[36] == _ZERO and value[36:52] == _NO_SPAN):
        return b""
    if value[53] == _ZERO and value[54] <= _ZERO + (SAMPLED | _RANDOM):
        return value
    return b"%b%02x" % (value[:53], int(value[53:], 16) & (SAMPLED | _RANDOM))


def _as_version_00(value: bytes) -> bytes:
    """What version 00 would have said, 55 bytes, or b"" when this is no later version either."""
    version, rest = value[:3], value[_LENGTH:]
    if len(value) < _LENGTH or version[2:] != b"-" or version[:2].translate(None, _HEX) or version[:2] == b"ff":
        return b""
    if rest and (version == _VERSION or not rest.startswith(b"-")):
        return b""
    return _VERSION + value[3:_LENGTH]


def parse_tracestate(value: bytes) -> str:
    """Return the members to pass on as one value, or "" when one breaks the grammar.

    Of a repeated key the first member stays. At most 512 characters are passed on: members above 128 characters leave first, then
    the right-most ones, as the specification asks.
    """
    members: dict[bytes, str] = {}
    count = 0
    for raw in value.split(b","):
        member = raw.strip(b" \t")
        if not member:
            continue
        count += 1
        if count > _MAX_MEMBERS or _member.fullmatch(member) is None:
            return ""
        members.setdefault(member.partition(b"=")[0], member.decode())
    return _fitted(list(members.values()))


def _fitted(members: list[str]) -> str:
    for at in range(len(members) - 1, -1, -1):
        if len(",".join(members)) > _MAX_LENGTH and len(members[at]) > _LONG_MEMBER:
            del members[at]
    while len(",".join(members)) > _MAX_LENGTH:
        del members[-1]
    return ",".join(members)


def child_of(traceparent: bytes) -> bytes:
    """A new span in the same trace."""
    return b"%b%016x%b" % (traceparent[:36], getrandbits(64) or 1, traceparent[52:])


def new_traceparent() -> bytes:
    """The first span of a new trace, with a random trace id, not sampled."""
    return b"00-%032x-%016x-02" % (getrandbits(128) or 1, getrandbits(64) or 1)


def new_id() -> bytes:
    """32 random hexadecimal digits; they name something and protect nothing."""
    return b"%032x" % getrandbits(128)


def trace_id_of(traceparent: bytes) -> str:
    """32 hexadecimal digits."""
    return traceparent[3:35].decode()


def span_id_of(traceparent: bytes) -> str:
    """16 hexadecimal digits, or "" of b""."""
    return traceparent[36:52].decode()


def flags_of(traceparent: bytes) -> int:
    """The flags that are defined: 1 sampled, 2 random."""
    return traceparent[54] - _ZERO
