"""Durations as Prometheus writes them: `5m`, `1h30m`, `30d`."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["duration_text", "seconds_of"]

_UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_form = re.compile(r"(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?").fullmatch


def seconds_of(text: str) -> int:
    """Whole seconds of a duration.

    >>> seconds_of("1h30m"), seconds_of("30d")
    (5400, 2592000)

    Raises:
        ValueError: It is not written so, or is zero.
    """
    found = _form(text)
    parts = found.groups() if found else ()
    total = sum(int(part) * unit for part, unit in zip(parts, _UNITS.values(), strict=False) if part)
    if total == 0:
        raise ValueError(f"{text!r} is no duration such as 5m, 1h30m or 30d")
    return total


def duration_text(seconds: float) -> str:
    """The shortest way to write whole seconds; days at most, because a week is written as 7d everywhere.

    >>> duration_text(5400), duration_text(2592000), duration_text(300)
    ('1h30m', '30d', '5m')
    """
    left, text = round(seconds), ""
    for name in "dhms":
        count, left = divmod(left, _UNITS[name])
        text += f"{count}{name}" if count else ""
    return text or "0s"
