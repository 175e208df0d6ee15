"""One-time passwords (RFC 4226, RFC 6238): pure."""

from __future__ import annotations

import base64
import hmac
from typing import Final
from urllib.parse import quote, urlencode

PERIOD: Final = 30
DIGITS: Final = 6


def hotp(seed: bytes, counter: int, *, digits: int = DIGITS, algorithm: str = "sha1") -> str:
    """The code of a counter (RFC 4226 section 5.3).

    >>> hotp(b"12345678901234567890", 1)
    '287082'
    """
    mac = hmac.digest(seed, counter.to_bytes(8, "big"), algorithm)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}}"


def step_of(seconds: float) -> int:
    """The time step of an instant (RFC 6238 section 4.2)."""
    return int(seconds // PERIOD)


def matching_step(seed: bytes, code: str, seconds: float, *, after: int, window: int = 1) -> int | None:
    """The step whose code this is, among those up to `window` away; None if there is none, or only steps up to `after`, which are spent.

    All steps are compared, so that the time taken says nothing.
    """
    now, found = step_of(seconds), None
    for step in range(now - window, now + window + 1):
        if step >= 0 and hmac.compare_digest(hotp(seed, step).encode(), code.encode(errors="replace")) and step > after:
            found = step
    return found


def provisioning_uri(seed: bytes, *, account: str, issuer: str) -> str:
    """What an authenticator application reads from a QR code."""
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    secret = base64.b32encode(seed).decode().rstrip("=")
    query = urlencode(
        {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": PERIOD}, quote_via=quote
    )
    return f"otpauth://totp/{label}?{query}"
