"""Calls over Twilio: webhooks and the relay's socket, signed by Twilio's own SDK, on a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
import pytest_asyncio
from app_support import SHORT, TENANT, TOKEN, Client, listening, settings
from app_twilio import (
    ACCOUNT,
    DESK,
    DIALED,
    OTHER,
    TOKENS,
    Relay,
    new_sid,
    post,
    relay_url,
    relayed,
    ring,
    setup,
    signature,
)
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(module_data: Path) -> AsyncGenerator[Client, None]:
    twilio = {
        "account_sid": ACCOUNT,
        "auth_token": TOKENS[ACCOUNT],
        "secondary_token": "auth-token-of-the-tests-3",
        "more_accounts": {OTHER: TOKENS[OTHER]},
        "tenant": TENANT,
    }
    tenants = {TENANT: {**SHORT[TENANT], "transfers": {"desk": DESK}}}
    async with listening(settings(module_data, tenants=tenants, twilio=twilio, calls={"silence": 60})) as client:
        yield client


def order(relay: Relay) -> dict[str, Any]:
    """What the session was ended with."""
    return dict(json.loads(relay.messages[-1]["handoffData"]))


# --- a whole call -------------------------------------------------------------------------------------------------------------


async def test_a_call_from_its_first_ring_to_its_end(service: Client) -> None:
    call = new_sid()
    root = await ring(service, call)
    connect_verb = root.find("Connect")
    assert connect_verb is not None
    relay_noun = connect_verb.find("ConversationRelay")
    assert relay_noun is not None
    assert relay_noun.get("url") == relay_url(service)
    assert (await service.view(call))["state"] == "connecting"
    async with relayed(service, call) as relay:
        await relay.answered(1)
        assert relay.spoken.startswith("Hello.")
        await relay.says("when is", last=False)
        await relay.says("when is breakfast")
        await relay.answered(2)
        await whole(service, call)
        view = await service.view(call)
        assert [turn["kind"] for turn in view["turns"]] == ["greeting", "speech"]
        assert view["turns"][1]["caller"] == "when is breakfast"
        assert view["turns"][1]["latency_ms"] is not None
        await relay.says("goodbye")
        await relay.until(lambda: relay.messages[-1]["type"] == "end")
        handoff = relay.messages[-1]["handoffData"]
        assert order(relay)["reasonCode"] == "hang_up"
    ended = await post(service, str(connect_verb.get("action")), call, CallStatus="in-progress", HandoffData=handoff)
    assert ET.fromstring(ended.text).find("Hangup") is not None
    assert (await service.until(call, "ended"))["end_reason"]
    status = await post(service, "status", call, CallStatus="completed", SequenceNumber="3")
    assert status.status_code == 204


async def test_the_first_token_goes_out_before_the_answer_is_whole(service: Client) -> None:
    async with relayed(service, new_sid()) as relay:
        await relay.answered(1)
        texts = [each for each in relay.messages if each["type"] == "text"]
        assert [each["last"] for each in texts] == [False] * (len(texts) - 1) + [True]
        assert texts[-1]["token"] == ""


async def test_an_interruption_leaves_the_words_that_were_heard(service: Client) -> None:
    call = new_sid()
    async with relayed(service, call, plays=False) as relay:
        await relay.answered(1)
        first = relay.messages[0]["token"]
        heard = " ".join(first.split()[:3])
        await relay.send(type="interrupt", utteranceUntilInterrupt=heard, durationUntilInterruptMs="460")
        await relay.says("when is breakfast")
        await relay.answered(2)
        greeting, answer = (await service.view(call))["turns"]
    assert greeting["interrupted"] is True
    assert greeting["heard"] == heard
    assert answer["interrupted"] is False


async def test_keys_are_taken(service: Client) -> None:
    call = new_sid()
    async with relayed(service, call) as relay:
        await relay.answered(1)
        await relay.send(type="dtmf", digit="2")
        await relay.answered(2)
        assert (await service.view(call))["turns"][-1]["kind"] == "digits"


async def test_a_status_callback_ends_the_call(service: Client) -> None:
    call = new_sid()
    async with relayed(service, call) as relay:
        await relay.answered(1)
        await post(service, "status", call, CallStatus="in-progress")
        assert (await service.view(call))["state"] == "active"
        await post(service, "status", call, CallStatus="no-answer")
        assert (await service.until(call, "ended"))["end_reason"] == "twilio: no-answer"
        await relay.until(lambda: relay.messages[-1]["type"] == "end")
        assert order(relay) == {"reasonCode": "over"}
    again = await post(service, "voice", call, CallStatus="in-progress")
    assert ET.fromstring(again.text).find("Hangup") is not None


async def test_a_status_callback_of_a_call_that_nobody_took_is_nothing(service: Client) -> None:
    call = new_sid()
    assert (await post(service, "status", call, CallStatus="completed")).status_code == 204
    assert (await service.get(f"/v1/calls/{call}")).status_code == 404
    ended = await post(service, "relay/ended", call, CallStatus="in-progress")
    assert ET.fromstring(ended.text).find("Hangup") is not None


async def test_an_error_of_the_relay_is_kept_and_the_call_goes_on(service: Client) -> None:
    call = new_sid()
    async with relayed(service, call) as relay:
        await relay.answered(1)
        await relay.send(type="error", description="Invalid message received")
        await relay.says("when is breakfast")
        await relay.answered(2)
    assert "error" in await kinds(service, call)
    assert (await service.view(call))["state"] == "active"


async def test_what_a_newer_relay_says_is_passed_over(service: Client) -> None:
    call = new_sid()
    async with relayed(service, call) as relay:
        await relay.answered(1)
        await relay.send(type="mood", value="fine")
        await relay.send(type="info", name="agentSpeaking", value="???")
        await relay.send(type="info", name="agentSpeaking", value="on", ts=1)
        await relay.send(type="info", name="clientSpeaking", value="on", ts=1)
        await relay.says("when is breakfast")
        await relay.answered(2)


async def whole(service: Client, call: str) -> None:
    """Return when all that was said is known to be heard."""
    async with asyncio.timeout(5):
        while any(turn["heard"] != " ".join(turn["spoken"]) for turn in (await service.view(call))["turns"]):
            await asyncio.sleep(0.01)


async def kinds(service: Client, call: str) -> list[str]:
    """The types of the call's journalled events."""
    return [event.type.value for event in await service.app.registry.get(runtime_type()).events(call)]


