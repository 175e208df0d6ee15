"""The values of slots: from what was said or typed to JSON, with a reason when it will not do, and from JSON to words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Final

from orchestrator_calls.dialogue._calendar import DaySaid, TimeSaid, later, resolve_day, resolve_time
from orchestrator_calls.dialogue._lexicon import Kind, Language
from orchestrator_calls.dialogue._listening import Mention
from orchestrator_calls.dialogue._model import Slot, SlotType
from orchestrator_kernel.ports import Json

__all__ = [
    "OWN_NUMBER",
    "Moment",
    "Refusal",
    "pending_nights",
    "say_reason_value",
    "settle",
    "spoken",
    "typed",
    "well_formed",
]

OWN_NUMBER: Final = "caller"
"""The value of a phone slot for the number from which the caller calls."""
_LONGEST_STAY: Final = 365
_DIGITS: Final = (SlotType.PHONE, SlotType.ROOM, SlotType.CODE)


@dataclass(frozen=True, slots=True)
class Moment:
    """When the caller speaks, as far as it is known, and whether 5/6 is the sixth of May there."""

    now: datetime | None
    month_first: bool = False

    @property
    def today(self) -> date | None:
        """The day."""
        return None if self.now is None else self.now.date()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a value will not do: the name of a text of `[reasons]`, and the values it speaks."""

    reason: str
    values: Mapping[str, Json] = field(default_factory=dict[str, Json])


def settle(slot: Slot, raw: object, filled: Mapping[str, Json], moment: Moment) -> Json | Refusal:  # noqa: PLR0911 - one return per type
    """The value of `slot` for what the caller gave, or the reason against it."""
    said = raw.value if isinstance(raw, Mention) else raw
    match slot.type:
        case SlotType.DATE:
            nights = isinstance(raw, Mention) and raw.kind is Kind.NIGHTS
            return _nights(slot, said, filled) if nights else _day(slot, said, filled, moment)
        case SlotType.TIME:
            return _time(slot, said)
        case SlotType.NUMBER | SlotType.PARTY_SIZE:
            if isinstance(said, int) and slot.low <= said <= slot.high:
                return said
            return Refusal("out_of_range", {"min": slot.low, "max": slot.high})
        case SlotType.YES_NO:
            return bool(said)
        case SlotType.CHOICE:
            return str(said)
        case SlotType.PHONE if said == OWN_NUMBER:
            return OWN_NUMBER
        case _:
            text = str(said).strip()
            if slot.low <= len(text) <= slot.high:
                return text
            reason = "wrong_length" if slot.type in _DIGITS else "wrong_text_length"
            return Refusal(reason, {"min": slot.low, "max": slot.high})


def _day(slot: Slot, said: object, filled: Mapping[str, Json], moment: Moment) -> Json | Refusal:
    before = _date(filled.get(slot.after)) if slot.after else None
    # "Leaving on Thursday" is the Thursday after the arrival.
    today = before if before is not None and isinstance(said, DaySaid) and said.is_relative else moment.today
    day = resolve_day(said, today, month_first=moment.month_first) if isinstance(said, DaySaid) else None
    if day is None:
        return Refusal("invalid_date" if moment.now is not None else "no_calendar")
    if moment.today is not None and day < moment.today:
        return Refusal("past_date")
    if moment.today is not None and slot.within_days is not None and (day - moment.today).days > slot.within_days:
        return Refusal("too_far", {"max": slot.within_days})
    if before is not None and day <= before:
        return Refusal("not_after", {"after": before.isoformat()})
    return day.isoformat()


def _nights(slot: Slot, said: object, filled: Mapping[str, Json]) -> Json | Refusal:
    if not isinstance(said, int) or not 1 <= said <= _LONGEST_STAY:
        return Refusal("out_of_range", {"min": 1, "max": _LONGEST_STAY})
    start = _date(filled.get(slot.after)) if slot.after else None
    if start is None:
        return f"+{said}"
    end = later(start, said)
    return Refusal("invalid_date") if end is None else end.isoformat()


def pending_nights(value: Json, start: Json) -> Json:
    """The day of departure for a number of nights that was said before the day of arrival was known."""
    first = _date(start)
    if first is None or not isinstance(value, str) or not value.startswith("+"):
        return value
    end = later(first, int(value[1:]))
    return value if end is None else end.isoformat()


