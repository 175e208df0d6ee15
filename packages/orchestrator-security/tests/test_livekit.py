"""LiveKit's webhooks: one refusal per rule, with tokens put together by hand (the official signer is in `extras`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import WebhookRefused, WebhookRequest
from orchestrator_security.webhook_security import LiveKitVerifier, WebhookSecret

NOW = 1_795_348_800
SECRET = "a secret of LiveKit's usual length"
BODY = b'{"event":"room_started","id":"EV_1"}'
HEADER = {"alg": "HS256", "typ": "JWT"}


class FixedClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW, UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a verifier never waits")


def segment(part: dict[str, object] | bytes) -> bytes:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def claims(**changes: object) -> dict[str, object]:
    body_hash = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    whole: dict[str, object] = {
        "iss": "APIkey",
        "sub": "",
        "nbf": NOW,
        "exp": NOW + 300,
        "sha256": body_hash,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def token(
    payload: dict[str, object] | bytes,
    header: dict[str, object] | bytes = HEADER,
    secret: str = SECRET,
    **algorithm: str,
) -> str:
    signed = segment(header) + b"." + segment(payload)
    digest = hmac.digest(secret.encode(), signed, algorithm.get("digest", "sha256"))
    return (signed + b"." + segment(digest)).decode()


def request(authorization: str, body: bytes = BODY) -> WebhookRequest:
    headers = [("Content-Type", "application/webhook+json"), ("Authorization", authorization)]
    return WebhookRequest(method="POST", url="https://calls.example/v1/livekit/webhook", headers=headers, body=body)


def verifier(**options: float) -> LiveKitVerifier:
    return LiveKitVerifier({"APIkey": [WebhookSecret("k1", SecretStr(SECRET))]}, clock=FixedClock(), **options)


def reason(refused: WebhookRequest, status: int = 401, **options: float) -> str:
    with pytest.raises(WebhookRefused) as caught:
        verifier(**options).verify(refused)
    assert caught.value.status == status
    return caught.value.reason


def test_accepts_what_a_server_sends_and_names_the_key() -> None:
    sender = verifier().verify(request(token(claims())))
    assert (sender.source, sender.key_id, sender.delivery_id) == ("livekit", "k1", None)
    assert sender.signed_at == datetime.fromtimestamp(NOW, UTC)
    verifier().verify(request(token(claims(), header={"alg": "HS256"})))
    verifier().verify(request(token(claims(nbf=None, iat=NOW))))
    verifier().verify(request(token(claims(exp=NOW + 301))))  # the sender reads its clock twice


@pytest.mark.parametrize(
    ("authorization", "told"),
    [
        (token(claims(), secret="the secret of somebody else, as long"), "bad signature"),
        (token(claims(iss="APIother")), "another API key"),
        (token(claims(iss=None)), "another API key"),
        (token(claims(iss=["APIkey"])), "another API key"),
        (token(claims(sha256=None)), "missing hash"),
        (token(claims(sha256="")), "wrong body"),
        (token(claims(sha256=[1])), "missing hash"),
        (token(claims(sha256="é")), "missing hash"),
        (token(claims(sha256=hashlib.sha256(BODY).hexdigest())), "wrong body"),
        (token(claims(sha256=segment(hashlib.sha256(BODY).digest()).decode())), "wrong body"),
        (token(claims(), header={"alg": "none", "typ": "JWT"}), "wrong algorithm"),
        (token(claims(), header={"alg": "HS512", "typ": "JWT"}, digest="sha512"), "wrong algorithm"),
        (token(claims(), header={"alg": "RS256", "typ": "JWT"}), "wrong algorithm"),
        (token(claims(), header={"alg": "hs256", "typ": "JWT"}), "wrong algorithm"),
        (token(claims(), header={"alg": ["HS256"]}), "wrong algorithm"),
        (token(claims(), header={"typ": "JWT"}), "wrong algorithm"),
        (token(claims(), header=b'{"alg":"none","alg":"HS256"}'), "unique names"),
        (token(claims(), header=b'["HS256"]'), "JSON object"),
        (token(claims(), header={**HEADER, "typ": "refresh+jwt"}), "typ"),
        (token(claims(), header={**HEADER, "crit": ["exp"]}), "crit"),
        (token(json.dumps(claims()).encode().replace(b'"iss"', b'"iss": "APIother", "iss"')), "unique names"),
        (token(b"not JSON"), "JSON object"),
        (token(b"\xff"), "JSON object"),
        (token(b"[" * 4000), "JSON object"),
        ("Bearer " + token(claims()), "base64url"),
        (token(claims()) + ".x", "without the word Bearer"),
        (token(claims()) + "=", "base64url"),
        (token(claims()).rpartition(".")[0] + ".", "base64url"),
        (token(claims()).replace(".", "..", 1), "without the word Bearer"),
        (" " + token(claims()), "base64url"),
        ("x" * 9000, "too long"),
        ("", "empty"),
        ("é", "ASCII"),
    ],
)
def test_one_refusal_per_rule(authorization: str, told: str) -> None:
    assert told in reason(request(authorization))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"exp": NOW - 59, "nbf": NOW - 300}, None),
        ({"exp": NOW - 60, "nbf": NOW - 300}, "expired 60 s ago"),
        ({"nbf": NOW + 60}, None),
        ({"nbf": NOW + 61}, "61 s in the future"),
        ({"iat": NOW + 61}, "61 s in the future"),
        ({"exp": NOW + 360}, None),
        ({"exp": NOW + 361}, "good for 361 s"),
        ({"exp": NOW + 6 * 3600}, "good for 21600 s"),
        ({"exp": NOW, "nbf": NOW}, "good for 0 s"),
        ({"exp": None}, "claim exp"),
        ({"nbf": None}, "claim iat"),
        ({"exp": float(NOW + 300)}, "claim exp"),
        ({"exp": str(NOW + 300)}, "claim exp"),
        ({"exp": True}, "claim exp"),
        ({"exp": [NOW + 300]}, "claim exp"),
        ({"exp": 10**15}, "claim exp"),
        ({"nbf": -1}, "claim nbf"),
        ({"exp": float("nan")}, "finite"),
        ({"exp": float("inf")}, "finite"),
        ({"exp": 10**4000}, "finite"),
    ],
)
def test_the_times_of_a_token(changes: dict[str, object], told: str | None) -> None:
    signed = request(token(claims(**changes)))
    if told is None:
        verifier().verify(signed)
    else:
        assert told in reason(signed)


def test_another_body_and_a_large_body() -> None:
    assert "wrong body" in reason(request(token(claims()), BODY + b" "))
    assert "limit 10" in reason(request(token(claims())), status=413, max_body=10)


def test_several_api_keys_and_secrets_live_side_by_side() -> None:
    clock = FixedClock()
    same, old = SecretStr(SECRET), SecretStr("the secret that is being replaced")
    both = LiveKitVerifier(
        {
            "APIkey": [WebhookSecret("k1", same), WebhookSecret("k0", old, expires_at=clock.now() + timedelta(days=1))],
            "APIother": [WebhookSecret("o1", same)],
        },
        clock=clock,
    )
    assert both.verify(request(token(claims()))).key_id == "k1"
    assert both.verify(request(token(claims(iss="APIother")))).key_id == "o1"
    assert both.verify(request(token(claims(), secret=old.get_secret_value()))).key_id == "k0"
    with pytest.raises(WebhookRefused):
        both.verify(request(token(claims(iss="APIother"), secret=old.get_secret_value())))
    gone = LiveKitVerifier({"APIkey": [WebhookSecret("k0", old, expires_at=clock.now())]}, clock=clock)
    with pytest.raises(WebhookRefused) as caught:
        gone.verify(request(token(claims(), secret=old.get_secret_value())))
    assert "expired" in caught.value.reason


def test_unusable_configuration_is_refused() -> None:
    secret = WebhookSecret("k", SecretStr(SECRET))
    for keys in ({}, {"APIkey": []}, {"a": [secret], "b": [secret]}):
        with pytest.raises(ConfigurationError):
            LiveKitVerifier(keys, clock=FixedClock())
    for wrong in ({"leeway": -1.0}, {"max_lifetime": float("inf")}, {"max_body": 0}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            verifier(**wrong)


@given(st.text(), st.binary(max_size=200))
def test_any_text_as_token_is_refused(authorization: str, body: bytes) -> None:
    reason(request(authorization, body))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["iss", "nbf", "iat", "exp", "sha256", "sub"]), JSON))
def test_any_claims_with_a_good_signature_and_no_hash_of_the_body_are_refused(payload: dict[str, object]) -> None:
    reason(request(token(payload)))


@given(st.dictionaries(st.sampled_from(["nbf", "iat", "exp"]), JSON | st.integers(NOW - 1000, NOW + 1000)))
def test_whatever_the_times_are_only_a_sound_token_passes(times: dict[str, object]) -> None:
    whole = claims(**times)
    try:
        verifier().verify(request(token(whole)))
    except WebhookRefused:
        return
    begin, end = whole.get("nbf", whole.get("iat")), whole["exp"]
    assert type(begin) is int
    assert type(end) is int
    assert begin - 60 <= NOW < end + 60
    assert 0 < end - begin <= 360
