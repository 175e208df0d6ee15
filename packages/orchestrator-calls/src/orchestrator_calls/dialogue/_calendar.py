"""Days and times as people say them, and what they mean on a given day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from typing import Final

from orchestrator_calls.dialogue._lexicon import Part

__all__ = ["DaySaid", "TimeSaid", "later", "resolve_day", "resolve_time", "with_part"]

_HALF_DAY: Final = 720
_DAY: Final = 1440


@dataclass(frozen=True, slots=True)
class TimeSaid:
    """A time of day in minutes; not `clear` when it may be twelve hours later as well."""

    minutes: int
    clear: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySaid:
    """A day as it was said.

    Attributes:
        days: From today.
        weekday: Monday is 0.
        next_week: The weekday is meant in the next calendar week.
        weekend: The coming Saturday is meant.
        numbers: Two or three numbers as they were said or typed ("5.6.", "2026-06-05").
        feast: Month and day, or the days from Easter Sunday alone.
        plus: So many days after the day that all the others name.
    """

    days: int | None = None
    weekday: int | None = None
    next_week: bool = False
    weekend: bool = False
    day: int | None = None
    month: int | None = None
    year: int | None = None
    numbers: tuple[int, ...] = ()
    feast: tuple[int, ...] = ()
    plus: int = 0

    @property
    def is_past(self) -> bool:
        """Whether it is over on any day on which it is said."""
        return self.days is not None and self.days < 0

    @property
    def is_relative(self) -> bool:
        """Whether it names a day by its weekday or number alone, and so the next such day after another one."""
        weekday = self.weekday is not None and not self.next_week and not self.days
        return self.weekend or weekday or (self.day is not None and self.month is None and self.year is None)


def with_part(said: TimeSaid, part: Part | None) -> TimeSaid:
    """`said` with the half of the day that `part` tells, when it was open."""
    if said.clear or part is None:
        return said
    early = said.minutes % _HALF_DAY
    if part is Part.AM or (part is Part.NIGHT and early < 360):
        return TimeSaid(early, clear=True)
    return TimeSaid(early + _HALF_DAY, clear=True)


def resolve_time(said: TimeSaid, earliest: time | None, latest: time | None) -> time:
    """The time that is meant: where it is open, the one between `earliest` and `latest`, or else the one people are awake at."""
    if said.clear:
        return _clock(said.minutes)
    early = said.minutes % _HALF_DAY
    both = [_clock(early), _clock(early + _HALF_DAY)]
    fitting = [at for at in both if (earliest is None or at >= earliest) and (latest is None or at <= latest)]
    if len(fitting) == 1:
        return fitting[0]
    return both[0] if early >= 420 else both[1]


def _clock(minutes: int) -> time:
    minutes %= _DAY
    return time(minutes // 60, minutes % 60)


def resolve_day(  # noqa: PLR0911 - one return per way to name a day
    said: DaySaid, today: date | None, *, month_first: bool = False
) -> date | None:
    """The day that is meant on `today`: never a past one unless its year was said. None where there is no such day, or no telling."""
    if said.plus:
        base = resolve_day(replace(said, plus=0), today, month_first=month_first)
        return None if base is None else later(base, said.plus)
    if said.numbers:
        named = _ordered(said.numbers, month_first=month_first)
        return None if named is None else resolve_day(named, today)
    if said.year is not None:
        return _date(said.year, said.month, said.day)
    if today is None:
        return None
    if said.feast:
        return _of_feast(said.feast, today)
    if said.day is not None:
        return _coming(said.day, said.month, today)
    if said.weekend:
        return later(today, (5 - today.weekday()) % 7)
    if said.weekday is None:
        return _later(today, said.days or 0)
    if said.next_week:
        return _later(today, 7 - today.weekday() + said.weekday)
    ahead = (said.weekday - today.weekday()) % 7 or 7
    return _later(today, ahead + (said.days or 0))


def later(day: date, days: int) -> date | None:
    """`day` and so many days, None beyond the end of the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def _later(today: date, days: int) -> date | None:
    return later(today, days) if days < 3660 else None


def _ordered(numbers: tuple[int, ...], *, month_first: bool) -> DaySaid | None:
    if len(numbers) == 3 and numbers[0] > 31:
        return DaySaid(year=numbers[0], month=numbers[1], day=numbers[2])
    day, month = numbers[:2]
    if month > 12 or (month_first and day <= 12):
        day, month = month, day
    if len(numbers) == 2:
        return DaySaid(day=day, month=month)
    year = numbers[2] + 2000 if numbers[2] < 100 else numbers[2]
    return DaySaid(day=day, month=month, year=year)


def _coming(day: int, month: int | None, today: date) -> date | None:
    """The first such day that is not past; a leap day may be eight years away."""
    if month is None:
        for ahead in range(3):
            index = today.month - 1 + ahead
            found = _date(today.year + index // 12, index % 12 + 1, day)
            if found is not None and found >= today:
                return found
        return None
    for year in range(today.year, today.year + 9):
        found = _date(year, month, day)
        if found is not None and found >= today:
            return found
    return None


def _of_feast(feast: tuple[int, ...], today: date) -> date | None:
    first, *day = feast
    return _coming(day[0], first, today) if day else _from_easter(first, today)


def _from_easter(days: int, today: date) -> date | None:
    for year in (today.year, today.year + 1):
        found = later(_easter(year), days)
        if found is not None and found >= today:
            return found
    return None


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Astronomical Algorithms, chapter 8)."""
    century, of_century = divmod(year, 100)
    golden = year % 19
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - epact - of_century % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _date(year: int, month: int | None, day: int | None) -> date | None:
    try:
        return date(year, month or 0, day or 0)
    except ValueError:
        return None