def _time(slot: Slot, said: object) -> Json | Refusal:
    if not isinstance(said, TimeSaid):
        return Refusal("invalid_time")
    at = resolve_time(said, slot.earliest, slot.latest)
    if (slot.earliest is not None and at < slot.earliest) or (slot.latest is not None and at > slot.latest):
        hours = {"min": _minutes(slot.earliest or time.min), "max": _minutes(slot.latest or time.max)}
        return Refusal("outside_hours", hours)
    return _minutes(at)


def _minutes(at: time) -> str:
    return at.isoformat("minutes")


def typed(slot: Slot, digits: str) -> object:  # noqa: PLR0911 - one return per type
    """What the caller gave with keys, for `settle`; None where the keys cannot mean a value of the slot."""
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 15 else None
    if number is None:
        return None
    match slot.type:
        case SlotType.DATE:
            return DaySaid(day=number // 100, month=number % 100) if len(digits) == 4 else None
        case SlotType.TIME:
            fits = len(digits) == 4 and number // 100 < 24 and number % 100 < 60
            return TimeSaid(number // 100 * 60 + number % 100, clear=True) if fits else None
        case SlotType.NUMBER | SlotType.PARTY_SIZE:
            return number
        case SlotType.PHONE | SlotType.ROOM | SlotType.CODE:
            return digits
        case SlotType.CHOICE:
            return slot.options[number - 1].name if 1 <= number <= len(slot.options) else None
        case SlotType.YES_NO:
            return {1: True, 2: False}.get(number)
        case SlotType.TEXT | SlotType.NAME:
            return None


def well_formed(slot: Slot, value: Json) -> bool:  # noqa: PLR0911 - one return per type
    """Whether a remembered value can be one of the slot; `_memory` drops the others."""
    match slot.type:
        case SlotType.DATE:
            nights = isinstance(value, str) and value[:1] == "+" and value[1:].isascii() and value[1:].isdigit()
            return (nights and len(str(value)) <= 4) or _date(value) is not None
        case SlotType.TIME:
            return _clock(value) is not None
        case SlotType.NUMBER | SlotType.PARTY_SIZE:
            return isinstance(value, int) and not isinstance(value, bool) and slot.low <= value <= slot.high
        case SlotType.YES_NO:
            return isinstance(value, bool)
        case SlotType.CHOICE:
            return any(option.name == value for option in slot.options)
        case SlotType.PHONE if value == OWN_NUMBER:
            return True
        case _:
            return isinstance(value, str) and slot.low <= len(value) <= slot.high


def spoken(slot: Slot, value: Json, language: Language, moment: Moment) -> str:  # noqa: PLR0911 - one return per type
    """The value in words; empty where there is none."""
    if value is None or slot.sensitive or not well_formed(slot, value):
        return ""
    match slot.type:
        case SlotType.DATE:
            day = _date(value)
            return language.say_nights(int(str(value)[1:])) if day is None else say_day(day, language, moment)
        case SlotType.TIME:
            at = _clock(value)
            return "" if at is None else language.say_time(at)
        case SlotType.PARTY_SIZE:
            return language.say_people(value) if isinstance(value, int) else ""
        case SlotType.YES_NO:
            return language.say_yes_no[0 if value else 1]
        case SlotType.CHOICE:
            option = next(option for option in slot.options if option.name == value)
            label = option.label.sentences.get(language.tag, ()) if option.label else ()
            return "".join(part for part in label[0].parts if isinstance(part, str)) if label else ""
        case SlotType.PHONE if value == OWN_NUMBER:
            return language.say_own_number
        case SlotType.PHONE | SlotType.CODE:
            return " ".join(str(value))
        case _:
            return str(value)


def say_day(day: date, language: Language, moment: Moment) -> str:
    """A day in words, with its year when that is not the one that people expect."""
    today = moment.today
    return language.say_date(day, today is None or not 0 <= (day - today).days < 330)


def say_reason_value(value: Json, language: Language, moment: Moment) -> str:
    """A value of a `Refusal` in words."""
    at, day = _clock(value), _date(value)
    if at is not None:
        return language.say_time(at)
    return str(value) if day is None else say_day(day, language, moment)


def _date(value: object) -> date | None:
    if not isinstance(value, str) or len(value) != 10:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _clock(value: object) -> time | None:
    if not isinstance(value, str) or len(value) != 5 or value[2] != ":":
        return None
    try:
        return time.fromisoformat(value)
    except ValueError:
        return None
