"""Standard Webhooks and Svix: the published vector, both kinds of signatures, several of them, and what we send ourselves."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from webhook_support import NOW, STAMP, StandingClock, refusal, webhook

from orchestrator_kernel.contracts import SignedBodyContract
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_kernel.ports import WebhookRequest, WebhookVerifier
from orchestrator_security.webhook_security import (
    StandardWebhooksSigner,
    StandardWebhooksVerifier,
    WebhookPrivateKey,
    WebhookPublicKey,
    WebhookSecret,
)

SECRET = WebhookSecret("k1", SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
OTHER = WebhookSecret("k2", SecretStr(base64.b64encode(b"another secret of the sender").decode()))
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = WebhookPublicKey("p1", "whpk_" + base64.b64encode(PRIVATE.public_key().public_bytes_raw()).decode())
PRIVATE_KEY = WebhookPrivateKey("s1", SecretStr("whsk_" + base64.b64encode(bytes(range(32))).decode()))


def verifier(*secrets: WebhookSecret, **options) -> StandardWebhooksVerifier:
    return StandardWebhooksVerifier(secrets or [SECRET], clock=StandingClock(), **options)


class TestV1(SignedBodyContract):
    def make(self) -> WebhookVerifier:
        return verifier()

    def signed(self, body: bytes) -> WebhookRequest:
        return webhook(StandardWebhooksSigner([SECRET]).sign(body, delivery_id="msg_1", at=NOW), body)


class TestV1a(SignedBodyContract):
    def make(self) -> WebhookVerifier:
        return StandardWebhooksVerifier(public_keys=[PUBLIC_KEY], clock=StandingClock())

    def signed(self, body: bytes) -> WebhookRequest:
        signer = StandardWebhooksSigner(private_keys=[PRIVATE_KEY])
        return webhook(signer.sign(body, delivery_id="msg_1", at=NOW), body)


def test_the_published_vector() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    body = b'{"test": 2432232314}'
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    sender = StandardWebhooksVerifier([SECRET], clock=StandingClock(at)).verify(webhook(headers, body))
    assert (sender.key_id, sender.delivery_id, sender.signed_at) == ("k1", "msg_p5jXN8AQM9LWM0D4loKWxJek", at)
    signer = StandardWebhooksSigner([SECRET])
    assert signer.sign(body, delivery_id="msg_p5jXN8AQM9LWM0D4loKWxJek", at=at) == headers


def test_ed25519_signs_the_same_content() -> None:
    headers = StandardWebhooksSigner(private_keys=[PRIVATE_KEY]).sign(b"{}", delivery_id="msg_1", at=NOW)
    version, _, signature = headers["webhook-signature"].partition(",")
    assert version == "v1a"
    PRIVATE.public_key().verify(base64.b64decode(signature), f"msg_1.{STAMP}.".encode() + b"{}")


def test_one_right_signature_among_several_is_enough() -> None:
    both = StandardWebhooksSigner([OTHER, SECRET], private_keys=[PRIVATE_KEY]).sign(b"{}", delivery_id="m", at=NOW)
    assert both["webhook-signature"].count(" ") == 2
    assert verifier().verify(webhook(both, b"{}")).key_id == "k1"
    assert verifier(OTHER).verify(webhook(both, b"{}")).key_id == "k2"
    public = StandardWebhooksVerifier(public_keys=[PUBLIC_KEY], clock=StandingClock())
    assert public.verify(webhook(both, b"{}")).key_id == "p1"
    unknown = {**both, "webhook-signature": "v2,x " + both["webhook-signature"] + " v1,"}
    assert verifier().verify(webhook(unknown, b"{}")).key_id == "k1"


def test_a_live_signature_counts_beside_one_of_an_expired_key() -> None:
    gone = WebhookSecret("old", SECRET.value, expires_at=NOW)
    signed = StandardWebhooksSigner([SECRET, OTHER], private_keys=[PRIVATE_KEY]).sign(b"{}", delivery_id="m", at=NOW)
    assert verifier(gone, OTHER).verify(webhook(signed, b"{}")).key_id == "k2"
    assert verifier(gone, public_keys=[PUBLIC_KEY]).verify(webhook(signed, b"{}")).key_id == "p1"
    assert "old, which has expired" in refusal(verifier(gone), webhook(signed, b"{}"))
    late_key = WebhookPublicKey("p0", PUBLIC_KEY.value, expires_at=NOW)
    late = StandardWebhooksVerifier(public_keys=[late_key], clock=StandingClock())
    assert "p0, which has expired" in refusal(late, webhook(signed, b"{}"))


def test_svix_names_its_headers_after_itself() -> None:
    headers = StandardWebhooksSigner([SECRET], headers="svix").sign(b"{}", delivery_id="m", at=NOW)
    assert set(headers) == {"svix-id", "svix-timestamp", "svix-signature"}
    assert verifier(headers="svix").verify(webhook(headers, b"{}")).delivery_id == "m"
    assert refusal(verifier(), webhook(headers, b"{}")) == "missing header webhook-id"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"webhook-timestamp": str(int(STAMP) - 301)}, "301 s ago"),
        ({"webhook-timestamp": str(int(STAMP) + 301)}, "301 s in the future"),
        ({"webhook-timestamp": "nan"}, "number of seconds"),
        ({"webhook-timestamp": STAMP + ".0"}, "number of seconds"),
        ({"webhook-id": "a.b"}, "without a point"),
        ({"webhook-id": "x" * 256}, "255"),
        ({"webhook-signature": "v1"}, "no list"),
        ({"webhook-signature": "v1,a,b x"}, "no list"),
        ({"webhook-signature": " ".join(["v1,AAAA"] * 17)}, "17 signatures"),
        ({"webhook-signature": "v1,é"}, "ASCII"),
        ({"webhook-signature": "v1a,x"}, "canonical base64"),
        ({"webhook-signature": "v1,AAAA v1,AAAB="}, "canonical base64"),
        ({"webhook-signature": "v2,x"}, "bad signature"),
    ],
)
def test_one_refusal_per_rule(changes: dict[str, str], told: str) -> None:
    headers = StandardWebhooksSigner([SECRET]).sign(b"{}", delivery_id="m", at=NOW)
    assert told in refusal(verifier(public_keys=[PUBLIC_KEY]), webhook({**headers, **changes}, b"{}"))


def test_another_spelling_of_a_signature_is_another_signature() -> None:
    for signer in (StandardWebhooksSigner([SECRET]), StandardWebhooksSigner(private_keys=[PRIVATE_KEY])):
        headers = signer.sign(b"{}", delivery_id="m", at=NOW)
        signature = headers["webhook-signature"]
        for other in (
            signature + "=",
            signature[:-1],
            signature.replace(",", ",\n"),
            signature + "\t",
            signature.lower(),
        ):
            refusal(verifier(public_keys=[PUBLIC_KEY]), webhook({**headers, "webhook-signature": other}, b"{}"))


def test_a_large_body_is_refused_before_its_headers_are_read() -> None:
    assert "limit 10" in refusal(verifier(max_body=10), webhook({}, b"x" * 11), status=413)


@given(st.binary(max_size=100), st.from_regex(r"[!-\-/-~]{1,40}", fullmatch=True))
def test_what_we_sign_we_accept(body: bytes, delivery_id: str) -> None:
    signer = StandardWebhooksSigner([OTHER, SECRET], private_keys=[PRIVATE_KEY])
    headers = signer.sign(body, delivery_id=delivery_id, at=NOW)
    assert verifier().verify(webhook(headers, body)).delivery_id == delivery_id


def test_the_signer_leaves_expired_keys_out_and_refuses_what_it_cannot_carry() -> None:
    gone = WebhookSecret("old", SECRET.value, expires_at=NOW)
    signer = StandardWebhooksSigner([gone, OTHER])
    assert " " not in signer.sign(b"{}", delivery_id="m", at=NOW)["webhook-signature"]
    assert " " in signer.sign(b"{}", delivery_id="m", at=NOW - timedelta(seconds=1))["webhook-signature"]
    with pytest.raises(ConfigurationError, match="expired"):
        StandardWebhooksSigner([gone]).sign(b"{}", delivery_id="m", at=NOW)
    for delivery_id in ("", "a.b", "a b", "é", "x" * 256):
        with pytest.raises(ValidationError):
            signer.sign(b"{}", delivery_id=delivery_id, at=NOW)


def test_unusable_configuration_is_refused() -> None:
    clock = StandingClock()
    for make in (lambda: StandardWebhooksVerifier(clock=clock), StandardWebhooksSigner):
        with pytest.raises(ConfigurationError, match="at least one"):
            make()
    for text in ("whsec_", "whsec_short", "whsec_***" + "A" * 40, "é" * 30):
        with pytest.raises(ConfigurationError):
            verifier(WebhookSecret("k", SecretStr(text)))
    for text in ("", "whpk_AAAA", "é", PUBLIC_KEY.value + "AAAA"):
        with pytest.raises(ConfigurationError, match="p0"):
            verifier(public_keys=[WebhookPublicKey("p0", text)])
        with pytest.raises(ConfigurationError, match="s0"):
            StandardWebhooksSigner(private_keys=[WebhookPrivateKey("s0", SecretStr(text))])
    with pytest.raises(ConfigurationError, match="unique"):
        verifier(public_keys=[PUBLIC_KEY, PUBLIC_KEY])
    assert "AAAA" not in repr(PRIVATE_KEY)
