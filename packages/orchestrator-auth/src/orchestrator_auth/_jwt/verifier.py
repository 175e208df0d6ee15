"""From a token to what it says: parsed, its key found, its signature and claims checked, not revoked; and remembered while all of that holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator_auth._jwt.claims import TokenProfile, VerifiedToken, check_claims, check_header
from orchestrator_auth._jwt.compact import MAX_TOKEN, decode, load_object, split
from orchestrator_auth._jwt.key_ring import KeySource
from orchestrator_auth._jwt.keys import VerificationKey
from orchestrator_auth._jwt.revocation import Revocations
from orchestrator_auth.exceptions import TokenRefused
from orchestrator_kernel.ports import Clock

__all__ = ["TokenVerifier", "introspect"]

_MAX_HEADERS: Final = 64


@dataclass(slots=True)
class _Remembered:
    """A verified token, and what its verification rests on."""

    token: VerifiedToken
    key: VerificationKey
    until: float
    keys_generation: int
    revocations_generation: int


class TokenVerifier:
    """Checks access tokens (RFC 9068, RFC 8725), all checks on.

    A verified token is remembered under its SHA-256 until it expires, for `cache_seconds` at most. What is remembered holds only while
    the keys and the revocations are the same, and both are looked at for news at least every `refresh_seconds` of theirs.

    Args:
        profile: Which tokens are meant for us.
        keys: `KeyRing` for our own, `RemoteKeys` for another authority's.
        clock: Monotonic for what is remembered, UTC for the claims.
        revocations: None for tokens that nobody here can revoke.
        cache_size: How many tokens are remembered; 0 for none.
        cache_seconds: The longest time one is remembered; after it the wall clock is asked again.
    """

    def __init__(
        self,
        profile: TokenProfile,
        keys: KeySource,
        *,
        clock: Clock,
        revocations: Revocations | None = None,
        cache_size: int = 10_000,
        cache_seconds: float = 60.0,
    ) -> None:
        self._profile = profile
        self._keys = keys
        self._clock = clock
        self._monotonic = clock.monotonic
        self._revocations = revocations
        self._cache: dict[bytes, _Remembered] = {}
        self._cache_size = cache_size
        self._cache_seconds = cache_seconds
        self._headers: dict[bytes, tuple[str, str]] = {}
        self._fresh_until = float("-inf")

    async def verify(self, token: str) -> VerifiedToken:
        """What the token says.

        Raises:
            TokenRefused: It is not to be believed, whatever it is made of.
            AuthStoreFailed: The keys or the revocations cannot be read.
            IdentityProviderFailed: The authority that publishes the keys does not answer.
        """
        if len(token) > MAX_TOKEN or not token.isascii():
            raise TokenRefused("token is oversized or not ASCII")
        if self._monotonic() >= self._fresh_until:
            await self._refresh()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._cache.get(digest)
        if known is not None and self._monotonic() < known.until:
            keys, revocations = self._keys, self._revocations
            if known.keys_generation == keys.generation and (
                revocations is None or known.revocations_generation == revocations.generation
            ):
                return known.token
            if keys.find(known.key.kid) is known.key:
                return self._unrevoked(digest, known.token, known.key, known.until)
        return await self._verify_anew(token, digest)

    async def _verify_anew(self, token: str, digest: bytes) -> VerifiedToken:
        segments = split(token)
        known = self._headers.get(segments.header)
        algorithm, kid = known or check_header(_header(segments.header))
        key = self._keys.find(kid)
        if key is None:
            await self._keys.refresh(kid)
            key = self._keys.find(kid)
        if key is None:
            raise TokenRefused("key is unknown")
        if key.algorithm != algorithm:
            raise TokenRefused("alg is not the algorithm of this key")
        key.verify(segments.signed, segments.signature)
        if known is None:
            self._remember_header(segments.header, algorithm, kid)
        now = self._clock.now()
        verified = check_claims(load_object(segments.payload), self._profile, now.timestamp(), kid)
        lasting = min(verified.expires_at, key.verifies_until.timestamp()) - now.timestamp()
        until = self._monotonic() + min(lasting, self._cache_seconds)
        return self._unrevoked(digest, verified, key, until)

    def _unrevoked(self, digest: bytes, token: VerifiedToken, key: VerificationKey, until: float) -> VerifiedToken:
        revocations = self._revocations
        if revocations is not None and (reason := revocations.reason(token)) is not None:
            self._cache.pop(digest, None)
            raise TokenRefused(reason)
        if self._cache_size:
            while len(self._cache) >= self._cache_size and digest not in self._cache:
                del self._cache[next(iter(self._cache))]
            generation = 0 if revocations is None else revocations.generation
            self._cache[digest] = _Remembered(token, key, until, self._keys.generation, generation)
        return token

    def _remember_header(self, header: bytes, algorithm: str, kid: str) -> None:
        # Only headers under a good signature come here, so their number is the issuers' doing.
        if len(self._headers) >= _MAX_HEADERS:
            self._headers.clear()
        self._headers[header] = algorithm, kid

    async def _refresh(self) -> None:
        await self._keys.ensure_fresh()
        fresh_until = self._keys.fresh_until
        if self._revocations is not None:
            await self._revocations.ensure_fresh()
            fresh_until = min(fresh_until, self._revocations.fresh_until)
        self._fresh_until = fresh_until


def _header(segment: bytes) -> Mapping[str, Any]:
    return load_object(decode(segment))


async def introspect(verifier: TokenVerifier, token: str) -> dict[str, object]:
    """The answer of an introspection endpoint (RFC 7662 section 2.2): what the token says, or only that it is not active.

    Whoever asks must have been authenticated before.
    """
    try:
        verified = await verifier.verify(token)
    except TokenRefused:
        return {"active": False}
    names = ("iss", "aud", "sub", "client_id", "iat", "nbf", "exp", "jti", "sid", "tenant", "roles")
    members = {name: verified.claims[name] for name in names if name in verified.claims}
    return {"active": True, "token_type": "Bearer", **members}
