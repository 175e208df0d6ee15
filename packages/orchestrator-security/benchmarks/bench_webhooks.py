"""What verifying a webhook costs over the bare primitive of its scheme, for a 650-byte event and a handful of headers.

The gate is half the speed of the primitive. LiveKit's token and Twilio's form must be decoded before there is anything to hash or to compare, which costs
more than the hash: there the official SDK's check is the baseline, Twilio's on a form that is parsed already, and the primitive alone stands beside it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from livekit.api import AccessToken, TokenVerifier
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from orchestrator_kernel.ports import WebhookRefused, WebhookRequest, WebhookVerifier
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare, run_main
from orchestrator_security.webhook_security import (
    GitHubVerifier,
    HmacScheme,
    HmacVerifier,
    LiveKitVerifier,
    StandardWebhooksSigner,
    StandardWebhooksVerifier,
    StripeVerifier,
    TelnyxVerifier,
    TwilioVerifier,
    WebhookPrivateKey,
    WebhookPublicKey,
    WebhookSecret,
)

BODY = json.dumps({"event": "participant_joined", "id": "EV_1", "padding": "x" * 590}).encode()
SECRET = "0123456789abcdef0123456789abcdef"
KEY = SECRET.encode()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
OTHERS = [("Host", "calls.example"), ("User-Agent", "bench"), ("Accept", "*/*")]
HALF = Gate(at_most=2.0)
AS_FAST = Gate(at_most=1.0)


class FixedClock:
    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, _seconds: float) -> None:
        raise AssertionError("a verifier never waits")


CLOCK = FixedClock()


def secrets(count: int = 1) -> list[WebhookSecret]:
    """`count` secrets, the right one last."""
    others = [WebhookSecret(f"k{number}", SecretStr(f"{number:032}")) for number in range(1, count)]
    return [*others, WebhookSecret("k", SecretStr(SECRET))]


def request(
    headers: Iterable[tuple[str, str]],
    body: bytes = BODY,
    *,
    url: str = "https://calls.example/hook",
    content_type: str = "application/json",
) -> WebhookRequest:
    return WebhookRequest(
        method="POST", url=url, headers=[*OTHERS, ("Content-Type", content_type), *headers], body=body
    )


def bare_hmac(content: bytes, digest: str = "sha256") -> Callable[[], bool]:
    given = hmac.digest(KEY, content, digest).hex()
    return lambda: hmac.compare_digest(hmac.digest(KEY, content, digest).hex(), given)


def refused(verifier: WebhookVerifier, wrong: WebhookRequest) -> Callable[[], None]:
    def call() -> None:
        try:
            verifier.verify(wrong)
        except WebhookRefused:
            return
        raise AssertionError("accepted")

    return call


def verifying(verifier: WebhookVerifier, good: WebhookRequest) -> Callable[[], object]:
    return lambda: verifier.verify(good)


def hmac_schemes() -> Report:
    scheme = HmacScheme(prefix="sha256=")
    good = request(scheme.sign(BODY, NOW, SecretStr(SECRET)).items())
    bad = request(scheme.sign(BODY + b" ", NOW, SecretStr(SECRET)).items())
    content = f"{STAMP}.".encode() + BODY
    signature = hmac.digest(KEY, content, "sha256").hex()
    github = [("X-Hub-Signature-256", "sha256=" + hmac.digest(KEY, BODY, "sha256").hex())]
    stripe = [("Stripe-Signature", f"t={STAMP},v1={signature}")]
    return compare(
        "schemes on HMAC-SHA256 in hex",
        baseline=Contender("bare HMAC and comparison", bare_hmac(content)),
        contenders=[
            Contender("generic HMAC", verifying(HmacVerifier(scheme, secrets(), clock=CLOCK), good)),
            Contender("GitHub", verifying(GitHubVerifier(secrets(), clock=CLOCK), request(github))),
            Contender("Stripe", verifying(StripeVerifier(secrets(), clock=CLOCK), request(stripe))),
            Contender("generic HMAC, 5 secrets", verifying(HmacVerifier(scheme, secrets(5), clock=CLOCK), good)),
            Contender("generic HMAC, refusing", refused(HmacVerifier(scheme, secrets(), clock=CLOCK), bad)),
        ],
        gates=dict.fromkeys(("generic HMAC", "GitHub", "Stripe"), HALF),
    )


def standard_scheme() -> Report:
    secret = WebhookSecret("k", SecretStr(base64.b64encode(KEY).decode()))
    headers = StandardWebhooksSigner([secret]).sign(BODY, delivery_id="msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", at=NOW)
    content = f"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W.{STAMP}.".encode() + BODY
    given = base64.b64encode(hmac.digest(KEY, content, "sha256"))
    verifier = StandardWebhooksVerifier([secret], clock=CLOCK)

    def bare() -> bool:
        return hmac.compare_digest(base64.b64encode(hmac.digest(KEY, content, "sha256")), given)

    return compare(
        "Standard Webhooks, v1",
        baseline=Contender("bare HMAC in base64 and comparison", bare),
        contenders=[Contender("Standard Webhooks", verifying(verifier, request(headers.items())))],
        gates={"Standard Webhooks": HALF},
    )


def ed25519_schemes() -> Report:
    private = Ed25519PrivateKey.from_private_bytes(KEY)
    public = WebhookPublicKey("p", base64.b64encode(private.public_key().public_bytes_raw()).decode())
    content = f"{STAMP}|".encode() + BODY
    signature, verify = private.sign(content), private.public_key().verify
    signer = StandardWebhooksSigner(private_keys=[WebhookPrivateKey("s", SecretStr(base64.b64encode(KEY).decode()))])
    standard = signer.sign(BODY, delivery_id="msg_1", at=NOW)
    telnyx = {"telnyx-signature-ed25519": base64.b64encode(signature).decode(), "telnyx-timestamp": STAMP}
    return compare(
        "schemes on Ed25519",
        baseline=Contender("bare verification", lambda: verify(signature, content)),
        contenders=[
            Contender("Telnyx", verifying(TelnyxVerifier([public], clock=CLOCK), request(telnyx.items()))),
            Contender(
                "Standard Webhooks v1a",
                verifying(StandardWebhooksVerifier(public_keys=[public], clock=CLOCK), request(standard.items())),
            ),
        ],
        gates={"Telnyx": HALF, "Standard Webhooks v1a": HALF},
    )


def livekit_scheme() -> Report:
    now = datetime.now(UTC)
    body_hash = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    token = AccessToken("APIkey", SECRET).with_sha256(body_hash).with_ttl(timedelta(minutes=5)).to_jwt()
    signed, _, signature = token.rpartition(".")
    given = base64.urlsafe_b64decode(signature + "=")
    verifier = LiveKitVerifier({"APIkey": secrets()}, clock=FixedClock(now))
    official = TokenVerifier("APIkey", SECRET)

    def sdk() -> bool:
        claims = official.verify(token)
        return claims.sha256 == base64.b64encode(hashlib.sha256(BODY).digest()).decode()

    def hashes() -> bool:
        same = hmac.compare_digest(hmac.digest(KEY, signed.encode(), "sha256"), given)
        return same and hmac.compare_digest(hashlib.sha256(BODY).digest(), given)

    return compare(
        "LiveKit",
        baseline=Contender("the SDK's check of the token, hash of the body", sdk),
        contenders=[
            Contender("LiveKit", verifying(verifier, request([("Authorization", token)]))),
            Contender("HMAC-SHA256 and SHA-256 alone", hashes),
        ],
        gates={"LiveKit": AS_FAST},
    )


FORM = {
    "AccountSid": "AC0123456789abcdef0123456789abcdef",
    "ApiVersion": "2010-04-01",
    "CallSid": "CA0123456789abcdef0123456789abcdef",
    "CallStatus": "in-progress",
    "Called": "+18005551212",
    "CalledCity": "SAN FRANCISCO",
    "CalledCountry": "US",
    "Caller": "+14158675309",
    "CallerCity": "SAN RAFAEL",
    "CallerCountry": "US",
    "Digits": "1234",
    "Direction": "inbound",
    "From": "+14158675309",
    "To": "+18005551212",
}


def twilio_form() -> Report:
    url, body = "https://calls.example/voice", urlencode(FORM).encode()
    content = (url + "".join(name + FORM[name] for name in sorted(FORM))).encode()
    given = base64.b64encode(hmac.digest(KEY, content, "sha1"))
    good = request(
        [("X-Twilio-Signature", given.decode())],
        body,
        url=url,
        content_type="application/x-www-form-urlencoded",
    )

    official = RequestValidator(SECRET)

    return compare(
        "Twilio, form of 14 fields",
        baseline=Contender("the SDK's check of the parsed form", lambda: official.validate(url, FORM, given.decode())),
        contenders=[
            Contender("Twilio", verifying(TwilioVerifier(secrets(), clock=CLOCK), good)),
            Contender("HMAC-SHA1 alone", bare_hmac(content, "sha1")),
        ],
        gates={"Twilio": AS_FAST},
    )


def twilio_json() -> Report:
    url = f"https://calls.example/json?bodySHA256={hashlib.sha256(BODY).hexdigest()}"
    given = base64.b64encode(hmac.digest(KEY, url.encode(), "sha1"))
    good = request([("X-Twilio-Signature", given.decode())], url=url)

    def bare() -> bool:
        same = hmac.compare_digest(base64.b64encode(hmac.digest(KEY, url.encode(), "sha1")), given)
        return same and hmac.compare_digest(hashlib.sha256(BODY).hexdigest(), url[-64:])

    return compare(
        "Twilio, JSON body",
        baseline=Contender("bare HMAC-SHA1, hash, comparisons", bare),
        contenders=[Contender("Twilio", verifying(TwilioVerifier(secrets(), clock=CLOCK), good))],
        gates={"Twilio": HALF},
    )


def oversized() -> Report:
    """A body over the limit is refused without being hashed, so its size costs nothing."""
    verifier = HmacVerifier(HmacScheme(), secrets(1), clock=FixedClock())
    small, large = (request([], b"x" * (verifier.max_body + extra)) for extra in (1, 50_000_000))
    return compare(
        "refusing a body over the limit",
        baseline=Contender("1 byte over", refused(verifier, small)),
        contenders=[Contender("50 MB over", refused(verifier, large))],
        gates={"50 MB over": Gate(at_most=1.2)},
    )


def benches() -> Iterable[Bench]:
    return [hmac_schemes, standard_scheme, ed25519_schemes, livekit_scheme, twilio_form, twilio_json, oversized]


if __name__ == "__main__":
    sys.exit(run_main(benches))
