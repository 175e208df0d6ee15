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
from collections.abc import Mapping
from typing import cast

from orchestrator_kernel.ports import WebhookRefused, WebhookRequest

_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", b"===", b"==", b"=")
MOST_DIGITS = 11
"""Of Unix seconds: up to the year 5138, so that a date can always be made of them."""
BAD_SECONDS = "the timestamp is not a number of seconds"
_LONGEST_NUMBER = 20


_DELIVERY_ID = re.compile(r"[!-~]{1,255}")


def required_headers(request: WebhookRequest, names: Mapping[str, None]) -> dict[str, str]:
    """The headers of those lower-case names, found in one pass: each is there once, in ASCII and not empty.

    Raises:
        WebhookRefused: One of them is missing, empty, not ASCII, or repeated: two readers could see two values.
    """
    found: dict[str, str] = {}
    for name, value in request.headers:
        key = name.lower()
        if key in names:
            if key in found:
                raise WebhookRefused(f"repeated header {key}")
            if not value or not value.isascii():
                raise WebhookRefused(f"header {key} is empty or not ASCII")
            found[key] = value
    if len(found) != len(names):
        missing = next(name for name in names if name not in found)
        raise WebhookRefused(f"missing header {missing}")
    return found


def found_headers(request: WebhookRequest, names: Mapping[str, None]) -> dict[str, str]:
    """Those of the headers that are there, found in one pass; a repeated one is refused."""
    found: dict[str, str] = {}
    for name, value in request.headers:
        key = name.lower()
        if key in names:
            if key in found:
                raise WebhookRefused(f"repeated header {key}")
            found[key] = value
    return found


def carries_id(delivery_id: str, separator: str) -> bool:
    """Whether the id can be signed unambiguously: 1 to 255 printable ASCII characters that end where the separator begins."""
    ends = (delivery_id + separator).find(separator)
    return ends == len(delivery_id) and _DELIVERY_ID.fullmatch(delivery_id) is not None


def ascii_of(found: Mapping[str, str], name: str) -> str:
    """One of the found headers, which must be there, in ASCII and not empty."""
    value = found.get(name)
    if value and value.isascii():
        return value
    raise WebhookRefused(f"missing header {name}" if value is None else f"header {name} is empty or not ASCII")


def ascii_header(request: WebhookRequest, name: str) -> str:
    """The only value of a header that must be there, in ASCII and not empty."""
    return ascii_of(found_headers(request, {name: None}), name)


def base64url(text: str) -> bytes:
    """Unpadded base64url (RFC 7515 section 2) in its canonical form: no padding, no spaces, no stray bits."""
    given = text.encode(errors="replace").translate(_TO_STANDARD) + _PADDING[len(text) % 4]
    try:
        data = binascii.a2b_base64(given)
    except binascii.Error:
        raise WebhookRefused("not base64url") from None
    if not data or binascii.b2a_base64(data, newline=False) != given:
        raise WebhookRefused("not base64url, or not its canonical form")
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
