"""Twilio's voice webhooks: forms in, TwiML out."""

from __future__ import annotations

import json
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from calls_support import attempt
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.legs import twilio
from orchestrator_calls.legs.agent import InvalidEvent

ACCOUNT = "AC" + "0" * 31 + "1"
CALL = "CA" + "0" * 31 + "1"
RELAY = twilio.RelayTwiml(
    url="wss://desk.example/v1/twilio/relay",
    action="https://desk.example/v1/twilio/relay/ended?attempt=1",
    languages={"en-US": "", "de-DE": "de-DE-Voice-1"},
)


def form(**members: str) -> twilio.VoiceForm:
    return twilio.parse_form(urlencode({"AccountSid": ACCOUNT, "CallSid": CALL, **members}).encode())


def test_a_call_that_comes_in() -> None:
    parsed = form(CallStatus="ringing", From="+18005550100", To="+18005550101", Direction="inbound", CallerCity="Ulm")
    assert (parsed.account, parsed.call, parsed.status) == (ACCOUNT, CALL, "ringing")
    assert (parsed.caller, parsed.called) == ("+18005550100", "+18005550101")


def test_the_end_of_a_session_brings_our_order_back() -> None:
    handoff = json.dumps({"reasonCode": "transfer", "target": "operator", "key": "transfer/t1", "reason": "asked"})
    parsed = form(CallStatus="in-progress", HandoffData=handoff, SessionDuration="12")
    assert parsed.handoff == twilio.Handoff(
        reason_code="transfer", target="operator", reason="asked", key="transfer/t1"
    )
    assert parsed.session_seconds == 12.0


@pytest.mark.parametrize("data", ["", "{", "[]", '"transfer"', "[" * 5000, '{"key": "\\ud800"}'])
def test_a_handoff_that_is_not_ours_is_none(data: str) -> None:
    assert form(HandoffData=data).handoff is None


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", ["AccountSid", "CallSid"]),
        (b"AccountSid=AC1&CallSid=" + CALL.encode(), ["AccountSid"]),
        (f"AccountSid={ACCOUNT}&CallSid=CA%0A".encode(), ["CallSid"]),
        (f"AccountSid={ACCOUNT}&AccountSid={ACCOUNT}&CallSid={CALL}".encode(), ["AccountSid"]),
        (b"\xff", ["body"]),
        (b"From=%ff", ["body"]),
        (b"&".join(b"a=1" for _ in range(300)), ["body"]),
    ],
)
def test_what_is_no_voice_webhook_is_refused_by_name(body: bytes, fields: list[str]) -> None:
    with pytest.raises(InvalidEvent) as caught:
        twilio.parse_form(body)
    assert caught.value.details["fields"] == fields


@given(st.binary(max_size=300))
def test_no_body_breaks_the_parser(body: bytes) -> None:
    form, error = attempt(lambda: twilio.parse_form(body), InvalidEvent)
    assert form is not None or (error is not None and error.details["fields"])


def test_a_call_is_connected_to_the_relay_in_the_tenants_languages() -> None:
    root = ET.fromstring(twilio.connect(RELAY))
    connect = root.find("Connect")
    assert connect is not None
    assert connect.get("action") == RELAY.action
    [relay] = connect
    assert relay.tag == "ConversationRelay"
    assert relay.get("url") == RELAY.url
    assert relay.get("language") == "en-US"
    assert relay.get("dtmfDetection") == "true"
    assert relay.get("welcomeGreeting") is None
    assert [(each.get("code"), each.get("voice")) for each in relay.iter("Language")] == [
        ("en-US", None),
        ("de-DE", "de-DE-Voice-1"),
    ]


def test_a_transfer_rings_for_a_while_and_tells_who_answered() -> None:
    root = ET.fromstring(
        twilio.dial("+4930901822", action="https://desk.example/d?a=1&b=2", answered="https://desk.example/a")
    )
    [dial] = root
    assert dial.get("action") == "https://desk.example/d?a=1&b=2"
    [number] = dial
    assert number.text == "+4930901822"
    assert number.get("statusCallbackEvent") == "answered"


@given(st.text(max_size=60))
def test_no_text_breaks_out_of_the_document(text: str) -> None:
    relay = twilio.RelayTwiml(url=text, action=text, languages={"en-US": text}, parameters={"name": text})
    root = ET.fromstring(twilio.connect(relay))
    assert [each.tag for each in root.iter()] == ["Response", "Connect", "ConversationRelay", "Language", "Parameter"]
    assert ET.fromstring(twilio.dial(text, action=text, answered=text)).find("Dial/Number") is not None


@pytest.mark.parametrize(("target", "is_number"), [("+4930901822", True), ("operator", False), ("+49 30", False)])
def test_a_number_can_be_dialled_and_a_name_cannot(target: str, is_number: bool) -> None:
    assert twilio.is_number(target) is is_number


def test_the_short_answer() -> None:
    assert ET.fromstring(twilio.hang_up()).find("Hangup") is not None
