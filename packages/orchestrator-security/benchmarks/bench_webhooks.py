"""What verifying a webhook costs over the bare primitive, for a 650-byte event and a handful of headers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from pydantic import SecretStr

from orchestrator_kernel.ports import WebhookRefused, WebhookRequest, WebhookVerifier
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare, run_main
from orchestrator_security.webhook_security import HmacScheme, HmacVerifier, LiveKitVerifier, WebhookSecret

BODY = json.dumps({"event": "participant_joined", "id": "EV_1", "padding": "x" * 590}).encode()
SECRET = "0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
OTHERS = [("Host", "calls.example"), ("Content-Type", "application/json"), ("User-Agent", "bench"), ("Accept", "*/*")]


class FixedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, _seconds: float) -> None:
        raise AssertionError("a verifier never waits")


def secrets(count: int) -> list[WebhookSecret]:
    """`count` secrets, the right one last."""
    others = [WebhookSecret(f"k{number}", SecretStr(f"{number:032}")) for number in range(1, count)]
    return [*others, WebhookSecret("k", SecretStr(SECRET))]


def request(headers: Iterable[tuple[str, str]], body: bytes = BODY) -> WebhookRequest:
    return WebhookRequest(method="POST", url="https://calls.example/hook", headers=[*OTHERS, *headers], body=body)


def bare_hmac(content: bytes) -> Callable[[], bool]:
    key, given = SECRET.encode(), hmac.digest(SECRET.encode(), content, "sha256").hex()
    return lambda: hmac.compare_digest(hmac.digest(key, content, "sha256").hex(), given)


def refused(verifier: WebhookVerifier, wrong: WebhookRequest) -> Callable[[], None]:
    def call() -> None:
        try:
            verifier.verify(wrong)
        except WebhookRefused:
            return
        raise AssertionError("accepted")

    return call


def hmac_scheme() -> Report:
    """The gate is half the speed of the bare primitive."""
    scheme = HmacScheme(prefix="sha256=")
    good = request(scheme.sign(BODY, NOW, SecretStr(SECRET)).items())
    bad = request(scheme.sign(BODY + b" ", NOW, SecretStr(SECRET)).items())
    one, five = (HmacVerifier(scheme, secrets(count), clock=FixedClock()) for count in (1, 5))
    return compare(
        "a webhook signed with HMAC",
        baseline=Contender("bare HMAC and comparison", bare_hmac(b"1795305600." + BODY)),
        contenders=[
            Contender("HmacVerifier", lambda: one.verify(good)),
            Contender("HmacVerifier, 5 secrets", lambda: five.verify(good)),
            Contender("HmacVerifier, refusing", refused(one, bad)),
        ],
    )


def livekit_scheme() -> Report:
    """The primitives of this scheme are one HMAC over the token and one hash of the body."""

    def segment(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    second, body_hash = int(NOW.timestamp()), base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    claims = {"iss": "APIkey", "sub": "", "nbf": second, "exp": second + 300, "sha256": body_hash}
    signed = segment(b'{"alg":"HS256","typ":"JWT"}') + b"." + segment(json.dumps(claims).encode())
    digest = hmac.digest(SECRET.encode(), signed, "sha256")
    good = request([("Authorization", (signed + b"." + segment(digest)).decode())])
    verifier = LiveKitVerifier({"APIkey": secrets(1)}, clock=FixedClock())
    key = SECRET.encode()

    def bare() -> bool:
        same = hmac.compare_digest(hmac.digest(key, signed, "sha256"), digest)
        return same and hmac.compare_digest(hashlib.sha256(BODY).digest(), digest)

    return compare(
        "a webhook of LiveKit",
        baseline=Contender("bare HMAC, hash and comparisons", bare),
        contenders=[Contender("LiveKitVerifier", lambda: verifier.verify(good))],
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
    return [hmac_scheme, livekit_scheme, oversized]


if __name__ == "__main__":
    sys.exit(run_main(benches))
