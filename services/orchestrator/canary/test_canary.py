"""Callers with identities that exist nowhere else go through whole calls; afterwards nothing that left the process, and no byte at rest, knows them.

`nox -s canary` takes ten thousand of them. What is searched: every log line (level DEBUG), every metric, every span, the exported audit log, every error
body, and the bytes of the database files. Transcripts are not: showing them to who may see them is what they are for.

The doors: the agents' events, the calls' API, LiveKit's and the hotel system's webhooks, the media socket, the operators' page; and the answers of the
language model, the voice and the tenant's own system, all of which know the caller and fail now and then.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from app_peers import PCM, TONE, Answer, Asked, Provider, event, provider, says, streams
from app_support import AUTHORIZED, SHORT, TENANT, Client, listening, livekit_webhook, settings, sip_caller
from canary_people import Identity, found, identities, rooms_told
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.hotel_events import HOTEL_SCHEME
from orchestrator_app.composition.tracing import Traces
from orchestrator_security.audit_logging import export_audit
from orchestrator_security.pii_redactor import PiiRedactor
from orchestrator_utils.logging_adapter import LogConfig, configure

TOGETHER = 8
HOTEL_SECRET = "hotel-secret-of-the-canary-0123456789"
CLUB, CLUB_NUMBER = "club", "+4930901899"
JSON, SPANS = "application/json", "/v1/traces"
REFUSED = 14
"""Requests of each caller that are refused."""
ALL_DOORS = 4
"""One caller of so many talks to the language model, and by the media socket, too."""
SIGNING_IN = 50
"""One caller of so many tries to sign in: a password is meant to take long to check."""


@dataclass
class Left:
    """What left the process."""

    log: io.BytesIO = field(default_factory=io.BytesIO)
    bodies: list[str] = field(default_factory=list)


def world(asked: Asked) -> Answer:
    """The language model, the voice and the tenant's system: each says again what it was told, and every third time as an error."""
    number = zlib.crc32(asked.body)
    if asked.path == SPANS:
        return says(200, b"", "application/x-protobuf")
    if asked.path == "/v1/audio/speech":
        return streams(PCM, TONE) if number % 3 else says(500, asked.body, JSON)
    if number % 3 == 0:
        return says(500, asked.body, JSON)
    if asked.path == "/note":
        return says(200, json.dumps({"status": "done", "data": asked.json["data"]["arguments"]}).encode(), JSON)
    words = str(asked.json["messages"][-1]["content"])[:400]
    return streams("text/event-stream", event("stop", content=f"I have noted this: {words}. "), b"data: [DONE]\n\n")


def configured(folder: Path, url: str) -> Any:
    names = ("anonymous", "authenticated", "calls", "events", "webhooks", "sign_in", "passwords")
    action = {"url": f"{url}/note", "private_hosts": ("127.0.0.1",)}
    chat = {"url": url, "key": "model-key", "model": "m", "instructions": "You are the desk."}
    house = {**SHORT[TENANT], "script": Path(__file__).parent / "stay.toml", "actions": {"note_stay": action}}
    return settings(
        folder,
        tenants={TENANT: house, CLUB: {**SHORT[TENANT], "numbers": (CLUB_NUMBER,), "chat": chat}},
        resilience={"rate_limits": dict.fromkeys(names, "1000000000/minute")},
        calls={"max_calls": 1000},
        speech={"backends": ("openai",), "openai_url": url, "openai_key": "voice-key"},
        hotel_events={"secrets": {"first": HOTEL_SECRET}},
        tracing={"endpoint": url},
    )


async def call(service: Client, identity: Identity, number: int, left: Left) -> None:
    """A call that the script answers, of some callers one that the model answers and one with sound; and everything that goes wrong."""
    call_id = f"canary-{number}"
    await service.event(call_id, "call_started", caller=identity.phone, reply_channel="answer", language="en-US")
    for text in (
        "It is about my stay",
        f"My name is {identity.name}",
        identity.address,
        identity.email,
        f"room {identity.room}",
        identity.code,
        "yes",
        f"And my card is {identity.card}",
    ):
        await service.says(call_id, text)
    redactor = service.app.registry.get(PiiRedactor)
    for value in (identity.name, identity.address, identity.room, identity.code):
        assert redactor.redact_text(value, call=call_id) != value
    await mistakes(service, identity, call_id, left)
    if number % SIGNING_IN == 0:
        await sign_in(service, identity, left)
    await service.event(call_id, "call_ended", reason=f"{identity.name} hung up")
    if number % ALL_DOORS == 0:
        await with_a_model(service, identity, f"{call_id}-model")
        await with_sound(service, identity, left)


