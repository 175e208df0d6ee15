"""Strict reading of a compact JWS (RFC 7515), before anything is believed: pure, and one error for everything that is wrong.

Stricter than the RFC where readers have differed: base64url in its one canonical form, UTF-8 only, no duplicate members, no NaN, a bounded size and
a bounded number of brackets.
"""

from __future__ import annotations

import json
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from typing import Any, Final, NamedTuple, NoReturn, cast

from orchestrator_auth.exceptions import TokenRefused

MAX_TOKEN: Final = 8_192
MAX_HEADER: Final = 512
_MAX_BRACKETS: Final = 128

_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_PADDING: Final = (b"", b"===", b"==", b"=")


class Segments(NamedTuple):
    """A token in its parts; `header` stays encoded until somebody asks."""

    header: bytes
    signed: bytes
    payload: bytes
    signature: bytes


def split(token: str) -> Segments:
    """The parts of a token.

    Raises:
        TokenRefused: It does not have the form of one.
    """
    if len(token) > MAX_TOKEN:
        raise TokenRefused("token is oversized")
    if not token.isascii():
        raise TokenRefused("token is not ASCII")
    signed, _, signature = token.encode().rpartition(b".")
    header, _, payload = signed.partition(b".")
    if not header or not payload or not signature or b"." in payload:
        raise TokenRefused("token has not three parts")
    if len(header) > MAX_HEADER:
        raise TokenRefused("header is oversized")
    return Segments(header, signed, decode(payload), decode(signature))


def decode(segment: bytes) -> bytes:
    """The bytes behind base64url without padding, in its canonical form only."""
    try:
        data = a2b_base64(segment.translate(_TO_STANDARD) + _PADDING[len(segment) % 4])
    except Base64Error:
        raise TokenRefused("segment is not base64url") from None
    # One text per value: else padding, spaces or spare bits would make a second token of the same meaning.
    if encode(data) != segment:
        raise TokenRefused("segment is not canonical base64url")
    return data


def encode(data: bytes) -> bytes:
    """Base64url without padding."""
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise TokenRefused("duplicate member")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise TokenRefused(f"{name.strip('-').lower()} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def load_object(data: bytes) -> dict[str, Any]:
    """A JSON object, read strictly.

    Raises:
        TokenRefused: It is none.
    """
    if data.count(b"{") + data.count(b"[") > _MAX_BRACKETS:
        raise TokenRefused("JSON is nested or too large")
    try:
        value: object = _decoder.decode(data.decode())
        if b"\\u" in data:  # a lone surrogate would break whoever writes the value down later
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise TokenRefused("JSON is malformed") from None
    if not isinstance(value, dict):
        raise TokenRefused("JSON is not an object")
    return cast("dict[str, Any]", value)


def numeric_date(claims: dict[str, Any], name: str) -> float:
    """A required NumericDate: finite, and within the years that a calendar knows.

    Raises:
        TokenRefused: Missing, or something else.
    """
    value: object = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TokenRefused(f"{name} is missing or no number")
    # Before anything is computed with it: an integer may be larger than any float. No comparison holds for NaN.
    if not 0 <= value < 253_402_300_800:
        raise TokenRefused(f"{name} is out of range")
    return float(value)
