"""What checking an access token costs: remembered, over a hash and a look-up; anew, over bare joserfc with the same claims checked."""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Iterable

from joserfc import jwt
from joserfc.jws import JWSRegistry

from orchestrator_auth.jwt_service import (
    Algorithm,
    KeyRing,
    KeyRingConfig,
    MemoryKeys,
    MemoryRevocations,
    Revocations,
    TokenIssuer,
    TokenProfile,
    TokenRequest,
    TokenVerifier,
)
from orchestrator_kernel.ports import SystemClock
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, acompare, run_main

PROFILE = TokenProfile(issuer="https://auth.example", audience="calls")
REQUEST = TokenRequest(subject="u-1", tenant="hotel-7", session_id="s-1", roles={"hotel_staff"})
CLOCK = SystemClock()


async def made(algorithm: Algorithm) -> tuple[KeyRing, Revocations, str]:
    revocations = Revocations(MemoryRevocations(), clock=CLOCK)
    ring = KeyRing(MemoryKeys(), clock=CLOCK, config=KeyRingConfig(algorithm=algorithm))
    await ring.open()
    issuer = TokenIssuer(PROFILE, ring, clock=CLOCK, revocations=revocations)
    return ring, revocations, await issuer.issue(REQUEST)


async def remembered() -> Report:
    """The floor: one SHA-256 of the token and one look-up, in a coroutine like ours."""
    ring, revocations, token = await made(Algorithm.ES256)
    verifier = TokenVerifier(PROFILE, ring, clock=CLOCK, revocations=revocations)
    known = {hashlib.sha256(token.encode()).digest(): await verifier.verify(token)}

    async def floor() -> object:
        return known[hashlib.sha256(token.encode()).digest()]

    return await acompare(
        "a token seen before",
        baseline=Contender("SHA-256 and a look-up", floor),
        contenders=[Contender("TokenVerifier.verify", lambda: verifier.verify(token))],
        gates={"TokenVerifier.verify": Gate(at_most=2.5)},
    )


async def anew() -> list[Report]:
    """The same claims checked by joserfc's own registry; ours checks more, and every revocation."""
    reports: list[Report] = []
    for algorithm in Algorithm:
        ring, revocations, token = await made(algorithm)
        verifier = TokenVerifier(PROFILE, ring, clock=CLOCK, revocations=revocations, cache_size=0)
        key = (await ring.signing_key()).key
        registry = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": PROFILE.issuer},
            aud={"essential": True, "value": PROFILE.audience},
            exp={"essential": True},
            nbf={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
            sub={"essential": True},
            leeway=1,
        )
        allowed = JWSRegistry(algorithms=[str(algorithm)])

        async def bare(key=key, token=token, registry=registry, allowed=allowed) -> object:
            decoded = jwt.decode(token, key, registry=allowed)
            registry.validate(decoded.claims)
            return decoded

        reports.append(
            await acompare(
                f"a token seen for the first time, {algorithm}",
                baseline=Contender("bare joserfc", bare),
                contenders=[
                    Contender("TokenVerifier.verify", lambda verifier=verifier, token=token: verifier.verify(token))
                ],
                # At least 0.9 of its rate.
                gates={"TokenVerifier.verify": Gate(at_most=1 / 0.9)},
            )
        )
    return reports


def benches() -> Iterable[Bench]:
    # joserfc warns at every use of EdDSA that the name is on its way out (RFC 9864).
    warnings.simplefilter("ignore")
    return [remembered, anew]


if __name__ == "__main__":
    sys.exit(run_main(benches))
