"""Tokens that must never be believed, with default settings; and whatever the bytes, one family of errors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random

import pytest
from auth_support import PROFILE, HandClock, b64, good_claims, make_token
from joserfc.jwk import OctKey

from orchestrator_auth.exceptions import TokenRefused
from orchestrator_auth.jwt_service import (
    KeyRing,
    MemoryKeys,
    SigningKey,
    StoredKeys,
    TokenIssuer,
    TokenRequest,
    TokenVerifier,
    introspect,
)

CLOCK = HandClock()
NOW = CLOCK.now().timestamp()
KEYS = {name: SigningKey.generate(name) for name in ("ES256", "EdDSA", "RS256", "HS256")}
KEY = KEYS["ES256"]
STRANGER = SigningKey.generate("ES256", kid="stranger")
IMPOSTOR = SigningKey.generate("ES256", kid=KEY.kid)


async def verifier() -> TokenVerifier:
    store = MemoryKeys()
    await store.save(StoredKeys(0, tuple(KEYS.values())))
    ring = KeyRing(store, clock=CLOCK)
    await ring.open()
    return TokenVerifier(PROFILE, ring, clock=CLOCK)


def claims(**changes) -> str:
    return make_token(KEY, good_claims(NOW, **changes))


def header(**changes) -> str:
    return make_token(KEY, good_claims(NOW), changes)


def raw(payload: str | bytes) -> str:
    return make_token(KEY, payload if isinstance(payload, bytes) else payload.encode())


def raw_header(text: str) -> str:
    return make_token(KEY, good_claims(NOW), text.encode())


def good_json() -> str:
    return json.dumps(good_claims(NOW))


def unsigned(alg: str, signature: str) -> str:
    head = b64(json.dumps({"alg": alg, "kid": KEY.kid, "typ": "at+jwt"}).encode())
    return f"{head}.{b64(good_json().encode())}.{signature}"


def confused(kid: str, secret: bytes, alg: str = "HS256") -> str:
    """Signed with HMAC, the public key for a secret."""
    head = b64(json.dumps({"alg": alg, "kid": kid, "typ": "at+jwt"}).encode())
    signed = f"{head}.{b64(good_json().encode())}"
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def parts(change) -> str:
    return ".".join(change(*claims().split(".")))


RSA_PEM = KEYS["RS256"].key.as_pem(private=False)
TEXT = good_json()
SPARE_BITS = {"A": "B", "Q": "R", "g": "h", "w": "x"}

MISUSED: dict[str, str] = {
    "typ of a refresh token": header(typ="refresh+jwt"),
    "typ JWT": header(typ="JWT"),
    "typ of an ID token": header(typ="id+jwt"),
    "typ of a logout token": header(typ="logout+jwt"),
    "typ of a DPoP proof": header(typ="dpop+jwt"),
    "no typ": header(typ=None),
    "typ is a list": header(typ=["at+jwt"]),
    "typ is empty": header(typ=""),
    "no exp": claims(exp=None),
    "no iat": claims(iat=None),
    "no nbf": claims(nbf=None),
    "no jti": claims(jti=None),
    "no sub": claims(sub=None),
    "no iss": claims(iss=None),
    "no aud": claims(aud=None),
    "no client_id": claims(client_id=None),
    "expired": claims(iat=NOW - 1000, nbf=NOW - 1000, exp=NOW - 100),
    "expires now, beyond leeway": claims(exp=NOW - 1),
    "not valid yet": claims(nbf=NOW + 10),
    "issued in the future": claims(iat=NOW + 10),
    "lives too long": claims(exp=NOW + 10 * 365 * 86400),
    "exp is text": claims(exp=str(NOW + 900)),
    "exp is true": claims(exp=True),
    "exp is a list": claims(exp=[NOW + 900]),
    "exp is negative": claims(exp=-1),
    "exp is Infinity": raw(TEXT.replace(f'"exp": {NOW + 900}', '"exp": Infinity')),
    "exp is NaN": raw(TEXT.replace(f'"exp": {NOW + 900}', '"exp": NaN')),
    "exp is 1e999": raw(TEXT.replace(f'"exp": {NOW + 900}', '"exp": 1e999')),
    "exp has 300 digits": raw(TEXT.replace(f'"exp": {NOW + 900}', '"exp": ' + "9" * 300)),
    "exp has 5000 digits": raw(TEXT.replace(f'"exp": {NOW + 900}', '"exp": ' + "9" * 5000)),
    "iss of somebody else": claims(iss="https://auth.example.evil"),
    "iss with a slash more": claims(iss=PROFILE.issuer + "/"),
    "iss is a list": claims(iss=[PROFILE.issuer]),
    "aud of somebody else": claims(aud="billing"),
    "aud list without us": claims(aud=["billing", "web"]),
    "aud is empty": claims(aud=[]),
    "aud with a number beside us": claims(aud=["calls", 1]),
    "aud is an object": claims(aud={"calls": True}),
    "sub is a number": claims(sub=7),
    "sub with a line break": claims(sub="u-1\nu-2"),
    "sub is empty": claims(sub=""),
    "jti is oversized": claims(jti="j" * 200),
    "sid is a list": claims(sid=["s-1"]),
    "tenant is a number": claims(tenant=7),
    "tenant is empty": claims(tenant=""),
    "roles is text": claims(roles="system_admin"),
    "roles holds a number": claims(roles=["hotel_staff", 1]),
    "roles holds an object": claims(roles=[{"role": "system_admin"}]),
    "roles holds code": claims(roles=["__import__('os').system('x')"]),
    "auth_time is text": claims(auth_time="yesterday"),
    "mfa_time is infinite": raw(TEXT[:-1] + ', "mfa_time": 1e999}'),
    "alg none, no signature": unsigned("none", ""),
    "alg none, a signature": unsigned("none", b64(b"x")),
    "alg None": unsigned("None", b64(b"x")),
    "alg nOnE": header(alg="nOnE"),
    "no alg": header(alg=None),
    "alg is a list": header(alg=["ES256"]),
    "alg of another key of ours": header(alg="RS256"),
    "alg ES384": header(alg="ES384"),
    "HS256 under the RSA key's PEM": confused(KEYS["RS256"].kid, RSA_PEM),
    "HS256 under the RSA key's PEM, alg RS256": confused(KEYS["RS256"].kid, RSA_PEM, "RS256"),
    "HS256 under the EC key's JWK": confused(KEY.kid, json.dumps(KEY.public_jwk()).encode()),
    "HS256 under an empty secret": confused(KEYS["HS256"].kid, b""),
    "embedded JWK": make_token(STRANGER, good_claims(NOW), {"jwk": STRANGER.public_jwk()}),
    "embedded JWK, our kid": make_token(IMPOSTOR, good_claims(NOW), {"jwk": IMPOSTOR.public_jwk()}),
    "JWK beside a true signature": header(jwk=KEY.public_jwk()),
    "jku": header(jku="https://evil.example/keys"),
    "x5u": header(x5u="https://evil.example/cert"),
    "x5c": header(x5c=["AAAA"]),
    "kid of a stranger": make_token(STRANGER, good_claims(NOW)),
    "signed by a stranger under our kid": make_token(IMPOSTOR, good_claims(NOW)),
    "kid is a path": header(kid="../../dev/null"),
    "kid is SQL": header(kid="' OR 1=1 --"),
    "kid is a number": header(kid=1),
    "no kid": header(kid=None),
    "crit unknown": header(crit=["x"], x=1),
    "crit empty": header(crit=[]),
    "crit b64": header(crit=["b64"], b64=False),
    "b64 false": header(b64=False),
    "zip": header(zip="DEF"),
    "enc": header(enc="A256GCM"),
    "cty JWT, a token within": make_token(KEY, claims().encode(), {"cty": "JWT"}),
    "duplicate exp": raw(TEXT[:-1] + f', "exp": {NOW + 900}}}'),
    "duplicate sub": raw(TEXT[:-1] + ', "sub": "admin"}'),
    "duplicate member deep inside": raw(TEXT[:-1] + ', "act": {"sub": "a", "sub": "b"}}'),
    "duplicate alg": raw_header(f'{{"alg": "none", "kid": "{KEY.kid}", "typ": "at+jwt", "alg": "ES256"}}'),
    "payload is a list": raw("[]"),
    "payload is text": raw('"x"'),
    "payload is null": raw("null"),
    "payload is cut": raw(TEXT[:-5]),
    "payload with something behind": raw(TEXT + "{}"),
    "payload in invalid UTF-8": raw(TEXT.encode().replace(b"u-1", b"u-\xff")),
    "payload in UTF-16": raw(TEXT.encode("utf-16")),
    "payload with a byte order mark": raw(b"\xef\xbb\xbf" + TEXT.encode()),
    "payload with a lone surrogate": raw(TEXT[:-1] + ', "name": "\\ud800"}'),
    "payload nested": raw(TEXT[:-1] + ', "x": ' + "[" * 2000 + "]" * 2000 + "}"),
    "payload with single quotes": raw(TEXT.replace('"', "'")),
    "header is a list": raw_header("[]"),
    "header in invalid UTF-8": make_token(KEY, good_claims(NOW), b'{"alg":"\xff"}'),
    "header oversized": header(x5t="A" * 600),
    "oversized": claims(note="x" * 9000),
    "space in the header": parts(lambda h, p, s: (h[:5] + " " + h[5:], p, s)),
    "space in the payload": parts(lambda h, p, s: (h, p[:5] + " " + p[5:], s)),
    "space in the signature": parts(lambda h, p, s: (h, p, s[:5] + " " + s[5:])),
    "line break at the end": claims() + "\n",
    "hash signs in the signature": parts(lambda h, p, s: (h, p, s[:5] + "####" + s[5:])),
    "padding": parts(lambda h, p, s: (h, p, s + "==")),
    "spare bits in the signature": parts(lambda h, p, s: (h, p, s[:-1] + SPARE_BITS[s[-1]])),
    "standard base64": parts(lambda h, p, s: (h, p, base64.b64encode(base64.urlsafe_b64decode(s + "==")).decode())),
    "no signature": parts(lambda h, p, s: (h, p, "")),
    "signature cut": parts(lambda h, p, s: (h, p, s[:-4])),
    "signature zero": parts(lambda h, p, s: (h, p, b64(bytes(64)))),
    "signature in DER": parts(lambda h, p, s: (h, p, b64(b"\x30\x06\x02\x01\x01\x02\x01\x01"))),
    "signature twice": parts(lambda h, p, s: (h, p, b64(base64.urlsafe_b64decode(s + "==") * 2))),
    "four parts": claims() + ".AAAA",
    "five parts, as encrypted": "a.b.c.d.e",
    "two parts": "a.b",
    "only dots": "..",
    "empty": "",
    "not ASCII": claims() + "é",
    "lone surrogate": "\ud800" + claims(),
    "JSON serialization": json.dumps({"payload": "e30", "signatures": []}),
}


@pytest.mark.parametrize("name", MISUSED)
async def test_a_misused_token_is_refused(name) -> None:
    with pytest.raises(TokenRefused) as caught:
        await (await verifier()).verify(MISUSED[name])
    # The same words for every cause: whoever guesses learns nothing.
    assert caught.value.message == TokenRefused("").message
    assert caught.value.status == 401
    assert caught.value.reason


def test_the_matrix_is_as_long_as_promised() -> None:
    assert len(set(MISUSED.values())) > 100


@pytest.mark.parametrize("name", MISUSED)
async def test_what_is_refused_is_refused_again_after_a_good_token_of_that_key(name) -> None:
    """What is remembered of good tokens opens nothing to bad ones."""
    verifying = await verifier()
    await verifying.verify(claims())
    for _ in range(2):
        with pytest.raises(TokenRefused):
            await verifying.verify(MISUSED[name])


@pytest.mark.parametrize("algorithm", KEYS)
async def test_a_good_token_is_believed(algorithm) -> None:
    verified = await (await verifier()).verify(make_token(KEYS[algorithm], good_claims(NOW)))
    assert (verified.subject, verified.tenant, verified.session_id) == ("u-1", "hotel-7", "s-1")
    assert verified.roles == {"hotel_staff"}


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
async def test_the_type_is_read_as_a_media_type(typ) -> None:
    assert await (await verifier()).verify(header(typ=typ))


@pytest.mark.parametrize("aud", ["calls", ["billing", "calls"]])
async def test_we_may_be_one_of_several_audiences(aud) -> None:
    assert await (await verifier()).verify(claims(aud=aud))


async def test_extra_claims_are_kept_and_cannot_be_changed() -> None:
    verified = await (await verifier()).verify(claims(name="Zoë"))
    assert verified.claims["name"] == "Zoë"
    with pytest.raises(TypeError):
        verified.claims["sub"] = "admin"  # type: ignore[index]


async def test_introspection_says_nothing_about_a_token_that_is_not_active() -> None:
    verifying = await verifier()
    assert await introspect(verifying, claims(exp=NOW - 100, iat=NOW - 200)) == {"active": False}
    answer = await introspect(verifying, claims())
    assert answer["active"] is True
    assert answer["sub"] == "u-1"


# --- whatever the bytes


def mutate(token: str, chance: random.Random) -> str:
    data = bytearray(token.encode())
    for _ in range(chance.choice((1, 1, 1, 2, 5, 30))):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[place : place + chance.randrange(1, 20)]
            case 2:
                data[place:place] = bytes(chance.choices(range(256), k=chance.randrange(1, 8)))
            case 3:
                data[place:place] = data[: chance.randrange(1, 60)]
            case 4:
                data[place:place] = chance.choice((b".", b"=", b" ", b"-", b"_", b"AAAA"))
            case _:
                data[place : place + 4] = data[place : place + 4][::-1]
    return data.decode("latin-1")


def mutate_signed(chance: random.Random) -> str:
    """A true signature over a broken payload or header: what lies behind the signature check is reached too."""
    text = mutate(TEXT, chance).encode("latin-1")
    if chance.random() < 0.7:
        return make_token(KEYS["HS256"], text)
    head = json.dumps({"alg": "HS256", "kid": KEYS["HS256"].kid, "typ": "at+jwt"})
    return make_token(KEYS["HS256"], TEXT.encode(), mutate(head, chance).encode("latin-1"))


async def fuzz(rounds: int, seed: int) -> int:
    """How many were accepted; those must say the same as the token they were made of."""
    chance = random.Random(seed)
    verifying = await verifier()
    seeds = [claims(), make_token(KEYS["HS256"], good_claims(NOW)), make_token(KEYS["EdDSA"], good_claims(NOW))]
    accepted = 0
    for number in range(rounds):
        signed = number % 2 == 0
        token = mutate_signed(chance) if signed else mutate(chance.choice(seeds), chance)
        try:
            verified = await verifying.verify(token)
        except TokenRefused:
            continue
        accepted += 1
        assert signed or token in seeds, f"accepted without a signature of ours: {token!r}"
        assert verified.claims["iss"] == PROFILE.issuer
        assert verified.expires_at <= NOW + 4000
    return accepted


async def test_ten_thousand_mutations_raise_only_our_error() -> None:
    assert await fuzz(10_000, 1) < 5_000


@pytest.mark.soak
@pytest.mark.parametrize("part", range(20))
async def test_a_million_mutations_raise_only_our_error(part) -> None:
    assert await fuzz(50_000, 100 + part) < 25_000


async def test_a_short_secret_cannot_become_a_key() -> None:
    with pytest.raises(Exception, match="not fit for HS256"):
        SigningKey(kid="k", algorithm="HS256", key=OctKey.import_key(b"secret" * 3))  # type: ignore[arg-type]


async def test_our_own_tokens_have_the_form_we_ask_for() -> None:
    store = MemoryKeys()
    ring = KeyRing(store, clock=CLOCK)
    await ring.open()
    token = await TokenIssuer(PROFILE, ring, clock=CLOCK).issue(
        TokenRequest(subject="u-1", tenant="*", roles={"system_admin"})
    )
    head = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert head == {"alg": "ES256", "kid": (await ring.signing_key()).kid, "typ": "at+jwt"}
    verified = await TokenVerifier(PROFILE, ring, clock=CLOCK).verify(token)
    assert verified.expires_at - verified.issued_at == pytest.approx(900)
    assert verified.tenant == "*"
