"""Routes of one's own account (extra `[fastapi]`): who one is, sessions, password, second factor. Always of the principal, never of somebody that a body names."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from orchestrator_auth._http.bodies import (
    ChangePassword,
    CodeBody,
    CsrfView,
    EnrolmentView,
    FactorView,
    Logout,
    Me,
    RecoveryCodes,
    ServiceInfo,
    SessionView,
    StepUp,
    TokensView,
)
from orchestrator_auth.exceptions import AccessDenied, SecondFactorRequired
from orchestrator_auth.fastapi_guard import CurrentAccess, CurrentService, CurrentUser, requires
from orchestrator_auth.guard import IN_HANDLER, OWN
from orchestrator_auth.mfa import FactorStatus, Subject
from orchestrator_auth.models import UserContext
from orchestrator_auth.service import Auth
from orchestrator_auth.sessions import SessionKind

_SENSITIVE_SECONDS: Final = 300.0
_KNOWN = requires("", tenant=OWN)


def add_account_routes(router: APIRouter, auth: Auth) -> None:
    """Add them."""
    _add_identity(router, auth)
    _add_sessions(router, auth)
    _add_second_factor(router, auth)
    _add_second_factor_of_others(router, auth)


def _add_identity(router: APIRouter, auth: Auth) -> None:
    @router.get("/auth/me", dependencies=[_KNOWN], summary="Who I am and what I may")
    async def me(user: CurrentUser) -> Me:
        return Me(
            user_id=user.user_id,
            tenant=user.tenant,
            roles=sorted(user.roles),
            permissions=sorted(user.permissions),
            session_id=user.session_id,
            second_factor_at=user.second_factor_at,
        )

    @router.get("/auth/service-info", dependencies=[_KNOWN], summary="Which service this API key is")
    async def service_info(service: CurrentService) -> ServiceInfo:
        return ServiceInfo(
            service=service.service,
            key_id=service.key_id,
            tenant=service.tenant,
            permissions=sorted(service.permissions),
            expires_at=service.expires_at,
        )

    @router.get(
        "/auth/csrf", dependencies=[_KNOWN], summary="What a page of this browser session sends with each change"
    )
    async def csrf(user: CurrentUser) -> CsrfView:
        session = await auth.sessions.get(user.session_id) if user.session_id else None
        if session is None or session.kind is not SessionKind.BROWSER:
            raise AccessDenied("no session of a browser")
        return CsrfView(csrf_token=auth.sessions.csrf_token(session))

    @router.post(
        "/auth/password", status_code=204, response_model=None, dependencies=[_KNOWN], summary="Change my password"
    )
    async def change_password(body: ChangePassword, user: CurrentUser) -> None:
        await auth.users.change_password(user.user_id, body.old.get_secret_value(), body.new.get_secret_value())
        await auth.sessions.end_all(user.user_id, reason="password changed", keep=user.session_id)


def _add_sessions(router: APIRouter, auth: Auth) -> None:
    @router.post(
        "/auth/logout",
        status_code=204,
        response_model=None,
        dependencies=[_KNOWN],
        summary="Sign out: here, elsewhere, or everywhere",
    )
    async def logout(body: Logout, user: CurrentUser) -> None:
        if body.all_sessions:
            await auth.sessions.end_all(user.user_id, reason="signed out everywhere")
        else:
            await auth.sessions.end(body.session_id or user.session_id, by=user)

    @router.get("/auth/sessions", dependencies=[_KNOWN], summary="Where I am signed in")
    async def sessions(user: CurrentUser) -> list[SessionView]:
        return [SessionView.of(session, user.session_id) for session in await auth.sessions.of_user(user.user_id)]


def _add_second_factor(router: APIRouter, auth: Auth) -> None:
    async def subject_of(user: UserContext) -> Subject:
        found = await auth.users.get(user.user_id)
        return Subject(found.id, found.tenant)

    def require_recent(user: UserContext) -> None:
        shown = user.second_factor_at
        if shown is None or (auth.clock.now() - shown).total_seconds() > _SENSITIVE_SECONDS:
            raise SecondFactorRequired("second factor is not recent")

    @router.post("/auth/mfa/enroll", dependencies=[_KNOWN], summary="Begin with a second factor")
    async def enroll(user: CurrentUser) -> EnrolmentView:
        login = await auth.users.login_of(await auth.users.get(user.user_id))
        enrolment = await auth.factor.enrol(await subject_of(user), account=login)
        return EnrolmentView(secret=enrolment.secret, uri=enrolment.uri, qr_svg=enrolment.qr_svg())

    @router.post("/auth/mfa/enroll/verify", dependencies=[_KNOWN], summary="Put it in force with a first code")
    async def confirm(body: CodeBody, user: CurrentUser) -> RecoveryCodes:
        return RecoveryCodes(recovery_codes=list(await auth.factor.confirm(await subject_of(user), body.code)))

    @router.post("/auth/mfa/verify", dependencies=[_KNOWN], summary="Show it again, for what needs it to be recent")
    async def verify(body: CodeBody, user: CurrentUser) -> StepUp:
        method, pair = await auth.signin.step_up(user, body.code)
        return StepUp(method=str(method), tokens=None if pair is None else TokensView.of(pair))

    @router.get("/auth/mfa/status", dependencies=[_KNOWN], summary="What I have of it")
    async def status(user: CurrentUser) -> FactorView:
        return _view(await auth.factor.status(user.user_id))

    @router.post(
        "/auth/mfa/disable",
        status_code=204,
        response_model=None,
        dependencies=[_KNOWN],
        summary="Remove it; show it first",
    )
    async def disable(user: CurrentUser) -> None:
        require_recent(user)
        await auth.factor.disable(await subject_of(user), by=user.user_id)

    @router.post(
        "/auth/mfa/recovery-codes/regenerate", dependencies=[_KNOWN], summary="New recovery codes; show it first"
    )
    async def regenerate(user: CurrentUser) -> RecoveryCodes:
        require_recent(user)
        return RecoveryCodes(recovery_codes=list(await auth.factor.regenerate_recovery_codes(await subject_of(user))))


def _add_second_factor_of_others(router: APIRouter, auth: Auth) -> None:
    @router.get(
        "/auth/admin/mfa/users/{user_id}/status",
        dependencies=[requires("user:view", tenant=IN_HANDLER)],
        summary="What somebody has of a second factor",
    )
    async def status(user_id: str, access: CurrentAccess) -> FactorView:
        user = await auth.users.get(user_id)
        await access.to("user:view", tenant=user.tenant)
        return _view(await auth.factor.status(user.id))

    @router.post(
        "/auth/admin/mfa/users/{user_id}/disable",
        status_code=204,
        response_model=None,
        dependencies=[requires("user:update", tenant=IN_HANDLER)],
        summary="Remove the second factor of somebody who lost it",
    )
    async def disable(user_id: str, access: CurrentAccess) -> None:
        user = await auth.users.get(user_id)
        await access.to("user:update", tenant=user.tenant)
        await auth.factor.disable(Subject(user.id, user.tenant), by=access.principal.id)
        await auth.sessions.end_all(user.id, reason="second factor removed by an administrator")


def _view(status: FactorStatus) -> FactorView:
    return FactorView(
        enabled=status.enabled, enabled_at=status.enabled_at, recovery_codes_left=status.recovery_codes_left
    )
