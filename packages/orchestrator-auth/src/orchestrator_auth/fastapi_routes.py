"""The routes of signing in and out, of one's own account, and of API keys (extra `[fastapi]`), each with its rule.

What the user types:

    app.include_router(auth_router(auth))
    app.add_middleware(AuthMiddleware, authenticator=auth.authenticator, guard=auth.guard, audit=auth.audit, public=PUBLIC_PATHS | {"/healthz"})
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, BackgroundTasks, Request, Response

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
from orchestrator_auth._http.documents import Documents, by_status
from orchestrator_auth._http.factor_routes import FactorTrail, add_factor_routes
from orchestrator_auth._http.key_routes import add_key_routes
from orchestrator_auth._http.people_routes import add_people_routes
from orchestrator_auth._http.quiet_route import QuietRoute, RequestInvalid
from orchestrator_auth._http.reset_mail import ResetMail
from orchestrator_auth._jwt.verifier import introspect
from orchestrator_auth.exceptions import LoginRefused, TokenRefused, WeakPassword
from orchestrator_auth.fastapi_guard import requires
from orchestrator_auth.guard import OWN
from orchestrator_auth.service import Auth
from orchestrator_auth.signin import Challenge, SignedIn

__all__ = ["PUBLIC_PATHS", "Documents", "FactorTrail", "ResetMail", "auth_router", "device_label"]

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


def auth_router(
    auth: Auth, *, mail: ResetMail | None = None, trail: FactorTrail | None = None, documents: Documents = by_status
) -> APIRouter:
    """All routes below `/auth`, and the public keys.

    Args:
        auth: The parts.
        mail: Delivers the tokens to choose a password with.
        trail: Where the audit events of second factors are read; without it there is no `GET /auth/mfa/audit-log`.
        documents: Says in the OpenAPI document what each route may refuse.
    """
    router = APIRouter(tags=["auth"], route_class=QuietRoute)
    mail = mail or ResetMail()
    _add_sign_in(router, auth, documents)
    _add_password_reset(router, auth, mail, documents)
    _add_tokens(router, auth, documents)
    add_account_routes(router, auth, documents)
    add_people_routes(router, auth, mail, documents)
    add_factor_routes(router, auth, trail, documents)
    add_key_routes(router, auth, documents)
    return router


def _add_sign_in(router: APIRouter, auth: Auth, documents: Documents) -> None:
    @router.post("/auth/login", responses=documents(LoginRefused, RequestInvalid, public=True, body=True))
    async def login(body: Login, request: Request, response: Response) -> LoginAnswer:
        """Sign in with name and password: tokens, or a challenge that a code of the second factor answers. With `browser` a cookie takes the place of the tokens."""
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

    @router.post("/auth/login/second-factor", responses=documents(LoginRefused, RequestInvalid, public=True, body=True))
    async def second_factor(body: SecondFactorAnswer, request: Request, response: Response) -> LoginAnswer:
        """Finish signing in with a code of the authenticator application, or a recovery code."""
        label = device_label(request.headers.get("user-agent", ""))
        return _signed_in(auth, await auth.signin.second_factor(body.challenge, body.code, label=label), response)

    @router.post("/auth/refresh", responses=documents(TokenRefused, RequestInvalid, public=True, body=True))
    async def refresh(body: Refresh) -> TokensView:
        """Exchange a refresh token, once. A second use ends the session: one of the two who held it is a thief."""
        return TokensView.of(await auth.sessions.refresh(body.refresh_token))


def _add_password_reset(router: APIRouter, auth: Auth, mail: ResetMail, documents: Documents) -> None:
    async def begin(login: str) -> None:
        begun = await auth.users.begin_reset(login)
        if begun is not None:
            await mail.send(*begun)

    @router.post("/auth/password/reset", status_code=202, responses=documents(RequestInvalid, public=True, body=True))
    async def reset(body: ResetPassword, after: BackgroundTasks) -> None:
        """Ask for a link to choose a new password with. The answer is the same, whoever exists."""
        # After the answer: its time must not tell either.
        after.add_task(begin, body.login)

    @router.post(
        "/auth/password/set",
        status_code=204,
        response_model=None,
        responses=documents(LoginRefused, WeakPassword, RequestInvalid, public=True, body=True),
    )
    async def set_password(body: SetPassword) -> None:
        """Choose a password with the token of a link, once. All sessions end."""
        user = await auth.users.finish_reset(body.token, body.password.get_secret_value())
        await auth.sessions.end_all(user.id, reason="password set")


def _add_tokens(router: APIRouter, auth: Auth, documents: Documents) -> None:
    @router.get("/.well-known/jwks.json", responses=documents(public=True, body=False))
    async def jwks() -> dict[str, list[dict[str, object]]]:
        """The public keys of our tokens (RFC 7517)."""
        return await auth.ring.jwks()

    @router.post(
        "/auth/introspect",
        dependencies=[requires("", tenant=OWN, only="service")],
        responses=documents(RequestInvalid, public=False, body=True),
    )
    async def introspection(body: Introspect) -> dict[str, object]:
        """What a token says (RFC 7662); for services."""
        return await introspect(auth.verifier, body.token)


def _signed_in(auth: Auth, found: SignedIn, response: Response) -> LoginAnswer:
    """The tokens; for a browser the cookie, which no script reads and no other site's page sends along with a change."""
    response.headers["cache-control"] = "no-store"
    if found.pair is not None:
        return LoginAnswer(tokens=TokensView.of(found.pair))
    response.set_cookie(COOKIE, found.cookie, path="/", secure=True, httponly=True, samesite="lax")
    return LoginAnswer(csrf_token=None if found.session is None else auth.sessions.csrf_token(found.session))
