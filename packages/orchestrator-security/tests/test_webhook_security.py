"""The verifiers from outside: published vectors, the port's contract, and one refusal per rule."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from orchestrator_kernel.contracts import SignedBodyContract, WebhookVerifierContract
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_kernel.ports import WebhookRefused, WebhookRequest, WebhookVerifier
from orchestrator_security.webhook_security import BearerVerifier, HmacScheme, HmacVerifier, WebhookSecret, any_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET = SecretStr("0123456789abcdef0123456789abcdef")


class FixedClock:
    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def request(headers: dict[str, str], body: bytes) -> WebhookRequest:
    return WebhookRequest(method="POST", url="https://calls.example/hook", headers=list(headers.items()), body=body)


def reason(verifier: WebhookVerifier, refused: WebhookRequest, status: int = 401) -> str:
    with pytest.raises(WebhookRefused) as caught:
        verifier.verify(refused)
    assert caught.value.status == status
    assert caught.value.reason not in str(caught.value)
    return caught.value.reason


class HmacContract(SignedBodyContract):
    scheme: HmacScheme

    def make(self) -> WebhookVerifier:
        return HmacVerifier(self.scheme, [WebhookSecret("k", SECRET)], clock=FixedClock())

    def signed(self, body: bytes) -> WebhookRequest:
        stamp = None if self.scheme.timestamp_header is None else NOW
        delivery_id = None if self.scheme.id_header is None else "msg_1"
        return request(self.scheme.sign(body, stamp, SECRET, delivery_id=delivery_id), body)


class TestHmacWithTime(HmacContract):
    scheme = HmacScheme(prefix="sha256=")


class TestHmacWithoutTime(HmacContract):
    scheme = HmacScheme(timestamp_header=None, algorithm="sha512", encoding="base64")


class TestHmacWithIdAndTime(HmacContract):
    scheme = HmacScheme(id_header="X-Webhook-Id", separator="|", key_encoding="hex")


class TestBearer(WebhookVerifierContract):
    def make(self) -> WebhookVerifier:
        return BearerVerifier([WebhookSecret("old", SECRET)], clock=FixedClock())

    def signed(self, body: bytes) -> WebhookRequest:
        return request({"Authorization": f"Bearer {SECRET.get_secret_value()}"}, body)


class TestAnyOf(HmacContract):
    scheme = HmacScheme(prefix="v1=")

    def make(self) -> WebhookVerifier:
        other = HmacVerifier(HmacScheme(), [WebhookSecret("other", SecretStr("x" * 16))], clock=FixedClock())
        return any_of([other, super().make()])


# Published by GitHub ("Validating webhook deliveries"), by Standard Webhooks (its libraries' tests) and in RFC 4231.
GITHUB = HmacScheme(signature_header="X-Hub-Signature-256", prefix="sha256=", timestamp_header=None)
STANDARD = HmacScheme(
    signature_header="webhook-signature",
    timestamp_header="webhook-timestamp",
    id_header="webhook-id",
    encoding="base64",
    key_encoding="base64",
    prefix="v1,",
)
RFC_4231 = [
    (
        "0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    ),
    (
        "aa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
    ),
    (
        "aa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
    ),
]


def test_accepts_githubs_published_signature() -> None:
    verifier = HmacVerifier(
        GITHUB, [WebhookSecret("k", SecretStr("It's a Secret to Everybody"))], clock=FixedClock(), source="github"
    )
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    sender = verifier.verify(request({"X-Hub-Signature-256": signature}, b"Hello, World!"))
    assert (sender.source, sender.key_id, sender.signed_at, sender.delivery_id) == ("github", "k", None, None)


def test_accepts_the_published_signature_of_standard_webhooks() -> None:
    clock = FixedClock(datetime.fromtimestamp(1614265330, UTC))
    secret = SecretStr("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    sender = HmacVerifier(STANDARD, [WebhookSecret("k", secret)], clock=clock).verify(request(headers, body))
    assert (sender.delivery_id, sender.signed_at) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", clock.time)
    assert STANDARD.sign(body, clock.time, secret, delivery_id="msg_p5jXN8AQM9LWM0D4loKWxJek") == headers


@pytest.mark.parametrize(("key", "body", "sha256", "sha512"), RFC_4231)
def test_accepts_the_vectors_of_rfc_4231(key: str, body: bytes, sha256: str, sha512: str) -> None:
    for algorithm, signature in (("sha256", sha256), ("sha512", sha512)):
        scheme = HmacScheme(timestamp_header=None, algorithm=algorithm, key_encoding="hex")
        verifier = HmacVerifier(scheme, [WebhookSecret("k", SecretStr(key))], clock=FixedClock())
        verifier.verify(request({"X-Webhook-Signature": signature}, body))


@pytest.mark.parametrize(("skew", "accepted"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_the_time_window_is_the_same_both_ways(skew: int, *, accepted: bool) -> None:
    scheme = HmacScheme()
    verifier = HmacVerifier(scheme, [WebhookSecret("k", SECRET)], clock=FixedClock())
    signed = request(scheme.sign(b"{}", NOW + timedelta(seconds=skew), SECRET), b"{}")
    if accepted:
        assert verifier.verify(signed).signed_at == NOW + timedelta(seconds=skew)
    else:
        assert "skew" in reason(verifier, signed)


def test_the_window_does_not_depend_on_the_time_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        test_the_time_window_is_the_same_both_ways(0, accepted=True)
        test_the_time_window_is_the_same_both_ways(301, accepted=False)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_bytes_cannot_move_between_time_and_body() -> None:
    scheme = HmacScheme()
    verifier = HmacVerifier(scheme, [WebhookSecret("k", SECRET)], clock=FixedClock(), tolerance=3600)
    headers = scheme.sign(b"123", NOW, SECRET)
    stamp = headers["X-Webhook-Timestamp"]
    for shift in range(1, len(stamp)):
        moved = {**headers, "X-Webhook-Timestamp": stamp[:-shift]}
        reason(verifier, request(moved, stamp[-shift:].encode() + b"123"))
    with pytest.raises(ConfigurationError, match="separator"):
        HmacScheme(separator="")


@given(
    separator=st.text("|.a", min_size=1, max_size=3),
    ids=st.tuples(st.text("|.ab", min_size=1, max_size=5), st.text("|.ab", min_size=1, max_size=5)),
    bodies=st.tuples(st.text("|.ab", max_size=5), st.text("|.ab", max_size=5)),
)
def test_what_is_signed_has_one_reading(separator: str, ids: tuple[str, str], bodies: tuple[str, str]) -> None:
    scheme = HmacScheme(timestamp_header=None, id_header="X-Webhook-Id", separator=separator)
    contents = [scheme.signed_content(body.encode(), None, id_) for id_, body in zip(ids, bodies, strict=True)]
    if contents[0] == contents[1] and all(scheme.carries_id(id_) for id_ in ids):
        assert (ids[0], bodies[0]) == (ids[1], bodies[1])


def test_bytes_cannot_move_between_id_and_body() -> None:
    scheme = HmacScheme(timestamp_header=None, id_header="X-Webhook-Id", separator="||")
    verifier = HmacVerifier(scheme, [WebhookSecret("k", SECRET)], clock=FixedClock())
    headers = scheme.sign(b"|x", None, SECRET, delivery_id="a")
    reason(verifier, request({**headers, "X-Webhook-Id": "a|"}, b"x"))


def test_bytes_cannot_move_between_id_and_time() -> None:
    scheme = HmacScheme(id_header="X-Webhook-Id")
    verifier = HmacVerifier(scheme, [WebhookSecret("k", SECRET)], clock=FixedClock())
    stamp = str(int(NOW.timestamp()))
    # Signed as id `a`, body `STAMP.{}`; presented as id `a.STAMP`, body `{}`.
    headers = scheme.sign(f"{stamp}.{{}}".encode(), NOW, SECRET, delivery_id="a")
    assert "delivery_id" in reason(verifier, request({**headers, "X-Webhook-Id": f"a.{stamp}"}, b"{}"))
    with pytest.raises(ValidationError, match="delivery_id"):
        scheme.sign(b"{}", NOW, SECRET, delivery_id="a.b")


@pytest.mark.parametrize(
    "stamp",
    [
        *("", " 1763812800", "1763812800 ", "+1763812800", "-1", "1763812800.0", "1e9", "0x10", "1_763_812_800"),
        *("nan", "inf", "١٧٦٣٨١٢٨٠٠", "9" * 12, "9" * 5000, "1763812800\n", "\x00"),
    ],
)
def test_a_timestamp_is_ascii_digits_and_nothing_else(stamp: str) -> None:
    scheme = HmacScheme()
    verifier = HmacVerifier(scheme, [WebhookSecret("k", SECRET)], clock=FixedClock())
    content = scheme.signed_content(b"{}", stamp, None)
    signature = hmac.digest(SECRET.get_secret_value().encode(), content, "sha256").hex()
    reason(verifier, request({"X-Webhook-Signature": signature, "X-Webhook-Timestamp": stamp}, b"{}"))


def test_other_spellings_of_a_signature_are_refused() -> None:
    for scheme in (HmacScheme(timestamp_header=None), HmacScheme(timestamp_header=None, encoding="base64")):
        verifier = HmacVerifier(scheme, [WebhookSecret("k", SECRET)], clock=FixedClock())
        signature = scheme.sign(b"{}", None, SECRET)["X-Webhook-Signature"]
        for other in (
            signature.swapcase(),
            f" {signature}",
            f"{signature}=",
            signature.rstrip("=") + "\n",
            signature[:-1],
        ):
            reason(verifier, request({"X-Webhook-Signature": other}, b"{}"))


def test_a_body_over_the_limit_is_refused_with_413_before_anything_else() -> None:
    scheme = HmacScheme()
    verifier = HmacVerifier(scheme, [WebhookSecret("k", SECRET)], clock=FixedClock(), max_body=100)
    verifier.verify(request(scheme.sign(b"x" * 100, NOW, SECRET), b"x" * 100))
    assert "101 bytes" in reason(verifier, request(scheme.sign(b"x" * 101, NOW, SECRET), b"x" * 101), status=413)
    reason(verifier, request({}, b"x" * 101), status=413)


def test_two_secrets_live_side_by_side_until_the_old_one_expires() -> None:
    clock, scheme = FixedClock(), HmacScheme(timestamp_header=None)
    old, new = SecretStr("the old secret of the sender"), SecretStr("the new secret of the sender")
    secrets = [WebhookSecret("new", new), WebhookSecret("old", old, expires_at=NOW + timedelta(hours=1))]
    verifier = HmacVerifier(scheme, secrets, clock=clock)
    by_old, by_new = (request(scheme.sign(b"{}", None, secret), b"{}") for secret in (old, new))
    assert [verifier.verify(each).key_id for each in (by_old, by_new)] == ["old", "new"]
    clock.time = NOW + timedelta(hours=1)
    assert verifier.verify(by_new).key_id == "new"
    assert "old, which has expired" in reason(verifier, by_old)


def test_a_secret_shows_nowhere() -> None:
    secret = WebhookSecret("k", SECRET)
    verifier = HmacVerifier(HmacScheme(), [secret], clock=FixedClock())
    assert SECRET.get_secret_value() not in repr(secret) + str(secret) + repr(verifier)
    for bad in ("zz" * 16, "0g" * 20):
        with pytest.raises(ConfigurationError) as caught:
            HmacVerifier(HmacScheme(key_encoding="hex"), [WebhookSecret("k", SecretStr(bad))], clock=FixedClock())
        assert bad not in repr(caught.value)
        assert caught.value.__suppress_context__


def test_unusable_configuration_is_refused() -> None:
    clock = FixedClock()
    k = WebhookSecret("k", SECRET)
    for secrets, word in (
        ([], "at least one"),
        ([k, k], "unique"),
        ([WebhookSecret("k", SecretStr("fifteen bytes !"))], "15 bytes"),
    ):
        with pytest.raises(ConfigurationError, match=word):
            HmacVerifier(HmacScheme(), secrets, clock=clock)
    for wrong in ({"tolerance": float("nan")}, {"tolerance": -1}, {"tolerance": 1e6}, {"max_body": 0}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            HmacVerifier(HmacScheme(), [k], clock=clock, **wrong)
    for wrong in (
        {"algorithm": "md5"},
        {"encoding": "binary"},
        {"key_encoding": "rot13"},
        {"prefix": "a b"},
        {"separator": "1"},
        {"signature_header": "X Y"},
        {"id_header": "x-webhook-signature"},
    ):
        with pytest.raises(ConfigurationError):
            HmacScheme(**wrong)
    with pytest.raises(ValidationError):
        WebhookSecret("k", SECRET, expires_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the naive time is the point
    with pytest.raises(ValidationError):
        WebhookSecret("not an id", SECRET)
    with pytest.raises(ConfigurationError):
        any_of([])


def test_signing_asks_for_exactly_the_parts_of_the_scheme() -> None:
    with pytest.raises(ValidationError, match="signs a timestamp"):
        HmacScheme().sign(b"", None, SECRET)
    with pytest.raises(ValidationError, match="does not sign a timestamp"):
        GITHUB.sign(b"", NOW, SECRET)
    with pytest.raises(ValidationError, match="signs a delivery_id"):
        STANDARD.sign(b"", NOW, SecretStr("A" * 24))
    with pytest.raises(ValidationError, match="offset"):
        HmacScheme().sign(b"", datetime(2026, 1, 1), SECRET)  # noqa: DTZ001 - the naive time is the point
    with pytest.raises(ConfigurationError, match="5 bytes"):
        HmacScheme().sign(b"", NOW, SecretStr("short"))


def test_a_bearer_key_is_compared_whole() -> None:
    key = SECRET.get_secret_value()
    verifier = BearerVerifier([WebhookSecret("old", SECRET)], clock=FixedClock(), source="agent", max_body=10)
    sender = verifier.verify(request({"authorization": f"bearer {key}"}, b"any body"))
    assert (sender.source, sender.key_id) == ("agent", "old")
    for value in (key, f"Bearer  {key}", f"Bearer {key} ", f"Bearer {key[:-1]}", f"Basic {key}", "Bearer ", "Bearer é"):
        reason(verifier, request({"Authorization": value}, b""))
    reason(verifier, request({"Authorization": f"Bearer {key}"}, b"x" * 11), status=413)
    reason(verifier, request({}, b""))


def test_any_of_tells_every_reason_and_413_only_if_all_say_so() -> None:
    small = HmacVerifier(HmacScheme(), [WebhookSecret("k", SECRET)], clock=FixedClock(), max_body=10)
    large = BearerVerifier([WebhookSecret("k", SECRET)], clock=FixedClock(), max_body=20)
    both = any_of([small, large])
    assert reason(both, request({}, b"")) == "missing header x-webhook-signature; missing header authorization"
    reason(both, request({}, b"x" * 15))
    reason(both, request({}, b"x" * 21), status=413)


def test_a_repeated_header_is_refused() -> None:
    scheme = HmacScheme()
    signed = request(scheme.sign(b"{}", NOW, SECRET), b"{}")
    verifier = HmacVerifier(scheme, [WebhookSecret("k", SECRET)], clock=FixedClock())
    twice = replace(signed, headers=[*signed.headers, ("x-webhook-TIMESTAMP", "1")])
    assert "repeated" in reason(verifier, twice)
