"""The events of a media agent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from calls_support import attempt
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.events import OWN, EventType
from orchestrator_calls.legs.agent import (
    AgentEvent,
    InvalidEvent,
    TranscriptionEvent,
    parse_event,
    parse_transcription,
    to_event,
)

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECRET = "tell-nobody-4711"
PRESENT = {
    "event_id": "ev-17",
    "type": "transcription",
    "call_id": "room-1",
    "tenant_id": "hotel-1",
    "source": "agent",
    "sequence": 17,
    "occurred_at": "2030-01-01T12:00:00Z",
    "data": {"text": "a table for four", "final": True, "language": "en-US", "confidence": 0.93},
}
OLD = {
    "event": "transcription",
    "room_name": "room-1",
    "hotel_id": "hotel-1",
    "timestamp": NOW.timestamp(),
    "event_id": "ev-17",
    "sequence": 17,
    "text": "a table for four",
    "is_final": True,
    "language": "en-US",
    "confidence": 0.93,
}


def test_present_and_old_names_mean_the_same():
    present = to_event(parse_event(PRESENT), "hotel-1", NOW)
    assert to_event(parse_event(OLD), "hotel-1", NOW) == present
    assert (present.id, present.call_id, present.sequence, present.occurred_at) == ("ev-17", "room-1", 17, NOW)
    assert present.payload == {"text": "a table for four", "final": True, "language": "en-US", "confidence": 0.93}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("event", "type"),
        ("event_type", "type"),
        ("call_sid", "call_id"),
        ("room_name", "call_id"),
        ("hotel_id", "tenant_id"),
    ],
)
def test_each_old_name(old, new):
    body = {name: value for name, value in PRESENT.items() if name != new} | {old: PRESENT[new]}
    assert parse_event(body) == parse_event(PRESENT)


def test_the_body_of_the_earlier_agent_is_understood():
    body = {"event_type": "call_started", "call_sid": "room-1", "data": {"caller_id": "+491"}, "hotel_id": "h"}
    event = to_event(parse_event(body), "h", NOW)
    assert (event.type, event.payload, event.occurred_at) == (EventType.CALL_STARTED, {"caller": "+491"}, NOW)


@pytest.mark.parametrize("kind", ["intent_detected", "response_generated", "tts_completed"])
def test_what_earlier_agents_tell_about_themselves_is_recorded_as_it_is(kind):
    data = {"intent": "booking", "nested": {"a": [1, None, "ü"]}}
    assert to_event(parse_event({"type": kind, "call_id": "c", "data": data}), "t", NOW).payload == data


@pytest.mark.parametrize("kind", sorted({kind.value for kind in EventType} - {kind.value for kind in OWN}))
def test_every_type_from_outside_is_known(kind):
    data = {"transcription": {"text": "x"}, "dtmf": {"digit": "1"}}.get(
        kind, {"key": "k"} if kind.startswith("playback") else {}
    )
    assert parse_event({"type": kind, "call_id": "c", "data": data}).type == kind


WRONG = [
    ({"type": "sing"}, "type"),
    ({"type": "turn_opened"}, "type"),
    ({"call_id": f"no {SECRET}"}, "call_id"),
    ({"call_id": None}, "call_id"),
    ({"tenant_id": f"no {SECRET}"}, "tenant_id"),
    ({"event_id": f"no {SECRET}"}, "event_id"),
    ({"source": f"no {SECRET}"}, "source"),
    ({"source": "orchestrator"}, "source"),
    ({"sequence": 0}, "sequence"),
    ({"sequence": SECRET}, "sequence"),
    ({"occurred_at": SECRET}, "occurred_at"),
    ({"occurred_at": "2030-01-01T12:00:00"}, "occurred_at"),
    ({"occurred_at": True}, "occurred_at"),
    ({"data": SECRET}, "data"),
    ({"data": {"text": ""}}, "data.text"),
    ({"data": {"text": SECRET * 2000}}, "data.text"),
    ({"data": {"text": 4711}}, "data.text"),
    ({"data": {"text": "\ud800"}}, "data.text"),
    ({"data": {"text": "x", "final": SECRET}}, "data.final"),
    ({"data": {"text": "x", "confidence": 1.5}}, "data.confidence"),
    ({"data": {"text": "x", "confidence": float("nan")}}, "data.confidence"),
    ({"data": {"text": "x", "language": SECRET * 20}}, "data.language"),
    ({"data": {"text": "x", "mood": SECRET}}, "data.mood"),
    ({"type": "dtmf", "data": {"digit": SECRET}}, "data.digit"),
    ({"type": "dtmf", "data": {}}, "data.digit"),
    ({"type": "playback_finished", "data": {}}, "data.key"),
    ({"type": "playback_cleared", "data": {"key": "k", "played_ms": -1}}, "data.played_ms"),
    ({"type": "call_started", "data": {"reply_channel": SECRET}}, "data.reply_channel"),
    ({"type": "error", "data": {"fatal": SECRET}}, "data.fatal"),
    ({"type": "tts_completed", "data": {"a": SECRET * 4000}}, "data"),
    ({"type": "tts_completed", "data": {"a": "\ud800"}}, "data"),
    ({"type": "tts_completed", "data": {"a": float("inf")}}, "data"),
]


@pytest.mark.parametrize(("change", "field"), WRONG, ids=[f"{field}-{place}" for place, (_, field) in enumerate(WRONG)])
def test_a_wrong_field_is_named_and_its_value_is_not(change, field):
    with pytest.raises(InvalidEvent) as refused:
        parse_event(PRESENT | change)
    error = refused.value
    assert field in error.details["fields"]
    assert error.status == 422
    assert SECRET not in f"{error!r}{error.message}{error.details}{error.__cause__}{error.__context__}"


@pytest.mark.parametrize("field", ["type", "call_id"])
def test_a_missing_field_is_named(field):
    with pytest.raises(InvalidEvent) as refused:
        parse_event({name: value for name, value in PRESENT.items() if name != field})
    assert field in refused.value.details["fields"]


@pytest.mark.parametrize("body", [None, [], "text", 4, True])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(InvalidEvent, match="JSON object"):
        parse_event(body)


@pytest.mark.parametrize("timestamp", [float("nan"), float("inf"), 1e30, -1e30])
def test_a_timestamp_that_is_no_time_is_refused(timestamp):
    with pytest.raises(InvalidEvent):
        parse_event(OLD | {"timestamp": timestamp})


def test_a_clock_far_ahead_is_refused_and_one_a_little_ahead_is_not():
    def at(offset: timedelta) -> datetime:
        body = PRESENT | {"occurred_at": (NOW + offset).isoformat()}
        return to_event(parse_event(body), "t", NOW).occurred_at

    assert at(timedelta(minutes=4)) == NOW + timedelta(minutes=4)
    assert at(timedelta(days=-400)) == NOW - timedelta(days=400)
    with pytest.raises(InvalidEvent, match="future"):
        at(timedelta(minutes=6))


def test_a_time_that_utc_does_not_have_is_refused():
    with pytest.raises(InvalidEvent, match="occurred_at"):
        to_event(parse_event(PRESENT | {"occurred_at": "0001-01-01T00:00:00+23:59"}), "t", NOW)


def test_times_are_kept_in_utc():
    event = to_event(parse_event(PRESENT | {"occurred_at": "2030-01-01T13:00:00+01:00"}), "t", NOW)
    assert (event.occurred_at, event.occurred_at.tzinfo) == (NOW, UTC)


# --- the id of an event that has none ---------------------------------------------------------------------------------------


def unnamed(**change: object) -> str:
    body = {name: value for name, value in PRESENT.items() if name != "event_id"} | change
    return to_event(parse_event(body), "t", NOW).id


def test_an_event_without_an_id_is_known_by_what_it_says_and_when():
    assert unnamed() == unnamed()
    others = [unnamed(sequence=18), unnamed(call_id="room-2"), unnamed(data={"text": "other"}), unnamed(source="b")]
    assert len({unnamed(), *others}) == 5


def test_without_a_time_and_a_count_every_event_is_taken_as_said():
    assert unnamed(sequence=None, occurred_at=None) != unnamed(sequence=None, occurred_at=None)


# --- the transcription endpoint ---------------------------------------------------------------------------------------------


def test_the_body_of_the_transcription_endpoint_is_an_event():
    body = {"call_sid": "room-1", "text": "a table", "language": "en-US", "confidence": 0.9, "is_final": False}
    event = to_event(parse_event(parse_transcription(body)), "t", NOW)
    assert (event.type, event.call_id, event.is_final) == (EventType.TRANSCRIPTION, "room-1", False)
    assert event.payload == {"text": "a table", "final": False, "language": "en-US", "confidence": 0.9}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"call_sid": None}, "call_sid"),
        ({"text": ""}, "text"),
        ({"is_final": SECRET}, "is_final"),
        ({"x": SECRET}, "x"),
    ],
)
def test_a_wrong_field_of_the_transcription_endpoint_is_named(change, field):
    with pytest.raises(InvalidEvent) as refused:
        parse_transcription({"call_sid": "c", "text": "x"} | change)
    assert field in refused.value.details["fields"]
    assert SECRET not in str(refused.value)


# --- anything at all --------------------------------------------------------------------------------------------------------

LEAF = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2030-01-01T00:00:00Z", "c"])
)
ANY_JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)
NAMES = st.sampled_from(
    [*AgentEvent.model_fields, *TranscriptionEvent.model_fields, *OLD, "data", "event_type", "caller", "digit", "key"]
)
KINDS = st.sampled_from([kind.value for kind in EventType])
BODIES = st.one_of(
    ANY_JSON,
    st.dictionaries(NAMES, ANY_JSON, max_size=6),
    st.dictionaries(NAMES, ANY_JSON, max_size=5).flatmap(
        lambda body: KINDS.map(lambda kind: {**body, "type": kind, "call_id": "c"})
    ),
)


@given(BODIES)
def test_any_json_is_an_event_or_refused_with_the_fields(body):
    event, refused = attempt(lambda: to_event(parse_event(body), "t", NOW), InvalidEvent)
    if refused is not None:
        assert refused.details["fields"]
        json.dumps([refused.message, list(refused.details["fields"])], ensure_ascii=False).encode()
    else:
        assert event.occurred_at.utcoffset() == timedelta(0)
        json.dumps(event.payload, ensure_ascii=False).encode()


@given(BODIES)
def test_any_json_is_a_transcription_or_refused_with_the_fields(body):
    _, refused = attempt(lambda: parse_event(parse_transcription(body)), InvalidEvent)
    assert refused is None or refused.details["fields"]


def test_nesting_without_end_is_refused():
    nested: object = {}
    for _ in range(5000):
        nested = {"a": nested}
    with pytest.raises(InvalidEvent, match="data"):
        parse_event({"type": "tts_completed", "call_id": "c", "data": {"x": nested}})
