"""The media socket and the live view of a call, on a real server with the embedded voice."""

from __future__ import annotations

import array
import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from app_support import AGENT_SECRET, SHORT, TOKEN, Client, listening, new_call, settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from orchestrator_app.routers import media as media_routes
from orchestrator_app.sessions import SessionTokens

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(module_data: Path) -> AsyncGenerator[Client, None]:
    async with listening(settings(module_data, tenants=SHORT, speech={"backends": ("embedded",)})) as client:
        yield client


def socket_url(service: Client, path: str) -> str:
    return service.url.replace("http", "ws", 1) + path


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def refused(url: str, **headers: str) -> dict[str, Any]:
    """The problem with which a handshake was refused."""
    with pytest.raises(InvalidStatus) as caught:
        await connect(url, additional_headers=headers)
    response = caught.value.response
    assert response.headers["content-type"] == "application/problem+json"
    assert response.body is not None
    document: dict[str, Any] = json.loads(response.body)
    assert document["status"] == response.status_code
    return document


class Leg:
    """A media agent's side of the socket: keeps what comes."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []
        self.frames: dict[str, list[bytes]] = {}
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self.socket:
            if isinstance(message, str):
                self.messages.append(json.loads(message))
            else:
                self.frames.setdefault(self.of("speech")[-1]["key"], []).append(message)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    async def until(self, condition: Any, limit: float = 15.0) -> None:
        async with asyncio.timeout(limit):
            while not condition():
                await asyncio.sleep(0.005)

    async def has(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)

    async def closed(self) -> tuple[int | None, str | None]:
        """Code and reason of the close."""
        async with asyncio.timeout(15):
            try:
                await self._task
            except ConnectionClosed:
                pass
        return self.socket.close_code, self.socket.close_reason

    async def leave(self) -> None:
        await self.socket.close()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def leg(service: Client, started: dict[str, Any], *, reports: bool = False) -> AsyncGenerator[Leg, None]:
    socket = await connect(started["websocket_url"], additional_headers=bearer(started["session_token"]))
    listener = Leg(socket)
    try:
        await socket.send(json.dumps({"type": "hello", "reports": reports}))
        yield listener
    finally:
        await listener.leave()


# --- who gets in --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "x", TOKEN, AGENT_SECRET, "a.99999999999.b", "é.1.é"])
async def test_the_media_socket_opens_with_the_calls_token_alone(service: Client, token: str) -> None:
    started = await service.start()

    for url in (started["websocket_url"], f"{started['websocket_url']}?token={token}"):
        headers = {"authorization": f"Bearer {token}"} if token.isascii() and "?" not in url else {}
        assert (await refused(url, **headers))["code"] == "authentication_failed"


async def test_the_token_of_another_call_opens_nothing(service: Client) -> None:
    mine, other = await service.start(), await service.start()

    document = await refused(mine["websocket_url"], **bearer(other["session_token"]))

    assert document["detail"] == "The session token does not open this call; start a call to get one."


async def test_an_expired_token_opens_nothing(service: Client) -> None:
    tokens = service.app.registry.get(SessionTokens)
    call_id = (await service.start())["call_id"]
    expired = SessionTokens(tokens.key, -1.0, tokens.clock).issue(call_id)

    document = await refused(socket_url(service, f"/v1/calls/{call_id}/media"), **bearer(expired))

    assert (document["status"], document["code"]) == (401, "authentication_failed")


async def test_the_token_may_stand_in_the_query(service: Client) -> None:
    started = await service.start()

    async with connect(f"{started['websocket_url']}?token={started['session_token']}") as socket:
        assert socket.state.name == "OPEN"


async def test_a_call_that_is_not_there_or_over_has_no_media(service: Client) -> None:
    tokens, unknown = service.app.registry.get(SessionTokens), new_call()
    document = await refused(socket_url(service, f"/v1/calls/{unknown}/media"), **bearer(tokens.issue(unknown)))
    assert (document["status"], document["code"]) == (404, "call_not_found")

    started = await service.start()
    await service.post(f"/v1/calls/{started['call_id']}/end")
    document = await refused(started["websocket_url"], **bearer(started["session_token"]))
    assert (document["status"], document["code"]) == (404, "call_not_found")


async def test_without_a_voice_there_is_no_media_but_there_are_calls(data: Path) -> None:
    async with listening(settings(data, tenants=SHORT, speech={"backends": ()})) as service:
        started = await service.start()
        document = await refused(started["websocket_url"], **bearer(started["session_token"]))
        assert (document["status"], document["code"]) == (503, "speech_unavailable")
        assert "[voice]" in document["detail"]

        answer = await service.event(started["call_id"], "call_started", reply_channel="answer")
        assert answer["actions"]


@pytest.mark.parametrize(
    "path", ["/v1/calls/x/events", "/nowhere", "/v1/calls", "/healthz", "/call/event", "/v1/calls/x/media/"]
)
async def test_other_sockets_ask_for_the_operators_token(service: Client, path: str) -> None:
    assert (await refused(socket_url(service, path)))["status"] == 401
    assert (await refused(socket_url(service, path), **bearer("wrong")))["status"] == 401


async def test_a_call_that_is_not_there_cannot_be_watched(service: Client) -> None:
    document = await refused(socket_url(service, f"/v1/calls/{new_call()}/events"), **bearer(TOKEN))

    assert (document["status"], document["code"]) == (404, "call_not_found")


async def test_sockets_answer_for_their_own_host_only(service: Client) -> None:
    started = await service.start()
    host, port = service.url.removeprefix("http://").split(":")

    with pytest.raises(InvalidStatus) as caught:
        await connect(
            started["websocket_url"].replace(host, "evil.example"),
            host=host,
            port=int(port),
            additional_headers=bearer(started["session_token"]),
        )

    assert caught.value.response.status_code == 400


# --- speech -------------------------------------------------------------------------------------------------------------------


async def test_a_greeting_is_heard_frame_by_frame(service: Client) -> None:
    started = await service.start()
    async with leg(service, started) as caller:
        answer = await service.event(started["call_id"], "call_started")
        sentences = await caller.has("speech", 2)
        await caller.has("end", 2)

        assert answer["actions"] == []  # the socket speaks; nothing is to be said twice
        first = sentences[0]
        assert set(first) >= {"type", "key", "text", "language", "sample_rate"}
        frames = caller.frames[first["key"]]
        assert {len(frame) for frame in frames} == {first["sample_rate"] // 50 * 2}
        assert max(abs(sample) for sample in array.array("h", b"".join(frames))) > 1000
        assert caller.of("end")[0] == {"type": "end", "key": first["key"], "duration_ms": len(frames) * 20}
    view = await service.view(started["call_id"])
    assert view["turns"][0]["spoken"][0] == first["text"]
    assert 0 < view["turns"][0]["latency_ms"] < 5000


async def test_every_input_of_a_media_leg_is_answered_in_the_socket_alone(service: Client) -> None:
    started = await service.start()
    async with leg(service, started, reports=True) as caller:
        await service.event(started["call_id"], "call_started")
        await caller.has("speech")

        answer = await service.says(started["call_id"], "What time is breakfast?")

        assert (answer["status"], answer["actions"]) == ("processed", [])
        await caller.until(lambda: any("Breakfast" in each["text"] for each in caller.of("speech")))


async def test_who_begins_to_speak_is_not_talked_over(service: Client) -> None:
    started = await service.start()
    async with leg(service, started, reports=True) as caller:
        await service.event(started["call_id"], "call_started")
        first = (await caller.has("speech"))[0]
        await caller.until(lambda: len(caller.frames.get(first["key"], ())) > 20)

        await service.event(started["call_id"], "speech_started")
        sent = sum(map(len, caller.frames.values()))
        await caller.socket.send(json.dumps({"type": "playback_cleared", "key": first["key"], "played_ms": 300}))

        await caller.has("clear")
        await asyncio.sleep(0.3)
        assert sum(map(len, caller.frames.values())) <= sent + 2 * 1000
        turn = (await service.view(started["call_id"]))["turns"][0]
        assert turn["interrupted"]
        assert turn["heard"] != " ".join(turn["spoken"])


async def test_the_end_of_the_call_is_told_and_the_socket_closed(service: Client) -> None:
    started = await service.start()
    async with leg(service, started) as caller:
        await service.event(started["call_id"], "call_started")
        await caller.has("speech")

        await service.post(f"/v1/calls/{started['call_id']}/end", {"reason": "fire alarm"})

        assert await caller.closed() == (1000, "the call is over")
        assert caller.of("bye")[0]["state"] == "ended"


async def test_a_later_socket_takes_over(service: Client) -> None:
    started = await service.start()
    async with leg(service, started) as first:
        await service.event(started["call_id"], "call_started")
        await first.has("speech")
        async with leg(service, started) as second:
            assert await first.closed() == (1000, "another leg took over")
            heard = {each["key"] for each in await second.has("speech")}
            assert not heard & {each["key"] for each in first.of("end")}
            await service.says(started["call_id"], "What time is breakfast?")
            await second.until(lambda: any("Breakfast" in each["text"] for each in second.of("speech")))
    assert (await service.view(started["call_id"]))["state"] == "active"


async def test_a_leg_that_breaks_off_can_come_back(service: Client) -> None:
    started = await service.start()
    async with leg(service, started) as caller:
        await service.event(started["call_id"], "call_started")
        await caller.has("speech")
        caller.socket.transport.abort()

    await service.says(started["call_id"], "What time is breakfast?")
    async with leg(service, started) as caller:
        await caller.until(lambda: any("Breakfast" in each["text"] for each in caller.of("speech")))


BAD_MESSAGES: list[tuple[str | bytes, str]] = [
    ("no json", "check message"),
    ("{}", "check"),
    ("[]", "check"),
    ('{"type": "hello", "reports": "yes"}', "reports"),
    ('{"type": "hallo"}', "check"),
    (json.dumps({"type": "hello", "schlüssel" * 40: 1}), "check"),
    (json.dumps({"type": "playback_progress", "key": "k", "played_ms": 1}), "hello"),
    (b"\x00\x01", "JSON text"),
    (json.dumps({"type": "hello", "x": "y" * 5000}), "4096 bytes"),
]


@pytest.mark.parametrize(("message", "reason"), BAD_MESSAGES, ids=range(len(BAD_MESSAGES)))
async def test_a_malformed_first_message_closes_the_socket_and_not_the_call(
    service: Client, message: str | bytes, reason: str
) -> None:
    started = await service.start()
    await service.event(started["call_id"], "call_started")
    socket = await connect(started["websocket_url"], additional_headers=bearer(started["session_token"]))
    caller = Leg(socket)

    await socket.send(message)

    code, why = await caller.closed()
    assert code == 1008
    assert reason in (why or "")
    assert (await service.view(started["call_id"]))["state"] == "active"


BAD_REPORTS: list[str | bytes] = [
    "no json",
    '{"type": "hello"}',
    '{"type": "playback_progress"}',
    '{"type": "playback_progress", "key": "k", "played_ms": -1}',
    '{"type": "playback_progress", "key": "k", "played_ms": "many"}',
    '{"type": "turn_opened", "key": "k"}',
    b"\x00" * 640,
]


@pytest.mark.parametrize("message", BAD_REPORTS, ids=range(len(BAD_REPORTS)))
async def test_a_malformed_report_closes_the_socket_and_not_the_call(service: Client, message: str | bytes) -> None:
    started = await service.start()
    async with leg(service, started, reports=True) as caller:
        await service.event(started["call_id"], "call_started")
        await caller.has("speech")

        await caller.socket.send(message)

        code, why = await caller.closed()
        assert code == 1008
        assert why
    async with leg(service, started) as again:
        await service.says(started["call_id"], "What time is breakfast?")
        await again.has("speech")


async def test_reports_about_what_is_not_playing_are_ignored(service: Client) -> None:
    started = await service.start()
    async with leg(service, started, reports=True) as caller:
        await service.event(started["call_id"], "call_started")
        await caller.has("speech")
        for kind in ("playback_started", "playback_progress", "playback_finished", "playback_cleared"):
            await caller.socket.send(json.dumps({"type": kind, "key": "invented/0", "played_ms": 86_400_000}))

        await caller.has("end")

    assert not (await service.view(started["call_id"]))["turns"][0]["interrupted"]


async def test_whoever_says_nothing_is_not_waited_for(service: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_routes, "HELLO_SECONDS", 0.1)
    started = await service.start()
    socket = await connect(started["websocket_url"], additional_headers=bearer(started["session_token"]))

    assert await Leg(socket).closed() == (1008, "the first message must be a hello, within 5 s")


async def test_a_message_after_the_farewell_is_no_failure(service: Client, caplog: pytest.LogCaptureFixture) -> None:
    started = await service.start()
    async with leg(service, started) as caller:
        await service.event(started["call_id"], "call_started")
        ending = asyncio.create_task(service.post(f"/v1/calls/{started['call_id']}/end"))
        for _ in range(200):
            try:
                await caller.socket.send("no json")
            except ConnectionClosed:
                break
        await ending
        await caller.closed()

    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# --- watching -----------------------------------------------------------------------------------------------------------------


async def test_a_watched_call_is_told_as_it_happens(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")
    async with connect(socket_url(service, f"/v1/calls/{call_id}/events"), additional_headers=bearer(TOKEN)) as socket:
        snapshot = json.loads(await socket.recv())
        assert (snapshot["type"], snapshot["call"]["id"], snapshot["call"]["state"]) == ("snapshot", call_id, "active")
        assert len(snapshot["call"]["turns"]) == 1

        await service.says(call_id, "What time is breakfast?")
        await service.event(call_id, "call_ended", reason="caller left")

        told = [json.loads(message) async for message in socket]
        assert (socket.close_code, socket.close_reason) == (1000, "the call is over")
    kinds = [message["type"] for message in told]
    assert [
        kind for kind in kinds if kind in {"transcription", "turn_opened", "turn_closed", "call_ended", "state"}
    ] == [
        "transcription",
        "turn_opened",
        "turn_closed",
        "call_ended",
        "state",
    ]
    said = told[kinds.index("transcription")]
    assert said["data"]["text"] == "What time is breakfast?"
    assert {"id", "source", "sequence", "occurred_at", "position"} <= set(said)
    assert told[-1] == {"type": "state", "before": "active", "state": "ended", "reason": "caller left"}


async def test_a_call_that_is_over_is_shown_once(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")
    await service.post(f"/v1/calls/{call_id}/end")

    url = socket_url(service, f"/v1/calls/{call_id}/events")
    assert (await refused(f"{url}?token={TOKEN}"))["status"] == 401
    async with connect(url, additional_headers=bearer(TOKEN)) as socket:
        told = [json.loads(message) async for message in socket]

    assert [message["type"] for message in told] == ["snapshot"]
    assert told[0]["call"]["state"] == "ended"


async def test_watchers_come_and_go_without_harm(service: Client) -> None:
    call_id = new_call()
    await service.event(call_id, "call_started")
    url = socket_url(service, f"/v1/calls/{call_id}/events")
    watchers = [await connect(url, additional_headers=bearer(TOKEN)) for _ in range(5)]
    for watcher in watchers:
        await watcher.recv()
    watchers[0].transport.abort()
    await watchers[1].close()
    await watchers[2].send("what a watcher sends is ignored")

    await service.event(call_id, "hold")

    for watcher in watchers[2:]:
        assert json.loads(await watcher.recv())["type"] == "hold"
        await watcher.close()