def runtime_type() -> Any:
    from orchestrator_calls.runtime import CallRuntime

    return CallRuntime


# --- transfers ----------------------------------------------------------------------------------------------------------------


async def transferred(service: Client, call: str) -> tuple[ET.Element, str]:
    """A call whose caller asked for a person: the `Dial` verb, and the order's key."""
    async with relayed(service, call) as relay:
        await relay.answered(1)
        await relay.says("I want to speak to a person")
        await relay.until(lambda: relay.messages[-1]["type"] == "end")
        handoff = relay.messages[-1]["handoffData"]
        key = order(relay)["key"]
    answer = await post(service, "relay/ended?attempt=1", call, CallStatus="in-progress", HandoffData=handoff)
    dial = ET.fromstring(answer.text).find("Dial")
    assert dial is not None, answer.text
    return dial, key


async def test_a_transfer_that_is_answered_ends_the_call_when_they_hang_up(service: Client) -> None:
    call = new_sid()
    dial, key = await transferred(service, call)
    number = dial.find("Number")
    assert number is not None
    assert number.text == DESK
    assert (await service.view(call))["state"] == "transferring"
    answered = str(number.get("statusCallback"))
    assert parse_qs(urlsplit(answered).query) == {"key": [key]}
    child = await post(service, answered, new_sid(), ParentCallSid=call, CallStatus="in-progress")
    assert child.status_code == 204
    await service.until(call, "ending")
    over = await post(service, str(dial.get("action")), call, DialCallStatus="completed", CallStatus="in-progress")
    assert ET.fromstring(over.text).find("Hangup") is not None
    assert (await service.until(call, "ended"))["end_reason"] == "transferred"


