"""From a credential to who stands behind it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

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
from orchestrator_auth.models import ALL_TENANTS, Role, ServiceContext, UserContext
from orchestrator_auth.rbac import PolicyHolder, context_of, permissions_of
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from orchestrator_auth._jwt.claims import VerifiedToken
    from orchestrator_auth.api_keys import ApiKeys
    from orchestrator_auth.sessions import Sessions
    from orchestrator_kernel.ports import Clock

__all__ = ["COOKIE", "Authenticated", "Authenticator", "ChecksTokens", "MasterToken"]

_LEAST_LETTERS: Final = 16


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


class MasterToken:
    """A bearer token from the configuration: whoever has it may do everything that the policy has, in every tenant. For the time before there is an administrator.

    Args:
        token: At least 16 characters.
        actor: Who that is, in the audit.
        clock: With one, the token counts as a second factor shown just now; without, what needs a second factor needs a person.

    Raises:
        ConfigurationError: The token is short.
    """

    def __init__(self, token: str, *, actor: str = "operator", clock: Clock | None = None) -> None:
        if len(token) < _LEAST_LETTERS:
            raise ConfigurationError(f"a master token has at least {_LEAST_LETTERS} characters")
        self._digest = sha256(token.encode()).digest()
        self._actor = actor
        self._clock = clock

    def matches(self, value: str) -> bool:
        """Whether this is the token, in constant time."""
        return hmac.compare_digest(sha256(value.encode(errors="replace")).digest(), self._digest)

    def context(self, policies: PolicyHolder) -> UserContext:
        """Who stands behind it."""
        shown: datetime | None = None if self._clock is None else self._clock.now()
        permissions = policies.policy.vocabulary
        return UserContext(
            user_id=self._actor,
            tenant=ALL_TENANTS,
            roles={Role.SYSTEM_ADMIN},
            permissions=permissions,
            second_factor_at=shown,
        )


class Authenticator:
    """Knows users by access tokens and cookies, and services by API keys; what is not given is not accepted.

    Args:
        policies: What the roles of users come to.
        verifier: Of access tokens.
        api_keys: Of services.
        sessions: Of browsers.
        origins: Where our own pages come from, like `https://calls.example`; a cookie is accepted for changes from these only.
        cookie: Its name.
        master: A token from the configuration.
        host_is_known: Whether only known hosts are answered for further out; then pages of the host that is asked are our own too.
        second_factor_roles: Roles that count only in a session where a second factor was shown.
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
        master: MasterToken | None = None,
        host_is_known: bool = False,
        second_factor_roles: Collection[str] = (),
    ) -> None:
        self._policies = policies
        self._verifier = verifier
        self._api_keys = api_keys
        self._sessions = sessions
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._cookie = cookie
        self._master = master
        self._host_is_known = host_is_known
        self._sure_roles = frozenset(second_factor_roles)

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
        bearer = credential.scheme is Scheme.BEARER
        if bearer and self._master is not None and self._master.matches(credential.value):
            return self._master.context(self._policies)
        if bearer and self._verifier is not None:
            token = await self._verifier.verify(credential.value)
            return context_of(token, self._policies.policy, second_factor_roles=self._sure_roles)
        if credential.scheme is Scheme.API_KEY and self._api_keys is not None:
            return await self._api_keys.verify(credential.value)
        if credential.scheme is Scheme.COOKIE and self._sessions is not None:
            return await self._of_browser(scope, credential.value, self._sessions)
        raise CredentialRefused(f"{credential.scheme} is not accepted here")

    async def _of_browser(self, scope: Scope, value: str, sessions: Sessions) -> UserContext:
        session, roles = await sessions.check_cookie(value)
        if changes_something(scope):
            # Any page can make a browser send the cookie; only ours can know the token, or be of our origin.
            if not same_origin(scope, self._origins, host_is_known=self._host_is_known):
                raise CredentialRefused("cookie from another origin")
            token = only_header(scope, CSRF_HEADER.encode())
            if scope["type"] == "http" and not sessions.check_csrf(session, token):
                raise CredentialRefused("CSRF token is missing or wrong")
        sure = session.second_factor_at is not None
        held, withheld = permissions_of(
            self._policies.policy, session.tenant, roles, sure=sure, second_factor_roles=self._sure_roles
        )
        return UserContext(
            user_id=session.user_id,
            tenant=session.tenant,
            roles=roles,
            permissions=held,
            withheld=withheld,
            session_id=session.id,
            authenticated_at=session.authenticated_at,
            second_factor_at=session.second_factor_at,
            expires_at=session.expires_at,
        )
