"""The TwiML that we answer, beside what Twilio's own SDK writes."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from app_twilio import DESK
from twilio.twiml.voice_response import Connect, ConversationRelay, Dial, VoiceResponse

from orchestrator_calls.legs import twilio as legs


def tree(element: ET.Element) -> Any:
    """What an element says, whatever the order of its attributes."""
    return element.tag, dict(element.attrib), (element.text or "").strip(), [tree(each) for each in element]


def test_what_we_answer_is_what_twilios_own_sdk_writes() -> None:
    theirs = VoiceResponse()
    verb = Connect(action="https://desk.example/ended?attempt=1")
    noun = ConversationRelay(
        url="wss://desk.example/relay",
        language="en-US",
        voice="en-US-Voice",
        tts_provider="Google",
        transcription_provider="Deepgram",
        interruptible="any",
        dtmf_detection=True,
        events="speaker-events tokens-played",
    )
    for code, name in (("en-US", "en-US-Voice"), ("de-DE", "de-DE-Voice")):
        noun.language(code=code, voice=name, tts_provider="Google", transcription_provider="Deepgram")
    noun.parameter(name="reference", value='a "b" & <c>')
    verb.append(noun)
    theirs.append(verb)
    ours = legs.RelayTwiml(
        url="wss://desk.example/relay",
        action="https://desk.example/ended?attempt=1",
        languages={"en-US": "en-US-Voice", "de-DE": "de-DE-Voice"},
        tts_provider="Google",
        transcription_provider="Deepgram",
        parameters={"reference": 'a "b" & <c>'},
    )
    assert tree(ET.fromstring(legs.connect(ours))) == tree(ET.fromstring(str(theirs)))


def test_a_transfer_is_what_twilios_own_sdk_writes() -> None:
    theirs = VoiceResponse()
    verb = Dial(action="https://desk.example/dial?key=a%2Fb", timeout=20, answer_on_bridge=True)
    verb.number(DESK, status_callback="https://desk.example/t?key=a%2Fb", status_callback_event="answered")
    theirs.append(verb)
    ours = legs.dial(DESK, action="https://desk.example/dial?key=a%2Fb", answered="https://desk.example/t?key=a%2Fb")
    assert tree(ET.fromstring(ours)) == tree(ET.fromstring(str(theirs)))
    bye = VoiceResponse()
    bye.hangup()
    assert tree(ET.fromstring(legs.hang_up())) == tree(ET.fromstring(str(bye)))
