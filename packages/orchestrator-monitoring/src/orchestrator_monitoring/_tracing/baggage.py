"""The `baggage` header (W3C Baggage), to and from OpenTelemetry's context.

A value with properties travels on with them: it is kept as a `BaggageValue`, a text that remembers what followed the semicolon.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from opentelemetry import baggage

if TYPE_CHECKING:
    from opentelemetry.context.context import Context

__all__ = ["BaggageValue", "read_baggage", "written_baggage"]

MAX_MEMBERS: Final = 64
MAX_BYTES: Final = 8192

_OWS: Final = " \t"
_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_octets = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
# What may stand in a value as it is; everything else is written with per cent signs.
_SAFE: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"


class BaggageValue(str):
    """A value, with the properties that came along: `ttl=30` of `key=value;ttl=30`."""

    __slots__ = ("properties",)

    properties: tuple[str, ...]

    def __new__(cls, value: str, properties: Sequence[str] = ()) -> BaggageValue:  # noqa: PYI034 - Self needs no import here
        made = super().__new__(cls, value)
        made.properties = tuple(properties)
        return made


def read_baggage(headers: Sequence[str], context: Context) -> Context:
    """The context with the members of all `baggage` headers; a member that breaks the grammar is passed over.

    At most 64 members and 8192 bytes are taken, from the left, as every platform must be able to.
    """
    taken = size = 0
    for member in ",".join(headers).split(","):
        size += len(member) + 1
        if size > MAX_BYTES + 1 or taken >= MAX_MEMBERS:
            break
        found = _member(member)
        if found is not None:
            context = baggage.set_baggage(found[0], found[1], context)
            taken += 1
    return context


def _member(member: str) -> tuple[str, BaggageValue] | None:
    first, *properties = member.split(";")
    key, equals, value = first.partition("=")
    key, value = key.strip(_OWS), value.strip(_OWS)
    if not equals or _token.fullmatch(key) is None or _octets.fullmatch(value) is None:
        return None
    kept = [each.strip(_OWS) for each in properties]
    if not all(map(_is_property, kept)):
        return None
    return key, BaggageValue(unquote(value), kept)


def _is_property(text: str) -> bool:
    key, equals, value = text.partition("=")
    return _token.fullmatch(key.strip(_OWS)) is not None and (
        not equals or _octets.fullmatch(value.strip(_OWS)) is not None
    )


def written_baggage(context: Context | None = None) -> str:
    """The header of a context, "" when nothing travels. What is too much stays behind, the right-most first."""
    members: list[str] = []
    size = -1
    for key, value in baggage.get_all(context).items():
        if _token.fullmatch(key) is None or len(members) >= MAX_MEMBERS:
            continue
        properties = value.properties if isinstance(value, BaggageValue) else ()
        member = ";".join([f"{key}={quote(str(value), safe=_SAFE)}", *properties])
        if size + 1 + len(member) > MAX_BYTES:
            continue
        members.append(member)
        size += 1 + len(member)
    return ",".join(members)