async def test_a_caller_whom_nobody_answered_comes_back_and_hears_so(service: Client) -> None:
    call = new_sid()
    dial, _ = await transferred(service, call)
    back = await post(service, str(dial.get("action")), call, DialCallStatus="no-answer", CallStatus="in-progress")
    assert ET.fromstring(back.text).find("Connect/ConversationRelay") is not None
    async with relayed(service, call, session="VX2") as relay:
        await relay.answered(1)
        assert "nobody could be reached" in relay.spoken
    view = await service.view(call)
    assert view["state"] == "active"
    assert sum(turn["kind"] == "greeting" for turn in view["turns"]) == 1


# --- sockets that break -------------------------------------------------------------------------------------------------------


async def test_a_call_whose_socket_broke_goes_on_in_the_next_session(service: Client) -> None:
    call = new_sid()
    connect_verb = (await ring(service, call)).find("Connect")
    assert connect_verb is not None
    async with relayed(service, call) as relay:
        await relay.answered(1)
    again = await post(service, str(connect_verb.get("action")), call, CallStatus="in-progress", SessionStatus="failed")
    verb = ET.fromstring(again.text).find("Connect")
    assert verb is not None
    assert parse_qs(urlsplit(str(verb.get("action"))).query) == {"attempt": ["2"]}
    async with relayed(service, call, session="VX2") as relay:
        await relay.says("when is breakfast")
        await relay.answered(1)
        assert "Hello" not in relay.spoken  # nobody is greeted twice
    assert len((await service.view(call))["turns"]) == 2


async def test_a_call_whose_sockets_break_again_and_again_is_given_up(service: Client) -> None:
    call = new_sid()
    connect_verb = (await ring(service, call)).find("Connect")
    action = str(connect_verb.get("action")) if connect_verb is not None else ""
    for _ in range(4):
        answer = await post(service, action, call, CallStatus="in-progress")
        verb = ET.fromstring(answer.text).find("Connect")
        assert verb is not None
        action = str(verb.get("action"))
    steady = await post(service, action, call, CallStatus="in-progress", SessionDuration="600")
    assert ET.fromstring(steady.text).find("Connect") is not None
    last = await post(service, action, call, CallStatus="in-progress", SessionDuration="1")
    assert ET.fromstring(last.text).find("Hangup") is not None
    assert (await service.until(call, "ended"))["end_reason"] == "relay lost"


async def test_a_second_session_takes_the_place_of_the_first(service: Client) -> None:
    call = new_sid()
    async with relayed(service, call) as first:
        await first.answered(1)
        async with relayed(service, call, session="VX2") as second:
            assert await first.closed() == (1000, "another leg took over")
            await second.says("when is breakfast")
            await second.answered(1)


# --- who may --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["voice", "status", "relay/ended", "dial", "transfer"])
async def test_a_webhook_without_proof_is_refused(service: Client, path: str) -> None:
    call = new_sid()
    wrong = await post(service, path, call, token="another-token", CallStatus="ringing")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "webhook_refused")
    url = f"{service.url}/v1/twilio/{path}"
    bare = await service.http.post(url, data={"AccountSid": ACCOUNT, "CallSid": call})
    assert bare.status_code == 401
    changed = await service.http.post(
        url,
        data={"AccountSid": ACCOUNT, "CallSid": call, "From": "+49"},
        headers={"x-twilio-signature": signature(url, {"AccountSid": ACCOUNT, "CallSid": call}, TOKENS[ACCOUNT])},
    )
    assert changed.status_code == 401
    bearer = await service.http.post(url, data={"AccountSid": ACCOUNT}, headers={"authorization": f"Bearer {TOKEN}"})
    assert bearer.status_code == 401
    assert (await service.get(f"/v1/calls/{call}")).status_code == 404


@pytest.mark.parametrize("path", ["voice", "status", "relay/ended", "dial", "transfer"])
async def test_a_message_of_another_account_is_forbidden(service: Client, path: str) -> None:
    call = new_sid()
    for account in (OTHER, "AC" + "3" * 32):
        answer = await post(service, path, call, account=account, CallStatus="ringing")
        assert (answer.status_code, answer.json()["code"]) == (403, "other_account")
    assert (await service.get(f"/v1/calls/{call}")).status_code == 404


