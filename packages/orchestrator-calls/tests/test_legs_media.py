"""The messages of the media socket."""

from __future__ import annotations

import json

import pytest
from calls_support import attempt
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.events import EventType
from orchestrator_calls.legs.media import MAX_MESSAGE, Hello, MediaProtocolError, PlaybackReport, parse_message


def test_hello_tells_whether_the_client_reports():
    assert parse_message('{"type": "hello", "reports": true}') == Hello(reports=True)
    assert parse_message(b'{"type": "hello"}') == Hello(reports=False)


@pytest.mark.parametrize("kind", ["playback_started", "playback_progress", "playback_finished", "playback_cleared"])
def test_each_report(kind):
    text = json.dumps({"type": kind, "key": "turn/0", "played_ms": 480})
    assert parse_message(text) == PlaybackReport(EventType(kind), "turn/0", 480)
    assert parse_message(json.dumps({"type": kind, "key": "k"})) == PlaybackReport(EventType(kind), "k", 0)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("", "message"),
        ("{", "message"),
        ("[]", "message"),
        ('"hello"', "message"),
        (b"\xff\xfe", "message"),
        ('{"reports": true}', "message"),
        ('{"type": "sing"}', "message"),
        ('{"type": "hello", "reports": "secret"}', "reports"),
        ('{"type": "hello", "name": "secret"}', "name"),
        ('{"type": "playback_progress"}', "key"),
        ('{"type": "playback_progress", "key": ""}', "key"),
        ('{"type": "playback_progress", "key": "k", "played_ms": -1}', "played_ms"),
        ('{"type": "playback_progress", "key": "k", "played_ms": "secret"}', "played_ms"),
        ('{"type": "call_ended", "key": "k"}', "message"),
    ],
)
def test_what_is_not_of_the_protocol_is_refused_by_field_and_never_quoted(message, field):
    with pytest.raises(MediaProtocolError, match=field) as refused:
        parse_message(message)
    assert "secret" not in str(refused.value)


def test_a_long_message_is_refused_before_it_is_read():
    with pytest.raises(MediaProtocolError, match=str(MAX_MESSAGE)):
        parse_message('{"type": "hello", ' + " " * MAX_MESSAGE + "}")


VALUE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
TYPES = st.sampled_from(
    ["hello", "playback_started", "playback_progress", "playback_finished", "playback_cleared", "bye"]
)


@given(
    st.one_of(
        st.text(max_size=40),
        st.binary(max_size=40),
        st.builds(
            lambda kind, rest: json.dumps({**rest, "type": kind}),
            TYPES,
            st.dictionaries(st.sampled_from(["key", "played_ms", "reports", "x"]), VALUE, max_size=4),
        ),
    )
)
def test_any_message_is_of_the_protocol_or_refused(message):
    parsed, refused = attempt(lambda: parse_message(message), MediaProtocolError)
    if refused is not None:
        assert refused.status == 422
    else:
        assert isinstance(parsed, Hello) or 0 <= parsed.played_ms <= 86_400_000
