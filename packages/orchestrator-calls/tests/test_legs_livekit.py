"""LiveKit's webhooks in their own format."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from calls_support import attempt
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.events import EventType
from orchestrator_calls.legs.agent import InvalidEvent
from orchestrator_calls.legs.livekit import LiveKitWebhook, parse_webhook

NOW = datetime(2030, 1, 1, 12, 0, 3, tzinfo=UTC)
ROOM = {
    "sid": "RM_x",
    "name": "room-1",
    "emptyTimeout": 300,
    "creationTime": "1893499200",
    "turnPassword": "",
    "enabledCodecs": [],
}
CALLER = {
    "sid": "PA_1",
    "identity": "sip_+491",
    "state": "ACTIVE",
    "kind": "SIP",
    "attributes": {"sip.phoneNumber": "+4917012345", "sip.trunkPhoneNumber": "+493012345", "sip.callID": "SCL_1"},
}
AGENT = {"sid": "PA_2", "identity": "agent-1", "kind": "AGENT"}
PERSON = {"sid": "PA_3", "identity": "bob"}


def webhook(name: str, participant: dict[str, object] | None = None, **more: object) -> LiveKitWebhook:
    body = {"event": name, "id": "EV_1", "createdAt": "1893499200", "room": ROOM, **more}
    if participant:
        body["participant"] = participant
    return parse_webhook(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("name", "participant", "kind"),
    [
        ("participant_joined", CALLER, EventType.CALL_STARTED),
        ("participant_joined", {**CALLER, "kind": 3}, EventType.CALL_STARTED),
        ("participant_joined", AGENT, EventType.AGENT_READY),
        ("participant_joined", {**AGENT, "kind": 4}, EventType.AGENT_READY),
        ("participant_joined", PERSON, EventType.PARTICIPANT_JOINED),
        ("participant_left", CALLER, EventType.CALL_ENDED),
        ("participant_connection_aborted", CALLER, EventType.CALL_ENDED),
        ("participant_left", AGENT, EventType.PARTICIPANT_LEFT),
        ("participant_left", PERSON, EventType.PARTICIPANT_LEFT),
        ("room_finished", None, EventType.CALL_ENDED),
        ("room_started", None, None),
        ("track_published", AGENT, None),
        ("egress_started", None, None),
        ("something_new", None, None),
    ],
)
def test_what_each_webhook_means(name, participant, kind):
    assert webhook(name, participant).kind is kind


def test_a_caller_who_joins_starts_the_call_with_both_numbers():
    parsed = webhook("participant_joined", CALLER)
    event = parsed.event("t1", NOW)
    assert event is not None
    assert (event.id, event.call_id, event.tenant, event.source) == ("livekit:EV_1", "room-1", "t1", "livekit")
    assert (event.occurred_at, event.received_at) == (datetime(2030, 1, 1, 12, tzinfo=UTC), NOW)
    assert (event.payload["caller"], event.payload["dialed"], parsed.dialed) == (
        "+4917012345",
        "+493012345",
        "+493012345",
    )
    assert event.sequence is None


def test_the_answer_of_a_webhook_reaches_nobody_so_replies_go_to_the_media_socket():
    event = webhook("participant_joined", CALLER).event("t1", NOW)
    assert event is not None
    assert event.payload["presumed_channel"] == "media"


def test_a_caller_who_hides_the_number_starts_the_call_all_the_same():
    event = webhook("participant_joined", {**CALLER, "attributes": {}}).event("t1", NOW)
    assert event is not None
    assert "caller" not in event.payload


def test_a_number_has_an_end():
    numbers = dict.fromkeys(CALLER["attributes"], "9" * 200_000)
    event = webhook("participant_joined", {**CALLER, "attributes": numbers}).event("t1", NOW)
    assert event is not None
    assert (event.payload["caller"], event.payload["dialed"]) == ("9" * 100, "9" * 100)


def test_what_the_server_dropped_is_told_even_by_an_event_that_means_nothing_else():
    event = webhook("track_published", AGENT, numDropped=3).event("t1", NOW)
    assert event is not None
    assert (event.type, event.payload["num_dropped"], event.is_fatal) == (EventType.ERROR, 3, False)
    ended = webhook("room_finished", numDropped=2).event("t1", NOW)
    assert ended is not None
    assert (ended.type, ended.payload["num_dropped"]) == (EventType.CALL_ENDED, 2)


def test_what_is_about_no_room_is_no_event():
    body = {"event": "egress_started", "id": "EV_1", "createdAt": 1893499200, "numDropped": 1}
    parsed = parse_webhook(json.dumps(body).encode())
    assert (parsed.room, parsed.event("t1", NOW)) == ("", None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "id"),
        ({"createdAt": "soon"}, "createdAt"),
        ({"createdAt": -1}, "createdAt"),
        ({"createdAt": 253_402_300_800}, "createdAt"),
        ({"event": None}, "event"),
        ({"room": {"name": "secret value"}}, "room.name"),
        ({"numDropped": -1}, "numDropped"),
        ({"participant": {"attributes": {"a": 1}}}, "participant.attributes.a"),
        ({"participant": {"attributes": {"\n" * 90: 1}}}, "participant.attributes." + "\\n" * 38 + "\\"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(change, field):
    body = {"event": "room_finished", "id": "EV_1", "createdAt": "1893499200", "room": ROOM} | change
    with pytest.raises(InvalidEvent) as refused:
        parse_webhook(json.dumps(body).encode())
    assert refused.value.details["fields"] == [field]
    assert "secret value" not in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
)
MEMBERS = st.sampled_from(
    ["event", "id", "createdAt", "numDropped", "room", "participant", "name", "kind", "attributes"]
)


@given(
    st.one_of(
        st.binary(max_size=60), st.dictionaries(MEMBERS, JSON, max_size=6).map(lambda body: json.dumps(body).encode())
    )
)
def test_any_bytes_are_a_webhook_or_refused_with_the_fields(body):
    parsed, refused = attempt(lambda: parse_webhook(body), InvalidEvent)
    if refused is not None:
        assert refused.details["fields"]
    else:
        parsed.event("t1", NOW)


@given(
    st.sampled_from(["participant_joined", "participant_left", "room_finished", "track_published"]),
    st.dictionaries(st.sampled_from(["sid", "identity", "kind", "attributes", "metadata"]), JSON, max_size=5),
    st.integers(),
)
def test_any_participant_is_understood_or_refused(name, participant, dropped):
    _, refused = attempt(lambda: webhook(name, participant, numDropped=dropped).event("t1", NOW), InvalidEvent)
    assert refused is None or refused.details["fields"]
