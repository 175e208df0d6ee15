"""A call as people and programs read it."""

from __future__ import annotations

import json
from dataclasses import replace

from calls_journals import answered, closed, journals, opened, own
from calls_support import CALL, event
from hypothesis import given

from orchestrator_calls.call import fold
from orchestrator_calls.events import Event
from orchestrator_calls.responder import HangUp, Note, Remember, Say, Transfer
from orchestrator_calls.transcript import as_json, as_text, turn_as_json


def folded(*events: Event):
    return fold([replace(each, position=place) for place, each in enumerate(events, 1)])


CONVERSATION = [
    event("call_started", 0),
    own("leg_attached", "m", channel="media"),
    opened(f"{CALL}/greeting", "greeting"),
    answered(f"{CALL}/greeting", Say("Good evening.", "en-US")),
    closed(f"{CALL}/greeting"),
    own("playback_started", "a", key=f"{CALL}/greeting/0", latency_ms=12.5),
    own("playback_finished", "b", key=f"{CALL}/greeting/0"),
    opened("talk", text="a table\nkeys    9999"),
    answered("talk", Note("table", understood=True), Say("For how many people?", "en-US")),
    closed("talk"),
    own("playback_cleared", "c", key="talk/0", heard="For how", reason="interrupted"),
    opened("pin", "digits", text="1234", sensitive=True),
    answered("pin", Say("Thank you.", "en-US"), Transfer("desk", "asked")),
    closed("pin"),
    opened(f"{CALL}/silence/3", "silence"),
    answered(f"{CALL}/silence/3", HangUp("nobody there")),
    closed(f"{CALL}/silence/3"),
    event("call_ended", 60, reason="caller left"),
]


def test_a_transcript_has_one_line_per_utterance_and_shows_what_was_heard():
    assert as_text(folded(*CONVERSATION)).splitlines() == [
        "Call call-1: ended (caller left)",
        "desk    Good evening.",
        "caller  a table keys    9999",
        "desk    For how —",
        "keys    [4 digits]",
        "desk    Thank you.",
        "        [transfer to desk]",
        "caller  (silence)",
        "        [hang up: nobody there]",
    ]


def test_the_json_holds_what_came_in_what_was_said_and_what_was_heard():
    document = as_json(folded(*CONVERSATION))
    assert json.loads(json.dumps(document)) == document
    assert (document["id"], document["tenant"], document["state"], document["end_reason"]) == (
        CALL,
        "t1",
        "ended",
        "caller left",
    )
    greeting, talk, pin, silence = document["turns"]
    assert (greeting["kind"], greeting["latency_ms"], greeting["heard"]) == ("greeting", 12.5, "Good evening.")
    assert (talk["spoken"], talk["heard"], talk["interrupted"], talk["intent"]) == (
        ["For how many people?"],
        "For how",
        True,
        "table",
    )
    assert (pin["caller"], pin["command"]) == ("[4 digits]", "transfer to desk")
    assert (silence["command"], silence["outcome"]) == ("hang up: nobody there", "answered")


def test_what_the_caller_was_told_and_refused_is_shown():
    notices = [
        {"kind": "disclosure", "language": "en"},
        {"kind": "consent", "language": "en"},
        {"kind": "consent", "language": "de"},
    ]
    begun = [*CONVERSATION[:2], opened(f"{CALL}/greeting", "greeting")]
    call = folded(*begun, answered(f"{CALL}/greeting", Say("Good evening.", "en-US"), Remember({"notices": notices})))
    assert as_text(call).splitlines()[-1] == "        [told: disclosure, consent]"
    assert as_json(call)["notices"] == notices
    refused = [*notices, {"kind": "consent_refused", "language": "de"}]
    call = folded(*begun, answered(f"{CALL}/greeting", Remember({"notices": refused})))
    assert as_text(call).splitlines()[-2:] == ["        [told: disclosure, consent]", "        [consent refused]"]
    for nonsense in (5, "told", [5], [{"language": "en"}], None):
        call = folded(*begun, answered(f"{CALL}/greeting", Remember({"notices": nonsense})))
        assert as_json(call)["notices"] == []


@given(journals().filter(bool))
def test_any_call_can_be_written(journal):
    call = fold(journal)
    json.dumps(as_json(call))
    for turn in call.turns.values():
        turn_as_json(turn)
    for line in as_text(call).splitlines():
        assert line.startswith(("Call ", "desk    ", "caller  ", "keys    ", "        ["))


def test_sensitive_keys_are_nowhere():
    call = folded(*CONVERSATION)
    assert "1234" not in as_text(call) + json.dumps(as_json(call))
