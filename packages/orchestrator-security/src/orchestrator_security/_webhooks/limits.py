"""The limits every scheme shares: size of the body, distance of the signed time from ours."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import WebhookRefused

DEFAULT_MAX_BODY = 1024 * 1024
"""Bytes; no sender known to us sends larger events."""

DEFAULT_TOLERANCE = 300.0
"""Seconds between the signed time and ours, in either direction."""

_WIDEST_TOLERANCE = 3600.0


def require_body_within(body: bytes, limit: int) -> None:
    """Refuse with 413 a body of more than `limit` bytes; called before anything is hashed."""
    if len(body) > limit:
        raise WebhookRefused(f"body of {len(body)} bytes, limit {limit}", status=413)


def require_time_within(signed_at: datetime, now: datetime, tolerance: timedelta) -> None:
    """Refuse a signed time more than `tolerance` away from `now`, past or future."""
    age = now - signed_at
    if age > tolerance:
        raise WebhookRefused(
            f"clock skew: signed {age.total_seconds():.0f} s ago, limit {tolerance.total_seconds():g} s"
        )
    if age < -tolerance:
        ahead = -age.total_seconds()
        raise WebhookRefused(f"clock skew: signed {ahead:.0f} s in the future, limit {tolerance.total_seconds():g} s")


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
