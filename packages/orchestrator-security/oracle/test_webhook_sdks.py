"""Our verdict is that of each sender's own SDK, except where we are stricter, and there the reason is listed.

The default is 5,000 requests per scheme, the long version 100,000 (`nox -s oracle -- security --soak`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode

import jwt
import nacl.exceptions
import nacl.signing
import pytest
import standardwebhooks
import stripe
import svix
from google.protobuf import json_format
from livekit import api
from oracle_support import FOREIGN, SECRET, Sent, compare, json_body, not_ascii, repeated, stamp, value
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from orchestrator_kernel.ports import SystemClock, WebhookRequest
from orchestrator_security.webhook_security import (
    GitHubVerifier,
    LiveKitVerifier,
    StandardWebhooksSigner,
    StandardWebhooksVerifier,
    StripeVerifier,
    TelnyxVerifier,
    TwilioVerifier,
    WebhookPublicKey,
    WebhookSecret,
)

COUNTS = pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.soak)])
OURS = [WebhookSecret("k", SecretStr(SECRET))]
CLOCK = SystemClock()
STANDARD_SECRET = "whsec_" + base64.b64encode(SECRET.encode()).decode()


def plain_seconds(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 11


# --- Standard Webhooks and Svix


def make_standard(prefix: str):
    good, foreign = (standardwebhooks.Webhook(key.encode()) for key in (SECRET, FOREIGN))

    def make(rng: random.Random) -> Sent:
        body, at = json_body(rng), datetime.fromtimestamp(stamp(rng), UTC)
        delivery_id = rng.choice(["msg_1", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "a.b", "x" * 300, "Ü"])
        if rng.random() < 0.7:
            delivery_id = "msg_1"
        signatures = [
            (good if rng.random() < 0.85 else foreign).sign(delivery_id, at, body.decode())
            for _ in range(rng.choice([1, 1, 2]))
        ]
        signatures += rng.choice([[], [], ["v2,AAAA"], ["v1a," + "A" * 86 + "=="], ["v1,"]])
        rng.shuffle(signatures)
        names = [f"{prefix}-{name}" for name in ("id", "timestamp", "signature")]
        values = [delivery_id, str(int(at.timestamp())), " ".join(signatures)]
        return Sent(dict(zip(names, values, strict=True)), body)

    return make


def canonical(entry: str) -> bool:
    _, _, signature = entry.partition(",")
    try:
        return base64.b64encode(base64.b64decode(signature, validate=True)).decode() == signature
    except ValueError:
        return False


def stricter_standard(prefix: str):
    names = [f"{prefix}-{name}" for name in ("id", "timestamp", "signature")]
    identity, seconds, signature = names
    return {
        "a header stands twice": repeated(*names),
        "a header is not ASCII": not_ascii(*names),
        "an id with a point, a space or more than 255 characters": lambda request: (
            not 0 < len(value(request, identity)) <= 255
            or not all("!" <= each <= "~" for each in value(request, identity).replace(".", " "))
        ),
        "a time that is no plain number of seconds": lambda request: not plain_seconds(value(request, seconds)),
        "a signature that is not canonical base64": lambda request: (
            not all(
                canonical(each) for each in value(request, signature).split(" ") if each.startswith(("v1,", "v1a,"))
            )
        ),
        # The SDK stops at the first match; we read the whole list first.
        "a malformed entry behind the right one": lambda request: any(
            each.count(",") != 1 for each in value(request, signature).split(" ")
        ),
    }


@COUNTS
@pytest.mark.parametrize(
    ("prefix", "sdk"), [("webhook", standardwebhooks.Webhook), ("svix", svix.Webhook)], ids=["standardwebhooks", "svix"]
)
def test_standard_webhooks(count: int, prefix: str, sdk) -> None:
    webhook = sdk(STANDARD_SECRET)

    def official(request: WebhookRequest) -> bool:
        webhook.verify(request.body, dict(request.headers))
        return True

    tally = compare(
        count,
        make=make_standard(prefix),
        ours=StandardWebhooksVerifier([WebhookSecret("k", SecretStr(STANDARD_SECRET))], clock=CLOCK, headers=prefix),
        official=official,
        stricter=stricter_standard(prefix),
        declared=(standardwebhooks.WebhookVerificationError,),
    )
    assert set(tally.raised) <= {"ValueError", "Error", "JSONDecodeError", "OverflowError"}, tally


@COUNTS
def test_what_we_sign_the_standard_library_accepts(count: int) -> None:
    rng, receiver = random.Random(6), standardwebhooks.Webhook(STANDARD_SECRET)
    secrets = [
        WebhookSecret("old", SecretStr(FOREIGN.replace(" ", ""))),
        WebhookSecret("new", SecretStr(STANDARD_SECRET)),
    ]
    signer = StandardWebhooksSigner(secrets[1:])
    both = StandardWebhooksSigner(
        [WebhookSecret("old", SecretStr(base64.b64encode(FOREIGN.encode()).decode())), secrets[1]]
    )
    for number in range(count):
        body = json_body(rng)
        headers = rng.choice([signer, both]).sign(body, delivery_id=f"msg_{number}", at=datetime.now(UTC))
        receiver.verify(body, headers)


# --- Stripe


def make_stripe(rng: random.Random) -> Sent:
    body, seconds = json_body(rng), stamp(rng)
    header = stripe.WebhookSignature.generate_signature_header(
        body.decode(), SECRET if rng.random() < 0.85 else FOREIGN, seconds
    )
    extra = rng.choice(["", "", ",v0=" + "0" * 64, ",v1=" + "0" * 64, ",x=y"])
    return Sent({"Stripe-Signature": header + extra}, body)


@COUNTS
def test_stripe(count: int) -> None:
    def official(request: WebhookRequest) -> bool:
        return stripe.WebhookSignature.verify_header(request.body, value(request, "stripe-signature"), SECRET, 300)

    def parts(request: WebhookRequest, name: str) -> list[str]:
        return [
            item[len(name) + 1 :]
            for item in value(request, "stripe-signature").split(",")
            if item.startswith(f"{name}=")
        ]

    tally = compare(
        count,
        make=make_stripe,
        ours=StripeVerifier(OURS, clock=CLOCK),
        official=official,
        stricter={
            "the header stands twice": repeated("stripe-signature"),
            "the header is not ASCII": not_ascii("stripe-signature"),
            "not exactly one time": lambda request: len(parts(request, "t")) != 1,
            "a time that is no plain number of seconds": lambda request: not plain_seconds(parts(request, "t")[0]),
            "a time in the future": lambda request: int(parts(request, "t")[0]) > time.time() + 290,
            "an item without an equals sign": lambda request: (
                not all("=" in item for item in value(request, "stripe-signature").split(","))
            ),
            "a second equals sign, behind which the SDK reads nothing": lambda request: any(
                item.count("=") > 1 for item in value(request, "stripe-signature").split(",")
            ),
        },
        declared=(stripe.SignatureVerificationError,),
    )
    assert tally.stricter["a time in the future"] > count / 50
    assert set(tally.raised) <= {"TypeError", "ValueError", "IndexError"}, tally


# --- GitHub publishes no SDK, but the function


def github_function(body: bytes, secret: str, header: str) -> bool:
    """The example of docs.github.com, "Validating webhook deliveries"."""
    expected = "sha256=" + hmac.new(secret.encode("utf-8"), msg=body, digestmod=hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, header)


@COUNTS
def test_github(count: int) -> None:
    def make(rng: random.Random) -> Sent:
        body = json_body(rng)
        secret = SECRET if rng.random() < 0.85 else FOREIGN
        return Sent({"X-Hub-Signature-256": "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()}, body)

    tally = compare(
        count,
        make=make,
        ours=GitHubVerifier(OURS, clock=CLOCK),
        official=lambda request: github_function(request.body, SECRET, value(request, "x-hub-signature-256")),
        stricter={"the header stands twice": repeated("x-hub-signature-256")},
        declared=(),
    )
    assert set(tally.raised) == {"TypeError"}, tally


# --- Twilio

URLS = [
    "https://calls.example/voice",
    "https://calls.example:8443/voice?x=1",
    "https://calls.example:443/voice?a=%20&b=ü",
    "http://calls.example/",
]
FORM_TYPE = "application/x-www-form-urlencoded"


def make_twilio(rng: random.Random) -> Sent:
    url, signer = rng.choice(URLS), RequestValidator(SECRET if rng.random() < 0.85 else FOREIGN)
    if rng.random() < 0.3:
        body = json_body(rng)
        digest = hashlib.sha256(body).hexdigest() if rng.random() < 0.9 else "0" * 64
        url = f"{url}{'&' if '?' in url else '?'}bodySHA256={digest}"
        return Sent(
            {"Content-Type": "application/json", "X-Twilio-Signature": signer.compute_signature(url, {})}, body, url
        )
    words = ["+14158675309", "CA12", "Zoë & Co", "", "a=b", "1 2", "日本"]
    fields = {
        name: [rng.choice(words) for _ in range(rng.choice([1, 1, 1, 2]))]
        for name in rng.sample(["To", "From", "Body", "b", "ß"], 3)
    }
    seen = rng.choice([url, url, url.replace(":443", ""), url.replace("example/", "example:443/")])
    signature = signer.compute_signature(url, Fields(fields))
    return Sent(
        {"Content-Type": FORM_TYPE, "X-Twilio-Signature": signature}, urlencode(fields, doseq=True).encode(), seen
    )


class Fields(dict[str, list[str]]):
    """A form as the frameworks hand it to the SDK."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


