"""The relay's messages: the documented forms are understood, everything else is refused with a code, and newer ones are passed over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from calls_support import attempt
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.legs import conversation_relay as wire
from orchestrator_calls.responder import HangUp, Transfer
from orchestrator_kernel.exceptions import ValidationError

SETUP = {
    "type": "setup",
    "sessionId": "VX00000000000000000000000000000001",
    "accountSid": "AC00000000000000000000000000000001",
    "parentCallSid": "",
    "callSid": "CA00000000000000000000000000000001",
    "from": "+18005550100",
    "to": "+18005550101",
    "forwardedFrom": "+18005550102",
    "callType": "PSTN",
    "callerName": "",
    "direction": "inbound",
    "callStatus": "RINGING",
    "customParameters": {"callReference": "bar"},
}


def parse(message: Any) -> wire.Frame:
    return wire.parse_frame(json.dumps(message))


def refusal(data: str | bytes) -> wire.RelayProtocolError:
    with pytest.raises(wire.RelayProtocolError) as caught:
        wire.parse_frame(data)
    return caught.value


def close_code(data: str | bytes) -> int | None:
    _, error = attempt(lambda: wire.parse_frame(data), wire.RelayProtocolError)
    return error.close_code if error else None


def test_setup_tells_whose_call_it_is() -> None:
    setup = parse(SETUP)
    assert setup == wire.Setup(
        session="VX00000000000000000000000000000001",
        account="AC00000000000000000000000000000001",
        call="CA00000000000000000000000000000001",
        caller="+18005550100",
        called="+18005550101",
        direction="inbound",
        parameters={"callReference": "bar"},
    )


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        (
            {"type": "prompt", "voicePrompt": "A table for four", "lang": "en-US", "last": True},
            wire.Prompt("A table for four", "en-US", True),
        ),
        ({"type": "prompt", "voicePrompt": "A table", "last": False}, wire.Prompt("A table", "", False)),
        ({"type": "dtmf", "digit": "#"}, wire.Dtmf("#")),
        (
            {"type": "interrupt", "utteranceUntilInterrupt": "Life is a", "durationUntilInterruptMs": 460},
            wire.Interrupt("Life is a", 460),
        ),
        (
            {"type": "interrupt", "utteranceUntilInterrupt": "Life", "durationUntilInterruptMs": "460"},
            wire.Interrupt("Life", 460),
        ),
        ({"type": "interrupt"}, wire.Interrupt("", 0)),
        ({"type": "error", "description": "Invalid message received"}, wire.RelayError("Invalid message received")),
        (
            {"type": "info", "name": "agentSpeaking", "value": "on", "ts": 1752091234567},
            wire.Speaking("desk", True),
        ),
        ({"type": "info", "name": "clientSpeaking", "value": "off"}, wire.Speaking("caller", False)),
        ({"type": "info", "name": "tokensPlayed", "value": "Hi, this is"}, wire.Played("Hi, this is")),
        ({"type": "info", "name": "agentSpeaking", "value": "???"}, wire.Unknown("info agentSpeaking")),
        ({"type": "info", "name": "agentSpeaking", "value": {"on": True}}, wire.Unknown("info agentSpeaking")),
        ({"type": "info", "name": "clientSpeaking", "value": []}, wire.Unknown("info clientSpeaking")),
        ({"type": "info", "name": "roundTripDelayMs", "value": 12}, wire.Unknown("info roundTripDelayMs")),
        ({"type": "debug", "anything": [1]}, wire.Unknown("debug")),
    ],
)
def test_the_documented_messages_are_understood(message: dict[str, Any], frame: wire.Frame) -> None:
    assert parse(message) == frame


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", 1007),
        ("{", 1007),
        ('{"type": "prompt", "voicePrompt": NaN}', 1007),
        ("[" * 10_000, 1007),
        (b"\xff\xfe", 1007),
        (r'{"type": "prompt", "voicePrompt": "\ud800", "last": true}', 1007),
        ("[]", 1008),
        ('"setup"', 1008),
        ('{"voicePrompt": "hello"}', 1008),
        ('{"type": 7}', 1008),
        ('{"type": "prompt"}', 1008),
        ('{"type": "prompt", "voicePrompt": "hello", "last": "yes"}', 1008),
        ('{"type": "prompt", "voicePrompt": ["hello"], "last": true}', 1008),
        ('{"type": "dtmf", "digit": "12"}', 1008),
        ('{"type": "dtmf", "digit": "x"}', 1008),
        ('{"type": "interrupt", "durationUntilInterruptMs": -1}', 1008),
        ('{"type": "interrupt", "durationUntilInterruptMs": "soon"}', 1008),
        ('{"type": "setup", "callSid": "CA1"}', 1008),
        ('{"type": "setup", "callSid": "../etc", "accountSid": "AC1", "sessionId": "VX1"}', 1008),
        ('{"type": "prompt", "voicePrompt": "' + "a" * wire.MAX_FRAME + '"}', 1009),
    ],
)
def test_what_is_not_of_the_protocol_is_refused_with_the_code_that_fits(data: str | bytes, code: int) -> None:
    assert refusal(data).close_code == code


def test_a_refusal_names_the_member_and_never_its_value() -> None:
    error = refusal('{"type": "prompt", "voicePrompt": ["my secret"], "last": true}')
    assert "voicePrompt" in error.message
    assert "secret" not in error.message + repr(dict(error.details))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_json_value_breaks_the_parser(value: Any) -> None:
    for message in (value, {"type": value}, {"type": "prompt", "voicePrompt": value}, {"type": "info", "value": value}):
        data = json.dumps(message)
        assert close_code(data) in {None, 1007, 1008, 1009}


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    assert close_code(data) in {None, 1007, 1008, 1009}


def test_what_we_say_has_the_documented_form() -> None:
    assert wire.text("Hello. ", last=False, language="en-US") == {
        "type": "text",
        "token": "Hello. ",
        "last": False,
        "preemptible": True,
        "lang": "en-US",
    }
    assert wire.play("https://example.com/hold.mp3")["source"] == "https://example.com/hold.mp3"
    assert wire.send_digits("12w#") == {"type": "sendDigits", "digits": "12w#"}
    assert wire.language("de-DE") == {"type": "language", "ttsLanguage": "de-DE", "transcriptionLanguage": "de-DE"}


def test_an_order_comes_back_in_the_handoff() -> None:
    transfer = wire.end(Transfer("operator", "asked for a person"), "transfer/turn-1")
    assert json.loads(str(transfer["handoffData"])) == {
        "reasonCode": "transfer",
        "target": "operator",
        "reason": "asked for a person",
        "key": "transfer/turn-1",
    }
    assert json.loads(str(wire.end(HangUp("goodbye"))["handoffData"]))["reasonCode"] == "hang_up"
    assert json.loads(str(wire.end()["handoffData"])) == {"reasonCode": "over"}


@pytest.mark.parametrize("digits", ["", "a", "1 2", "1;2"])
def test_keys_that_do_not_exist_cannot_be_pressed(digits: str) -> None:
    with pytest.raises(ValidationError):
        wire.send_digits(digits)
