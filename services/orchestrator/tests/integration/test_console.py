"""The operators' page on the whole application: signing in, what each sees, a test call, and an ordered end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
import pytest_asyncio
from app_support import TENANT, Client, Process, client_of, environment, listening, new_call, settings

from orchestrator_app.composition.performance import Performance
from orchestrator_auth.mfa import Subject, authenticator_code
from orchestrator_auth.models import ALL_TENANTS
from orchestrator_auth.service import Auth
from orchestrator_kernel.models import Severity
from orchestrator_kernel.ports import SystemClock
from orchestrator_monitoring.alerting import (
    EVALUATION_FAILED,
    AlertRecord,
    AlertService,
    Change,
    Condition,
    fingerprint,
)

shared = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "a password of several words"
PAGE = {"accept": "text/html,*/*"}


@dataclass
class Browser:
    """Somebody at the page: keeps the cookie, which httpx does not send without TLS."""

    client: Client
    cookie: str = ""
    csrf: str = ""
    seen: list[dict[str, object]] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return {"cookie": self.cookie} if self.cookie else {}

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.http.get(f"/console{path}", headers={**PAGE, **self.headers, **headers})

    async def form(self, path: str, **fields: str) -> httpx.Response:
        answer = await self.client.http.post(f"/console{path}", data=fields, headers={**PAGE, **self.headers})
        cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        self.cookie = cookie or self.cookie
        return answer

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        given = {"x-csrf-token": self.csrf, "accept": "application/json", **self.headers, **headers}
        return await self.client.http.post(f"/console{path}", json=fields, headers=given)

    async def sign_in(self, email: str) -> None:
        answer = await self.form("/login", login=email, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        page = (await self.get("/")).text
        [self.csrf] = re.findall(r'data-csrf="([^"]+)"', page)

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncGenerator[AsyncGenerator[tuple[str, dict[str, object]], None], None]:
        async with self.client.http.stream("GET", f"/console{path}", headers=self.headers, timeout=30) as answer:
            assert answer.status_code == 200

            async def events() -> AsyncGenerator[tuple[str, dict[str, object]], None]:
                name = ""
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        yield name, json.loads(line.removeprefix("data: "))

            yield events()


async def person(client: Client, email: str, role: str = "system_admin", tenant: str = ALL_TENANTS) -> Browser:
    """A browser of somebody new with this role."""
    auth = client.app.registry.get(Auth)
    link = await auth.admin.invite(email, tenant=tenant, role=role, link="x")
    await auth.users.finish_reset(unquote(link.partition("#")[2]), PASSWORD)
    browser = Browser(client)
    await browser.sign_in(email)
    return browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Client, None]:
    async with listening(settings(tmp_path_factory.mktemp("console"))) as found:
        yield found


@shared
async def test_whoever_is_not_signed_in_is_led_to_the_door_and_nowhere_else(client: Client) -> None:
    lost = Browser(client)
    for path, login in (
        ("/", "/console/login"),
        ("/calls/c1?a=b", "/console/login?next=%2Fconsole%2Fcalls%2Fc1%3Fa%3Db"),
    ):
        answer = await lost.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, login)
    assert (await lost.get("/events", accept="text/event-stream")).status_code == 401
    assert (await lost.post("/alerts/acknowledge", {"alert": "a"})).status_code == 401
    door = await lost.get("/login")
    assert door.status_code == 200
    assert "default-src 'none'" in door.headers["content-security-policy"]
    assert (await lost.get("/static/console.css")).status_code == 200
    wrong = await lost.form("/login", login="nobody@example.org", password="wrong")
    assert wrong.status_code == 401
    assert "That did not work" in wrong.text
    event = await client.audited("auth.login.failure")
    assert event.outcome.value == "denied"


@shared
async def test_a_page_that_stays_open_is_no_slow_answer(client: Client) -> None:
    browser = await person(client, "patient@example.org")
    for path in ("/events", f"/calls/{new_call()}/events"):
        async with client.http.stream("GET", f"/console{path}", headers=browser.headers, timeout=30):
            await asyncio.sleep(0.2)
    timers = client.app.registry.get(Performance).monitor.timers
    timed = {name for kind, name, _ in timers if kind == "request"}
    scraped = (await client.get("/metrics")).text
    assert "GET /console/" in timed
    for route in ("/console/events", "/console/calls/{call_id}/events"):
        assert f"GET {route}" not in timed
        assert f'orchestrator_http_requests_total{{method="GET",route="{route}"' in scraped
        assert f'orchestrator_http_request_duration_seconds_count{{method="GET",route="{route}"' not in scraped


@shared
async def test_an_administrator_sees_everything_and_their_transcripts_are_audited(client: Client) -> None:
    call_id = new_call()
    await client.event(call_id, "call_started")
    await client.says(call_id, "<b>a table</b> for four on Friday at seven")
    browser = await person(client, "root3@example.org")
    page = (await browser.get("/")).text
    for part in ("calls", "health", "policies", "audit"):
        assert f'id="{part}"' in page
    for words in (call_id, "root3@example.org", "tts_service", "webhooks", "auth.login.success", "journal"):
        assert words in page, words
    shown = await browser.get(f"/calls/{call_id}")
    assert "&lt;b&gt;a table&lt;/b&gt; for four" in shown.text
    assert shown.headers["cache-control"].startswith("no-store")
    event = await client.audited("pii.access", f"call:{call_id}")
    assert event.actor.startswith("u-")


@shared
async def test_people_of_a_tenant_see_their_calls_alone(client: Client) -> None:
    mine, foreign = new_call(), new_call()
    await client.event(mine, "call_started", tenant="garden")
    await client.event(foreign, "call_started", tenant=TENANT)
    await person(client, "root4@example.org")
    browser = await person(client, "kim4@example.org", role="hotel_staff", tenant="garden")
    page = (await browser.get("/")).text
    assert mine in page
    assert foreign not in page
    assert 'id="audit"' not in page
    assert (await browser.get(f"/calls/{foreign}")).status_code == 404
    placed = await browser.post("/test-call", {"tenant": TENANT, "language": "en-US"})
    assert placed.status_code == 403


@shared
async def test_a_second_factor_is_asked_for(client: Client) -> None:
    browser = await person(client, "root5@example.org")
    auth = client.app.registry.get(Auth)
    user = await auth.users.find("root5@example.org")
    assert user is not None
    subject, clock = Subject(user.id, user.tenant), SystemClock()
    enrolment = await auth.factor.enrol(subject, account="root5@example.org")
    codes = await auth.factor.confirm(subject, authenticator_code(enrolment.secret, clock.now()))
    fresh = Browser(client)
    form = await fresh.form("/login", login="root5@example.org", password=PASSWORD)
    [challenge] = re.findall(r'name="challenge" value="([^"]+)"', form.text)
    assert not fresh.cookie
    answer = await fresh.form("/login/code", challenge=challenge, code=next(iter(codes)), next="/console/test-call")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/test-call")
    assert (await fresh.get("/")).status_code == 200
    assert (await browser.get("/")).status_code == 200


@shared
async def test_signing_out_ends_the_session_here_and_an_administrator_ends_it_elsewhere(client: Client) -> None:
    browser = await person(client, "root6@example.org")
    assert (await browser.post("/sign-out", {}, **{"x-csrf-token": "wrong"})).status_code in {401, 403}
    answer = await browser.post("/sign-out", {})
    assert (answer.status_code, answer.json()) == (200, {"location": "/console/login"})
    assert (await browser.get("/")).status_code == 303
    staff = await person(client, "kim6@example.org", role="hotel_staff", tenant=TENANT)
    auth = client.app.registry.get(Auth)
    user = await auth.users.find("kim6@example.org")
    assert user is not None
    await auth.sessions.end_all(user.id, reason="left")
    assert (await staff.get("/")).status_code == 303


@shared
async def test_an_open_page_is_told_of_calls_as_they_happen(client: Client) -> None:
    browser = await person(client, "root7@example.org")
    call_id = new_call()
    async with browser.stream("/events") as events, asyncio.timeout(20):
        await anext(events)
        await client.event(call_id, "call_started")
        await client.says(call_id, "hello")
        async for _, patch in events:
            if f"call-{call_id}" in str(patch.get("rows")):
                break
        await client.event(call_id, "call_ended", reason="done")
        async for _, patch in events:
            if f"call-{call_id}" in str(patch.get("gone")):
                break


@shared
async def test_an_alert_is_acknowledged_on_the_page(client: Client) -> None:
    browser = await person(client, "duty@example.org", role="operator")
    service = client.app.registry.get(AlertService)
    now = SystemClock().now().timestamp()
    condition = Condition(rule=EVALUATION_FAILED, severity=Severity.HIGH, summary="Turns are slow")
    key = fingerprint(condition.rule, condition.labels)
    record = AlertRecord(fingerprint=key, condition=condition, state="firing", since=now - 60, fired_at=now - 30)
    async with asyncio.timeout(20):
        while (lease := service._lease) is None:
            await asyncio.sleep(0.05)
    await service.store.commit(Change({key: record}, frozenset(), {}, frozenset(), ()), lease)
    async with asyncio.timeout(20):
        while "Turns are slow" not in (await browser.get("/")).text:
            await asyncio.sleep(0.2)
    answer = await browser.post("/alerts/acknowledge", {"alert": key})
    assert answer.json() == {"message": "Acknowledged."}
    event = await client.audited("system.admin.action", f"alert:{key}")
    assert event.action == "acknowledge an alert"
    page = (await browser.get("/")).text
    assert f"Acknowledged by {event.actor}" in page
    # An operator keeps the platform running, and sees no calls.
    assert 'id="calls"' not in page


@shared
async def test_a_test_call_without_a_voice_is_read(client: Client) -> None:
    browser = await person(client, "root8@example.org")
    placed = await browser.post("/test-call", {"tenant": TENANT, "language": "en-US"})
    assert placed.status_code == 201
    call_id = placed.json()["id"]
    assert placed.json()["voiced"] is False
    async with browser.stream(f"/test-call/{call_id}/line") as events, asyncio.timeout(20):
        spoken = [data["text"] async for name, data in _first(events, "speech", 1)]
        assert "Harbour" in str(spoken[0])
        said = await browser.post(f"/test-call/{call_id}/say", {"text": "I'd like to book a table for four"})
        assert said.status_code == 204, said.text
        assert [data async for _, data in _first(events, "speech", 1)]
        assert (await browser.post(f"/test-call/{call_id}/hang-up", {})).status_code == 204
        [(_, over)] = [each async for each in _first(events, "over", 1)]
        assert over["reason"] == "hung up"
    assert (await client.view(call_id))["state"] == "ended"
    assert (await browser.post(f"/test-call/{call_id}/say", {"text": "hello"})).status_code == 404


async def _first(
    events: AsyncGenerator[tuple[str, dict[str, object]], None], wanted: str, count: int
) -> AsyncGenerator[tuple[str, dict[str, object]], None]:
    found = 0
    async for name, data in events:
        if name == wanted:
            yield name, data
            found += 1
            if found == count:
                return


@shared
async def test_other_calls_cannot_be_spoken_into(client: Client) -> None:
    call_id = new_call()
    await client.event(call_id, "call_started")
    browser = await person(client, "root9@example.org")
    for what, fields in (("say", {"text": "hello"}), ("press", {"keys": "1"}), ("hang-up", {})):
        assert (await browser.post(f"/test-call/{call_id}/{what}", fields)).status_code == 404
    assert (await client.view(call_id))["state"] == "active"


@shared
async def test_leaving_the_page_hangs_up(client: Client) -> None:
    browser = await person(client, "root10@example.org")
    call_id = (await browser.post("/test-call", {"tenant": TENANT, "language": "en-US"})).json()["id"]
    async with browser.stream(f"/test-call/{call_id}/line") as events:
        await anext(events)
    assert (await client.until(call_id, "ended"))["end_reason"] == "the page was left"


async def test_a_test_call_is_heard(tmp_path: Path) -> None:
    async with listening(settings(tmp_path, speech={"backends": ("embedded",)})) as client:
        browser = await person(client, "root10@example.org")
        placed = await browser.post("/test-call", {"tenant": TENANT, "language": "en-US"})
        call_id = placed.json()["id"]
        assert placed.json()["voiced"] is True
        async with browser.stream(f"/test-call/{call_id}/line") as events, asyncio.timeout(30):
            [(_, begins)] = [each async for each in _first(events, "speech", 1)]
            pcm = b"".join([base64.b64decode(str(data["pcm"])) async for _, data in _first(events, "sound", 10)])
            assert begins["rate"]
            assert len(pcm) >= 10 * 2 * int(str(begins["rate"])) // 50
            assert max(pcm) > 0
            await browser.post(f"/test-call/{call_id}/say", {"text": "I'd like to book a table for four"})
            # What was being said stops, and the answer begins.
            [_] = [each async for each in _first(events, "cut", 1)]
            [(_, answer)] = [each async for each in _first(events, "speech", 1)]
            assert answer["key"] != begins["key"]
            await browser.post(f"/test-call/{call_id}/press", {"keys": "2"})
            await browser.post(f"/test-call/{call_id}/hang-up", {})
            [(_, over)] = [each async for each in _first(events, "over", 1)]
            assert over["reason"]
        view = await client.view(call_id)
        assert view["turns"][0]["latency_ms"] is not None
        assert view["turns"][0]["interrupted"]


@pytest.mark.slow
async def test_an_open_page_does_not_keep_the_service_from_ending(tmp_path: Path) -> None:
    with Process(tmp_path, ORCHESTRATOR_SERVER__DRAIN_SECONDS="1", ORCHESTRATOR_SPEECH__BACKENDS="[]") as process:
        made = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orchestrator_app", "auth", "first-admin", "root@example.org"),
            cwd=tmp_path,
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await made.communicate()
        [token] = re.findall(r"#(\S+)", told.decode())
        async with client_of(process) as client:
            body = {"token": unquote(token), "password": PASSWORD}
            assert (await client.http.post("/auth/password/set", json=body)).status_code == 204
            browser = Browser(client)
            await browser.sign_in("root@example.org")
            async with browser.stream("/events") as events:
                await anext(events)
                process.signal()
                begun = asyncio.get_running_loop().time()
                with contextlib.suppress(StopAsyncIteration):
                    while True:
                        await anext(events)
                code = await asyncio.to_thread(process.wait, 20)
                assert code == 0, process.log
                assert asyncio.get_running_loop().time() - begun < 9, "the page was waited for"