async def test_every_live_token_of_every_account_counts(service: Client) -> None:
    assert (await post(service, "voice", new_sid(), token="auth-token-of-the-tests-3", To=DIALED)).status_code == 200
    assert (await post(service, "voice", new_sid(), token=TOKENS[OTHER], account=OTHER, To=DIALED)).status_code == 200


async def test_only_forms_are_taken(service: Client) -> None:
    answer = await service.http.post("/v1/twilio/voice", json={"CallSid": new_sid()})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_form_that_is_none_is_refused_after_its_proof(service: Client) -> None:
    answer = await post(service, "voice", "CA-not-a-sid")
    assert (answer.status_code, answer.json()["fields"]) == (422, ["CallSid"])


async def refused(service: Client, url: str, **headers: str) -> int:
    with pytest.raises(InvalidStatus) as caught:
        await connect(url, additional_headers=headers, proxy=None)
    return caught.value.response.status_code


async def test_a_handshake_without_proof_is_refused(service: Client) -> None:
    url = relay_url(service)
    assert await refused(service, url) == 401
    assert await refused(service, url, **{"x-twilio-signature": signature(url, {}, "another-token")}) == 401
    elsewhere = signature(f"{service.url}/v1/twilio/voice", {}, TOKENS[ACCOUNT])
    assert await refused(service, url, **{"x-twilio-signature": elsewhere}) == 401
    assert await refused(service, url, authorization=f"Bearer {TOKEN}") == 401


@pytest.mark.parametrize(
    ("more", "reason"),
    [({"accountSid": OTHER}, "another account"), ({"accountSid": "AC" + "3" * 32}, "another account")],
)
async def test_a_session_of_another_account_is_forbidden(service: Client, more: dict[str, str], reason: str) -> None:
    call = new_sid()
    async with relayed(service, call, **more) as relay:
        assert await relay.closed() == (4403, reason)
    assert (await service.get(f"/v1/calls/{call}")).status_code == 404


async def test_a_session_of_a_call_that_is_over_ends(service: Client) -> None:
    call = new_sid()
    await ring(service, call)
    await post(service, "status", call, CallStatus="completed")
    async with relayed(service, call) as relay:
        assert (await relay.closed())[0] == 1000


# --- malformed frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("not json", 1007),
        ("[]", 1008),
        ('{"type": "prompt"}', 1008),
        ('{"type": "dtmf", "digit": "12"}', 1008),
        ('{"type": "prompt", "voicePrompt": "' + "a" * 70_000 + '", "last": true}', 1009),
        (b"\x00\x01", 1003),
        (json.dumps(setup("CA" + "9" * 32)), 1008),
    ],
)
async def test_a_malformed_frame_closes_the_socket_and_the_call_stays(
    service: Client, frame: str | bytes, code: int
) -> None:
    call = new_sid()
    async with relayed(service, call) as relay:
        await relay.answered(1)
        await relay.socket.send(frame)
        closed, reason = await relay.closed()
        assert closed == code
        assert reason
    events = await service.app.registry.get(runtime_type()).events(call)
    [error] = [event for event in events if event.type.value == "error"]
    assert error.payload["code"] == "relay_protocol_error"
    assert error.payload["fatal"] is False
    async with relayed(service, call, session="VX2") as relay:
        await relay.says("when is breakfast")
        await relay.answered(1)
    assert (await service.view(call))["state"] == "active"


async def test_the_first_message_must_be_setup(service: Client) -> None:
    url = relay_url(service)
    async with connect(
        url, additional_headers={"x-twilio-signature": signature(url, {}, TOKENS[ACCOUNT])}, proxy=None
    ) as socket:
        relay = Relay(socket)
        await relay.says("hello")
        assert await relay.closed() == (1008, "the first message must be setup")


async def test_a_copy_of_a_webhook_changes_nothing(service: Client) -> None:
    call = new_sid()
    first, second = await ring(service, call), await ring(service, call)
    assert ET.tostring(first) == ET.tostring(second)
    assert (await kinds(service, call)).count("participant_joined") == 1
