"""Asking another authority about a token (RFC 7662, extra `[http]`): for opaque tokens, or where revocation has to work at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator_auth._jwt.claims import TokenProfile, VerifiedToken, check_claims
from orchestrator_auth._jwt.compact import MAX_TOKEN, load_object
from orchestrator_auth._jwt.remote_keys import require_secure_url
from orchestrator_auth.exceptions import IdentityProviderFailed, TokenRefused
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Clock

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

__all__ = ["IntrospectionClient", "IntrospectionConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectionConfig:
    """Where to ask, and as whom. Times in seconds.

    Attributes:
        url: The introspection endpoint; https, or http on this machine. A redirect is not followed.
        client_id: Ours, with the authority (HTTP Basic).
        client_secret: Ours.
        cache_seconds: How long an answer is believed; a revocation is noticed that much later. At most a minute.
        timeout: For one question.
        max_bytes: The largest answer that is read.
    """

    url: str
    client_id: str
    client_secret: SecretStr = field(repr=False)
    cache_seconds: float = 1.0
    timeout: float = 5.0
    max_bytes: int = 65_536

    def __post_init__(self) -> None:
        require_secure_url(self.url, "url")
        if not 0 <= self.cache_seconds <= 60:
            raise ConfigurationError("cache_seconds must be 0 to 60", details={"setting": "cache_seconds"})


class IntrospectionClient:
    """Verifies tokens by asking; the answer has to satisfy the profile like a token's claims, except for an id, which opaque tokens lack."""

    def __init__(
        self,
        config: IntrospectionConfig,
        profile: TokenProfile,
        client: httpx.AsyncClient,
        *,
        clock: Clock,
        cache_size: int = 10_000,
    ) -> None:
        self._config = config
        self._profile = profile
        self._client = client
        self._clock = clock
        self._cache: dict[bytes, tuple[float, VerifiedToken]] = {}
        self._cache_size = cache_size

    async def verify(self, token: str) -> VerifiedToken:
        """What the authority says about the token.

        Raises:
            TokenRefused: It is not active, or not meant for us.
            IdentityProviderFailed: The authority does not answer as it should.
        """
        if not token or len(token) > MAX_TOKEN or not token.isascii():
            raise TokenRefused("token is empty, oversized or not ASCII")
        digest = hashlib.sha256(token.encode()).digest()
        until, known = self._cache.get(digest, (0.0, None))
        if known is not None and self._clock.monotonic() < until:
            return known
        answer = await self._ask(token)
        if answer.get("active") is not True:
            self._cache.pop(digest, None)
            raise TokenRefused("the authority says that the token is not active")
        now = self._clock.now().timestamp()
        defaults = {"iss": self._profile.issuer, "iat": now, "nbf": now, "jti": digest.hex()}
        verified = check_claims({**defaults, **answer}, self._profile, now, kid="")
        while len(self._cache) >= self._cache_size and digest not in self._cache:
            del self._cache[next(iter(self._cache))]
        lasting = min(self._config.cache_seconds, verified.expires_at - now)
        self._cache[digest] = self._clock.monotonic() + lasting, verified
        return verified

    async def _ask(self, token: str) -> dict[str, Any]:
        from orchestrator_kernel.http import deadline, http_errors, read_limited  # noqa: PLC0415 - only with the extra

        service = "introspection"
        async with deadline(self._config.timeout, service, kind=IdentityProviderFailed):
            with http_errors(service, kind=IdentityProviderFailed):
                request = self._client.build_request(
                    "POST",
                    self._config.url,
                    data={"token": token, "token_type_hint": "access_token"},
                    headers={"accept": "application/json"},
                )
                auth = (self._config.client_id, self._config.client_secret.get_secret_value())
                response = await self._client.send(request, auth=auth, stream=True, follow_redirects=False)
                try:
                    if response.status_code != 200:
                        raise IdentityProviderFailed(f"Introspection was answered with {response.status_code}.")
                    body = await read_limited(response, self._config.max_bytes, service, kind=IdentityProviderFailed)
                finally:
                    await response.aclose()
        try:
            return load_object(body)
        except TokenRefused as error:
            raise IdentityProviderFailed(f"The answer to an introspection is not readable: {error.reason}") from None
