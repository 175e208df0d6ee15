"""Actions and transfers of tenants: where they may lead, what is sent, and what the call is told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from app_peers import Answer, Asked, hangs, provider, says, streams, wants
from app_support import SHORT, TENANT, Client, new_call, running, settings
from pydantic import SecretStr, ValidationError

from orchestrator_app.composition.application import compose
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import SystemClock, WebhookRequest
from orchestrator_security.webhook_security import StandardWebhooksVerifier, WebhookSecret

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TYPE = "application/json"
DONE = says(200, json.dumps({"status": "done"}).encode(), TYPE)
BUSY = says(200, json.dumps({"status": "refused", "reason": "busy"}).encode(), TYPE)


def with_transfer(folder: Path, url: str, **more: Any) -> Any:
    action = {"url": url, "secret": SECRET, "private_hosts": ("127.0.0.1",), **more}
    return settings(folder, tenants={TENANT: {**SHORT[TENANT], "transfer_action": action}})


async def asked_for_a_person(client: Client, call: str) -> dict[str, Any]:
    await client.event(call, "call_started", reply_channel="answer")
    return await client.says(call, "I want to speak to a person")


async def test_a_transfer_goes_to_the_tenants_endpoint(data: Path) -> None:
    call = new_call()
    async with provider(lambda _: DONE) as tenant, running(with_transfer(data, f"{tenant.url}/transfer")) as client:
        answer = await asked_for_a_person(client, call)
        assert answer["actions"][-1]["action"] == "transfer"
        await client.until(call, "ending")
    [sent] = tenant.asked
    assert sent.json["type"] == "call.action.transfer"
    assert sent.json["data"]["arguments"]["target"] == "desk"
    assert sent.json["data"]["call_id"] == call
    verifier = StandardWebhooksVerifier([WebhookSecret("tests", SecretStr(SECRET))], clock=SystemClock())
    request = WebhookRequest(method="POST", url=sent.path, headers=list(sent.headers.items()), body=sent.body)
    assert verifier.verify(request).delivery_id == sent.headers["idempotency-key"]


@pytest.mark.parametrize("answer", [BUSY, says(500, b"", TYPE), says(200, b"<html>", "text/html")])
async def test_a_transfer_that_is_not_confirmed_has_failed_and_the_call_goes_on(data: Path, answer: Answer) -> None:
    call = new_call()
    async with provider(lambda _: answer) as tenant, running(with_transfer(data, f"{tenant.url}/transfer")) as client:
        await asked_for_a_person(client, call)
        await client.until(call, "active")
        async with asyncio.timeout(5):
            while (last := (await client.view(call))["turns"][-1])["kind"] != "outcome" or not last["outcome"]:
                await asyncio.sleep(0.01)
        assert last["spoken"]


async def test_a_process_that_ends_waits_for_the_transfers_under_way(data: Path) -> None:
    asked = asyncio.Event()

    def choose(_: Asked) -> Answer:
        asked.set()
        return hangs

    async with provider(choose) as tenant:
        async with running(with_transfer(data, f"{tenant.url}/transfer", limit=0.5)) as client:
            await asked_for_a_person(client, new_call())
            async with asyncio.timeout(5):
                await asked.wait()
        assert len(tenant.asked) == 1


def booking(url: str) -> dict[str, Any]:
    """A tenant whose model books a table as soon as the caller agrees."""
    action = {
        "url": f"{url}/book",
        "secret": SECRET,
        "private_hosts": ("127.0.0.1",),
        "arguments": {"guests": {"kind": "integer"}},
    }
    return {
        **SHORT[TENANT],
        "chat": {"url": url, "key": "model-key", "model": "m", "instructions": "You are the desk."},
        "actions": {"book": action},
    }


@pytest.mark.parametrize(("outcome", "word"), [(DONE, "done"), (BUSY, "sorry"), (says(500, b"", TYPE), "confirm")])
async def test_an_action_is_asked_for_and_then_its_outcome_is_told_with_the_answer(
    data: Path, outcome: Answer, word: str
) -> None:
    model = streams("text/event-stream", wants("book", question="A table for four, shall I book it?", guests=4))
    call = new_call()
    async with (
        provider(lambda asked: outcome if asked.path == "/book" else model) as world,
        running(settings(data, tenants={TENANT: booking(world.url)})) as client,
    ):
        await client.event(call, "call_started", reply_channel="answer")
        asked = await client.says(call, "a table for four")
        assert [action["text"] for action in asked["actions"]] == ["A table for four, shall I book it?"]
        agreed = await client.says(call, "yes")
        spoken = " ".join(action["text"] for action in agreed["actions"]).lower()
        assert word in spoken
        assert ("done" in spoken) is (word == "done")
    models = [each for each in world.asked if each.path == "/v1/chat/completions"]
    assert {each.headers["authorization"] for each in models} == {"Bearer model-key"}
    assert {each.json["model"] for each in models} == {"m"}
    booked = [each for each in world.asked if each.path == "/book"]
    assert {each.json["data"]["arguments"]["guests"] for each in booked} == {4}


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ({"url": "https://10.0.0.1/x"}, "not public"),
        ({"url": "https://[::ffff:127.0.0.1]/x"}, "not public"),
        ({"url": "http://pms.example/x"}, "https"),
        ({"url": "https://pms.example/x", "secret": "not base64!"}, "secret"),
        ({"url": "https://pms.example/x", "probe_url": "ftp://pms.example"}, "probe_url"),
    ],
)
def test_an_endpoint_that_may_not_be_used_is_refused_at_the_start(
    data: Path, action: dict[str, Any], reason: str
) -> None:
    configured = settings(data, tenants={TENANT: {**SHORT[TENANT], "actions": {"book": action}}})
    with pytest.raises(OrchestratorError) as caught:
        compose(configured)
    assert reason in str(caught.value)
    assert "not base64!" not in str(caught.value)


@pytest.mark.parametrize(
    "tenant",
    [
        {"actions": {"book a table": {"url": "https://pms.example"}}},
        {"transfers": {"desk": "operator"}},
        {"chat": {"url": "https://llm.example", "model": "", "instructions": "x"}},
        {"chat": {"url": "not a url", "model": "m", "instructions": "x"}},
    ],
)
def test_a_setting_that_cannot_be_is_refused(data: Path, tenant: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(data, tenants={TENANT: {**SHORT[TENANT], **tenant}})


def test_settings_show_no_secret(data: Path) -> None:
    configured = settings(
        data,
        twilio={"account_sid": "AC" + "1" * 32, "auth_token": "very-secret-1", "secondary_token": "very-secret-2", "tenant": TENANT},
        tenants={
            TENANT: {
                **SHORT[TENANT],
                "chat": {"url": "https://llm.example", "key": "very-secret-3", "model": "m", "instructions": "x"},
                "actions": {"book": {"url": "https://a.example", "secret": "very-secret-4", "headers": {"x": "very-secret-5"}}},
            }
        },
    )  # fmt: skip
    assert "very-secret" not in repr(configured) + configured.model_dump_json()


@pytest.mark.parametrize(
    "twilio",
    [
        {"account_sid": "AC" + "1" * 32},
        {"auth_token": "token"},
        {"secondary_token": "token"},
        {"account_sid": "AC1", "auth_token": "token"},
        {"account_sid": "AC" + "1" * 32, "auth_token": "token", "tenant": "nobody"},
    ],
)
def test_a_twilio_account_needs_its_token_and_a_tenant(data: Path, twilio: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(data, twilio=twilio)
