"""What strict validation costs over the parse that everybody pays for."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, acompare, compare, run_main
from orchestrator_security._asgi import Message, Receive, Scope, Send
from orchestrator_security.input_validation import InputLimits, JsonLimits, Line, LongText, StrictModel, parse_json


class Word(StrictModel):
    word: Line
    start: float
    end: float
    confidence: Annotated[float, Field(ge=0, le=1)]


class Alternative(StrictModel):
    text: LongText
    confidence: Annotated[float, Field(ge=0, le=1)]
    words: Annotated[list[Word], Field(max_length=1000)]


class Speech(StrictModel):
    id: Line
    type: Literal["speech"]
    call_id: Line
    tenant: Line
    at: Line
    language: Line
    alternatives: Annotated[list[Alternative], Field(max_length=10)]


def speech(words: int) -> bytes:
    """What a recogniser reports: two readings, word by word."""
    chance = random.Random(7)
    vocabulary = [
        "could",
        "you",
        "please",
        "tell",
        "me",
        "whether",
        "breakfast",
        "is",
        "included",
        "in",
        "the",
        "room",
        "tomorrow",
        "morning",
    ]
    alternatives: list[dict[str, object]] = []
    for _ in range(2):
        said = [chance.choice(vocabulary) for _ in range(words)]
        spoken = [
            {
                "word": word,
                "start": round(n * 0.31, 2),
                "end": round(n * 0.31 + 0.27, 2),
                "confidence": round(chance.random(), 3),
            }
            for n, word in enumerate(said)
        ]
        alternatives.append({"text": " ".join(said), "confidence": 0.93, "words": spoken})
    event = {"id": "event-1", "type": "speech", "call_id": "call-1", "tenant": "hotel-7", "at": "2030-01-01T00:00:00Z"}
    return json.dumps({**event, "language": "en-US", "alternatives": alternatives}).encode()


BODY = speech(40)
LIMITS = JsonLimits()


def one_event() -> Report:
    """Strict validation (limits, repeated keys, fields) costs at most one more `json.loads`."""

    class Loose(BaseModel):
        alternatives: list[object]

    return compare(
        f"a speech event of {len(BODY) / 1000:.1f} KB",
        baseline=Contender("json.loads", lambda: json.loads(BODY)),
        contenders=[
            Contender("parse_json: limits and repeated keys", lambda: parse_json(BODY, LIMITS)),
            Contender("StrictModel.parse", lambda: Speech.parse(BODY)),
            Contender("StrictModel.model_validate_json alone", lambda: Speech.model_validate_json(BODY)),
            Contender("json.loads, then a loose model", lambda: Loose.model_validate(json.loads(BODY))),
        ],
        gates={"StrictModel.parse": Gate(at_most=2.0)},
    )


def hostile() -> Report:
    """Bodies made to be slow are refused for less than what reading a harmless one of their size costs."""
    size = 1_000_000
    usual = b"[" + b",".join([BODY] * (size // len(BODY))) + b"]"
    bodies = {
        "deep arrays": b"[" * size,
        "deep objects": b'{"a":' * (size // 5),
        "one long number": b"9" * size,
        "a wide array": b"[" + b"0," * (size // 2) + b"0]",
        "a wide object": b"{" + b",".join(b'"%d":0' % n for n in range(size // 10)) + b"}",
        "backslashes": b'"' + b"\\\\" * (size // 2) + b'"',
        "quotes": b'"' + b'\\"' * (size // 2) + b'"',
    }

    def refuse(body: bytes) -> None:
        try:
            parse_json(body, LIMITS)
        except Exception:  # noqa: BLE001 - which refusal is the tests' business
            return
        raise AssertionError("it was not refused")

    contenders = [Contender(name, lambda body=body: refuse(body)) for name, body in bodies.items()]
    return compare(
        "hostile bodies of 1 MB",
        baseline=Contender("json.loads of events", lambda: json.loads(usual)),
        contenders=contenders,
    )


async def through_the_door() -> Report:
    """The middleware around an application that reads its body and parses it."""
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/call/event",
        "raw_path": b"/call/event",
        "query_string": b"",
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(BODY)).encode()),
            (b"host", b"x"),
        ],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(_message: Message) -> None:
        pass

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        Speech.model_validate_json((await receive())["body"])
        await send({"type": "http.response.start", "status": 204, "headers": []})

    guarded = InputLimits(app)
    return await acompare(
        "a request with that event",
        baseline=Contender("the application alone", lambda: app(scope, receive, send)),
        contenders=[Contender("behind InputLimits", lambda: guarded(scope, receive, send))],
    )


def benches() -> Iterable[Bench]:
    return [one_event, hostile, through_the_door]


if __name__ == "__main__":
    sys.exit(run_main(benches))
