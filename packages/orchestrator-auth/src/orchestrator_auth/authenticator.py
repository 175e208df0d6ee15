"""From a credential to who stands behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orchestrator_auth._http.credentials import (
    COOKIE,
    CSRF_HEADER,
    Credential,
    Scheme,
    Scope,
    changes_something,
    find_credential,
    only_header,
    same_origin,
)
from orchestrator_auth.exceptions import CredentialRefused, TokenRefused
from orchestrator_auth.models import ServiceContext, UserContext
from orchestrator_auth.rbac import PolicyHolder, context_of
from orchestrator_kernel.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestrator_auth._jwt.claims import VerifiedToken
    from orchestrator_auth.api_keys import ApiKeys
    from orchestrator_auth.sessions import Sessions

__all__ = ["Authenticated", "Authenticator", "ChecksTokens"]


class ChecksTokens(Protocol):
    """Knows what a token says: a `TokenVerifier`, or an `IntrospectionClient`."""

    async def verify(self, token: str) -> VerifiedToken:
        """What it says.

        Raises:
            TokenRefused: It is not to be believed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Who stands behind a request, and how they showed it."""

    principal: UserContext | ServiceContext
    scheme: Scheme


class Authenticator:
    """Knows users by access tokens and cookies, and services by API keys; what is not given is not accepted.

    Args:
        policies: What the roles of users come to.
        verifier: Of access tokens.
        api_keys: Of services.
        sessions: Of browsers.
        origins: Where our own pages come from, like `https://calls.example`; a cookie is accepted for changes from these only.
        cookie: Its name.
    """

    def __init__(
        self,
        policies: PolicyHolder,
        *,
        verifier: ChecksTokens | None = None,
        api_keys: ApiKeys | None = None,
        sessions: Sessions | None = None,
        origins: Collection[str] = (),
        cookie: str = COOKIE,
    ) -> None:
        self._policies = policies
        self._verifier = verifier
        self._api_keys = api_keys
        self._sessions = sessions
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._cookie = cookie

    async def authenticate(self, scope: Scope) -> Authenticated:
        """Who stands behind the request.

        Raises:
            CredentialRefused: Nobody we know.
            KeyLimitReached: A service that asked too often.
            AuthStoreFailed: It cannot be found out now.
        """
        credential = find_credential(scope, cookie=self._cookie)
        if credential is None:
            raise CredentialRefused("no credential")
        try:
            return Authenticated(await self._principal(scope, credential), credential.scheme)
        except ValidationError as error:
            raise TokenRefused(f"credential makes no principal: {error.message}") from error

    async def _principal(self, scope: Scope, credential: Credential) -> UserContext | ServiceContext:
        if credential.scheme is Scheme.BEARER and self._verifier is not None:
            return context_of(await self._verifier.verify(credential.value), self._policies.policy)
        if credential.scheme is Scheme.API_KEY and self._api_keys is not None:
            return await self._api_keys.verify(credential.value)
        if credential.scheme is Scheme.COOKIE and self._sessions is not None:
            return await self._of_browser(scope, credential.value, self._sessions)
        raise CredentialRefused(f"{credential.scheme} is not accepted here")

    async def _of_browser(self, scope: Scope, value: str, sessions: Sessions) -> UserContext:
        session, roles = await sessions.check_cookie(value)
        if changes_something(scope):
            # Any page can make a browser send the cookie; only ours can know the token, or be of our origin.
            if not same_origin(scope, self._origins):
                raise CredentialRefused("cookie from another origin")
            token = only_header(scope, CSRF_HEADER.encode())
            if scope["type"] == "http" and not sessions.check_csrf(session, token):
                raise CredentialRefused("CSRF token is missing or wrong")
        return UserContext(
            user_id=session.user_id,
            tenant=session.tenant,
            roles=roles,
            permissions=self._policies.policy.permissions(session.tenant, roles),
            session_id=session.id,
            authenticated_at=session.authenticated_at,
            second_factor_at=session.second_factor_at,
            expires_at=session.expires_at,
        )
