"""Routes of one's own account (extra `[fastapi]`): who one is, sessions, password. Always of the principal, never of somebody that a body names."""

from __future__ import annotations

from fastapi import APIRouter

from orchestrator_auth._http.bodies import ChangePassword, CsrfView, Logout, Me, ServiceInfo, SessionView
from orchestrator_auth._http.documents import Documents
from orchestrator_auth._http.quiet_route import RequestInvalid
from orchestrator_auth.exceptions import LoginRefused, WeakPassword
from orchestrator_auth.fastapi_guard import CurrentService, CurrentUser, requires
from orchestrator_auth.guard import OWN
from orchestrator_auth.service import Auth
from orchestrator_auth.sessions import SessionKind, SessionNotFound
from orchestrator_auth.users import UserNotFound

_PERSON = requires("", tenant=OWN, only="person")
_SERVICE = requires("", tenant=OWN, only="service")


def add_account_routes(router: APIRouter, auth: Auth, documents: Documents) -> None:
    """Add them."""
    _add_identity(router, auth, documents)
    _add_sessions(router, auth, documents)


def _add_identity(router: APIRouter, auth: Auth, documents: Documents) -> None:
    @router.get("/auth/me", dependencies=[_PERSON], responses=documents(public=False, body=False))
    async def me(user: CurrentUser) -> Me:
        """Who I am, and what I may."""
        return Me(
            user_id=user.user_id,
            tenant=user.tenant,
            roles=sorted(user.roles),
            permissions=sorted(user.permissions),
            withheld=sorted(user.withheld),
            session_id=user.session_id,
            second_factor_at=user.second_factor_at,
        )

    @router.get("/auth/service-info", dependencies=[_SERVICE], responses=documents(public=False, body=False))
    async def service_info(service: CurrentService) -> ServiceInfo:
        """Which service this API key is, and what it may."""
        return ServiceInfo(
            service=service.service,
            key_id=service.key_id,
            tenant=service.tenant,
            permissions=sorted(service.permissions),
            expires_at=service.expires_at,
        )

    @router.get("/auth/csrf", dependencies=[_PERSON], responses=documents(SessionNotFound, public=False, body=False))
    async def csrf(user: CurrentUser) -> CsrfView:
        """What a page of this browser session sends with each change, as `X-CSRF-Token`."""
        session = await auth.sessions.get(user.session_id) if user.session_id else None
        if session is None or session.kind is not SessionKind.BROWSER:
            raise SessionNotFound("This credential is no session of a browser.")
        return CsrfView(csrf_token=auth.sessions.csrf_token(session))

    @router.post(
        "/auth/password",
        status_code=204,
        response_model=None,
        dependencies=[_PERSON],
        responses=documents(LoginRefused, WeakPassword, RequestInvalid, UserNotFound, public=False, body=True),
    )
    async def change_password(body: ChangePassword, user: CurrentUser) -> None:
        """Change my password. My other sessions end."""
        await auth.users.change_password(user.user_id, body.old.get_secret_value(), body.new.get_secret_value())
        await auth.sessions.end_all(user.user_id, reason="password changed", keep=user.session_id)


def _add_sessions(router: APIRouter, auth: Auth, documents: Documents) -> None:
    @router.post(
        "/auth/logout",
        status_code=204,
        response_model=None,
        dependencies=[_PERSON],
        responses=documents(RequestInvalid, SessionNotFound, public=False, body=True),
    )
    async def logout(body: Logout, user: CurrentUser) -> None:
        """Sign out: here, in another session of mine, or everywhere."""
        if body.all_sessions:
            await auth.sessions.end_all(user.user_id, reason="signed out everywhere")
        else:
            await auth.sessions.end(body.session_id or user.session_id, by=user)

    @router.get("/auth/sessions", dependencies=[_PERSON], responses=documents(public=False, body=False))
    async def sessions(user: CurrentUser) -> list[SessionView]:
        """Where I am signed in."""
        return [SessionView.of(session, user.session_id) for session in await auth.sessions.of_user(user.user_id)]
