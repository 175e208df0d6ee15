"""Our tokens and codes against PyJWT and pyotp."""

from __future__ import annotations

import base64
import random
from datetime import UTC, datetime

import jwt
import pyotp
import pytest
from auth_support import PROFILE, HandClock, good_claims, make_token

from orchestrator_auth._totp import hotp, provisioning_uri, step_of
from orchestrator_auth.exceptions import TokenRefused
from orchestrator_auth.jwt_service import (
    Algorithm,
    KeyRing,
    KeyRingConfig,
    MemoryKeys,
    TokenIssuer,
    TokenRequest,
    TokenVerifier,
)


@pytest.mark.parametrize("algorithm", list(Algorithm))
async def test_pyjwt_believes_our_tokens_and_we_believe_theirs(algorithm) -> None:
    clock = HandClock()
    ring = KeyRing(MemoryKeys(), clock=clock, config=KeyRingConfig(algorithm=algorithm))
    await ring.open()
    token = await TokenIssuer(PROFILE, ring, clock=clock).issue(TokenRequest(subject="u-1", tenant="hotel-7"))
    key = await ring.signing_key()
    if algorithm is Algorithm.HS256:
        public = private = key.key.raw_value
    else:
        public, private = key.key.as_pem(private=False), key.key.as_pem(private=True)
    options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}  # its clock is the machine's
    read = jwt.decode(
        token, public, algorithms=[str(algorithm)], audience=PROFILE.audience, issuer=PROFILE.issuer, options=options
    )
    assert read["sub"] == "u-1"
    now = clock.now().timestamp()
    theirs = jwt.encode(good_claims(now), private, algorithm=str(algorithm), headers={"kid": key.kid, "typ": "at+jwt"})
    verifier = TokenVerifier(PROFILE, ring, clock=clock)
    assert (await verifier.verify(theirs)).subject == "u-1"
    with pytest.raises(TokenRefused):  # what PyJWT makes by default is no access token
        await verifier.verify(jwt.encode(good_claims(now), private, algorithm=str(algorithm), headers={"kid": key.kid}))


async def test_what_pyjwt_refuses_we_refuse_too() -> None:
    clock = HandClock()
    ring = KeyRing(MemoryKeys(), clock=clock)
    await ring.open()
    key, chance = await ring.signing_key(), random.Random(1)
    verifier, pem = TokenVerifier(PROFILE, ring, clock=clock), key.key.as_pem(private=False)
    token = make_token(key, good_claims(clock.now().timestamp()))
    options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    for _ in range(3000):
        place = chance.randrange(len(token))
        changed = token[:place] + chance.choice("ABCxyz019-_.= ") + token[place + chance.randrange(2) :]
        if changed == token:
            continue
        try:
            jwt.decode(
                changed, pem, algorithms=["ES256"], audience=PROFILE.audience, issuer=PROFILE.issuer, options=options
            )
        except jwt.PyJWTError:
            with pytest.raises(TokenRefused):
                await verifier.verify(changed)


def test_codes_are_those_of_pyotp() -> None:
    chance = random.Random(2)
    for _ in range(2000):
        seed, seconds = chance.randbytes(20), chance.randrange(2**33)
        secret = base64.b32encode(seed).decode()
        at = datetime.fromtimestamp(seconds, UTC)
        assert hotp(seed, step_of(seconds)) == pyotp.TOTP(secret).at(at)
        read = pyotp.parse_uri(provisioning_uri(seed, account="zoë @ x", issuer="Hotel & Co"))
        assert isinstance(read, pyotp.TOTP)
        assert (read.secret, read.name, read.issuer) == (secret, "zoë @ x", "Hotel & Co")
