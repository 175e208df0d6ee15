"""Figures as people read them: fixed digits, units, UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

__all__ = [
    "age",
    "clock_time",
    "count",
    "counted",
    "duration",
    "instant",
    "iso",
    "milliseconds",
    "percent",
    "seconds",
    "share",
]

_DAY: Final = 86_400
_NOTHING: Final = "\N{EN DASH}"


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC, for machines.

    >>> iso(datetime(2030, 1, 2, 3, 4, 5, 600000, tzinfo=UTC))
    '2030-01-02T03:04:05Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(moment: datetime) -> str:
    """Date and time in UTC.

    >>> instant(datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2030-01-02 03:04:05 UTC'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock_time(moment: datetime, now: datetime | None = None) -> str:
    """The time of day in UTC; with the date before it when it is another day than `now`.

    >>> day = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    >>> clock_time(day), clock_time(day, datetime(2030, 1, 3, tzinfo=UTC))
    ('03:04:05', '01-02 03:04:05')
    """
    there = moment.astimezone(UTC)
    today = now is None or now.astimezone(UTC).date() == there.date()
    return there.strftime("%H:%M:%S" if today else "%m-%d %H:%M:%S")


def age(moment: datetime, now: datetime) -> str:
    """How long ago; a moment ahead of `now` is told as `in`. The page's script counts on in the same words.

    >>> age(datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, 0, 2, 5, tzinfo=UTC))
    '2 min ago'
    """
    passed = (now - moment).total_seconds()
    words = _span(abs(passed))
    return f"in {words}" if passed <= -1 else f"{words} ago"


def _span(passed: float) -> str:
    if passed < 60:
        return f"{int(passed)} s"
    if passed < 3600:
        return f"{int(passed // 60)} min"
    if passed < 2 * _DAY:
        return f"{int(passed // 3600)} h"
    return f"{int(passed // _DAY)} d"


def duration(start: datetime, end: datetime) -> str:
    """Minutes and seconds, with hours when there are any.

    >>> duration(datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, 1, 2, 3, tzinfo=UTC))
    '1:02:03'
    """
    passed = max(0, int((end - start).total_seconds()))
    hours, rest = divmod(passed, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def milliseconds(value: float | None) -> str:
    """Whole milliseconds.

    >>> milliseconds(234.5)
    '234'
    """
    return _NOTHING if value is None else f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def count(value: int) -> str:
    """A whole number, its thousands apart."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def counted(value: int, noun: str) -> str:
    """A number of things, in words.

    >>> counted(1, "turn"), counted(0, "turn")
    ('1 turn', '0 turns')
    """
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def seconds(value: float) -> str:
    """A length of time in its natural unit.

    >>> seconds(300), seconds(21600), seconds(2419200), seconds(0.0042)
    ('5 min', '6 h', '28 d', '4 ms')
    """
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.3g} s"
    if value < 3600:
        return f"{value / 60:.3g} min"
    return f"{value / 3600:.3g} h" if value < 2 * _DAY else f"{value / _DAY:.3g} d"


def percent(value: float | None) -> str:
    """A share with enough digits to tell 99.9 from 99.99.

    >>> percent(0.9995), percent(0.95), percent(1.0)
    ('99.95', '95', '100')
    """
    if value is None:
        return _NOTHING
    # Rounded down: a promise that was missed never reads as kept.
    return f"{int(value * 1_000_000 + 1e-6) / 10_000:.4f}".rstrip("0").rstrip(".")


def share(value: float | None) -> str:
    r"""A share of a budget, in whole percent; what is left of it reads 0 only when nothing is.

    >>> share(0.004), share(-0.5), share(1)
    ('0.4', '\u221250', '100')
    """
    if value is None:
        return _NOTHING
    points = value * 100
    text = f"{points:.1f}" if 0 < abs(points) < 1 else f"{points:.0f}"
    return text.replace("-", "\N{MINUS SIGN}")
