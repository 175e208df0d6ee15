"""Keeping personal data out of logs, audit and errors: by its form, and by what is known of the people in a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from orchestrator_app.composition.secrets import AppSecrets
from orchestrator_calls.events import TERMINAL, Event, EventType
from orchestrator_calls.notices import CallResumed, EventKept, Notice, StateChanged
from orchestrator_kernel.ports import Json
from orchestrator_security.pii_redactor import GDPR_FIELDS, Kind, PiiRedactor, RedactionRules, field_name

__all__ = ["KnownCallers", "make_redactor"]

_SHORTEST: Final = 3
_ROOMS: Final = ("room", "Zimmer", "habitación", "chambre")
_PERSONAL: Final = frozenset(
    map(
        field_name,
        (
            *GDPR_FIELDS,
            *(
                "participant",
                "guest",
                "surname",
                "street",
                "postcode",
                "mail",
                "phone_number",
                "mobile",
                "birthday",
                "birth_date",
                "company",
            ),
            *(
                "booking",
                "booking_reference",
                "reference",
                "confirmation",
                "confirmation_code",
                "reservation",
                "reservation_number",
            ),
            *("membership", "membership_number", "loyalty_number", "licence_plate", "license_plate"),
        ),
    )
)
"""Names of fields that say who somebody is, or lead to them."""
_OWN_NUMBER: Final = "caller"
"""In a slot: the number that the call came from."""
_CODE: Final = re.compile(r"(?=.*\d)[^\W_](?:[ ./-]?[^\W_]){2,}\Z")
"""What may be a room, a number or a code, whatever its field is called."""
_WHEN: Final = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d|\+\d{1,3}")
"""Days, times and nights as slots keep them: they tell of nobody, and stand in every log line."""


def make_redactor(secrets: AppSecrets, *, observe: Callable[[Kind], None] | None = None) -> PiiRedactor:
    """One redactor for everything that leaves the process; `observe` is told what kind of thing it took out."""
    return PiiRedactor(RedactionRules(fields=GDPR_FIELDS), key=secrets.derive("redaction"), observe=observe)


class KnownCallers:
    """Tells the redactor who is in a call, as soon as the call learns it.

    That is: what it began with, who joined, every slot and argument that the dialogue filled, and what the tenant's systems answered. A process
    learns it from the events that it keeps, and of a call that it takes up again what the call itself remembers.
    """

    def __init__(self, redactor: PiiRedactor) -> None:
        self._redactor = redactor

    def observe(self, notice: Notice) -> None:
        """Learn from what is kept; forget a call that is over."""
        match notice:
            case EventKept(event):
                values = list(_told(event))
                if values:
                    self._redactor.know(event.call_id, values, tenant=event.tenant)
            case CallResumed():
                values = [*_forms("caller", notice.caller), *_remembered(notice.memory)]
                if values:
                    self._redactor.know(notice.call_id, values, tenant=notice.tenant)
            case StateChanged() if notice.after in TERMINAL:
                self._redactor.forget(notice.call_id)
            case _:
                pass


def _told(event: Event) -> Iterator[str]:
    """What the event tells of people."""
    payload = event.payload
    match event.type:
        case EventType.CALL_STARTED:
            yield from _forms("caller", payload.get("from"))
            yield from _personal(payload)
        case EventType.PARTICIPANT_JOINED:
            yield from _personal(payload)
        case EventType.INTENT_DETECTED:
            # Its own `name` is that of the intent.
            yield from (each for value in payload.values() if isinstance(value, Mapping) for each in _filled(value))
        case EventType.TURN_ANSWERED:
            yield from _answered(payload.get("steps"))
        case EventType.ACTION_FINISHED:
            yield from _personal(payload.get("data"), codes=True)
        case _:
            pass


def _answered(steps: Json) -> Iterator[str]:
    """The slots of all forms and the arguments of all actions, wherever a responder keeps them."""
    for step in _each(steps):
        if isinstance(step, Mapping):
            yield from _filled(step.get("arguments"))
            yield from _remembered(step.get("memory"))


def _remembered(memory: Json) -> Iterator[str]:
    if isinstance(memory, Mapping):
        for name, value in memory.items():
            yield from _filled(value) if name in {"slots", "arguments"} else _remembered(value)
    else:
        for each in _each(memory):
            yield from _remembered(each)


def _filled(values: Json) -> Iterator[str]:
    """What was said into a form: all of it is the caller's."""
    for name, value in values.items() if isinstance(values, Mapping) else ():
        if isinstance(value, Mapping):
            yield from _filled(value)
        elif field_name(name) in _PERSONAL or not isinstance(value, int):
            yield from _forms(name, value)


def _personal(values: Json, *, codes: bool = False) -> Iterator[str]:
    """What stands under a personal name anywhere in a tree; with `codes` also what looks like a code."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            if field_name(name) in _PERSONAL or (codes and isinstance(value, str) and _CODE.match(value)):
                yield from _forms(name, value)
            yield from _personal(value, codes=codes)
    else:
        for each in _each(values):
            yield from _personal(each, codes=codes)


def _forms(name: str, value: Json) -> Iterator[str]:
    """The value as the redactor is told it: a short number only together with what it counts."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or value == _OWN_NUMBER or (_WHEN.fullmatch(value) and "birth" not in name.lower()):
        return
    length = sum(map(str.isalnum, value))
    if length >= _SHORTEST:
        yield value
    elif length and field_name(name).startswith("room"):
        yield from (f"{word} {value}" for word in _ROOMS)


def _each(values: Json) -> Sequence[Json]:
    return values if isinstance(values, Sequence) and not isinstance(values, str) else ()
