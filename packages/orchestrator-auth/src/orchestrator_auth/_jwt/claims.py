"""What an access token has to say (RFC 9068, RFC 8725): pure, every check on by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, cast

from orchestrator_auth._jwt.compact import numeric_date
from orchestrator_auth.exceptions import TokenRefused
from orchestrator_auth.models import require_role, require_tenant
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_kernel.models import require_identifier

ACCESS_TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the type, no secret
_ACCESS_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
_HEADER_MEMBERS: Final = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
_MAX_LEEWAY: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProfile:
    """Which access tokens are meant for us. Times in seconds.

    Attributes:
        issuer: The exact `iss`.
        audience: Ours, among the token's `aud`.
        leeway: How far clocks may differ: 0 to 60.
        max_lifetime: The longest time between `iat` and `exp`.
        require_client: Whether `client_id` has to be there, as RFC 9068 says.
        require_not_before: Whether `nbf` has to be there; turn it off for an authority that never sends one.

    Raises:
        ConfigurationError: A value is out of range.
    """

    issuer: str
    audience: str
    leeway: float = 1.0
    max_lifetime: float = 3_600.0
    require_client: bool = True
    require_not_before: bool = True

    def __post_init__(self) -> None:
        if not self.issuer or not self.audience:
            raise ConfigurationError("a token profile names its issuer and its audience")
        if not 0 <= self.leeway <= _MAX_LEEWAY:
            raise ConfigurationError("leeway must be 0 to 60 seconds", details={"setting": "leeway"})
        if not 0 < self.max_lifetime <= 86_400:
            raise ConfigurationError("max_lifetime must be up to a day", details={"setting": "max_lifetime"})


@dataclass(slots=True, kw_only=True, frozen=True)
class VerifiedToken:
    """What a token says, after every check. Instants are seconds since 1970, UTC.

    Attributes:
        claims: All of them, read-only; those with a name above have been checked, the others are the issuer's word.
    """

    subject: str
    token_id: str
    key_id: str
    issued_at: float
    expires_at: float
    client_id: str = ""
    session_id: str = ""
    tenant: str = ""
    roles: frozenset[str] = frozenset()
    authenticated_at: float | None = None
    second_factor_at: float | None = None
    claims: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)


def check_header(header: Mapping[str, Any]) -> tuple[str, str]:
    """The algorithm and key id that the header claims; both still have to be compared with a key of ours.

    Raises:
        TokenRefused: Not the header of an access token, or it wants something of us: `crit`, a key of its own, compression, encryption.
    """
    if not _HEADER_MEMBERS.issuperset(header):
        raise TokenRefused("header has a member that nobody asked for")
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(kind, str) or kind.lower() not in _ACCESS_TYPES:
        raise TokenRefused("typ is not that of an access token")
    if not isinstance(algorithm, str) or not isinstance(kid, str):
        raise TokenRefused("header does not name its algorithm and key")
    return algorithm, kid


def check_claims(claims: dict[str, Any], profile: TokenProfile, now: float, kid: str) -> VerifiedToken:
    """The token, when every claim is as the profile asks at `now`.

    Raises:
        TokenRefused: One is not.
    """
    if claims.get("iss") != profile.issuer:
        raise TokenRefused("iss is not the issuer")
    _check_audience(claims.get("aud"), profile.audience)
    issued, expires = _check_times(claims, profile, now)
    try:
        return VerifiedToken(
            subject=_identifier(claims, "sub"),
            token_id=_identifier(claims, "jti"),
            key_id=kid,
            issued_at=issued,
            expires_at=expires,
            client_id=_identifier(claims, "client_id") if profile.require_client or "client_id" in claims else "",
            session_id=_identifier(claims, "sid") if "sid" in claims else "",
            tenant=require_tenant(_text(claims, "tenant")) if "tenant" in claims else "",
            roles=_roles(claims["roles"]) if "roles" in claims else frozenset(),
            authenticated_at=numeric_date(claims, "auth_time") if "auth_time" in claims else None,
            second_factor_at=numeric_date(claims, "mfa_time") if "mfa_time" in claims else None,
            claims=MappingProxyType(claims),
        )
    except ValidationError as error:
        raise TokenRefused(f"a claim is invalid: {error.message}") from None


def _check_audience(claimed: object, audience: str) -> None:
    if isinstance(claimed, str):
        if claimed == audience:
            return
    elif isinstance(claimed, list):
        members = cast("list[object]", claimed)
        if audience in members and all(isinstance(one, str) for one in members):
            return
    raise TokenRefused("aud does not name this service")


def _check_times(claims: dict[str, Any], profile: TokenProfile, now: float) -> tuple[float, float]:
    leeway = profile.leeway
    expires, issued = numeric_date(claims, "exp"), numeric_date(claims, "iat")
    if expires + leeway <= now:
        raise TokenRefused("token is expired")
    if issued - leeway > now:
        raise TokenRefused("token is issued in the future")
    if expires - issued > profile.max_lifetime:
        raise TokenRefused("token lives too long")
    if (profile.require_not_before or "nbf" in claims) and numeric_date(claims, "nbf") - leeway > now:
        raise TokenRefused("token is not valid yet")
    return issued, expires


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise TokenRefused(f"{name} is missing or no text")
    return value


def _identifier(claims: Mapping[str, Any], name: str) -> str:
    return require_identifier(_text(claims, name), name)


def _roles(value: object) -> frozenset[str]:
    members = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(isinstance(one, str) for one in members):
        raise TokenRefused("roles are not a list of texts")
    return frozenset(require_role(one) for one in cast("list[str]", members))
