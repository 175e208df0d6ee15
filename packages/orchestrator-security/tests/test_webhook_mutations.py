"""Ten thousand wrong requests for each scheme: none is accepted, none raises anything but `WebhookRefused`.

A mutation changes bytes of the signed headers or of the body, or the structure of what they hold; some are signed again, with a
foreign secret or with the right one over content that must be refused. A draw that leaves all signed bytes as they were is drawn
again, so that every case is wrong by construction.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from orchestrator_kernel.ports import WebhookRefused, WebhookRequest, WebhookVerifier
from orchestrator_security.webhook_security import (
    BearerVerifier,
    HmacScheme,
    HmacVerifier,
    LiveKitVerifier,
    WebhookSecret,
    any_of,
)

CASES = 10_000
NOW = 1_795_348_800
SECRET = "a secret of LiveKit's usual length"
FOREIGN = "the secret that an attacker made up"
BODY = b'{"event":"participant_joined","id":"EV_2","participant":{"identity":"caller","name":"Zo\xc3\xab"}}'
Headers = list[tuple[str, str]]
Mutation = Callable[[random.Random, Headers, bytes], tuple[Headers, bytes]]


class FixedClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW, UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a verifier never waits")


# --- bytes


def edit(rng: random.Random, text: str) -> str:
    """One random edit of a header value; characters are what latin-1 decoding can give."""
    at, other = rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)
    low, high = min(at, other), max(at, other)
    character = chr(rng.choice([rng.randrange(256), rng.randrange(33, 127), 0, 32, 61, 46]))
    return rng.choice(
        [
            text[:at] + character + text[at:],
            text[:at] + character + text[at + 1 :],
            text[:low] + text[high:],
            text[:low] + text[low:high] * 2 + text[high:],
            text[high:] + text[low:high] + text[:low],
            text[:low] + text[low:high].swapcase() + text[high:],
            text.swapcase(),
            text[::-1],
            f" {text}",
            f"{text} ",
            f"{text},{text}",
            f"Bearer {text}",
            text + "=" * rng.randrange(1, 4),
            character * rng.choice([0, 1, 100, 5000, 20_000]),
            rng.choice(["nan", "inf", "1e999", "-1", "null", "{}", "0", "9" * 5000, "٣" * 3, "..", "a.b.c"]),
        ]
    )


def edit_body(rng: random.Random, body: bytes) -> bytes:
    return edit(rng, body.decode("latin-1")).encode("utf-8" if rng.random() < 0.1 else "latin-1", "replace")


def change_header(rng: random.Random, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    index = rng.randrange(len(headers))
    name, value = headers[index]
    for _ in range(rng.randrange(1, 4)):
        value = edit(rng, value)
    return [*headers[:index], (name, value), *headers[index + 1 :]], body


def change_body(rng: random.Random, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    return headers, edit_body(rng, body)


def change_both(rng: random.Random, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    return change_header(rng, headers, edit_body(rng, body))


def change_header_list(rng: random.Random, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    index = rng.randrange(len(headers))
    name, value = headers[index]
    others = [*headers[:index], *headers[index + 1 :]]
    values = [each for _, each in headers]
    rng.shuffle(values)
    return rng.choice(
        [
            others,
            [*headers, (name.swapcase(), value)],
            [*headers, (name, edit(rng, value))],
            [*others, (edit(rng, name), value)],
            [(each, moved) for (each, _), moved in zip(headers, values, strict=True)],
            [],
        ]
    ), body


COMMON: list[Mutation] = [change_header, change_body, change_both, change_header_list]


# --- HMAC

SCHEME = HmacScheme(prefix="sha256=", id_header="X-Webhook-Id")


def hmac_request() -> Headers:
    stamp = datetime.fromtimestamp(NOW, UTC)
    return list(SCHEME.sign(BODY, stamp, SecretStr(SECRET), delivery_id="EV_2").items())


def sign_hmac_wrongly(rng: random.Random, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """A foreign secret, or the right one over a wrong layout, time or id."""
    named = {name.lower(): value for name, value in headers}
    stamp, delivery_id = named["x-webhook-timestamp"], named["x-webhook-id"]
    secret, digest, prefix = SECRET, "sha256", "sha256="
    content = SCHEME.signed_content(body, stamp, delivery_id)
    match rng.randrange(7):
        case 0:
            secret = rng.choice([FOREIGN, SECRET[:-1], SECRET.upper(), "", SECRET + "\x01"])
        case 1:
            content = rng.choice(
                [body, body + stamp.encode(), stamp.encode() + body, f"{stamp}.{delivery_id}.".encode() + body]
            )
        case 2:
            stamp = str(NOW + rng.choice([-1, 1]) * rng.choice([301, 3600, 86_400, 10**8]))
            content = SCHEME.signed_content(body, stamp, delivery_id)
        case 3:
            stamp = rng.choice(
                ["", " ", "nan", f"{NOW}.0", f"+{NOW}", f" {NOW}", "٣", "9" * 4999, f"{NOW}\n", hex(NOW)]
            )
            content = SCHEME.signed_content(body, stamp, delivery_id)
        case 4:
            delivery_id = rng.choice(["", "a.b", f"x.{NOW}", "a b", "é", "i" * 256, "\x00"])
            content = SCHEME.signed_content(body, stamp, delivery_id)
        case 5:
            digest = rng.choice(["sha512", "sha1", "md5", "sha384"])
        case _:
            prefix = rng.choice(["", "sha1=", "SHA256=", "sha256:", "v1,"])
    signature = prefix + hmac.digest(secret.encode(), content, digest).hex()
    return [("X-Webhook-Signature", signature), ("X-Webhook-Timestamp", stamp), ("X-Webhook-Id", delivery_id)], body


# --- LiveKit


def segment(part: object) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def body_hash(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def claims(body: bytes = BODY) -> dict[str, object]:
    return {"iss": "APIkey", "sub": "", "nbf": NOW, "exp": NOW + 300, "sha256": body_hash(body)}


def token(header: object, payload: object, secret: str = SECRET, digest: str = "sha256") -> str:
    signed = f"{segment(header)}.{segment(payload)}"
    return f"{signed}.{segment(hmac.digest(secret.encode(), signed.encode(), digest))}"


HEADER = {"alg": "HS256", "typ": "JWT"}


def livekit_request() -> Headers:
    return [("Authorization", token(HEADER, claims()))]


def change_segments(rng: random.Random, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    parts = headers[0][1].split(".")
    index = rng.randrange(3)
    match rng.randrange(6):
        case 0:
            rng.shuffle(parts)
        case 1:
            parts.insert(index, parts[rng.randrange(3)])
        case 2:
            del parts[index]
        case 3:
            parts[index] = ""
        case 4:
            parts[index] += rng.choice(["=", "==", "A", "\n", " ", "_", "%3D"])
        case _:
            decoded = base64.urlsafe_b64decode(parts[index] + "=" * (-len(parts[index]) % 4))
            parts[index] = segment(edit_body(rng, decoded))
    return [("Authorization", ".".join(parts))], body


def sign_token_as_a_stranger(rng: random.Random, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """A sound token for any body, made without the secret."""
    body = rng.choice([body, edit_body(rng, body)])
    digest, name = rng.choice([("sha256", "HS256"), ("sha512", "HS512"), ("sha256", "none"), ("sha384", "RS256")])
    secret = rng.choice([FOREIGN, "", "APIkey", SECRET[1:], SECRET.swapcase()])
    whole = token({**HEADER, "alg": name}, claims(body), secret, digest)
    if name == "none" and rng.random() < 0.5:
        whole = whole.rpartition(".")[0] + "."
    return [("Authorization", whole)], body


def sign_wrong_claims(rng: random.Random, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """The right secret under a token that proves something else, or nothing."""
    payload = claims(body)
    name = rng.choice(list(payload.keys() - {"sub"}))
    ages = [None, "x", [], {}, True, -1, 0.5, float("nan"), float("inf"), 10**15, 10**4000, NOW - 10**6, NOW + 10**6]
    wrong = {
        "iss": [None, "", "APIother", "apikey", 1, ["APIkey"], {"APIkey": 1}],
        "nbf": ages,
        "exp": [*ages, NOW - 60, NOW + 6 * 3600],
        "sha256": [
            None,
            "",
            body_hash(body + b" "),
            hashlib.sha256(body).hexdigest(),
            body_hash(body)[:-1],
            5,
            ["x"],
            "é",
        ],
    }
    if rng.random() < 0.1:
        del payload[name]
        return [("Authorization", token(HEADER, payload))], body
    payload[name] = rng.choice(wrong[name])
    text = json.dumps(payload).encode()
    if rng.random() < 0.1:
        text = text[:-1] + b', "' + name.encode() + b'": ' + json.dumps(claims(body)[name]).encode() + b"}"
    return [("Authorization", token(HEADER, text))], body


def sign_wrong_header(rng: random.Random, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    header = rng.choice(
        [
            *({**HEADER, "alg": alg} for alg in ("none", "HS512", "RS256", "hs256", "", None, 256, ["HS256"])),
            *({**HEADER, "typ": typ} for typ in ("refresh+jwt", "at+jwt", "jwt", "", None, 5)),
            {**HEADER, "crit": ["b64"], "b64": False},
            {"typ": "JWT"},
            b'{"alg":"none","alg":"HS256"}',
            b'{"alg":"HS256"',
            b"[]",
            b"",
            b"\xff\xfe",
            b"[" * 3000,
        ]
    )
    digest = rng.choice(["sha256", "sha256", "sha512"])
    return [("Authorization", token(header, claims(body), digest=digest))], body


def secrets() -> list[WebhookSecret]:
    return [WebhookSecret("k1", SecretStr(SECRET)), WebhookSecret("k0", SecretStr("another live secret of the sender"))]


def hmac_verifier() -> HmacVerifier:
    return HmacVerifier(SCHEME, secrets(), clock=FixedClock(), max_body=10_000)


def livekit_verifier() -> LiveKitVerifier:
    return LiveKitVerifier({"APIkey": secrets()}, clock=FixedClock(), max_body=10_000)


SCHEMES = [
    pytest.param(hmac_verifier, hmac_request, [*COMMON, sign_hmac_wrongly, sign_hmac_wrongly], id="hmac"),
    pytest.param(
        livekit_verifier,
        livekit_request,
        [*COMMON, change_segments, sign_token_as_a_stranger, sign_wrong_claims, sign_wrong_header],
        id="livekit",
    ),
]


def signed_bytes(headers: Headers, body: bytes) -> tuple[list[tuple[str, str]], bytes]:
    return sorted((name.lower(), value) for name, value in headers), body


def refusal(verifier: WebhookVerifier, headers: Headers, body: bytes) -> WebhookRefused:
    with pytest.raises(WebhookRefused) as caught:
        verifier.verify(WebhookRequest(method="POST", url="", headers=headers, body=body))
    assert caught.value.status == (413 if len(body) > 10_000 else 401)
    return caught.value


@pytest.mark.parametrize(("make_verifier", "make_headers", "mutations"), SCHEMES)
def test_ten_thousand_mutations(
    make_verifier: Callable[[], WebhookVerifier], make_headers: Callable[[], Headers], mutations: list[Mutation]
) -> None:
    verifier, headers, rng = make_verifier(), make_headers(), random.Random(2)
    verifier.verify(WebhookRequest(method="POST", url="", headers=headers, body=BODY))
    original, cases = signed_bytes(headers, BODY), 0
    seen: Counter[str] = Counter()
    while cases < CASES:
        changed = rng.choice(mutations)(rng, headers, BODY)
        if signed_bytes(*changed) != original:
            seen[refusal(verifier, *changed).reason.partition(":")[0]] += 1
            cases += 1
    # Every rule had its share: a generator that only ever breaks the signature would test one line.
    assert sum(count >= 20 for count in seen.values()) >= 6, seen


@given(
    name=st.sampled_from(["Authorization", "X-Webhook-Signature", "X-Webhook-Timestamp", "X-Webhook-Id", "Other"]),
    value=st.text(st.characters(max_codepoint=255)) | st.text(),
    body=st.binary(),
    keep=st.booleans(),
)
def test_any_header_value_is_refused_or_unread(name: str, value: str, body: bytes, *, keep: bool) -> None:
    verifier = any_of([hmac_verifier(), livekit_verifier(), BearerVerifier(secrets(), clock=FixedClock())])
    assume(body != BODY)
    headers = [header for header in [*hmac_request(), *livekit_request()] if keep or header[0] != name]
    with pytest.raises(WebhookRefused):
        verifier.verify(WebhookRequest(method="POST", url="", headers=[*headers, (name, value)], body=body))
