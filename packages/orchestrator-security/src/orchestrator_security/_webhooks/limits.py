"""The limits every scheme shares: size of the body, distance of the signed time from ours."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import WebhookRefused
from orchestrator_security._webhooks.decoding import BAD_SECONDS, MOST_DIGITS

DEFAULT_MAX_BODY = 1024 * 1024
"""Bytes; no sender known to us sends larger events."""

DEFAULT_TOLERANCE = 300.0
"""Seconds between the signed time and ours, in either direction."""

_WIDEST_TOLERANCE = 3600.0


def refuse_size(size: int, limit: int) -> NoReturn:
    """Refuse with 413 a body of `size` bytes; called before anything is hashed."""
    raise WebhookRefused(f"body of {size} bytes, limit {limit}", status=413)


def require_body_within(body: bytes, limit: int) -> None:
    """Refuse with 413 a body of more than `limit` bytes; called before anything is hashed."""
    if len(body) > limit:
        refuse_size(len(body), limit)


def time_within(stamp: str, now: datetime, tolerance: timedelta) -> datetime:
    """The instant of a signed Unix second (ASCII) at most `tolerance` away from `now`, past or future; else refused."""
    # In ASCII text `isdigit` means 0 to 9.
    if not stamp.isdigit() or len(stamp) > MOST_DIGITS:
        raise WebhookRefused(BAD_SECONDS)
    signed_at = datetime.fromtimestamp(int(stamp), UTC)
    age = now - signed_at
    if abs(age) > tolerance:
        refuse_skew(age.total_seconds(), tolerance.total_seconds())
    return signed_at


def refuse_skew(age: float, limit: float) -> NoReturn:
    """Say how far the signed time is from ours; a negative age lies in the future."""
    way = f"{age:.0f} s ago" if age > 0 else f"{-age:.0f} s in the future"
    raise WebhookRefused(f"clock skew: signed {way}, limit {limit:g} s")


def valid_max_body(value: int) -> int:
    """`value`, if it can be a size limit in bytes.

    Raises:
        ConfigurationError: It is not positive.
    """
    if value <= 0:
        raise ConfigurationError(f"max_body must be a positive number of bytes, not {value}")
    return value


def valid_tolerance(value: float, name: str = "tolerance") -> float:
    """`value`, if it can be a time limit in seconds.

    Raises:
        ConfigurationError: It is negative, not finite, or over an hour, which would leave replays open all that time.
    """
    if not math.isfinite(value) or not 0 <= value <= _WIDEST_TOLERANCE:
        raise ConfigurationError(f"{name} must be between 0 and {_WIDEST_TOLERANCE:g} seconds, not {value}")
    return float(value)
