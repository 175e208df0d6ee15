"""Making access tokens (RFC 9068)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from orchestrator_auth._jwt.claims import ACCESS_TOKEN_TYPE, TokenProfile
from orchestrator_auth._jwt.compact import encode
from orchestrator_auth._jwt.key_ring import KeyRing
from orchestrator_auth._jwt.revocation import Revocations
from orchestrator_auth.models import require_role, require_tenant
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import require_identifier
from orchestrator_kernel.ports import Clock

__all__ = ["TokenIssuer", "TokenRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """For whom a token is made, and what it says besides."""

    subject: str
    tenant: str
    roles: Collection[str] = ()
    session_id: str = ""
    client_id: str = "orchestrator"
    authenticated_at: datetime | None = None
    second_factor_at: datetime | None = None

    def __post_init__(self) -> None:
        require_identifier(self.subject, "subject")
        require_identifier(self.client_id, "client id")
        require_tenant(self.tenant)
        for role in self.roles:
            require_role(role)
        if self.session_id:
            require_identifier(self.session_id, "session id")


class TokenIssuer:
    """Signs access tokens for one profile. `lifetime` in seconds, 15 minutes unless given."""

    def __init__(
        self,
        profile: TokenProfile,
        keys: KeyRing,
        *,
        clock: Clock,
        revocations: Revocations | None = None,
        lifetime: float = 900.0,
    ) -> None:
        if not 0 < lifetime <= profile.max_lifetime:
            raise ConfigurationError("lifetime must be positive and no longer than the profile's max_lifetime")
        self._profile = profile
        self._keys = keys
        self._clock = clock
        self._revocations = revocations
        self.lifetime = lifetime

    async def issue(self, request: TokenRequest) -> str:
        """A signed access token.

        Raises:
            AuthStoreFailed: The keys or the revocations cannot be read.
        """
        key = await self._keys.signing_key()
        header = {"alg": str(key.algorithm), "kid": key.kid, "typ": ACCESS_TOKEN_TYPE}
        claims = await self._claims(request)
        signed = b".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return (signed + b"." + encode(key.sign(signed))).decode()

    async def _claims(self, request: TokenRequest) -> dict[str, object]:
        now = round(self._clock.now().timestamp(), 3)
        issued = now
        if self._revocations is not None:
            await self._revocations.ensure_fresh()
            # Dated after the last revocation, so that who signs in right after it is not caught by it.
            issued = max(now, self._revocations.earliest(user=request.subject, tenant=request.tenant))
        claims: dict[str, object] = {
            "iss": self._profile.issuer,
            "aud": self._profile.audience,
            "sub": request.subject,
            "client_id": request.client_id,
            "iat": issued,
            "nbf": now,
            "exp": now + self.lifetime,
            "jti": secrets.token_hex(16),
            "tenant": request.tenant,
            "roles": sorted(request.roles),
        }
        if request.session_id:
            claims["sid"] = request.session_id
        for name, at in (("auth_time", request.authenticated_at), ("mfa_time", request.second_factor_at)):
            if at is not None:
                claims[name] = int(at.timestamp())
        return claims