@COUNTS
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_twilio(count: int, algorithm: str) -> None:
    validator, name = RequestValidator(SECRET), f"HMAC_{algorithm.upper()}"

    def make(rng: random.Random) -> Sent:
        sent = make_twilio(rng)
        if algorithm == "sha256":
            key = SECRET if rng.random() < 0.85 else FOREIGN
            fields = (
                Fields(parse_qs(sent.body.decode(), keep_blank_values=True))
                if sent.headers["Content-Type"] == FORM_TYPE
                else {}
            )
            sent.headers["X-Twilio-Signature"] = RequestValidator(key).compute_signature(sent.url, fields, name)
        return sent

    def official(request: WebhookRequest) -> bool:
        is_form = value(request, "content-type").partition(";")[0].strip().lower() == FORM_TYPE
        text = request.body.decode()
        params = Fields(parse_qs(text, keep_blank_values=True)) if is_form else text
        return validator.validate(request.url, params, value(request, "x-twilio-signature"), name)

    tally = compare(
        count,
        make=make,
        ours=TwilioVerifier(OURS, clock=CLOCK, algorithm=algorithm),
        official=official,
        stricter={
            "a header stands twice": repeated("x-twilio-signature", "content-type"),
            # The SDK signs the URL with the text of the body as if it were the form's names, if there is no hash.
            "a body that is neither a form nor proved by a hash": lambda request: (
                value(request, "content-type").partition(";")[0].strip().lower() != FORM_TYPE
                and "bodySHA256" not in request.url
            ),
            "a form that does not have the hash in its URL": lambda request: (
                f"bodySHA256={hashlib.sha256(request.body).hexdigest()}" not in request.url
                and "bodySHA256" in request.url
            ),
            "a form that is not ASCII": lambda request: not request.body.isascii(),
        },
        declared=(),
    )
    assert set(tally.raised) <= {"TypeError", "ValueError", "AttributeError"}, tally


