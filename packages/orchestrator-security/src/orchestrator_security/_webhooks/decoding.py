"""Strict readers for what a stranger sends: each has one reading for one text, and refuses everything else.

The decoders of the standard library are lenient where a verifier must not be: `int` reads `١٢`, `1_0` and ` 1 `, `b64decode` skips
foreign characters, `json` reads `NaN`, `1e999` as infinity, and keeps the last of two equal keys.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import cast

from orchestrator_kernel.ports import WebhookRefused, WebhookRequest

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_MOST_DIGITS = 11
_LONGEST_NUMBER = 20


def ascii_header(request: WebhookRequest, name: str) -> str:
    """The only value of a header that must be there, in ASCII and not empty."""
    value = request.header(name)
    if value is None:
        raise WebhookRefused(f"missing header {name.lower()}")
    if not value or not value.isascii():
        raise WebhookRefused(f"header {name.lower()} is empty or not ASCII")
    return value


def unix_seconds(text: str) -> int:
    """Seconds since 1970 in 1 to 11 ASCII digits (up to the year 5138), so that a date can always be made of it."""
    # In ASCII text `isdigit` means 0 to 9.
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise WebhookRefused("the timestamp is not a number of seconds")
    return int(text)


def base64url(text: str) -> bytes:
    """Unpadded base64url (RFC 7515 section 2) in its canonical form: no padding, no spaces, no stray bits."""
    if not _BASE64URL.fullmatch(text):
        raise WebhookRefused("not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise WebhookRefused("not base64url") from None
    if base64url_text(data) != text.encode():
        raise WebhookRefused("base64url that is not canonical")
    return data


def base64url_text(data: bytes) -> bytes:
    """Unpadded base64url of `data`, as ASCII bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def json_object(data: bytes) -> dict[str, object]:
    """A JSON object (RFC 8259) in UTF-8 whose names are unique at every depth and whose numbers are short and finite."""
    try:
        value: object = _DECODER.decode(data.decode())
    except (ValueError, RecursionError):
        raise WebhookRefused("not a JSON object with unique names and finite numbers") from None
    if not isinstance(value, dict):
        raise WebhookRefused("not a JSON object")
    return cast("dict[str, object]", value)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice")
    return value


def _short_int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number is too long")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    return value


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_short_int, parse_float=_finite, parse_constant=_no_constant
)
