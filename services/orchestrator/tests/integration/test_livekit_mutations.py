"""LiveKit's webhooks, signed by its own SDK and then spoilt: whatever is wrong, the answer is 401 and never 500.

The application is asked directly, without a client between, so that ten thousand requests take seconds.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from app_support import (
    LIVEKIT_KEY,
    LIVEKIT_SECRET,
    SHORT,
    livekit_webhook,
    new_call,
    settings,
    sign_livekit,
    sip_caller,
)
from fastapi import FastAPI

from orchestrator_app.app import create_app
from orchestrator_app.composition.application import compose
from orchestrator_calls.runtime import CallRuntime

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS = 20
PER_ROUND = 500
TOGETHER = 50


class Door:
    """Posts to the webhook's route as an ASGI server would."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self.runtime = app.state.registry.get(CallRuntime)

    async def post(self, body: bytes, *authorization: bytes) -> tuple[int, dict[str, Any]]:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/v1/livekit/webhook",
            "raw_path": b"/v1/livekit/webhook",
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"host", b"localhost"),
                (b"content-type", b"application/webhook+json"),
                (b"content-length", str(len(body)).encode()),
                *((b"authorization", value) for value in authorization),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        sent: list[dict[str, Any]] = []
        messages = iter([{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}])

        async def receive() -> dict[str, Any]:
            return next(messages)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])


@asynccontextmanager
async def open_door(folder: Path) -> AsyncGenerator[Door, None]:
    app = create_app(compose(settings(folder, tenants=SHORT)))
    async with app.router.lifespan_context(app):
        yield Door(app)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(module_data: Path) -> AsyncGenerator[Door, None]:
    async with open_door(module_data) as opened:
        yield opened


