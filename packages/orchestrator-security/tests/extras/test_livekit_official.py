"""The official `livekit-api` signs, we verify; and where its own receiver differs, it is we who are stricter."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from livekit import api
from pydantic import SecretStr

from orchestrator_kernel.contracts import SignedBodyContract
from orchestrator_kernel.ports import SystemClock, WebhookRefused, WebhookRequest, WebhookVerifier
from orchestrator_security.webhook_security import LiveKitVerifier, WebhookSecret

KEY, SECRET = "APIofficial", "the secret that the server and we share"
BODY = b'{"event":"room_started","room":{"sid":"RM_1","name":"lobby"},"id":"EV_1","createdAt":"1795348800"}'


def token(body: bytes = BODY, *, key: str = KEY, secret: str = SECRET, minutes: float = 5) -> str:
    body_hash = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return api.AccessToken(key, secret).with_sha256(body_hash).with_ttl(timedelta(minutes=minutes)).to_jwt()


def request(authorization: str, body: bytes = BODY) -> WebhookRequest:
    return WebhookRequest(method="POST", url="", headers=[("Authorization", authorization)], body=body)


def verifier() -> LiveKitVerifier:
    return LiveKitVerifier({KEY: [WebhookSecret("k", SecretStr(SECRET))]}, clock=SystemClock())


def officially_accepted(authorization: str, body: bytes = BODY) -> bool:
    try:
        api.WebhookReceiver(api.TokenVerifier(KEY, SECRET)).receive(body.decode(), authorization)
    except Exception:  # noqa: BLE001 - its receiver raises bare exceptions
        return False
    return True


def accepted(authorization: str, body: bytes = BODY) -> bool:
    try:
        verifier().verify(request(authorization, body))
    except WebhookRefused:
        return False
    return True


class TestOfficialSigner(SignedBodyContract):
    def make(self) -> WebhookVerifier:
        return verifier()

    def signed(self, body: bytes) -> WebhookRequest:
        return request(token(body), body)


def test_accepts_what_the_official_receiver_accepts() -> None:
    assert officially_accepted(token())
    assert verifier().verify(request(token())).key_id == "k"


@pytest.mark.parametrize(
    ("sign", "body"),
    [
        (token, BODY + b" "),
        (lambda: token(secret="the secret of somebody else, as long"), BODY),
        (lambda: token(key="APIother"), BODY),
        (lambda: token(minutes=-5), BODY),
        (lambda: api.AccessToken(KEY, SECRET).with_ttl(timedelta(minutes=5)).to_jwt(), BODY),
        (lambda: f"Bearer {token()}", BODY),
        (lambda: token()[:-1], BODY),
        (str, BODY),
    ],
    ids=["body", "secret", "key", "expired", "no hash", "bearer", "cut", "empty"],
)
def test_refuses_what_the_official_receiver_refuses(sign: Callable[[], str], body: bytes) -> None:
    authorization = sign()
    assert not officially_accepted(authorization, body)
    assert not accepted(authorization, body)


def test_refuses_a_token_for_hours_that_the_official_receiver_accepts() -> None:
    assert officially_accepted(token(minutes=360))
    assert not accepted(token(minutes=360))