# --- Telnyx: its SDK verifies with PyNaCl in the very same three steps


@COUNTS
def test_telnyx(count: int) -> None:
    private, foreign = (nacl.signing.SigningKey(seed.encode()[:32]) for seed in (SECRET, FOREIGN))
    public = base64.b64encode(bytes(private.verify_key)).decode()

    def make(rng: random.Random) -> Sent:
        body, seconds = json_body(rng), str(stamp(rng))
        key = private if rng.random() < 0.85 else foreign
        signature = base64.b64encode(key.sign(seconds.encode() + b"|" + body).signature).decode()
        return Sent({"telnyx-signature-ed25519": signature, "telnyx-timestamp": seconds}, body)

    def official(request: WebhookRequest) -> bool:
        seconds = value(request, "telnyx-timestamp")
        signature = base64.b64decode(value(request, "telnyx-signature-ed25519"))
        private.verify_key.verify(seconds.encode() + b"|" + request.body, signature)
        return abs(time.time() - int(seconds)) <= 300

    names = ("telnyx-signature-ed25519", "telnyx-timestamp")
    tally = compare(
        count,
        make=make,
        ours=TelnyxVerifier([WebhookPublicKey("p", public)], clock=CLOCK),
        official=official,
        stricter={
            "a header stands twice": repeated(*names),
            "a header is not ASCII": not_ascii(*names),
            "a signature that is not canonical base64": lambda request: not canonical("," + value(request, names[0])),
            "a time that is no plain number of seconds": lambda request: not plain_seconds(value(request, names[1])),
        },
        declared=(nacl.exceptions.BadSignatureError,),
    )
    assert set(tally.raised) <= {"ValueError", "Error", "OverflowError"}, tally


