"""Spans as OTLP's protobuf, written by hand: a quarter of what the generated messages cost, and nothing to install.

Field numbers are those of opentelemetry-proto 1.x (`collector/trace/v1/trace_service.proto`, `trace/v1/trace.proto`, `common/v1/common.proto`).
What most spans share, their attributes one by one, is encoded once and kept.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final, cast

from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode

from orchestrator_monitoring._tracing.privacy import Value
from orchestrator_monitoring._tracing.span import Happening, RecordedSpan, Scope

__all__ = ["OtlpEncoder", "rejected_spans"]

_KINDS: Final = {kind: bytes((0x30, kind.value + 1)) for kind in SpanKind}
_TIMES: Final = struct.Struct("<BQBQ").pack
_TIME: Final = struct.Struct("<BQ").pack
_FLAGS: Final = struct.Struct("<BI").pack
_DOUBLE: Final = struct.Struct("<Bd").pack
_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x200
_MAX_KNOWN: Final = 4096
_MAX_KNOWN_LENGTH: Final = 64
_WIRE_LENGTH: Final = 2


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def _sized(tag: int, content: bytes) -> bytes:
    """A field of bytes: its tag (number and wire type in one byte), its length, itself."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    return bytes((tag,)) + _varint(length) + content


def _text(tag: int, text: str) -> bytes:
    return _sized(tag, text.encode("utf-8", "replace"))


def _any_value(value: Value) -> bytes:
    if isinstance(value, str):
        return _text(0x0A, value)
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        # An int64: what is more is cut, as a negative number is written as its two's complement.
        return b"\x18" + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, float):
        return _DOUBLE(0x21, value)
    return _sized(0x2A, b"".join(_sized(0x0A, _any_value(each)) for each in value))


def _key_value(tag: int, key: str, value: Value) -> bytes:
    return _sized(tag, _text(0x0A, key) + _sized(0x12, _any_value(value)))


class OtlpEncoder:
    """Writes export requests of one process; used by one thread.

    Args:
        resource: What is said of the process.
    """

    def __init__(self, resource: Mapping[str, str]) -> None:
        self._resource = _sized(0x0A, b"".join(_key_value(0x0A, key, value) for key, value in resource.items()))
        self._known: dict[tuple[str, object, type], bytes] = {}
        self._names: dict[tuple[str, SpanKind], bytes] = {}

    def request(self, spans: Sequence[RecordedSpan]) -> bytes:
        """An `ExportTraceServiceRequest` of these spans."""
        scopes: dict[Scope, list[bytes]] = {}
        for span in spans:
            scopes.setdefault(span.scope, []).append(_sized(0x12, self._span(span)))
        groups = b"".join(_sized(0x12, _scope(scope) + b"".join(encoded)) for scope, encoded in scopes.items())
        return _sized(0x0A, self._resource + groups)

    def _span(self, span: RecordedSpan) -> bytes:
        parts = [b"\x0a\x10", span.trace_id.to_bytes(16, "big"), b"\x12\x08", span.span_id.to_bytes(8, "big")]
        if span.state:
            parts.append(_text(0x1A, span.state.to_header()))
        flags, parent = span.flags | _HAS_IS_REMOTE, span.parent
        if parent is not None:
            parts += (b"\x22\x08", parent.span_id.to_bytes(8, "big"))
            if isinstance(parent, SpanContext) and parent.is_remote:
                flags |= _IS_REMOTE
        parts += (self._name(span.name, span.kind), _TIMES(0x39, span.start, 0x41, span.end_time))
        for key, value in span.attributes.items():
            parts.append(self._attribute(key, value))
        if span.lost:
            parts.append(b"\x50" + _varint(span.lost))
        for happening in span.events:
            parts.append(_sized(0x5A, _event(happening)))
        for link in span.links:
            parts.append(_sized(0x6A, _link(link)))
        if span.status is not StatusCode.UNSET:
            message = _text(0x12, span.status_text) if span.status_text else b""
            parts.append(_sized(0x7A, message + bytes((0x18, span.status.value))))
        # Field 16 is the first whose tag takes two bytes.
        parts += (b"\x85", _FLAGS(0x01, flags))
        return b"".join(parts)

    def _name(self, name: str, kind: SpanKind) -> bytes:
        known = self._names.get((name, kind))
        if known is None:
            if len(self._names) >= _MAX_KNOWN:
                self._names.clear()
            known = self._names[name, kind] = _text(0x2A, name) + _KINDS[kind]
        return known

    def _attribute(self, key: str, value: Value) -> bytes:
        if isinstance(value, str) and len(value) > _MAX_KNOWN_LENGTH:
            return _key_value(0x4A, key, value)
        # The type, because 1, 1.0 and True are one key.
        mark = (key, value, type(value))
        known = self._known.get(mark)
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[mark] = _key_value(0x4A, key, value)
        return known


def _scope(scope: Scope) -> bytes:
    version = _text(0x12, scope.version) if scope.version else b""
    return _sized(0x0A, _text(0x0A, scope.name) + version)


def _event(happening: Happening) -> bytes:
    attributes = b"".join(_key_value(0x1A, key, value) for key, value in happening.attributes.items())
    return _TIME(0x09, happening.at) + _text(0x12, happening.name) + attributes


def _link(link: Link) -> bytes:
    context = link.context
    attributes = b"".join(_key_value(0x22, key, cast("Value", value)) for key, value in (link.attributes or {}).items())
    state = _text(0x1A, context.trace_state.to_header()) if context.trace_state else b""
    flags = context.trace_flags | _HAS_IS_REMOTE | (_IS_REMOTE if context.is_remote else 0)
    ids = b"\x0a\x10" + context.trace_id.to_bytes(16, "big") + b"\x12\x08" + context.span_id.to_bytes(8, "big")
    return ids + state + attributes + _FLAGS(0x35, flags)


def rejected_spans(response: bytes) -> int:
    """How many spans an `ExportTraceServiceResponse` says were not taken; 0 when it says nothing that can be read."""
    try:
        partial = _field(response, 1)
        rejected = None if not isinstance(partial, bytes) else _field(partial, 1)
    except IndexError:
        return 0
    return rejected if isinstance(rejected, int) else 0


def _field(message: bytes, wanted: int) -> bytes | int | None:
    """The last value of a field of wire type 0 or 2; IndexError when the message breaks off."""
    at, found = 0, None
    while at < len(message):
        tag, at = _read_varint(message, at)
        value, at = _read_varint(message, at)
        content: bytes | int = value
        if tag & 7 == _WIRE_LENGTH:
            if at + value > len(message):
                raise IndexError
            content, at = message[at : at + value], at + value
        elif tag & 7:
            raise IndexError
        if tag >> 3 == wanted:
            found = content
    return found


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError
