"""What a tenant adds to a script: its actions, its opening hours, and what its callers must be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["NOTICES", "House", "OpeningHours", "Span"]

NOTICES: Final = ("disclosure", "consent")
"""What callers may have to be told, in the order in which it is said."""
_LOOK_AHEAD: Final = 370
"""Days; a house that is closed for longer names no day on which it opens."""


@dataclass(frozen=True, slots=True)
class Span:
    """Open from `opens` to before `closes`; a `closes` that is not later is on the next day, so 00:00 to 00:00 is all day."""

    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """When somebody is there, by the wall clock of the place.

    Attributes:
        week: The spans that begin on each weekday; Monday is 0, a day without any is closed.
        closed_on: Days on which no span begins, such as holidays.
    """

    week: Mapping[int, tuple[Span, ...]]
    closed_on: frozenset[date] = frozenset()

    def is_open(self, at: datetime) -> bool:
        """Whether somebody is there at `at`, whose own wall clock counts."""
        now = at.replace(tzinfo=None)
        days = (now.date(), *((now.date() - timedelta(days=1),) if now.date() > date.min else ()))
        return any(begin <= now < end for day in days for begin, end in self._spans(day))

    def next_opening(self, at: datetime) -> datetime | None:
        """When somebody is there again after `at`, as a wall clock without zone; None when that is not within a year."""
        now = at.replace(tzinfo=None)
        for ahead in range(_LOOK_AHEAD):
            if (date.max - now.date()).days < ahead:
                return None
            begins = [begin for begin, _ in self._spans(now.date() + timedelta(days=ahead)) if begin > now]
            if begins:
                return min(begins)
        return None

    def _spans(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        if day in self.closed_on:
            return
        for span in self.week.get(day.weekday(), ()):
            begin, end = datetime.combine(day, span.opens), datetime.combine(day, span.closes)
            if span.closes > span.opens:
                yield begin, end
            elif day < date.max:
                yield begin, end + timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One tenant, as far as its callers hear of it.

    Attributes:
        actions: The names of the actions that can be carried out; a form that names another one is only noted.
        hours: Outside of them nobody can be transferred, and a message is taken instead; None is always open.
        disclosure: The sentences that tell callers that no person answers, by language (BCP 47 primary subtag).
        consent: The same for what is recorded and kept.
    """

    actions: frozenset[str] = frozenset()
    hours: OpeningHours | None = None
    disclosure: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    consent: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def notices(self) -> Iterator[tuple[str, Mapping[str, tuple[str, ...]]]]:
        """What must be told, by its kind."""
        for kind, wording in zip(NOTICES, (self.disclosure, self.consent), strict=True):
            if wording:
                yield kind, wording

    def check(self, languages: tuple[str, ...]) -> None:
        """Refuse wording that a caller of one of `languages` would not hear.

        Raises:
            ConfigurationError: Names the wording and the languages that it lacks.
        """
        for kind, wording in self.notices():
            missing = [tag for tag in languages if not any(part.strip() for part in wording.get(tag, ()))]
            if missing:
                raise ConfigurationError(
                    f"{kind} has no wording in {', '.join(missing)}, which the script speaks",
                    details={"setting": kind, "languages": missing},
                )
