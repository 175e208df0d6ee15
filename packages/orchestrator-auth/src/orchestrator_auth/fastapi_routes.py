"""The routes of signing in and out, of one's own account, and of API keys (extra `[fastapi]`), each with its rule.

What the user types:

    app.include_router(auth_router(auth))
    app.add_middleware(AuthMiddleware, authenticator=auth.authenticator, guard=auth.guard, audit=auth.audit, public=PUBLIC_PATHS | {"/healthz"})
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from orchestrator_auth._http.account_routes import add_account_routes
from orchestrator_auth._http.bodies import (
    ChallengeView,
    Introspect,
    Login,
    LoginAnswer,
    Refresh,
    ResetPassword,
    SecondFactorAnswer,
    SetPassword,
    TokensView,
)
from orchestrator_auth._http.credentials import COOKIE
from orchestrator_auth._http.device import device_label
from orchestrator_auth._http.key_routes import add_key_routes
from orchestrator_auth._http.quiet_route import QuietRoute
from orchestrator_auth._jwt.verifier import introspect
from orchestrator_auth.exceptions import AccessDenied
from orchestrator_auth.fastapi_guard import CurrentPrincipal, requires
from orchestrator_auth.guard import OWN
from orchestrator_auth.service import Auth
from orchestrator_auth.signin import Challenge, SignedIn
from orchestrator_auth.users import User

__all__ = ["PUBLIC_PATHS", "ResetMail", "auth_router"]

PUBLIC_PATHS: Final = frozenset(
    {
        "/auth/login",
        "/auth/login/second-factor",
        "/auth/refresh",
        "/auth/password/reset",
        "/auth/password/set",
        "/.well-known/jwks.json",
    }
)
"""What has to be open for somebody to get in."""


class ResetMail:
    """Sends the link for a new password; subclass it. Without one, a reset is audited and nothing is sent."""

    async def send(self, user: User, token: str) -> None:
        """Deliver the token to the person, and to nobody else. Return soon: the answer waits, and its time must not tell who exists."""


def auth_router(auth: Auth, *, mail: ResetMail | None = None) -> APIRouter:
    """All routes below `/auth`, and the public keys.

    Args:
        auth: The parts.
        mail: Delivers the tokens to choose a new password with.
    """
    router = APIRouter(tags=["auth"], route_class=QuietRoute)
    _add_sign_in(router, auth)
    _add_password_reset(router, auth, mail or ResetMail())
    _add_tokens(router, auth)
    add_account_routes(router, auth)
    add_key_routes(router, auth)
    return router


def _add_sign_in(router: APIRouter, auth: Auth) -> None:
    @router.post("/auth/login", summary="Sign in with name and password")
    async def login(body: Login, request: Request, response: Response) -> LoginAnswer:
        address = request.client.host if request.client else "unknown"
        found = await auth.signin.password(
            body.login,
            body.password.get_secret_value(),
            address=address,
            tenant=body.tenant,
            label=device_label(request.headers.get("user-agent", "")),
            browser=body.browser,
        )
        if isinstance(found, Challenge):
            return LoginAnswer(second_factor=ChallengeView(challenge=found.token, expires_in=found.expires_in))
        return _signed_in(auth, found, response)

    @router.post("/auth/login/second-factor", summary="Finish signing in with a code")
    async def second_factor(body: SecondFactorAnswer, request: Request, response: Response) -> LoginAnswer:
        label = device_label(request.headers.get("user-agent", ""))
        return _signed_in(auth, await auth.signin.second_factor(body.challenge, body.code, label=label), response)

    @router.post("/auth/refresh", summary="Exchange a refresh token, once")
    async def refresh(body: Refresh) -> TokensView:
        return TokensView.of(await auth.sessions.refresh(body.refresh_token))


def _add_password_reset(router: APIRouter, auth: Auth, mail: ResetMail) -> None:
    @router.post("/auth/password/reset", status_code=202, summary="Ask for a link to choose a new password")
    async def reset(body: ResetPassword) -> None:
        begun = await auth.users.begin_reset(body.login)
        if begun is not None:
            await mail.send(*begun)

    @router.post("/auth/password/set", status_code=204, response_model=None, summary="Choose a password with a token")
    async def set_password(body: SetPassword) -> None:
        user = await auth.users.finish_reset(body.token, body.password.get_secret_value())
        await auth.sessions.end_all(user.id, reason="password set")


def _add_tokens(router: APIRouter, auth: Auth) -> None:
    @router.get("/.well-known/jwks.json", summary="The public keys of our tokens")
    async def jwks() -> dict[str, list[dict[str, object]]]:
        return await auth.ring.jwks()

    @router.post("/auth/introspect", dependencies=[requires("", tenant=OWN)], summary="What a token says (RFC 7662)")
    async def introspection(body: Introspect, principal: CurrentPrincipal) -> dict[str, object]:
        if not principal.is_service:
            raise AccessDenied("for services only")
        return await introspect(auth.verifier, body.token)


def _signed_in(auth: Auth, found: SignedIn, response: Response) -> LoginAnswer:
    """The tokens; for a browser the cookie, which no script reads and no other site's page sends along with a change."""
    response.headers["cache-control"] = "no-store"
    if found.pair is not None:
        return LoginAnswer(tokens=TokensView.of(found.pair))
    response.set_cookie(COOKIE, found.cookie, path="/", secure=True, httponly=True, samesite="lax")
    return LoginAnswer(csrf_token=None if found.session is None else auth.sessions.csrf_token(found.session))
