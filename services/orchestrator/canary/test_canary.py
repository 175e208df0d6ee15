"""Callers with identities that exist nowhere else go through whole calls; afterwards nothing that left the process, and no byte at rest, knows them.

`nox -s canary` takes ten thousand of them. What is searched: every log line (level DEBUG), every metric, every span, the exported audit log, every error
body, and the bytes of the database files. Transcripts are not: showing them to who may see them is what they are for.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from app_peers import Provider, provider, says
from app_support import AUTHORIZED, TENANT, Client, running, settings

from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.tracing import Traces
from orchestrator_security.audit_logging import export_audit
from orchestrator_security.pii_redactor import PiiRedactor
from orchestrator_utils.logging_adapter import LogConfig, configure

TOGETHER = 8
SYLLABLES = [
    "bra",
    "dro",
    "fle",
    "gwi",
    "jor",
    "kle",
    "mur",
    "nax",
    "pli",
    "quo",
    "rex",
    "sti",
    "tro",
    "vel",
    "wex",
    "yor",
    "zim",
]


@dataclass(frozen=True)
class Identity:
    """One caller. Every value stands alone in the world."""

    first: str
    last: str
    phone: str
    card: str

    @property
    def email(self) -> str:
        return f"{self.first.lower()}.{self.last.lower()}@{self.last.lower()}-mail.example"

    def traces(self) -> set[str]:
        """What must be found nowhere, as the search sees it."""
        return {self.first.lower(), self.last.lower(), self.phone.removeprefix("+"), self.card}


@dataclass
class Left:
    """What left the process."""

    log: io.BytesIO = field(default_factory=io.BytesIO)
    bodies: list[str] = field(default_factory=list)


def identities(count: int) -> list[Identity]:
    dice = random.Random(20)
    names: set[str] = set()
    while len(names) < 2 * count:
        names.add("".join(dice.choices(SYLLABLES, k=4)).capitalize())
    spare = iter(sorted(names))
    return [
        Identity(
            next(spare), next(spare), f"+4930{5_000_000 + number}", card(4_000_000_000_000_000 + number * 7919 * 10)
        )
        for number in range(count)
    ]


def card(number: int) -> str:
    """The number with a last digit that Luhn's check accepts."""
    digits = [int(digit) for digit in str(number)[:15]]
    total = sum(digit if index % 2 else sum(divmod(2 * digit, 10)) for index, digit in enumerate(digits))
    return f"{str(number)[:15]}{-total % 10}"


async def call(service: Client, identity: Identity, number: int, left: Left) -> None:
    call_id = f"canary-{number}"
    await service.event(call_id, "call_started", caller=identity.phone, reply_channel="answer", language="en-US")
    await service.says(call_id, "I'd like to book a table for four on Friday at seven")
    await service.says(call_id, f"The name is {identity.first} {identity.last}")
    await service.says(
        call_id, f"Write to {identity.email} or call {spoken(identity.phone)}, my card is {identity.card}"
    )
    await mistakes(service, identity, call_id, left)
    await service.event(call_id, "call_ended", reason="done")


async def mistakes(service: Client, identity: Identity, call_id: str, left: Left) -> None:
    """Requests that are refused, each with something of the caller at the wrong place."""
    who = f"{identity.first} {identity.last}"
    wrong = {"caller_id": f"{who} {identity.phone}", "tenant_id": TENANT, identity.email: identity.card}
    event = service.next_event(
        call_id, "transcription", text=who, final=f"perhaps {identity.phone}", who=identity.email
    )
    body = json.dumps(event).encode()
    service.sequences[call_id] -= 1
    answers: list[httpx.Response] = [
        await service.post("/v1/call/start", wrong),
        await service.signed(body),
        await service.signed(body[:-1]),
        await service.signed(body, secret=f"{who} secret 0123456789"),
        await service.http.get(f"/v1/calls/{identity.phone}?caller={identity.email}", headers=AUTHORIZED),
        await service.http.get("/v1/calls", params={"limit": who, "tenant": identity.email}, headers=AUTHORIZED),
        await service.http.get("/", headers={"authorization": f"Bearer {identity.card}", "x-correlation-id": who}),
    ]
    assert all(answer.is_error for answer in answers)
    left.bodies += [answer.text for answer in answers]


def spoken(phone: str) -> str:
    return " ".join(phone.removeprefix("+"))


def found(text: str) -> Iterator[str]:
    """Every word and every run of digits of a text, read with and without spaces and signs between digits."""
    yield from (word.lower() for word in re.findall(r"[A-Za-z]{6,}", text))
    yield from re.findall(r"\d{9,}", text)
    yield from (re.sub(r"\D", "", run) for run in re.findall(r"\d(?:[ .-]?\d){8,}", text))


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
    return b"".join(gzip.decompress(asked.body) for asked in collector.asked).decode("latin-1")


async def test_no_caller_is_known_outside_of_the_sealed_journal(tmp_path: Path, callers: int) -> None:
    left, people = Left(), identities(callers)
    limits = dict.fromkeys(("anonymous", "authenticated", "calls", "events", "webhooks"), "1000000000/minute")
    async with (
        provider(lambda _: says(200, b"", "application/x-protobuf")) as collector,
        running(
            settings(
                tmp_path,
                resilience={"rate_limits": limits},
                calls={"max_calls": 1000},
                tracing={"endpoint": collector.url},
            )
        ) as service,
    ):
        service.http.event_hooks = {"request": [], "response": []}
        redactor = service.app.registry.get(PiiRedactor)
        quiet = dict.fromkeys(("asyncio", "httpx", "httpcore", "hypothesis"), "WARNING")
        with configure(LogConfig(level="DEBUG", levels=quiet, format="json"), redactor=redactor, stream=left.log):
            for start in range(0, len(people), TOGETHER):
                batch = list(enumerate(people))[start : start + TOGETHER]
                await asyncio.gather(*[call(service, person, number, left) for number, person in batch])
            outside = {
                "logs": left.log.getvalue().decode(),
                "errors": "\n".join(left.bodies),
                "audit": await scraped(service),
                "spans": await exported(service, collector),
            }
    for path in sorted(tmp_path.iterdir()):
        if path.suffix.startswith(".db"):
            outside[path.name] = path.read_bytes().decode("latin-1")

    traces = {trace for person in people for trace in person.traces()}
    assert len(traces) == 4 * callers
    known = {place: sorted(traces.intersection(found(text)))[:10] for place, text in outside.items()}
    assert not any(known.values()), known
    # The search would find them: the callers were really there, and so are their refusals.
    assert outside["logs"].count('"event":"request refused"') >= callers
    assert len(left.bodies) == 7 * callers
    assert "canary-0" in outside["calls.db"]
    assert outside["spans"].count("orchestrator.call.turns") >= callers
