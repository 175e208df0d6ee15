"""Who is in a call is known to the redactor from the moment the call learns it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator_app.composition.redaction import KnownCallers
from orchestrator_calls.events import CallState, Event, EventType
from orchestrator_calls.notices import CallResumed, EventKept, StateChanged
from orchestrator_kernel.ports import Json
from orchestrator_security.pii_redactor import PiiRedactor

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def learnt(kind: EventType, payload: dict[str, Json]) -> PiiRedactor:
    redactor = PiiRedactor()
    event = Event(
        id="1", call_id="c", tenant="t", type=kind, source="s", occurred_at=NOW, received_at=NOW, payload=payload
    )
    KnownCallers(redactor).observe(EventKept(event))
    return redactor


def answered(*steps: dict[str, Json]) -> dict[str, Json]:
    return {"steps": list(steps)}


def slots(**values: Json) -> dict[str, Json]:
    return answered({"step": "remember", "memory": {"form": {"name": "f", "slots": values}, "said": ["Good evening"]}})


@pytest.mark.parametrize(
    ("kind", "payload", "said"),
    [
        (EventType.CALL_STARTED, {"from": "+4930901821"}, "null drei null neun null eins acht zwo eins"),
        (EventType.CALL_STARTED, {"metadata": {"guest_name": "Zoë Müller"}}, "Muellers"),
        (EventType.PARTICIPANT_JOINED, {"participant": "p-1", "name": "Zoë Müller"}, "ZOE"),
        (EventType.INTENT_DETECTED, {"name": "booking", "entities": {"surname": "Harbour"}}, "harbour"),
        (EventType.TURN_ANSWERED, slots(address="Hauptstraße 5, 10115 Berlin"), "hauptstr. fünf"),
        (EventType.TURN_ANSWERED, slots(room="412"), "four hundred and twelve"),
        (EventType.TURN_ANSWERED, slots(room="7"), "room seven"),
        (EventType.TURN_ANSWERED, slots(room_number=7), "Zimmer 7"),
        (EventType.TURN_ANSWERED, slots(confirmation_number="AB7X2K"), "Alpha Bravo seven X-ray two Kilo"),
        (EventType.TURN_ANSWERED, slots(mail="zoe.m@example.org"), "zoe dot m at example dot org"),
        (EventType.TURN_ANSWERED, slots(phone="01512345678"), "0049 151 2345678"),
        (EventType.TURN_ANSWERED, slots(date_of_birth="1980-02-29"), "1980-02-29"),
        (
            EventType.TURN_ANSWERED,
            answered({"step": "act", "name": "book", "arguments": {"who": {"family": "Harbour"}}}),
            "harbour",
        ),
        (
            EventType.TURN_ANSWERED,
            answered(
                {
                    "step": "remember",
                    "memory": {"chat": {"proposed": {"name": "book", "arguments": {"guest": "Harbour"}}}},
                }
            ),
            "harbour",
        ),
        (EventType.ACTION_FINISHED, {"data": {"stay": {"guest": "Harbour"}}}, "harbour"),
        (EventType.ACTION_FINISHED, {"data": {"id": "HX-4711"}}, "hx 4711"),
        (EventType.ACTION_FINISHED, {"data": {"room": 412}}, "four one two"),
    ],
)
def test_what_a_call_learns_of_people_is_known(kind: EventType, payload: dict[str, Json], said: str) -> None:
    redactor = learnt(kind, payload)
    assert redactor.redact_text(f"so {said} it is", call="c") == "so [KNOWN] it is"
    assert redactor.redact_text(f"so {said} it is", call="other") == redactor.redact_text(f"so {said} it is")


@pytest.mark.parametrize(
    ("kind", "payload", "text"),
    [
        (
            EventType.TURN_ANSWERED,
            slots(check_in="2026-12-01", time="19:00", nights="+2", party_size=400),
            "2026-12-01 19:00 2 400",
        ),
        (EventType.TURN_ANSWERED, slots(phone="caller", guests="2"), "the caller and 2 guests"),
        (EventType.TURN_ANSWERED, slots(name="Harbour"), "Good evening"),
        (
            EventType.ACTION_FINISHED,
            {"name": "book_room", "status": "done", "data": {"kind": "double"}},
            "book_room done double",
        ),
        (EventType.INTENT_DETECTED, {"name": "booking", "confidence": 0.5}, "booking 0.5"),
        (EventType.CALL_STARTED, {"dialed": "4711", "language": "en", "caller": None}, "4711 en"),
        (EventType.TURN_ANSWERED, {"steps": "none"}, "none"),
    ],
)
def test_what_tells_of_nobody_is_not(kind: EventType, payload: dict[str, Json], text: str) -> None:
    assert learnt(kind, payload).redact_text(text, call="c") == text


def test_a_call_that_is_over_is_forgotten() -> None:
    redactor = learnt(EventType.CALL_STARTED, {"caller": "Harbour"})
    callers = KnownCallers(redactor)
    callers.observe(StateChanged("c", "t", CallState.INITIALIZING, CallState.ACTIVE))
    assert redactor.redact_text("harbour", call="c") == "[KNOWN]"
    callers.observe(StateChanged("c", "t", CallState.ACTIVE, CallState.ENDED))
    assert redactor.redact_text("harbour", call="c") == "harbour"


def test_of_a_call_that_is_taken_up_again_all_is_known_that_it_remembers() -> None:
    redactor = learnt(EventType.CALL_STARTED, {})
    memory: dict[str, Json] = {"form": {"slots": {"name": "Okafor"}}}
    KnownCallers(redactor).observe(CallResumed("c", "t", "Harbour Street 7", memory))
    assert redactor.redact_text("Okafor at Harbour Street 7", call="c") == "[KNOWN] at [KNOWN]"
