"""Providers of speech, text and actions that fail in every way: the caller never waits in silence for more than three seconds, and the transcript says
what happened.

The calls of one kind of provider are placed a few at a time, in real time with the default patience; each test looks at one of them.
"""

from __future__ import annotations

import array
import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from app_peers import ACTIONS, SPEECH, TEXT, Answer, Asked, Provider, event, provider, streams, wants
from app_support import SHORT, TENANT, Client, listening, new_call, settings
from pydantic import SecretStr
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from orchestrator_calls.call import Call
from orchestrator_calls.responder import InputKind
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.ports import SystemClock, WebhookRequest
from orchestrator_security.webhook_security import StandardWebhooksVerifier, WebhookSecret

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

ACCOUNT, AUTH = "AC" + "1" * 32, "auth-token-of-the-tests-1"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE = 3.0
AT_ONCE = 5
"""Calls at one time: the waiting is the providers', not that of a busy machine."""
WORD_SECONDS = 0.15
"""How long the simulated relay takes for a word."""

SCRIPT = SHORT[TENANT]["script"]


@dataclass
class Sounds:
    """What the caller heard and when, in seconds since they fell silent."""

    begun: float = field(default_factory=time.monotonic)
    spans: list[tuple[float, float]] = field(default_factory=list)

    def add(self, start: float, end: float) -> None:
        self.spans.append((start - self.begun, end - self.begun))

    def longest_wait(self) -> float:
        """The longest silence from the moment the caller fell silent until the last sound."""
        waits, until = [], 0.0
        for start, end in sorted(self.spans):
            waits.append(start - until)
            until = max(until, end)
        return max(waits, default=float("inf"))


@dataclass
class Outcome:
    """One call."""

    sounds: Sounds
    view: dict[str, Any]
    spoken: str = ""


def chosen(asked: Asked) -> Answer:
    """By the path, or by the voice."""
    if asked.path == "/v1/audio/speech":
        return SPEECH[asked.json["voice"]]
    _, what, kind, *_ = asked.path.split("/")
    if what == "actions":
        return ACTIONS[kind]
    if what == "books":
        agreed = "has not agreed yet" in asked.body.decode()
        return streams(
            "text/event-stream",
            *([event(content="One moment. ")] if agreed else []),
            wants("book", question="Shall I book it?"),
        )
    return TEXT[kind]


def tenants(url: str) -> dict[str, Any]:
    def chat(path: str) -> dict[str, Any]:
        return {"url": f"{url}/{path}", "model": "tests", "instructions": "You are the desk."}

    def action(kind: str) -> dict[str, Any]:
        return {
            "url": f"{url}/actions/{kind}/book",
            "secret": SECRET,
            "private_hosts": ("127.0.0.1",),
            "description": "Book.",
        }

    return {
        TENANT: SHORT[TENANT],
        **{f"speech-{kind}": {"script": SCRIPT, "voices": {"en-US": kind}} for kind in SPEECH},
        **{f"text-{kind}": {"script": SCRIPT, "chat": chat(f"text/{kind}")} for kind in TEXT},
        **{
            f"actions-{kind}": {"script": SCRIPT, "chat": chat(f"books/{kind}"), "actions": {"book": action(kind)}}
            for kind in ACTIONS
        },
    }


APOLOGY = "Sorry, the line was interrupted, please ask if you missed something."


@dataclass
class World:
    """The service, and the providers behind it."""

    service: Client
    provider: Provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(module_data: Path) -> AsyncGenerator[World, None]:
    async with provider(chosen) as faulty:
        configured = settings(
            module_data,
            tenants=tenants(faulty.url),
            twilio={"account_sid": ACCOUNT, "auth_token": AUTH, "tenant": TENANT},
            speech={"backends": ("openai", "embedded"), "openai_url": faulty.url, "openai_key": "key"},
            # What was spoken before would be heard again, whatever the voice does.
            performance={"speech_cache": False},
        )
        async with listening(configured) as client:
            yield World(client, faulty)


async def all_at_once(kinds: dict[str, Answer], place: Callable[[str], Awaitable[Outcome]]) -> dict[str, Outcome]:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(kind: str) -> Outcome:
        async with places:
            return await place(kind)

    outcomes = await asyncio.gather(*map(one, kinds))
    return dict(zip(kinds, outcomes, strict=True))