# --- LiveKit

LIVEKIT_KEY = "APIofficial"


def make_livekit(rng: random.Random) -> Sent:
    names = ["room_started", "room_finished", "participant_joined"]
    body = f'{{"event":"{rng.choice(names)}","id":"EV_{rng.randrange(10**6)}","room":{{"name":"Zoë"}}}}'.encode()
    digest = base64.b64encode(hashlib.sha256(body if rng.random() < 0.95 else b"").digest()).decode()
    key = LIVEKIT_KEY if rng.random() < 0.95 else "APIother"
    token = api.AccessToken(key, SECRET if rng.random() < 0.9 else FOREIGN).with_sha256(digest)
    minutes = rng.choice([5, 5, 5, 1, 4, -5, 360])
    return Sent({"Authorization": token.with_ttl(timedelta(minutes=minutes)).to_jwt()}, body)


def claims(request: WebhookRequest) -> dict[str, object]:
    return jwt.decode(value(request, "authorization"), options={"verify_signature": False})


@COUNTS
def test_livekit(count: int) -> None:
    receiver = api.WebhookReceiver(api.TokenVerifier(LIVEKIT_KEY, SECRET))

    def official(request: WebhookRequest) -> bool:
        try:
            receiver.receive(request.body.decode(), value(request, "authorization"))
        except json_format.ParseError:
            pass  # the body is proved, and no event: that is for the receiver to say
        return True

    def segments_are_canonical(request: WebhookRequest) -> bool:
        for part in value(request, "authorization").split("."):
            try:
                data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
            except ValueError:
                return False
            if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
                return False
        return True

    tally = compare(
        count,
        make=make_livekit,
        ours=LiveKitVerifier({LIVEKIT_KEY: OURS}, clock=CLOCK),
        official=official,
        stricter={
            "the header stands twice": repeated("authorization"),
            "the header is not ASCII": not_ascii("authorization"),
            "a part that is not canonical base64url": lambda request: not segments_are_canonical(request),
            "a token for hours": lambda request: int(claims(request)["exp"]) - int(claims(request)["nbf"]) > 360,
        },
        declared=(jwt.InvalidTokenError,),
    )
    assert set(tally.raised) <= {"Exception", "UnicodeEncodeError", "ValueError"}, tally
