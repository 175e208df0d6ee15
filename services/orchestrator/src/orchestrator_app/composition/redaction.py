"""Keeping personal data out of logs, audit and errors: by its form, and by what is known of the people in a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from orchestrator_app.composition.secrets import AppSecrets
from orchestrator_calls.events import TERMINAL, Event, EventType
from orchestrator_calls.notices import EventKept, Notice, StateChanged
from orchestrator_kernel.ports import Json, Redactor
from orchestrator_security.pii_redactor import GDPR_FIELDS, Kind, PiiRedactor, RedactionRules

__all__ = ["KnownCallers", "make_redactor"]

_SHORTEST = 3


def make_redactor(secrets: AppSecrets, *, observe: Callable[[Kind], None] | None = None) -> PiiRedactor:
    """One redactor for everything that leaves the process; `observe` is told what kind of thing it took out."""
    return PiiRedactor(RedactionRules(fields=GDPR_FIELDS), key=secrets.derive("redaction"), observe=observe)


class KnownCallers:
    """Tells the redactor who is in a call: the numbers it began with, and what the caller told of themselves."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def observe(self, notice: Notice) -> None:
        """Learn from what is kept; forget a call that is over."""
        match notice:
            case EventKept(event):
                values = [value for value in _told(event) if len(value) >= _SHORTEST]
                if values:
                    self._redactor.know(event.call_id, values)
            case StateChanged() if notice.after in TERMINAL:
                self._redactor.forget(notice.call_id)
            case _:
                pass


def _told(event: Event) -> Iterator[str]:
    if event.type is EventType.CALL_STARTED:
        for name in ("caller", "from", "name"):
            value = event.payload.get(name)
            if isinstance(value, str):
                yield value
    elif event.type is EventType.TURN_ANSWERED:
        steps = event.payload.get("steps")
        if isinstance(steps, Sequence) and not isinstance(steps, str):
            for step in steps:
                if isinstance(step, Mapping) and step.get("step") == "remember":
                    yield from _slots(step.get("memory"))


def _slots(memory: Json) -> Iterator[str]:
    """The values of all slots, wherever a responder keeps them."""
    if isinstance(memory, Mapping):
        slots = memory.get("slots")
        if isinstance(slots, Mapping):
            yield from (value for value in slots.values() if isinstance(value, str))
        for value in memory.values():
            yield from _slots(value)
    elif isinstance(memory, Sequence) and not isinstance(memory, str):
        for each in memory:
            yield from _slots(each)
