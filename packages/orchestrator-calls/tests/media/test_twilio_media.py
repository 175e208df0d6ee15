"""The messages of a Twilio media stream, as Twilio documents them."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.legs.twilio_media import (
    Audio,
    Mark,
    MediaStreamError,
    Other,
    Pressed,
    Started,
    Stopped,
    StreamTwiml,
    clear,
    connect_stream,
    mark,
    media,
    parse_message,
)

STREAM, CALL, ACCOUNT = "MZ" + "1" * 32, "CA" + "2" * 32, "AC" + "3" * 32
START: dict[str, Any] = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "accountSid": ACCOUNT,
        "streamSid": STREAM,
        "callSid": CALL,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"FirstName": "Jane"},
    },
    "streamSid": STREAM,
}


def spoken(payload: str, chunk: str = "2") -> str:
    return json.dumps(
        {
            "event": "media",
            "sequenceNumber": "3",
            "media": {"track": "inbound", "chunk": chunk, "timestamp": "5", "payload": payload},
            "streamSid": STREAM,
        }
    )


def test_every_documented_message_is_known():
    assert parse_message('{"event": "connected", "protocol": "Call", "version": "1.0.0"}') == Other("connected")
    assert parse_message(json.dumps(START)) == Started(
        stream=STREAM, call=CALL, account=ACCOUNT, parameters={"FirstName": "Jane"}
    )
    assert parse_message(spoken(b64encode(bytes(160)).decode())) == Audio(bytes(160))
    pressed = {
        "event": "dtmf",
        "streamSid": STREAM,
        "sequenceNumber": "5",
        "dtmf": {"track": "inbound_track", "digit": "1"},
    }
    assert parse_message(json.dumps(pressed)) == Pressed("1")
    played = {"event": "mark", "sequenceNumber": "4", "streamSid": STREAM, "mark": {"name": "my label"}}
    assert parse_message(json.dumps(played)) == Mark("my label")
    stopped = {
        "event": "stop",
        "sequenceNumber": "5",
        "stop": {"accountSid": ACCOUNT, "callSid": CALL},
        "streamSid": STREAM,
    }
    assert parse_message(json.dumps(stopped)) == Stopped()
    assert parse_message('{"event": "something new"}') == Other("something new")


def test_what_we_send_has_the_documented_form():
    assert json.loads(media(STREAM, b"\xff\x00")) == {
        "event": "media",
        "streamSid": STREAM,
        "media": {"payload": b64encode(b"\xff\x00").decode()},
    }
    assert json.loads(mark(STREAM, 'e|20|a"b')) == {"event": "mark", "streamSid": STREAM, "mark": {"name": 'e|20|a"b'}}
    assert json.loads(clear(STREAM)) == {"event": "clear", "streamSid": STREAM}


def test_the_twiml_connects_both_ways_and_says_where_to_go_on():
    document = connect_stream(
        StreamTwiml(url="wss://a.example/v1/x", action="https://a.example/v1/y?a=1&b=2", parameters={"who": '<"&'})
    )
    root = ET.fromstring(document)
    connect = root.find("Connect")
    assert connect is not None
    assert connect.get("action") == "https://a.example/v1/y?a=1&b=2"
    stream = connect.find("Stream")
    assert stream is not None
    assert stream.get("url") == "wss://a.example/v1/x"
    parameter = stream.find("Parameter")
    assert parameter is not None
    assert (parameter.get("name"), parameter.get("value")) == ("who", '<"&')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "stream MZ9: a message that is no JSON"),
        ("[]", "stream MZ9: a message that is no object"),
        ("{}", "stream MZ9: a message without event"),
        ('{"event": "media"}', "stream MZ9: media is no object"),
        ('{"event": "media", "media": {"chunk": "7"}}', "stream MZ9: chunk 7: media without payload"),
        (spoken("?"), "stream MZ9: chunk 2: a payload that is not base64"),
        (spoken("", "9"), "stream MZ9: chunk 9: a payload of 0 bytes; 160 are usual"),
        (spoken(b64encode(bytes(16_001)).decode()), "stream MZ9: chunk 2: a payload of 16001 bytes"),
        ('{"event": "dtmf", "dtmf": {"digit": "12"}}', "stream MZ9: a digit that is no key"),
        ('{"event": "mark", "mark": {"name": 5}}', "stream MZ9: name is no text"),
        (json.dumps({"event": "x" * 70_000}), "stream MZ9: a message may have 65536 characters"),
    ],
)
def test_what_is_broken_is_told_with_its_stream_and_place(text: str, message: str):
    with pytest.raises(MediaStreamError) as refusal:
        parse_message(text, stream="MZ9")
    assert refusal.value.message.startswith(message)
    assert not refusal.value.fatal


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"callSid": "nobody"}, "no start of a stream: check callSid"),
        ({"accountSid": None}, "no start of a stream: check accountSid"),
        (
            {"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 16000, "channels": 1}},
            "not one channel of mu-law",
        ),
        ({"mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 8000, "channels": 1}}, "not one channel of mu-law"),
        ({"mediaFormat": None}, "mediaFormat is no object"),
    ],
)
def test_a_stream_that_we_do_not_understand_ends_at_its_start(change: dict[str, Any], message: str):
    with pytest.raises(MediaStreamError, match=message):
        parse_message(json.dumps({**START, "start": {**START["start"], **change}}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.text(max_size=100)
    | st.builds(json.dumps, JSON)
    | st.builds(
        lambda event, body: json.dumps({"event": event, event: body}),
        st.sampled_from(["media", "start", "dtmf", "mark", "stop"]),
        JSON | st.fixed_dictionaries({"payload": JSON, "chunk": JSON, "digit": JSON, "name": JSON}),
    )
)
def test_no_text_brings_anything_but_a_message_or_one_error(text: str):
    try:
        parse_message(text)
    except MediaStreamError as error:
        told = error.message
        assert len(told) < 200


@pytest.mark.parametrize(("before", "after"), [(" ", ""), ("", "\n"), ("\t", " ")])
def test_blanks_around_a_message_are_json(before: str, after: str):
    assert parse_message(f'{before}{{"event": "stop"}}{after}') == Stopped()


def test_what_follows_a_message_is_not_passed_over():
    with pytest.raises(MediaStreamError, match="no JSON"):
        parse_message('{"event": "stop"}{"event": "stop"}')


@given(st.binary(min_size=1, max_size=400))
def test_audio_that_is_sent_is_what_is_read(payload: bytes):
    message = parse_message(media(STREAM, payload))
    assert isinstance(message, Audio)
    assert message.payload == payload
