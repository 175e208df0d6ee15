"""Stripe, GitHub, Telnyx and Twilio, signed here by hand (the official SDKs judge in `oracle/`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from webhook_support import NOW, STAMP, StandingClock, refusal, webhook

from orchestrator_kernel.contracts import SignedBodyContract
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import WebhookRefused, WebhookRequest, WebhookVerifier
from orchestrator_security.webhook_security import (
    GitHubVerifier,
    StripeVerifier,
    TelnyxVerifier,
    TwilioVerifier,
    WebhookPublicKey,
    WebhookSecret,
)

TEXT = "0123456789abcdef0123456789abcdef"
SECRET = WebhookSecret("k1", SecretStr(TEXT))
OLD = WebhookSecret("k0", SecretStr("the secret that is being replaced"), expires_at=NOW + timedelta(hours=1))
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.b64encode(PRIVATE.public_key().public_bytes_raw()).decode()


def stripe_v1(body: bytes, stamp: str = STAMP, secret: str = TEXT) -> str:
    return hmac.digest(secret.encode(), stamp.encode() + b"." + body, "sha256").hex()


def stripe(body: bytes, stamp: str = STAMP) -> WebhookRequest:
    return webhook({"Stripe-Signature": f"t={stamp},v1={stripe_v1(body, stamp)},v0=6ffbb59b"}, body)


def stripe_verifier(*secrets: WebhookSecret) -> StripeVerifier:
    return StripeVerifier(secrets or [SECRET], clock=StandingClock(), max_body=100_000)


def telnyx(body: bytes, stamp: str = STAMP) -> WebhookRequest:
    signature = base64.b64encode(PRIVATE.sign(stamp.encode() + b"|" + body)).decode()
    return webhook({"telnyx-signature-ed25519": signature, "telnyx-timestamp": stamp}, body)


def telnyx_verifier() -> TelnyxVerifier:
    return TelnyxVerifier([WebhookPublicKey("p1", PUBLIC)], clock=StandingClock(), max_body=100_000)


URL = "https://calls.example/voice?tenant=a%20b"
FORM = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}


def twilio_signature(url: str, fields: list[tuple[str, str]] = (), digest: str = "sha1") -> str:
    text = url + "".join(name + value for name, value in sorted(fields))
    return base64.b64encode(hmac.digest(TEXT.encode(), text.encode(), digest)).decode()


def twilio_form(fields: list[tuple[str, str]], url: str = URL, *, signed: str | None = None) -> WebhookRequest:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Twilio-Signature": twilio_signature(signed or url, fields),
    }
    return webhook(headers, urlencode(fields).encode(), url)


def twilio_json(body: bytes, url: str = "https://calls.example/json") -> WebhookRequest:
    url = f"{url}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    return webhook({"Content-Type": "application/json", "X-Twilio-Signature": twilio_signature(url)}, body, url)


def twilio_verifier(**options) -> TwilioVerifier:
    return TwilioVerifier([SECRET], clock=StandingClock(), **options)


class TestStripe(SignedBodyContract):
    def make(self) -> WebhookVerifier:
        return stripe_verifier()

    def signed(self, body: bytes) -> WebhookRequest:
        return stripe(body)


class TestTelnyx(SignedBodyContract):
    def make(self) -> WebhookVerifier:
        return telnyx_verifier()

    def signed(self, body: bytes) -> WebhookRequest:
        return telnyx(body)


class TestGitHub(SignedBodyContract):
    def make(self) -> WebhookVerifier:
        return GitHubVerifier([SECRET], clock=StandingClock())

    def signed(self, body: bytes) -> WebhookRequest:
        return webhook({"X-Hub-Signature-256": "sha256=" + hmac.digest(TEXT.encode(), body, "sha256").hex()}, body)


class TestTwilioJson(SignedBodyContract):
    def make(self) -> WebhookVerifier:
        return twilio_verifier()

    def signed(self, body: bytes) -> WebhookRequest:
        signed = twilio_json(body)
        return webhook([header for header in signed.headers if header[0] != "Content-Type"], body, signed.url)


# --- Stripe


def test_stripe_names_secret_and_time() -> None:
    sender = stripe_verifier().verify(stripe(b"{}"))
    assert (sender.source, sender.key_id, sender.signed_at) == ("stripe", "k1", NOW)


def test_stripe_signs_with_every_secret_while_one_is_rolled() -> None:
    old, new = stripe_v1(b"{}", secret=OLD.value.get_secret_value()), stripe_v1(b"{}")
    both = webhook({"Stripe-Signature": f"t={STAMP},v1={old},v1={new}"}, b"{}")
    assert stripe_verifier().verify(both).key_id == "k1"
    assert stripe_verifier(OLD).verify(both).key_id == "k0"
    expired = StripeVerifier([OLD], clock=StandingClock(NOW + timedelta(hours=1)), tolerance=3600)
    assert "k0, which has expired" in refusal(expired, both)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (f"t={int(STAMP) - 301},v1=" + stripe_v1(b"{}", str(int(STAMP) - 301)), "301 s ago"),
        (f"t={int(STAMP) + 301},v1=" + stripe_v1(b"{}", str(int(STAMP) + 301)), "301 s in the future"),
        (f"t={STAMP},t={STAMP},v1={stripe_v1(b'{}')}", "2 timestamps"),
        (f"v1={stripe_v1(b'{}')}", "0 timestamps"),
        (f"t={STAMP}", "bad signature"),
        (f"t={STAMP},v0={stripe_v1(b'{}')}", "bad signature"),
        (f"t={STAMP},v1={stripe_v1(b'{}').upper()}", "bad signature"),
        (f"t={STAMP}, v1={stripe_v1(b'{}')}", "bad signature"),
        (f"t= {STAMP},v1={stripe_v1(b'{}')}", "number of seconds"),
        (f"t={STAMP},v1", "no list"),
        (f"t={STAMP}," + "v1=0," * 40 + f"v1={stripe_v1(b'{}')}", "bad signature"),
        ("t=9" + "9" * 5000, "number of seconds"),
    ],
)
def test_stripe_refusals(header: str, told: str) -> None:
    assert told in refusal(stripe_verifier(), webhook({"Stripe-Signature": header}, b"{}"))


# --- GitHub


def test_the_vector_that_github_publishes() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    secret = WebhookSecret("gh", SecretStr("It's a Secret to Everybody"))
    verifier = GitHubVerifier([secret], clock=StandingClock())
    assert verifier.verify(webhook({"X-Hub-Signature-256": signature}, b"Hello, World!")).source == "github"
    assert "bad signature" in refusal(verifier, webhook({"X-Hub-Signature-256": signature[7:]}, b"Hello, World!"))
    refusal(verifier, webhook({"X-Hub-Signature": "sha1=" + "0" * 40}, b"Hello, World!"))


# --- Telnyx


def test_telnyx_refusals() -> None:
    verifier = telnyx_verifier()
    assert "301 s in the future" in refusal(verifier, telnyx(b"{}", str(int(STAMP) + 301)))
    good = dict(telnyx(b"{}").headers)
    signature = good["telnyx-signature-ed25519"]
    for other in (signature[:-1], signature + "=", base64.b64decode(signature).hex(), " " + signature, "AAAA"):
        assert "64 bytes" in refusal(verifier, webhook({**good, "telnyx-signature-ed25519": other}, b"{}"))
    malleable = bytearray(base64.b64decode(signature))
    malleable[63] |= 0xE0  # S + a multiple of the group order, which lax verifiers take (RFC 8032 section 8.4)
    other = base64.b64encode(malleable).decode()
    assert "bad signature" in refusal(verifier, webhook({**good, "telnyx-signature-ed25519": other}, b"{}"))


# --- Twilio


def test_the_vector_that_twilio_publishes() -> None:
    verifier = TwilioVerifier([WebhookSecret("k", SecretStr("12345" * 4))], clock=StandingClock())
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    text = url + "".join(name + FORM[name] for name in sorted(FORM))
    # The published token, 12345, is shorter than any key should be; its vector is checked over the same bytes.
    assert base64.b64encode(hmac.digest(b"12345", text.encode(), "sha1")) == b"RSOYDt4T1cUTdK1PDd93/VVr8B8="
    signature = base64.b64encode(hmac.digest(b"12345" * 4, text.encode(), "sha1")).decode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
    assert verifier.verify(webhook(headers, urlencode(FORM).encode(), url)).source == "twilio"


def test_twilio_sorts_fields_and_counts_equal_ones_once() -> None:
    fields = [("b", "2"), ("a", "ü & +"), ("b", "1"), ("", "x"), ("empty", "")]
    twilio_verifier().verify(twilio_form(fields))
    doubled = twilio_form(fields)
    twilio_verifier().verify(webhook(doubled.headers, doubled.body + b"&b=2", URL))
    for change in (b"&b=3", b"&c=", b"&b=%32%32"):
        refusal(twilio_verifier(), webhook(doubled.headers, doubled.body + change, URL))


@pytest.mark.parametrize(
    ("seen", "signed"),
    [
        ("https://calls.example/voice", "https://calls.example:443/voice"),
        ("https://calls.example:443/voice", "https://calls.example/voice"),
        ("https://calls.example:8443/voice", "https://calls.example/voice"),
        ("https://calls.example:8443/voice", "https://calls.example:8443/voice"),
        ("http://calls.example/voice", "http://calls.example:80/voice"),
        ("https://user:secret@calls.example/voice", "https://user:secret@calls.example:443/voice"),
        ("https://[2001:db8::1]/voice", "https://[2001:db8::1]:443/voice"),
        ("https://[2001:db8::1]:443/voice", "https://[2001:db8::1]/voice"),
    ],
)
def test_twilio_signs_with_the_port_or_without(seen: str, signed: str) -> None:
    twilio_verifier().verify(twilio_form([("a", "1")], seen, signed=signed))


def test_behind_a_proxy_the_public_url_is_configured() -> None:
    request = twilio_form([("a", "1")], "http://10.0.0.7:8080/voice?x=1", signed="https://calls.example/voice?x=1")
    refusal(twilio_verifier(), request)
    twilio_verifier(public_url="https://calls.example").verify(request)
    twilio_verifier(public_url="https://calls.example/").verify(webhook(request.headers, request.body, "/voice?x=1"))
    refusal(twilio_verifier(public_url="https://other.example"), request)
    with pytest.raises(ConfigurationError, match="public_url"):
        twilio_verifier(public_url="calls.example")


def test_twilio_signs_with_sha256_where_that_is_configured() -> None:
    signature = twilio_signature(URL, [("a", "1")], "sha256")
    request = webhook(
        {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}, b"a=1", URL
    )
    twilio_verifier(algorithm="sha256").verify(request)
    refusal(twilio_verifier(), request)
    refusal(twilio_verifier(algorithm="sha256"), twilio_form([("a", "1")]))


def test_a_request_without_a_body_is_proved_by_its_url() -> None:
    twilio_verifier().verify(webhook({"X-Twilio-Signature": twilio_signature(URL)}, b"", URL))
    refusal(twilio_verifier(), webhook({"X-Twilio-Signature": twilio_signature(URL)}, b"", URL + "&x=1"))


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", None])
def test_no_body_slips_in_under_a_signed_url(content_type: str | None) -> None:
    for signed in (webhook({"X-Twilio-Signature": twilio_signature(URL)}, b"", URL), twilio_json(b'{"a":1}')):
        headers = [header for header in signed.headers if header[0] != "Content-Type"]
        if content_type is not None:
            headers.append(("Content-Type", content_type))
        for body in (b'{"a":2}', b"a=1", b"\xff"):
            refusal(twilio_verifier(), webhook(headers, body, signed.url))
    signed = twilio_json(b'{"a":1}')
    emptied = [("Content-Type", "application/x-www-form-urlencoded"), signed.headers[1]]
    assert "wrong body" in refusal(twilio_verifier(), webhook(emptied, b"", signed.url))


def test_twilio_refusals() -> None:
    good = twilio_form([("a", "1")])
    assert "not absolute" in refusal(twilio_verifier(), webhook(good.headers, good.body, "/voice"))
    assert "not ASCII" in refusal(twilio_verifier(), webhook(good.headers, "a=ü".encode(), URL))
    assert "not ASCII" in refusal(twilio_verifier(), webhook(good.headers, b"a=%FF", URL))
    assert "more than 1000" in refusal(twilio_verifier(), webhook(good.headers, b"a&" * 1001, URL))
    assert "limit 2" in refusal(twilio_verifier(max_body=2), good, status=413)
    twice = f"{URL}&bodySHA256={'0' * 64}&bodySHA256={'1' * 64}"
    assert "more than one" in refusal(twilio_verifier(), webhook(good.headers, b"", twice))


@given(st.text(), st.binary(max_size=50), st.text())
def test_whatever_is_sent_is_refused_by_the_one_error(value: str, body: bytes, url: str) -> None:
    for verifier, name in (
        (stripe_verifier(), "Stripe-Signature"),
        (telnyx_verifier(), "telnyx-signature-ed25519"),
        (twilio_verifier(), "X-Twilio-Signature"),
    ):
        headers = [(name, value), ("telnyx-timestamp", STAMP), ("Content-Type", "application/x-www-form-urlencoded")]
        for target in (url, "https://x/" + url):
            with pytest.raises(WebhookRefused):
                verifier.verify(webhook(headers, body, target))
