"""The script that comes with the package: complete, honest, and fit for the demonstration."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from orchestrator_calls.dialogue import ScriptedResponder
from orchestrator_calls.dialogue._conversation import Conversation
from orchestrator_calls.responder import Collect, InputKind, TurnContext, TurnInput

LANGUAGES = ("en", "de", "es", "fr")


def every_text(script):
    yield from script.texts.items()
    yield from script.reasons.items()
    yield from ((f"intent {name}", intent.say) for name, intent in script.intents.items() if intent.say)
    yield from ((f"menu {name}", menu.say) for name, menu in script.menus.items())
    for name, form in script.forms.items():
        yield from (
            (f"form {name} {kind}", text)
            for kind, text in (("confirm", form.confirm), ("done", form.done), ("intro", form.intro))
            if text
        )
        for slot in form.slots.values():
            yield from (
                (f"slot {name}.{slot.name}", text) for text in (slot.ask, slot.retry, slot.help, slot.reason) if text
            )


def words(text, language):
    return " ".join(
        part if isinstance(part, str) else "…" for sentence in text.sentences[language] for part in sentence.parts
    )


def test_it_speaks_four_languages(receptionist):
    assert receptionist.languages == LANGUAGES
    assert repr(receptionist) == "<Script 'receptionist' in en, de, es, fr>"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_greeting_offers_help_and_names_the_keys(call, language):
    caller = call(language)
    heard = caller.greet()
    assert "?" in heard
    for key in {"en": ("star", "zero"), "de": ("Stern", "Null"), "es": ("asterisco", "cero"), "fr": ("étoile", "zéro")}[
        language
    ]:
        assert key in heard
    assert len(caller.says) >= 3
    assert {say.language for say in caller.says} == {language}


def test_no_text_claims_that_something_was_booked(receptionist):
    claims = {
        "en": r"\b(booked|reserved|your table is|have (reserved|arranged|cancelled))\b",
        "de": r"\b(gebucht|reserviert|habe [^.]* storniert|ist storniert)\b",
        "es": r"\b(he reservado|está reservad[ao]|queda reservad[ao]|he (anulado|cancelado))\b",
        "fr": r"\b(ai réservé|est réservée?|ai annulé)\b",
    }
    for name, text in every_text(receptionist):
        for language, claim in claims.items():
            assert not re.search(claim, words(text, language), re.IGNORECASE), name


def test_every_completed_form_says_that_it_is_noted_and_who_goes_on(receptionist):
    noted = {"en": "noted", "de": "notiert", "es": "anotado", "fr": "noté"}
    for form in receptionist.forms.values():
        for language, word in noted.items():
            assert word in words(form.done, language), form.name
            assert len(form.done.sentences[language]) >= 2, form.name


def test_sentences_are_short(receptionist):
    for name, text in every_text(receptionist):
        for language in LANGUAGES:
            for sentence in text.sentences[language]:
                said = "".join(part if isinstance(part, str) else "x" for part in sentence.parts)
                assert len(said.split()) <= 26, f"{name} {language}: {said}"
                # One sentence per Say: a full stop in the middle would hide a second one.
                assert not re.search(r"[^0-9][.?!] [A-ZÄÖÜÉ¿]", said), f"{name} {language}: {said}"


def test_the_designed_keys(call):
    designed = {
        "0": "transfer_to_operator",
        "1": "booking_inquiry",
        "2": "request_info",
        "3": "concierge_services",
        "4": "leisure",
        "*": "main_menu",
        "#": "repeat",
    }
    for key, intent in designed.items():
        caller = call()
        caller.greet()
        caller.press(key)
        assert caller.steps[0].intent == intent, key


@pytest.mark.parametrize("key", list("0123456789*#"))
def test_every_key_does_something(call, key):
    caller = call()
    caller.greet()
    caller.press(key)
    assert caller.steps[0].understood


def test_the_intents_of_the_design_are_there(receptionist):
    designed = {
        "greeting", "request_info", "booking_inquiry", "end_call", "existing_reservation_modify", "existing_reservation_cancel",
        "upselling_opportunity", "concierge_services", "restaurant_booking", "spa_booking", "room_service", "complaint_feedback",
        "transfer_to_operator", "fallback_to_human",
    }  # fmt: skip
    assert designed <= {intent.reports for intent in receptionist.intents.values()}


def test_the_slots_of_the_design_are_there(receptionist):
    slots = {name: set(form.slots) for name, form in receptionist.forms.items()}
    assert {"check_in", "check_out", "guests"} <= slots["room"]
    assert {"date", "time", "party_size", "name"} <= slots["table"]
    assert {"service", "date", "time"} <= slots["spa"]
    assert "confirmation_number" in slots["change"]
    assert "confirmation_number" in slots["cancellation"]
    assert "room_number" in slots["room_service"]


def test_hash_repeats_the_greeting(call):
    caller = call()
    greeting = caller.greet()
    assert caller.press("#") == greeting


def test_a_number_that_is_asked_for_can_be_typed(call):
    caller = call()
    caller.say("room service")
    caller.say("two towels")
    assert Collect(digits=4) in caller.steps
    assert "room 412" in caller.press("412").lower()


def test_typed_keys_that_do_not_fit_are_refused_with_the_reason(call):
    caller = call()
    caller.say("cancel my reservation")
    assert "4 to 12 characters" in caller.press("12")
    assert Collect(digits=12) in caller.steps


def test_the_confidence_of_the_recognizer_is_in_the_note(call):
    caller = call()
    caller.say("goodbye", confidence=0.8)
    assert caller.steps[0].confidence == 0.8


def test_the_house_gives_its_name_and_hours():
    from datetime import time

    from orchestrator_calls.dialogue import load_script

    script = load_script(values={"hotel": "Hotel Sonne", "breakfast_from": time(6, 30)})
    turn = TurnContext(call_id="c", tenant="t", turn="1", language="de", input=TurnInput(kind=InputKind.GREETING))
    assert "hier ist Hotel Sonne" in ScriptedResponder(script).steps(turn)[1].text
    turn = TurnContext(
        call_id="c", tenant="t", turn="1", language="de", input=TurnInput(kind=InputKind.SPEECH, text="Frühstück")
    )
    assert "6 Uhr 30" in ScriptedResponder(script).steps(turn)[1].text


def test_memory_of_a_script_that_is_gone_does_not_stop_the_call(call):
    caller = call()
    caller.memory = {
        "form": {"name": "helicopter", "slots": {"pilot": "x"}},
        "menu": "gone",
        "question": "offer",
        "offer": "gone",
        "said": ["intent:gone"],
        "completed": [{"form": "gone", "slots": {}}],
    }
    assert caller.say("a table for two please")
    assert caller.memory["completed"] == [{"form": "gone", "slots": {}}]


def test_keys_of_a_sensitive_slot_are_hidden_and_its_value_is_never_spoken(call_with):
    caller = call_with(SECRET)
    caller.say("pay")
    assert Collect(digits=8, sensitive=True) in caller.steps
    heard = caller.press("12345678")
    assert "Shall I" in heard
    assert "1234" not in heard.replace(" ", "")
    caller.say("yes")
    assert caller.memory["completed"] == [{"form": "pay", "slots": {"pin": "12345678"}}]


SECRET = """
[script]
languages = ["en"]
targets = ["desk"]
handoff = "desk"
[intents.pay]
form = "pay"
patterns.en = ["pay"]
[forms.pay]
label.en = "your payment"
confirm.en = "Shall I note your code?"
done.en = "Noted."
[forms.pay.slots.pin]
type = "code"
digits = 8
sensitive = true
label.en = "the code"
ask.en = "What is the code?"
"""

EVERY_TYPE = """
[script]
languages = ["en"]
targets = ["desk"]
handoff = "desk"
[intents.go]
form = "all"
patterns.en = ["go", "call {phone}"]
[forms.all]
label.en = "it"
confirm.en = ["{children} children, breakfast {breakfast}, phone {phone}, on {day} at {hour}[, note {note}].", "Right?"]
done.en = "Noted."
[forms.all.slots.children]
type = "number"
max = 5
label.en = "the number of children"
ask.en = "How many children?"
[forms.all.slots.breakfast]
type = "yes_no"
label.en = "breakfast"
ask.en = "With breakfast?"
help.en = "Breakfast costs ten euros."
[forms.all.slots.phone]
type = "phone"
label.en = "the phone number"
ask.en = "What is your phone number?"
[forms.all.slots.day]
type = "date"
digits = 4
label.en = "the day"
ask.en = "Which day?"
[forms.all.slots.hour]
type = "time"
digits = 4
label.en = "the time"
ask.en = "What time?"
[forms.all.slots.note]
type = "text"
required = false
label.en = "the note"
ask.en = "What note?"
patterns.en = ["(note|remark) {note}"]
"""


def test_every_type_by_keys(call_with):
    caller = call_with(EVERY_TYPE)
    caller.say("go")
    for keys in ("0", "1", "01701234567", "0506", "1930"):
        caller.press(keys)
    assert "0 children, breakfast yes, phone 0 1 7 0 1 2 3 4 5 6 7, on Friday, June 5th at 7:30 pm." in caller.heard
    caller.press("1")
    slots = {"children": 0, "breakfast": True, "phone": "01701234567", "day": "2026-06-05", "hour": "19:30"}
    assert caller.memory["completed"] == [{"form": "all", "slots": slots}]


def test_every_type_by_voice(call_with):
    caller = call_with(EVERY_TYPE)
    assert "How many" in caller.say("call five five five double two three four")
    assert "With breakfast" in caller.say("I have two kids")
    assert "ten euros" in caller.say("help")
    assert "Which day" in caller.say("no thanks")
    assert "time" in caller.say("the eighth")
    assert "phone 5 5 5 2 2 3 4" in caller.say("half past seven in the morning")
    assert "note allergic to nuts" in caller.say("no, please note allergic to nuts")
    caller.say("that is all")
    slots = {
        "children": 2,
        "breakfast": False,
        "phone": "5552234",
        "day": "2026-06-08",
        "hour": "07:30",
        "note": "allergic to nuts",
    }
    assert caller.memory["completed"] == [{"form": "all", "slots": slots}]


def test_start_over_at_the_confirmation(call_with):
    caller = call_with(EVERY_TYPE)
    caller.say("go")
    for keys in ("0", "1", "01701234567", "0506", "1930"):
        caller.press(keys)
    caller.say("no")
    assert "How many" in caller.say("everything")
    assert caller.memory["form"]["slots"] == {}


def test_importing_the_dialogue_loads_no_pydantic_model_and_no_database():
    code = "import sys, orchestrator_calls.dialogue; print(any(name.startswith(('sqlalchemy', 'aiosqlite')) for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_conversation_without_steps_of_its_own_still_remembers(receptionist):
    turn = TurnContext(call_id="c", tenant="t", turn="1", language="en", input=TurnInput(kind=InputKind.GREETING))
    assert len(list(Conversation(receptionist, turn).steps())) == 1
