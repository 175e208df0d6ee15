"""Signing in to the operators' page, with the accounts of orchestrator-auth."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import MutableMapping
from typing import Final

from orchestrator_auth.authenticator import COOKIE
from orchestrator_auth.fastapi_routes import device_label
from orchestrator_auth.models import ALL_TENANTS, UserContext
from orchestrator_auth.service import Auth
from orchestrator_auth.sessions import Session, SessionKind
from orchestrator_auth.signin import Challenge
from orchestrator_auth.signin import SignedIn as Begun
from orchestrator_kernel.exceptions import AuthenticationError
from orchestrator_kernel.ports.operations import SecondFactorNeeded, SignedIn, Viewer

__all__ = ["ConsoleSignIn"]

_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"
_NAMES: Final = 1_000


class ConsoleSignIn:
    """Browsers' sessions. A page that stays open is no use of its session: that ends when nobody does anything."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._names: OrderedDict[str, str] = OrderedDict()

    async def viewer(self, scope: MutableMapping[str, object]) -> Viewer | None:
        principal = scope.get("principal") or await self._proved(scope)
        if not isinstance(principal, UserContext) or not principal.session_id:
            return None
        # Asked anew each time, and without a touch: an open page asks for as long as it is open.
        session = await self._auth.sessions.get(principal.session_id)
        if session is None or session.kind is not SessionKind.BROWSER:
            return None
        roles = await self._auth.users.roles(session.user_id, session.tenant)
        return None if roles is None else await self._viewer(session, roles)

    async def _proved(self, scope: MutableMapping[str, object]) -> object:
        """Who stands behind a request that nobody has looked at yet, as on the page where one signs in."""
        try:
            return (await self._auth.authenticator.authenticate(scope)).principal
        except AuthenticationError:
            return None

    async def _viewer(self, session: Session, roles: frozenset[str]) -> Viewer:
        context = UserContext(
            user_id=session.user_id,
            tenant=session.tenant,
            roles=roles,
            permissions=self._auth.policies.policy.permissions(session.tenant, roles),
            session_id=session.id,
            authenticated_at=session.authenticated_at,
            second_factor_at=session.second_factor_at,
            expires_at=session.expires_at,
        )
        return Viewer(
            principal=context,
            name=await self._name_of(session.user_id),
            csrf_token=self._auth.sessions.csrf_token(session),
            platform=session.tenant == ALL_TENANTS,
        )

    async def _name_of(self, user_id: str) -> str:
        if user_id not in self._names:
            self._names[user_id] = await self._auth.users.login_of(await self._auth.users.get(user_id))
            if len(self._names) > _NAMES:
                self._names.popitem(last=False)
        return self._names[user_id]

    async def password(self, login: str, password: str, *, address: str, agent: str) -> SignedIn | SecondFactorNeeded:
        found = await self._auth.signin.password(
            login, password, address=address, label=device_label(agent), browser=True
        )
        return SecondFactorNeeded(challenge=found.token) if isinstance(found, Challenge) else _cookie(found)

    async def second_factor(self, challenge: str, code: str, *, agent: str) -> SignedIn:
        return _cookie(await self._auth.signin.second_factor(challenge, code, label=device_label(agent)))

    async def sign_out(self, scope: MutableMapping[str, object]) -> str:
        viewer = await self.viewer(scope)
        if viewer is not None and isinstance(viewer.principal, UserContext):
            await self._auth.sessions.end(viewer.principal.session_id, by=viewer.principal)
        return f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}"


def _cookie(found: Begun) -> SignedIn:
    return SignedIn(set_cookie=f"{COOKIE}={found.cookie}; {_ATTRIBUTES}")