# --- over the relay -----------------------------------------------------------------------------------------------------------


class Caller:
    """A caller behind the relay, which plays a word after the other."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.sounds = Sounds()
        self.spoken: list[str] = []
        self.cycles = 0
        self._until = 0.0

    async def listen(self) -> None:
        try:
            async for data in self.socket:
                message = json.loads(data)
                if message["type"] == "text" and (token := message["token"].strip()):
                    start = max(time.monotonic(), self._until)
                    self._until = start + len(token.split()) * WORD_SECONDS
                    self.sounds.add(start, self._until)
                    self.spoken.append(token)
                    asyncio.get_running_loop().call_later(self._until - time.monotonic(), self._played, token)
                self.cycles += message["type"] == "text" and message["last"]
        except ConnectionClosed:
            return

    def _played(self, token: str) -> None:
        message = json.dumps({"type": "info", "name": "tokensPlayed", "value": token})
        self._sending = asyncio.ensure_future(self._send(message))

    async def _send(self, message: str) -> None:
        try:
            await self.socket.send(message)
        except ConnectionClosed:
            return

    async def says(self, text: str) -> None:
        await self.quiet()
        self.sounds, self.cycles, self.spoken = Sounds(), 0, []
        await self._send(json.dumps({"type": "prompt", "voicePrompt": text, "lang": "en-US", "last": True}))

    async def quiet(self) -> None:
        """Wait until all that came was played."""
        while self._until > time.monotonic() - 0.05:
            await asyncio.sleep(0.02)

    async def until(self, condition: Callable[[], bool], limit: float = 25.0) -> None:
        """Wait, but not for ever: the test of this call tells what is missing."""
        deadline = time.monotonic() + limit
        while not condition() and time.monotonic() < deadline:
            await asyncio.sleep(0.02)


async def over_relay(
    world: World, tenant: str, talk: Callable[[Caller, Callable[[], Call]], Awaitable[None]]
) -> Outcome:
    """A call of this tenant over the relay."""
    call = f"CA{abs(hash((tenant, new_call()))):032x}"[:34]
    url = f"{world.service.url.replace('http', 'ws', 1)}/v1/twilio/relay"
    headers = {"x-twilio-signature": str(RequestValidator(AUTH).compute_signature(url, {}))}
    # A tenant without a number: the call is announced to it first.
    await world.service.event(call, "participant_joined", tenant=tenant)
    async with connect(url, additional_headers=headers, proxy=None) as socket:
        caller = Caller(socket)
        listening_task = asyncio.create_task(caller.listen())
        members = {
            "sessionId": f"VX-{call}",
            "accountSid": ACCOUNT,
            "callSid": call,
            "from": "+4915112345678",
            "to": "",
        }
        await socket.send(json.dumps({"type": "setup", **members}))
        await caller.until(lambda: caller.cycles >= 1)
        known = await world.service.app.registry.get(CallRuntime).view(call)
        await talk(caller, lambda: known)
        await caller.quiet()
        await asyncio.sleep(0.2)
        view = await world.service.view(call)
        await socket.close()
        await asyncio.gather(listening_task, return_exceptions=True)
    return Outcome(caller.sounds, view, " ".join(caller.spoken))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def texts(world: World) -> dict[str, Outcome]:
    async def talk(caller: Caller, _: object) -> None:
        await caller.says("when is breakfast")
        await caller.until(lambda: caller.cycles >= 1)

    return await all_at_once(TEXT, lambda kind: over_relay(world, f"text-{kind}", talk))


@pytest.mark.parametrize("kind", TEXT)
async def test_text(texts: dict[str, Outcome], kind: str) -> None:
    outcome = texts[kind]
    assert outcome.sounds.longest_wait() < PATIENCE
    turn = outcome.view["turns"][1]
    if kind == "good":
        assert outcome.spoken == "Yes, we do. Anything else?"
        assert turn["note"] is None
        return
    assert "Breakfast is from 7 to 10." in outcome.spoken  # the script's answer, within the same turn
    assert turn["note"].startswith("script: ")
    assert turn["outcome"] == "answered"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def acted(world: World) -> dict[str, Outcome]:
    async def talk(caller: Caller, call: Callable[[], Call]) -> None:
        def told() -> bool:
            last = next(reversed(call().turns.values()))
            return last.kind is InputKind.OUTCOME and last.outcome is not None

        await caller.says("book it please")
        await caller.until(lambda: caller.cycles >= 1)
        await caller.says("yes")
        await caller.until(told)
        await asyncio.sleep(0.3)

    return await all_at_once(ACTIONS, lambda kind: over_relay(world, f"actions-{kind}", talk))


@pytest.mark.parametrize("kind", ACTIONS)
async def test_actions(acted: dict[str, Outcome], world: World, kind: str) -> None:
    outcome = acted[kind]
    assert outcome.sounds.longest_wait() < PATIENCE
    told = outcome.view["turns"][-1]
    assert told["kind"] == "outcome"
    spoken = " ".join(told["spoken"])
    assert spoken
    expected = {"good": "done", "slow": "done", "refuses": "refused"}.get(kind, "unconfirmed")
    assert ("done" in spoken.lower()) == (expected == "done"), spoken
    sent = [asked for asked in world.provider.asked if asked.path == f"/actions/{kind}/book"]
    assert sent
    assert len({asked.headers["idempotency-key"] for asked in sent}) == 1
    verifier = StandardWebhooksVerifier([WebhookSecret("tests", SecretStr(SECRET))], clock=SystemClock())
    for asked in sent:
        request = WebhookRequest(method="POST", url=asked.path, headers=list(asked.headers.items()), body=asked.body)
        assert verifier.verify(request).delivery_id == asked.headers["idempotency-key"]


# --- over the media socket ----------------------------------------------------------------------------------------------------


IN_THE_MIDDLE = {"stalls", "breaks", "truncates", "lies-about-length"}
"""These fail when something was heard already."""


async def over_media(world: World, kind: str) -> Outcome:
    """A call whose voice is of this kind: it asks something, and listens."""
    service, tenant = world.service, f"speech-{kind}"
    started = await service.start(tenant=tenant)
    call = started["call_id"]
    url = started["websocket_url"].replace("http", "ws", 1)
    sounds = Sounds()
    state = {"rate": 0, "until": 0.0, "ends": 0}

    async def listen(socket: ClientConnection) -> None:
        try:
            async for message in socket:
                if isinstance(message, str):
                    told = json.loads(message)
                    state["rate"] = told.get("sample_rate", state["rate"])
                    state["ends"] += told["type"] == "end"
                elif max(map(abs, array.array("h", message)), default=0) > 100:
                    start = max(time.monotonic(), state["until"])
                    state["until"] = start + len(message) / 2 / state["rate"]
                    sounds.add(start, state["until"])
        except ConnectionClosed:
            return

    async with connect(
        url, additional_headers={"authorization": f"Bearer {started['session_token']}"}, proxy=None
    ) as socket:
        await socket.send(json.dumps({"type": "hello", "reports": False}))
        task = asyncio.create_task(listen(socket))
        sounds.begun = time.monotonic()
        await service.event(call, "call_started", tenant=tenant, reply_channel="media")
        deadline = time.monotonic() + 30
        runtime = service.app.registry.get(CallRuntime)
        while not _over(await runtime.view(call)) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        view = await service.view(call)
        await socket.close()
        await asyncio.gather(task, return_exceptions=True)
    return Outcome(sounds, view)


def _over(call: Call) -> bool:
    """Whether the greeting is spoken, as far as it can be."""
    return bool(call.turns) and call.open_turn is None and not call.speaking


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spoken(world: World) -> dict[str, Outcome]:
    return await all_at_once(SPEECH, lambda kind: over_media(world, kind))


@pytest.mark.parametrize("kind", SPEECH)
async def test_speech(spoken: dict[str, Outcome], kind: str) -> None:
    outcome = spoken[kind]
    assert outcome.sounds.spans
    assert outcome.sounds.longest_wait() < PATIENCE
    turn = outcome.view["turns"][0]
    if kind in IN_THE_MIDDLE:
        # This voice tells no times of its words, so nobody knows what was heard of them, and nothing is claimed.
        assert turn["broken"] == ["speech_failed"]
        # A voice that spoils sentence after sentence rests; the next one then apologises, once.
        assert turn["heard"] in {"", APOLOGY}
    else:
        assert turn["heard"] == " ".join(turn["spoken"])  # the next voice said it within the turn
        assert turn["broken"] == []