def encoded(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def made(
    claims: dict[str, Any], *, header: dict[str, Any] | None = None, secret: str = LIVEKIT_SECRET, name: str = "sha256"
) -> bytes:
    """A token by our own hand, for what the SDK does not make."""
    signed = f"{encoded(header or {'alg': 'HS256', 'typ': 'JWT'})}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.digest(secret.encode(), signed.encode(), name))}".encode()


def claims_for(body: bytes, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    claims = {"iss": LIVEKIT_KEY, "nbf": now - 5, "exp": now + 295, "sha256": digest, **changes}
    return {name: value for name, value in claims.items() if value is not None}


def flipped(data: bytes, rng: random.Random) -> bytes:
    """One bit the other way round."""
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


Spoilt = tuple[bytes, tuple[bytes, ...]]
Spoil = Callable[[bytes, bytes, random.Random], Spoilt]


def segments(token: bytes) -> list[bytes]:
    return token.split(b".")


def _segment(number: int) -> Spoil:
    def spoil(body: bytes, token: bytes, rng: random.Random) -> Spoilt:
        parts = segments(token)
        parts[number] = flipped(parts[number], rng)
        return body, (b".".join(parts),)

    return spoil


def _claims(**changes: Callable[[random.Random], Any]) -> Spoil:
    def spoil(body: bytes, _token: bytes, rng: random.Random) -> Spoilt:
        return body, (made(claims_for(body, **{name: change(rng) for name, change in changes.items()})),)

    return spoil


def _header(header: dict[str, Any], name: str = "sha256") -> Spoil:
    return lambda body, _token, _rng: (body, (made(claims_for(body), header=header, name=name),))


def now(offset: float) -> int:
    return int(time.time() + offset)


SPOILS: dict[str, Spoil] = {
    # The body is another one.
    "bit of the body": lambda body, token, rng: (flipped(body, rng), (token,)),
    "shorter body": lambda body, token, rng: (body[: rng.randrange(len(body))], (token,)),
    "longer body": lambda body, token, rng: (body + rng.randbytes(rng.randint(1, 20)), (token,)),
    "body of another event": lambda _body, token, _rng: (livekit_webhook("room_finished", new_call()), (token,)),
    "the same JSON, other bytes": lambda body, token, _rng: (json.dumps(json.loads(body), indent=1).encode(), (token,)),
    # The token is damaged.
    "bit of the header": _segment(0),
    "bit of the claims": _segment(1),
    "bit of the signature": _segment(2),
    "shorter token": lambda body, token, rng: (body, (token[: rng.randrange(len(token))],)),
    "longer token": lambda body, token, rng: (body, (token + rng.randbytes(rng.randint(1, 20)),)),
    "any bytes": lambda body, _token, rng: (body, (rng.randbytes(rng.randint(0, 200)),)),
    "segments in another order": lambda body, token, rng: (body, (b".".join(rng.sample([*segments(token)[::-1], b""], 3)[:2]),)),
    "no signature": lambda body, token, _rng: (body, (b".".join([*segments(token)[:2], b""]),)),
    "padded base64": lambda body, token, _rng: (body, (token + b"=",)),
    "twice": lambda body, token, _rng: (body, (token, token)),
    "no header": lambda body, _token, _rng: (body, ()),
    "a scheme before it": lambda body, token, rng: (body, (rng.choice([b"Bearer ", b"bearer ", b"JWT "]) + token,)),
    # The key is another one.
    "wrong secret": lambda body, _t, rng: (body, (sign_livekit(body, secret=f"another-secret-0123456789-{rng.random()}").encode(),)),
    "unknown key": lambda body, _t, rng: (body, (sign_livekit(body, key=f"API{rng.random()}").encode(),)),
    "no key": _claims(iss=lambda _: None),
    "key of another kind": _claims(iss=lambda rng: rng.choice([7, True, [LIVEKIT_KEY], {"a": LIVEKIT_KEY}, ""])),
    # The algorithm is another one.
    "alg none": lambda body, _t, _r: (body, (f"{encoded({'alg': 'none'})}.{encoded(claims_for(body))}.".encode(),)),
    "alg none, signed": _header({"alg": "none"}),
    "alg HS512": _header({"alg": "HS512"}, "sha512"),
    "alg HS384 in name only": _header({"alg": "HS384"}),
    "alg RS256 with the secret": _header({"alg": "RS256"}),
    "alg in other letters": _header({"alg": "hs256"}),
    "no alg": _header({"typ": "JWT"}),
    "a critical extension": _header({"alg": "HS256", "crit": ["exp"]}),
    # The time is another one.
    "expired": _claims(nbf=lambda rng: now(-900), exp=lambda rng: now(-61 - rng.randint(1, 500))),
    "not begun": _claims(nbf=lambda rng: now(90 + rng.randint(0, 100)), exp=lambda rng: now(300)),
    "issued in the future": _claims(iat=lambda rng: now(90 + rng.randint(0, 10_000))),
    "good for hours": _claims(exp=lambda rng: now(3600 * rng.randint(1, 1000))),
    "no end": _claims(exp=lambda _: None),
    "no beginning": _claims(nbf=lambda _: None),
    "times of another kind": _claims(exp=lambda rng: rng.choice(["9999999999", 1e18, True, [now(100)], -1, now(100) + 0.5])),
    # The hash is another one, or is missing.
    "no hash": _claims(sha256=lambda _: None),
    "empty hash": _claims(sha256=lambda _: ""),
    "hash of another body": _claims(sha256=lambda rng: base64.b64encode(hashlib.sha256(rng.randbytes(8)).digest()).decode()),
    "hash in hexadecimal": lambda body, _t, _r: (body, (sign_livekit(body, digest=hashlib.sha256(body).hexdigest()).encode(),)),
    "hash of another kind": _claims(sha256=lambda rng: rng.choice([7, True, ["x"], {"a": 1}, "é"])),
    "a token for joining a room": _claims(sha256=lambda _: None, video=lambda _: {"roomJoin": True, "room": "r"}),
}  # fmt: skip


async def test_the_official_sdk_is_let_in(door: Door) -> None:
    body = livekit_webhook("participant_joined", new_call(), participant=sip_caller())

    status, answer = await door.post(body, sign_livekit(body).encode())

    assert (status, answer["status"], answer["event"]) == (200, "processed", "call_started")


async def test_our_own_hand_is_good_enough_to_spoil(door: Door) -> None:
    """The mutations are refused for what is spoilt, and not for how they are made."""
    body = livekit_webhook("participant_joined", new_call(), participant=sip_caller())

    assert (await door.post(body, made(claims_for(body))))[0] == 200


@pytest.mark.parametrize("name", SPOILS)
async def test_each_way_to_spoil_a_webhook_is_refused(door: Door, name: str) -> None:
    rng = random.Random(name)
    body = livekit_webhook("participant_joined", new_call(), participant=sip_caller())

    for _ in range(5):
        spoilt, authorization = SPOILS[name](body, sign_livekit(body).encode(), rng)
        status, answer = await door.post(spoilt, *authorization)
        assert (status, answer["code"], answer["detail"]) == (
            401,
            "webhook_refused",
            "The webhook could not be verified.",
        )


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_ten_thousand_spoilt_webhooks_are_refused(door: Door, number: int) -> None:
    rng = random.Random(number)
    call_id = new_call()
    body = livekit_webhook("participant_joined", call_id, participant=sip_caller())
    token = sign_livekit(body).encode()
    answers: Counter[tuple[int, str]] = Counter()

    for _ in range(PER_ROUND // TOGETHER):
        spoilt = [SPOILS[rng.choice([*SPOILS])](body, token, rng) for _ in range(TOGETHER)]
        for status, answer in await asyncio.gather(*[door.post(each, *proof) for each, proof in spoilt]):
            answers[status, answer["code"]] += 1

    assert answers == {(401, "webhook_refused"): PER_ROUND}
    assert call_id not in door.runtime._actors
