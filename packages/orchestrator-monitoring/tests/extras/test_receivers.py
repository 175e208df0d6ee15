"""Receivers over real HTTP, against servers that judge what they get."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx
import pytest
import receiver_servers
from alert_store_contract import NOW
from notices_support import NOTICES, ODD
from receiver_servers import ROUTING_KEY, Signer, serving

from orchestrator_kernel.exceptions import ConfigurationError, ExternalServiceError
from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_kernel.ports import SystemClock
from orchestrator_monitoring._receivers.http import _LIMIT
from orchestrator_monitoring._receivers.pagerduty import PagerDutyReceiver
from orchestrator_monitoring.alerting import (
    AlertmanagerSpec,
    Notice,
    PagerDutySpec,
    Receiver,
    ReceiverSpec,
    SlackSpec,
    WebhookSpec,
    make_receivers,
)

JUDGES = ["slack", "pagerduty", "alertmanager", "webhook"]


def spec(kind: str, url: str, *, wrong: bool = False) -> ReceiverSpec:
    if kind == "slack":
        return SlackSpec(name="r", url=f"{url}/services/T0/B0/{'wrong' if wrong else 'right'}")
    if kind == "pagerduty":
        return PagerDutySpec(name="r", routing_key="f" * 32 if wrong else ROUTING_KEY, url=f"{url}/v2/enqueue")
    if kind == "webhook":
        return WebhookSpec(name="r", url=f"{url}/hook", secret="s")
    return AlertmanagerSpec(name="r", url=url)


class WrongSigner(Signer):
    def sign(self, body, *, delivery_id, at):
        return super().sign(body + b" ", delivery_id=delivery_id, at=at)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with create_client(HttpClientConfig(connect_timeout=2.0)) as client:
        yield client


def made(kind: str, server_url: str, http: httpx.AsyncClient, *, wrong: bool = False) -> Receiver:
    signer = WrongSigner() if wrong else Signer()
    specs = [spec(kind, server_url, wrong=wrong)]
    return make_receivers(specs, http=http, clock=SystemClock(), signer=lambda _name, _secret: signer)[1]


def judge(kind: str):
    return receiver_servers.standard_webhook if kind == "webhook" else getattr(receiver_servers, kind)


@pytest.mark.parametrize("kind", JUDGES)
@pytest.mark.parametrize("name", NOTICES)
async def test_every_notice_is_taken(kind: str, name: str, http: httpx.AsyncClient) -> None:
    async with serving(judge(kind)) as server:
        await made(kind, server.url, http).send(NOTICES[name])
        assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["webhook", "alertmanager"])
async def test_the_other_ends_of_a_dead_mans_switch(kind: str, http: httpx.AsyncClient) -> None:
    async with serving(judge(kind)) as server:
        receiver = made(kind, server.url, http)
        assert receiver.heartbeats
        await receiver.send(Notice(id="beat-1", receiver="r", group="heartbeat:r", kind="heartbeat", at=NOW))
        text = server.requests[0].body.decode()
        assert ("Watchdog" if kind == "alertmanager" else "monitoring.heartbeat") in text


@pytest.mark.parametrize("kind", JUDGES)
async def test_the_check_tells_nobody_and_opens_no_incident(kind: str, http: httpx.AsyncClient) -> None:
    async with serving(judge(kind)) as server:
        await made(kind, server.url, http).check()
        (request,) = server.requests
        assert b'"trigger"' not in request.body
        assert b'"firing"' not in request.body
        if kind == "slack":
            # Nothing that Slack would post: it asks for a text.
            assert judge(kind)(request)[0] == 400


@pytest.mark.parametrize("kind", ["slack", "pagerduty", "webhook"])
async def test_a_wrong_secret_is_found_by_the_check_and_refused_for_good(kind: str, http: httpx.AsyncClient) -> None:
    async with serving(judge(kind)) as server:
        receiver = made(kind, server.url, http, wrong=True)
        for attempt in (receiver.check(), receiver.send(NOTICES["one"])):
            with pytest.raises(ExternalServiceError) as refused:
                await attempt
            assert not refused.value.retryable
            assert "wrong" not in str(refused.value)
            assert "f" * 32 not in str(refused.value)


@pytest.mark.parametrize("kind", JUDGES)
async def test_what_may_work_later_is_told_apart(kind: str, http: httpx.AsyncClient) -> None:
    async with serving(judge(kind)) as server:
        receiver = made(kind, server.url, http)
        for status, retryable, after in ((429, True, 30.0), (503, True, None), (500, True, None), (413, False, None)):
            server.next_answers = [(status, "no", {"retry-after": "30"} if status == 429 else {})]
            with pytest.raises(ExternalServiceError) as failed:
                await receiver.send(NOTICES["one"])
            assert (failed.value.retryable, failed.value.retry_after) == (retryable, after)


@pytest.mark.parametrize("kind", JUDGES)
async def test_nobody_there(kind: str, http: httpx.AsyncClient) -> None:
    async with serving(judge(kind)) as server:
        url = server.url
    with pytest.raises(ExternalServiceError) as failed:
        await made(kind, url, http).send(NOTICES["one"])
    assert failed.value.retryable


@pytest.mark.slow
async def test_a_server_that_never_answers_is_left(http: httpx.AsyncClient) -> None:
    async with serving(judge("slack")) as server:
        server.hang = True
        began = time.monotonic()
        with pytest.raises(ExternalServiceError) as failed:
            await made("slack", server.url, http).send(NOTICES["one"])
        assert failed.value.retryable
        assert time.monotonic() - began < _LIMIT + 3


async def test_incidents_are_opened_answered_and_closed_under_one_key(http: httpx.AsyncClient) -> None:
    async with serving(judge("pagerduty")) as server:
        receiver = made("pagerduty", server.url, http)
        for name in ("one", "answered", "muted rest", "over"):
            await receiver.send(NOTICES[name])
        events = [each.json for each in server.requests]
        assert [each["event_action"] for each in events] == ["trigger", "acknowledge", "acknowledge", "resolve"]
        assert {each["dedup_key"] for each in events} == {"g" * 64}
        assert events[0]["payload"]["severity"] == "error"


async def test_a_webhook_says_what_happened(http: httpx.AsyncClient) -> None:
    async with serving(judge("webhook")) as server:
        receiver = made("webhook", server.url, http)
        await receiver.send(NOTICES["one"])
        await receiver.send(NOTICES["one"])
        first, again = server.requests
        assert first.headers["webhook-id"] == again.headers["webhook-id"] == "n-1"
        data = first.json["data"]
        assert [(each["rule"], each["labels"]) for each in data["firing"]] == [("slow", {"tenant": "x"})]


async def test_alertmanager_gets_every_alert_by_itself(http: httpx.AsyncClient) -> None:
    async with serving(judge("alertmanager")) as server:
        await made("alertmanager", server.url, http).send(NOTICES["storm"])
        alerts = server.requests[0].json
        assert len(alerts) == 1500
        assert alerts[0]["labels"]["odd_label"] == ODD


def test_names_and_needs_are_checked(http: httpx.AsyncClient) -> None:
    two = [spec("slack", "http://x"), spec("alertmanager", "http://x")]
    with pytest.raises(ConfigurationError, match="two receivers are called r"):
        make_receivers(two, http=http, clock=SystemClock())
    with pytest.raises(ConfigurationError, match="needs an HTTP client"):
        make_receivers(two[:1], http=None, clock=SystemClock())
    with pytest.raises(ConfigurationError, match="nobody to sign"):
        make_receivers([spec("webhook", "http://x")], http=http, clock=SystemClock())
    with pytest.raises(ConfigurationError, match="32 letters"):
        PagerDutySpec(name="p", routing_key="short")
    assert ROUTING_KEY not in repr(spec("pagerduty", "http://x"))
    assert PagerDutyReceiver.kind == "pagerduty"
