"""The W3C headers `traceparent` and `tracestate` (Trace Context level 2), parsed and written: pure functions, nothing to install.

What the user types:

    place = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    state = parse_tracestate(["congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7"])
    headers = {"traceparent": place.header, "tracestate": state.with_member("ours", "1").header}

Whatever breaks the grammar counts as absent: a bad `traceparent` starts a new trace and takes its `tracestate` along, a bad
`tracestate` leaves its `traceparent` alone (https://www.w3.org/TR/trace-context-2/).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from orchestrator_kernel.exceptions import ValidationError

__all__ = ["RANDOM", "SAMPLED", "TraceParent", "TraceState", "parse_headers", "parse_traceparent", "parse_tracestate"]

SAMPLED: Final = 0x01
"""The sender may have recorded the trace."""

RANDOM: Final = 0x02
"""At least the right-most 56 bits of the trace id are random (level 2)."""

_KNOWN: Final = SAMPLED | RANDOM
_OWS: Final = " \t"
_MAX_MEMBERS: Final = 32
_MAX_LENGTH: Final = 512
_LONG_MEMBER: Final = 128

_parent = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_key = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}")
_value = re.compile(r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")


class TraceParent(NamedTuple):
    """A place in a trace.

    Attributes:
        trace_id: 128 bits, not 0.
        span_id: 64 bits, not 0.
        flags: Only those that level 2 defines.
    """

    trace_id: int
    span_id: int
    flags: int = 0

    @property
    def sampled(self) -> bool:
        """Whether the sender may have recorded the trace."""
        return bool(self.flags & SAMPLED)

    @property
    def header(self) -> str:
        """The value of `traceparent`, in version 00, which is all that we speak."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.flags & _KNOWN:02x}"


def parse_traceparent(value: str) -> TraceParent | None:
    """The sender's place in its trace; None when the value breaks the grammar.

    Of a version above 00 the first four fields count, as the recommendation asks; what follows a dash is not looked at.

    >>> parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").sampled
    True
    """
    found = _parent.fullmatch(value.strip(_OWS))
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest is not None):
        return None
    place = TraceParent(int(trace_id, 16), int(span_id, 16), int(flags, 16) & _KNOWN)
    return place if place.trace_id and place.span_id else None


@dataclass(frozen=True, slots=True)
class TraceState:
    """What tracing systems pass along, the latest first; at most 32 members, every key once."""

    members: tuple[tuple[str, str], ...] = ()

    def get(self, key: str) -> str | None:
        """The value of a key, or None."""
        return next((value for name, value in self.members if name == key), None)

    def with_member(self, key: str, value: str) -> TraceState:
        """With this member in front; the right-most one leaves when there would be more than 32.

        Raises:
            ValidationError: The key or the value is none that the recommendation allows.
        """
        if _key.fullmatch(key) is None:
            raise ValidationError(
                "no key of a tracestate: lower-case letters, digits and _-*/@", details={"field": "key"}
            )
        if _value.fullmatch(value) is None:
            message = "no value of a tracestate: up to 256 printable characters without , and =, no space at the end"
            raise ValidationError(message, details={"field": "value"})
        return TraceState(((key, value), *self.without(key).members)[:_MAX_MEMBERS])

    def without(self, key: str) -> TraceState:
        """Without the member of this key."""
        return TraceState(tuple(member for member in self.members if member[0] != key))

    @property
    def header(self) -> str:
        """The value of `tracestate`, "" when there is nothing to say.

        At most 512 characters are written: members above 128 characters leave first, then the right-most ones.
        """
        written = [f"{key}={value}" for key, value in self.members]
        excess = len(",".join(written)) - _MAX_LENGTH
        for at in range(len(written) - 1, -1, -1):
            if excess > 0 and len(written[at]) > _LONG_MEMBER:
                excess -= len(written.pop(at)) + 1
        while excess > 0:
            excess -= len(written.pop()) + 1
        return ",".join(written)

    def __bool__(self) -> bool:
        return bool(self.members)


def parse_tracestate(values: Sequence[str]) -> TraceState:
    """The members of all `tracestate` headers of a message, in their order; empty when one breaks the grammar or there are more than 32.

    Of a repeated key the first member, which is the latest, stays.

    >>> parse_tracestate(["a=1, b=2", "a=3"]).header
    'a=1,b=2'
    """
    members: dict[str, str] = {}
    for count, member in enumerate(_members(values), 1):
        key, equals, value = member.partition("=")
        if count > _MAX_MEMBERS or not equals or _key.fullmatch(key) is None or _value.fullmatch(value) is None:
            return TraceState()
        members.setdefault(key, value)
    return TraceState(tuple(members.items()))


def _members(values: Iterable[str]) -> Iterable[str]:
    for value in values:
        for member in value.split(","):
            if found := member.strip(_OWS):
                yield found


def parse_headers(headers: Mapping[str, Sequence[str]]) -> tuple[TraceParent | None, TraceState]:
    """Both headers of a message, by their lower-case names; a repeated `traceparent` is none, and without one there is no state."""
    parents = headers.get("traceparent", ())
    place = parse_traceparent(parents[0]) if len(parents) == 1 else None
    return place, parse_tracestate(headers.get("tracestate", ())) if place is not None else TraceState()
