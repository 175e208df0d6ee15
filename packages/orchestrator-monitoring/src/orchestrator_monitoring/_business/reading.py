"""Reading an event's payload: whatever is in it, what is asked for is there in its type, or it is not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast

__all__ = ["number_of", "ratio_of", "seconds_between", "steps_of", "text_of"]

_BEYOND: Final = 1e300
"""No figure of a call comes near it, and sums of what is below stay finite."""


def text_of(payload: Mapping[str, object], name: str) -> str:
    """A member's text; empty where there is none."""
    value = payload.get(name)
    return value if isinstance(value, str) else ""


def steps_of(payload: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The steps of an answer."""
    steps = payload.get("steps")
    given = cast("list[object]", steps) if isinstance(steps, list) else []
    return [cast("Mapping[str, object]", each) for each in given if isinstance(each, Mapping)]


def number_of(value: object) -> float | None:
    """A finite number, or none; JSON's may have more digits than a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _BEYOND else None


def ratio_of(value: object) -> float | None:
    """A number from 0 to 1, or none."""
    number = number_of(value)
    return number if number is not None and 0.0 <= number <= 1.0 else None


def seconds_between(since: datetime, until: datetime) -> float:
    """Never less than zero: clocks may be set back."""
    return max(0.0, (until - since).total_seconds())