async def with_a_model(service: Client, identity: Identity, call_id: str) -> None:
    tenant = {"tenant": CLUB}
    await service.event(call_id, "call_started", caller=identity.phone, reply_channel="answer", **tenant)
    await service.says(call_id, f"I am {identity.everything}", **tenant)
    await service.says(call_id, f"Again: {identity.address}, {identity.email}", **tenant)
    await service.event(call_id, "call_ended", **tenant)


async def with_sound(service: Client, identity: Identity, left: Left) -> None:
    """The media socket: refused, cut off for what it said, and spoken to."""
    started = await service.start(caller=identity.phone)
    url, bearer = started["websocket_url"], {"authorization": f"Bearer {started['session_token']}"}
    left.bodies.append(await said_to(f"{url}?token={identity.card}", {}, ""))
    wrong = {"type": identity.name, "reports": identity.everything}
    left.bodies.append(await said_to(url, bearer, json.dumps(wrong)))
    async with connect(url, additional_headers=bearer) as socket:
        await socket.send(json.dumps({"type": "hello", "reports": False}))
        await service.event(started["call_id"], "call_started", caller=identity.phone)
        await service.says(started["call_id"], f"My name is {identity.name}, {identity.everything}")
        await socket.send(json.dumps(wrong))
    await service.event(started["call_id"], "call_ended")


async def said_to(url: str, headers: dict[str, str], text: str) -> str:
    """How a socket ends when it is told this."""
    try:
        async with connect(url, additional_headers=headers) as socket:
            await socket.send(text)
            async with asyncio.timeout(10):
                while True:
                    await socket.recv()
    except ConnectionClosed as closed:
        return str(closed)
    except Exception as refused:  # noqa: BLE001 - whatever the handshake was answered with
        answer = getattr(refused, "response", None)
        return f"{refused} {answer.body.decode() if answer is not None and answer.body else ''}"


async def mistakes(service: Client, identity: Identity, call_id: str, left: Left) -> None:
    """Requests that are refused, each with something of the caller at the wrong place."""
    who, http = identity.everything, service.http
    wrong = {"caller_id": who, "tenant_id": TENANT, identity.email: identity.card}
    told = service.next_event(call_id, "transcription", text=who, final=f"perhaps {identity.phone}", who=identity.email)
    told |= {identity.email: identity.name}
    body = json.dumps(told).encode()
    service.sequences[call_id] -= 1
    answers: list[httpx.Response] = [
        await service.post("/v1/call/start", wrong),
        await service.signed(body),
        await service.signed(body[:-1]),
        await service.signed(body, secret=f"{who} secret 0123456789"),
        await http.get(f"/v1/calls/{identity.phone}?caller={identity.email}", headers=AUTHORIZED),
        await http.get("/v1/calls", params={"limit": who, "tenant": identity.email}, headers=AUTHORIZED),
        await http.get("/", headers={"authorization": f"Bearer {identity.card}", "x-correlation-id": identity.name}),
        await service.post(f"/v1/calls/{call_id}/end", {"reason": "x", identity.name: who}),
        await http.delete(f"/v1/calls/{call_id}/end?{identity.last}={identity.code}", headers=AUTHORIZED),
        await http.post("/auth/login", json={"email": who, identity.email: identity.card}),
        await http.post("/console/test-call", json={"caller": who}, headers=AUTHORIZED),
        await service.webhook(livekit_webhook("participant_joined", call_id, participant=identity.name)),
        await hotel(service, identity, {"id": 7, "topic": who, identity.email: identity.code}),
        await hotel(service, identity, {"id": identity.code}, secret=f"{who} secret 0123456789"),
    ]
    assert [answer.status_code for answer in answers if not answer.is_error] == []
    assert len(answers) == REFUSED
    left.bodies += [answer.text for answer in answers]
    joined = livekit_webhook(
        "participant_joined",
        f"{call_id}-sip",
        participant=sip_caller(**{"sip.phoneNumber": identity.phone, "name": who}),
    )
    assert (await service.webhook(joined)).status_code in {200, 202}
    taken = await hotel(service, identity, {"id": f"d-{call_id}", "topic": "Reservation", "type": "created"})
    assert taken.status_code == 200, taken.text


