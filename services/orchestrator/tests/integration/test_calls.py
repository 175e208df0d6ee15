"""Calls through the front doors, answered in the answers."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from app_support import (
    BEARER_KEY,
    CALLER,
    DIALED,
    SHORT,
    TENANT,
    Client,
    livekit_webhook,
    new_call,
    running,
    settings,
    sip_caller,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


def spoken(answer: dict[str, Any]) -> str:
    return " ".join(action["text"] for action in answer["actions"] if action["action"] == "speak")


# --- starting, listing, ending ------------------------------------------------------------------------------------------------


async def test_the_start_of_a_call_says_where_its_media_goes(service: Client) -> None:
    started = await service.start()

    call_id = started["call_id"]
    assert set(started) == {"call_id", "session_token", "websocket_url", "region", "encryption_key_id"}
    assert re.fullmatch(r"call_[0-9a-f]{32}", call_id)
    assert started["websocket_url"] == f"ws://localhost/v1/calls/{call_id}/media"
    assert started["region"] == "eu-central-1"
    assert len(started["session_token"]) > 60
    assert call_id not in started["session_token"]
    assert started["session_token"] not in started["websocket_url"]
    assert CALLER not in json.dumps(started)


async def test_no_two_starts_are_alike(service: Client) -> None:
    one, other = await service.start(), await service.start()

    assert one["call_id"] != other["call_id"]
    assert one["session_token"] != other["session_token"]


async def test_the_key_is_the_callers_within_a_tenant(service: Client) -> None:
    key = (await service.start())["encryption_key_id"]

    assert (await service.start())["encryption_key_id"] == key
    assert (await service.start(caller="+4915112345679"))["encryption_key_id"] != key
    assert (await service.start(tenant="garden"))["encryption_key_id"] != key


async def test_the_old_name_of_the_tenant_is_understood(service: Client) -> None:
    body = {"caller_id": CALLER, "hotel_id": TENANT, "language": "de", "sip_headers": {"X-Trunk": "t1"}}

    answer = await service.post("/v1/call/start", body)

    assert (await service.view(answer.json()["call_id"]))["tenant"] == TENANT


async def test_a_call_from_its_start_to_its_transcript(service: Client) -> None:
    call_id = new_call()
    greeted = await service.event(call_id, "call_started", caller=CALLER, dialed=DIALED)
    asked = await service.says(call_id, "I'd like to book a table for four on Friday at seven")
    named = await service.says(call_id, "The name is Harbour")
    ended = await service.event(call_id, "call_ended", reason="caller left")

    assert "The Harbour House" in spoken(greeted)
    assert "name" in spoken(asked)
    assert "Harbour" in spoken(named)
    assert "4" in spoken(named)
    assert (greeted["status"], greeted["event"], greeted["call_id"]) == ("processed", "call_started", call_id)
    assert ended["actions"] == []
    view = await service.until(call_id, "ended")
    assert [turn["kind"] for turn in view["turns"]] == ["greeting", "speech", "speech"]
    assert [turn["caller"] for turn in view["turns"]][1:] == [
        "I'd like to book a table for four on Friday at seven",
        "The name is Harbour",
    ]
    assert view["turns"][2]["spoken"] == [each["text"] for each in named["actions"]]
    assert (view["end_reason"], view["language"], view["tenant"]) == ("caller left", "en-US", TENANT)
    assert datetime.fromisoformat(view["started_at"]) <= datetime.fromisoformat(view["ended_at"])


async def test_every_action_has_a_key_of_its_own(service: Client) -> None:
    call_id = new_call()
    answers = [await service.event(call_id, "call_started"), await service.says(call_id, "What time is breakfast?")]

    keys = [action["key"] for answer in answers for action in answer["actions"]]
    assert len(keys) == len(set(keys)) > 2


@pytest.mark.parametrize("key", [*"0123456789*#"])
async def test_every_key_of_the_telephone_is_answered(service: Client, key: str) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")

    answer = await service.event(call_id, "dtmf", digit=key)

    assert spoken(answer)
    if key == "0":
        assert [action["action"] for action in answer["actions"]][-1] == "transfer"


async def test_a_goodbye_ends_with_an_order_to_hang_up(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")

    answer = await service.says(call_id, "Goodbye")

    assert [action["action"] for action in answer["actions"]][-1] == "hang_up"


async def test_the_tenants_language_is_spoken(service: Client) -> None:
    answer = await service.event(new_call(), "call_started", tenant="garden")

    assert {action["language"] for action in answer["actions"]} == {"de-DE"}
    assert "The Garden" in spoken(answer)


async def test_the_list_is_paged_newest_first(service: Client) -> None:
    mine = [(await service.start(tenant="garden"))["call_id"] for _ in range(5)]
    pages: list[list[str]] = []
    before = None
    while True:
        page = (
            await service.get("/v1/calls", tenant="garden", limit=2, **({"before": before} if before else {}))
        ).json()
        pages.append([call["id"] for call in page["calls"]])
        assert {call["tenant"] for call in page["calls"]} == {"garden"}
        before = page["next"]
        if before is None or set(mine) <= {each for found in pages for each in found}:
            break

    listed = [each for found in pages for each in found]
    assert listed[:5] == mine[::-1]
    assert all(len(found) <= 2 for found in pages)


async def test_the_last_page_says_so(service: Client) -> None:
    count = len((await service.get("/v1/calls", limit=500)).json()["calls"])

    assert (await service.get("/v1/calls", limit=count)).json()["next"] is None
    assert (await service.get("/v1/calls", limit=count - 1)).json()["next"] is not None


async def test_an_operator_ends_a_call(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")
    assert call_id in {call["id"] for call in (await service.get("/v1/calls", open=True, limit=500)).json()["calls"]}

    ended = (await service.post(f"/v1/calls/{call_id}/end", {"reason": "fire alarm"})).json()
    again = (await service.post(f"/v1/calls/{call_id}/end")).json()

    assert (ended["state"], ended["end_reason"]) == ("ended", "fire alarm")
    assert again == ended
    assert call_id not in {
        call["id"] for call in (await service.get("/v1/calls", open=True, limit=500)).json()["calls"]
    }


async def test_an_operator_needs_no_reason(service: Client) -> None:
    started = await service.start()

    ended = (await service.post(f"/v1/calls/{started['call_id']}/end")).json()

    assert (ended["state"], ended["end_reason"]) == ("ended", "ended by an operator")


# --- copies, disorder, lateness -----------------------------------------------------------------------------------------------


async def test_a_copy_gets_the_same_answer_and_has_no_second_effect(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")
    body = json.dumps(service.next_event(call_id, "transcription", text="What time is breakfast?")).encode()

    first, second = await service.signed(body), await service.signed(body)

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json() == {**first.json(), "duplicate": True}
    assert len((await service.view(call_id))["turns"]) == 2


async def test_a_copy_is_told_the_same_after_the_end(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")
    body = json.dumps(service.next_event(call_id, "transcription", text="What time is breakfast?")).encode()
    first = (await service.signed(body)).json()
    await service.post(f"/v1/calls/{call_id}/end")

    second = await service.signed(body)

    assert second.status_code == 200
    assert second.json() == {**first, "state": "ended", "duplicate": True}


async def test_what_comes_before_the_start_is_kept_and_answered_after_it(service: Client) -> None:
    call_id = new_call()
    early = service.next_event(call_id, "call_started")
    said = await service.signed(
        json.dumps(service.next_event(call_id, "transcription", text="Is there a garage?")).encode()
    )
    assert (said.status_code, said.json()["status"], said.json()["actions"]) == (202, "kept", [])

    greeted = await service.signed(json.dumps(early).encode())

    assert greeted.status_code == 200
    assert spoken(greeted.json())
    again = await service.signed(said.request.content)
    assert again.json()["duplicate"]
    assert "garage" in spoken(again.json())
    assert [turn["kind"] for turn in (await service.view(call_id))["turns"]] == ["greeting", "speech"]


async def test_what_comes_after_the_end_is_recorded_and_changes_nothing(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")
    before = (await service.post(f"/v1/calls/{call_id}/end")).json()

    late = await service.says(call_id, "Hello? Is anybody there?")

    assert (late["status"], late["state"], late["actions"]) == ("recorded", "ended", [])
    after = await service.view(call_id)
    assert after["turns"] == before["turns"]
    assert after["events"] == before["events"] + 1


async def test_disorder_within_a_source_is_put_in_order(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")
    first = service.next_event(call_id, "dtmf", digit="1")
    second = service.next_event(call_id, "dtmf", digit="2")

    overtaking = asyncio.create_task(service.signed(json.dumps(second).encode()))
    await asyncio.sleep(0.05)
    await service.signed(json.dumps(first).encode())
    await overtaking

    turns = (await service.view(call_id))["turns"]
    assert "".join(turn["caller"] for turn in turns[1:]) == "12"


async def test_a_hole_in_the_count_is_a_metric_and_an_audit_event(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")
    service.sequences[call_id] += 3  # lost on the way

    await service.says(call_id, "Hello")

    gap = await service.audited("call.events.missing", f"call:{call_id}")
    assert (gap.details["missing"], gap.tenant) == (3, TENANT)
    assert 'orchestrator_call_missing_events_total{source="agent"}' in (await service.get("/metrics")).text


# --- what earlier agents send -------------------------------------------------------------------------------------------------


async def old(service: Client, body: dict[str, Any], path: str = "/call/event") -> dict[str, Any]:
    headers = {"authorization": f"Bearer {BEARER_KEY}"}
    answer = await service.http.post(path, json=body, headers=headers)
    assert answer.status_code in {200, 202}, answer.text
    return dict(answer.json())


async def test_the_events_of_earlier_agents_are_understood(service: Client) -> None:
    room, at = new_call(), datetime.now(UTC).timestamp()

    ready = await old(
        service, {"event": "agent_ready", "room_name": room, "timestamp": at, "data": {}, "hotel_id": TENANT}
    )
    started = await old(
        service, {"event_type": "call_started", "call_sid": room, "timestamp": at + 1, "caller_id": CALLER}
    )
    heard = await old(
        service,
        {"call_sid": room, "text": "What time is breakfast?", "language": "en-US", "confidence": 0.9, "is_final": True},
        "/v1/livekit/transcription",
    )
    keys = await old(service, {"event": "dtmf", "room_name": room, "timestamp": at + 20, "data": {"digit": "3"}})
    for name in ("intent_detected", "response_generated", "tts_completed"):
        told = await old(
            service, {"event": name, "room_name": room, "timestamp": at + 21, "data": {"anything": [1, "x"]}}
        )
        assert told["event"] == name
    await old(service, {"event": "call_ended", "room_name": room, "timestamp": at + 22, "reason": "hangup"})

    assert (ready["status"], ready["event"]) == ("processed", "agent_ready")
    assert "The Harbour House" in spoken(started)
    assert "breakfast" in spoken(heard).lower()
    assert spoken(keys)
    view = await service.until(room, "ended")
    assert (view["tenant"], view["end_reason"]) == (TENANT, "hangup")
    assert [turn["kind"] for turn in view["turns"]] == ["greeting", "speech", "digits"]


async def test_a_final_that_is_sent_to_both_doors_is_answered_once(service: Client) -> None:
    room, at = new_call(), datetime.now(UTC)
    await old(service, {"event": "call_started", "room_name": room, "hotel_id": TENANT})
    said = {"text": "What time is breakfast?", "language": "en-US", "confidence": 0.9}

    one = await old(
        service,
        {
            "event": "transcription",
            "room_name": room,
            "occurred_at": at.isoformat(),
            "data": {**said, "is_final": True},
        },
    )
    other = await old(
        service,
        {"call_sid": room, "occurred_at": at.isoformat(), "is_final": True, **said},
        "/v1/livekit/transcription",
    )

    assert other == {**one, "duplicate": True}
    assert len((await service.view(room))["turns"]) == 2


async def test_a_guess_is_taken_in_and_not_answered(service: Client) -> None:
    room = new_call()
    await old(service, {"event": "call_started", "room_name": room, "hotel_id": TENANT})

    guess = await old(service, {"call_sid": room, "text": "What ti", "is_final": False}, "/v1/livekit/transcription")

    assert (guess["status"], guess["actions"]) == ("processed", [])


# --- LiveKit's own webhooks ---------------------------------------------------------------------------------------------------


async def hook(service: Client, event: str, room: str, **members: Any) -> dict[str, Any]:
    answer = await service.webhook(livekit_webhook(event, room, **members))
    assert answer.status_code in {200, 202}, answer.text
    return dict(answer.json())


async def test_livekit_tells_a_call_from_its_beginning_to_its_end(service: Client) -> None:
    room = new_call()

    opened = await hook(service, "room_started", room)
    joined = await hook(service, "participant_joined", room, participant=sip_caller())
    agent = await hook(service, "participant_joined", room, participant={"identity": "agent-1", "kind": "AGENT"})
    track = await hook(service, "track_published", room, participant=sip_caller(), track={"sid": "TR_1"})
    active = await service.until(room, "active")
    left = await hook(service, "participant_left", room, participant=sip_caller())
    finished = await hook(service, "room_finished", room)

    assert (opened["status"], track["status"]) == ("ignored", "ignored")
    assert (joined["event"], agent["event"], left["event"], finished["event"]) == (
        "call_started",
        "agent_ready",
        "call_ended",
        "call_ended",
    )
    assert active["turns"][0]["kind"] == "greeting"
    view = await service.until(room, "ended")
    assert (view["tenant"], view["end_reason"]) == (TENANT, "caller left")


async def test_the_number_that_was_called_tells_the_tenant(service: Client) -> None:
    room = new_call()

    await hook(service, "participant_joined", room, participant=sip_caller(**{"sip.trunkPhoneNumber": "+4989123456"}))

    assert (await service.view(room))["tenant"] == "garden"


async def test_livekit_sends_again_and_nothing_happens_twice(service: Client) -> None:
    room = new_call()
    body = livekit_webhook("participant_joined", room, participant=sip_caller())

    first, second = (await service.webhook(body)).json(), (await service.webhook(body)).json()

    assert (first["duplicate"], second["duplicate"]) == (False, True)
    view = await service.until(room, "active")
    assert len(view["turns"]) == 1


@pytest.mark.parametrize("event", ["participant_joined", "egress_ended"])
async def test_what_livekit_dropped_is_a_metric_and_an_audit_event(service: Client, event: str) -> None:
    room = new_call()

    await hook(service, event, room, participant=sip_caller(), numDropped=7)
    await service.view(room) if event == "participant_joined" else None

    gap = await service.audited("call.events.missing", f"call:{room}")
    assert (gap.details["missing"], gap.details["source"], gap.tenant) == (7, "livekit", TENANT)
    assert 'orchestrator_call_missing_events_total{source="livekit"}' in (await service.get("/metrics")).text


@pytest.mark.parametrize(
    "change", [{"id": None}, {"createdAt": "soon"}, {"createdAt": -1}, {"room": {"name": "a b"}}, {"event": 7}]
)
async def test_a_webhook_that_is_none_is_told_by_its_fields(service: Client, change: dict[str, Any]) -> None:
    body = json.dumps({**json.loads(livekit_webhook("room_finished", new_call())), **change}).encode()

    answer = await service.webhook(body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_event")
    assert answer.json()["fields"][0].startswith(next(iter(change)))


async def test_a_newer_livekit_may_send_more(service: Client) -> None:
    told = await hook(
        service, "participant_joined", new_call(), participant={**sip_caller(), "newer": {"a": 1}}, newest=[1]
    )

    assert told["status"] == "processed"


# --- what is measured ---------------------------------------------------------------------------------------------------------


def metric(text: str, name: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


async def test_running_calls_are_counted_up_and_down(data: Path) -> None:
    # A service of its own: in the others' the calls of earlier tests come to their ends meanwhile.
    async with running(settings(data, tenants=SHORT)) as service:

        async def active() -> float:
            return metric((await service.get("/metrics")).text, "orchestrator_calls_in_progress")

        assert await active() == 0
        call_id = new_call()
        await service.event(call_id, "call_started")
        assert await active() == 1

        await service.post(f"/v1/calls/{call_id}/end")
        assert await active() == 0


async def test_each_event_counts_once_and_a_refused_one_never(service: Client) -> None:
    async def counted() -> float:
        return metric(
            (await service.get("/metrics")).text, 'orchestrator_call_events_total{source="agent",type="hold"}'
        )

    call_id = new_call()
    await service.event(call_id, "call_started")
    before = await counted()
    body = json.dumps(service.next_event(call_id, "hold")).encode()
    for _ in range(2):
        await service.signed(body)
    await service.signed(body, secret="another-secret-0123456789")

    assert await counted() == before + 1


async def test_labels_do_not_grow_with_what_strangers_send(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")
    body = json.dumps({**service.next_event(call_id, "hold"), "source": f"source-{call_id}"}).encode()

    assert (await service.signed(body)).status_code == 200

    text = (await service.get("/metrics")).text
    assert call_id not in text
    assert 'source="other"' in text