async def sign_in(service: Client, identity: Identity, left: Left) -> None:
    """Attempts to sign in, as a person and at the operators' page, which shows whoever typed it what they typed, and nobody else."""
    wrong = {"email": identity.email, "password": identity.card}
    refused = await service.http.post("/auth/login", json=wrong)
    page = await service.http.post("/console/login", data={"login": identity.email, "password": identity.card})
    assert refused.is_error
    assert page.is_error
    left.bodies.append(refused.text)


async def hotel(
    service: Client, identity: Identity, told: dict[str, Any], *, secret: str = HOTEL_SECRET
) -> httpx.Response:
    """An event of the hotel system, which tells more of the guest than anybody asked for."""
    guest = {"guest": identity.name, "room": identity.room, "text": identity.everything}
    body = json.dumps({"timestamp": 1_800_000_000_000, **guest, **told, "data": {"entityId": "R-1", **guest}}).encode()
    proof = HOTEL_SCHEME.sign(body, datetime.now(UTC), SecretStr(secret))
    return await service.http.post("/v1/apaleo/webhook", content=body, headers={"content-type": JSON, **proof})


async def scraped(service: Client) -> str:
    exported = io.StringIO()
    await export_audit(service.app.registry.get(Databases).data, exported)
    return exported.getvalue() + (await service.get("/metrics")).text


async def exported(service: Client, collector: Provider) -> str:
    """Every span that was exported, as it went over the wire."""
    tracing = service.app.registry.get(Traces).tracing
    assert tracing is not None
    assert await asyncio.to_thread(tracing.flush, 30.0)
    assert tracing.counts()["exported"] > 0
    sent = [asked.body for asked in collector.asked if asked.path == SPANS]
    return b"".join(map(gzip.decompress, sent)).decode("latin-1")


async def test_no_caller_is_known_outside_of_the_sealed_journal(tmp_path: Path, callers: int) -> None:
    left, people = Left(), identities(callers)
    async with provider(world) as outside_world, listening(configured(tmp_path, outside_world.url)) as service:
        service.http.timeout = httpx.Timeout(60)
        redactor = service.app.registry.get(PiiRedactor)
        # The service itself never lets these write down whole URLs and frames; what it lets SQLAlchemy's driver say is searched here all the same.
        quiet = dict.fromkeys(("asyncio", "httpx", "httpcore", "hypothesis", "uvicorn", "websockets"), "WARNING")
        with configure(LogConfig(level="DEBUG", levels=quiet, format="json"), redactor=redactor, stream=left.log):
            for start in range(0, len(people), TOGETHER):
                batch = list(enumerate(people))[start : start + TOGETHER]
                await asyncio.gather(*[call(service, person, number, left) for number, person in batch])
            outside = {
                "logs": left.log.getvalue().decode(),
                "errors": "\n".join(left.bodies),
                "audit": await scraped(service),
                "spans": await exported(service, outside_world),
            }
    for path in sorted(tmp_path.iterdir()):
        if path.suffix.startswith(".db"):
            outside[path.name] = path.read_bytes().decode("latin-1")

    traces = {trace for person in people for trace in person.traces()}
    assert len(traces) == 6 * callers
    known = {place: sorted(traces.intersection(found(text)))[:10] for place, text in outside.items()}
    assert not any(known.values()), known
    assert rooms_told("\n".join((outside["logs"], outside["errors"], outside["audit"])), people) == []
    # The search would find them: the callers were really there, and so are their refusals.
    assert outside["logs"].count('"event":"request refused"') >= callers
    assert len(left.bodies) >= REFUSED * callers
    assert "canary-0" in outside["calls.db"]
    assert outside["spans"].count("orchestrator.call.turns") >= callers
    asked = b"".join(asked.body for asked in outside_world.asked if asked.path != SPANS).decode()
    assert all(person.last in asked for person in people)
    assert {trace for person in people[::ALL_DOORS] for trace in person.traces()} <= {*found(asked)}
