"""Routes of second factors (extra `[fastapi]`): one's own, and those of people whom one administers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Protocol

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BeforeValidator

from orchestrator_auth._http.bodies import (
    CodeBody,
    EnrolmentView,
    FactorEvent,
    FactorEvents,
    FactorView,
    RecoveryCodes,
    StepUp,
    TokensView,
)
from orchestrator_auth._http.documents import Documents
from orchestrator_auth._http.people_routes import UserId, reached
from orchestrator_auth._http.quiet_route import RequestInvalid
from orchestrator_auth.exceptions import LoginRefused
from orchestrator_auth.fastapi_guard import CurrentAccess, CurrentUser, requires
from orchestrator_auth.guard import IN_HANDLER, OWN
from orchestrator_auth.mfa import AlreadyEnrolled, FactorStatus, NotEnrolled, Subject
from orchestrator_auth.models import UserContext
from orchestrator_auth.service import Auth
from orchestrator_auth.users import UserNotFound
from orchestrator_kernel.models import AuditEvent

_SENSITIVE_SECONDS: Final = 300.0
_DATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")
_PERSON = requires("", tenant=OWN, only="person")
_SURE = requires("", tenant=OWN, only="person", second_factor_within=_SENSITIVE_SECONDS)


class FactorTrail(Protocol):
    """Where the audit events of second factors are read."""

    async def of_user(self, user_id: str, *, before: datetime | None, limit: int) -> Sequence[AuditEvent]:
        """The newest events about one person's second factor, newest first; with `before` those that are older.

        Raises:
            DatabaseError: They cannot be read.
        """
        ...


def add_factor_routes(router: APIRouter, auth: Auth, trail: FactorTrail | None, documents: Documents) -> None:
    """Add them; the one that lists events only where there is a trail."""
    _add_enrolment(router, auth, documents)
    _add_use(router, auth, documents)
    _add_those_of_others(router, auth, documents)
    if trail is not None:
        _add_trail(router, trail, documents)


async def _subject_of(auth: Auth, user: UserContext) -> Subject:
    found = await auth.users.get(user.user_id)
    return Subject(found.id, found.tenant)


def _add_enrolment(router: APIRouter, auth: Auth, documents: Documents) -> None:
    @router.post(
        "/auth/mfa/enroll",
        dependencies=[_PERSON],
        responses=documents(AlreadyEnrolled, UserNotFound, public=False, body=False),
    )
    async def enroll(user: CurrentUser) -> EnrolmentView:
        """Begin with a second factor: the seed as text, URI and QR code, shown this once."""
        login = await auth.users.login_of(await auth.users.get(user.user_id))
        enrolment = await auth.factor.enrol(await _subject_of(auth, user), account=login)
        return EnrolmentView(secret=enrolment.secret, uri=enrolment.uri, qr_svg=enrolment.qr_svg())

    @router.post(
        "/auth/mfa/enroll/verify",
        dependencies=[_PERSON],
        responses=documents(LoginRefused, NotEnrolled, UserNotFound, RequestInvalid, public=False, body=True),
    )
    async def confirm(body: CodeBody, user: CurrentUser) -> RecoveryCodes:
        """Put it in force with a first code; the recovery codes are shown this once."""
        return RecoveryCodes(recovery_codes=list(await auth.factor.confirm(await _subject_of(auth, user), body.code)))

    @router.get("/auth/mfa/status", dependencies=[_PERSON], responses=documents(public=False, body=False))
    async def status(user: CurrentUser) -> FactorView:
        """What I have of a second factor."""
        return _view(await auth.factor.status(user.user_id))


def _add_use(router: APIRouter, auth: Auth, documents: Documents) -> None:
    @router.post(
        "/auth/mfa/verify",
        dependencies=[_PERSON],
        responses=documents(LoginRefused, UserNotFound, RequestInvalid, public=False, body=True),
    )
    async def verify(body: CodeBody, user: CurrentUser) -> StepUp:
        """Show it again, for what needs it to be recent; the new tokens say so."""
        method, pair = await auth.signin.step_up(user, body.code)
        return StepUp(method=str(method), tokens=None if pair is None else TokensView.of(pair))

    @router.post(
        "/auth/mfa/disable",
        status_code=204,
        response_model=None,
        dependencies=[_SURE],
        responses=documents(UserNotFound, public=False, body=False),
    )
    async def disable(user: CurrentUser) -> None:
        """Remove it. It has to have been shown within 5 minutes."""
        await auth.factor.disable(await _subject_of(auth, user), by=user.user_id)

    @router.post(
        "/auth/mfa/recovery-codes/regenerate",
        dependencies=[_SURE],
        responses=documents(NotEnrolled, UserNotFound, public=False, body=False),
    )
    async def regenerate(user: CurrentUser) -> RecoveryCodes:
        """New recovery codes in place of all old ones. It has to have been shown within 5 minutes."""
        codes = await auth.factor.regenerate_recovery_codes(await _subject_of(auth, user))
        return RecoveryCodes(recovery_codes=list(codes))


def _add_those_of_others(router: APIRouter, auth: Auth, documents: Documents) -> None:
    @router.get(
        "/auth/admin/mfa/users/{user_id}/status",
        dependencies=[requires("user:view", tenant=IN_HANDLER)],
        responses=documents(UserNotFound, RequestInvalid, public=False, body=False),
    )
    async def status(user_id: UserId, access: CurrentAccess) -> FactorView:
        """What somebody has of a second factor."""
        user = await reached(auth, user_id, access, "user:view")
        return _view(await auth.factor.status(user.id))

    @router.post(
        "/auth/admin/mfa/users/{user_id}/disable",
        status_code=204,
        response_model=None,
        dependencies=[requires("user:update", tenant=IN_HANDLER)],
        responses=documents(UserNotFound, RequestInvalid, public=False, body=False),
    )
    async def disable(user_id: UserId, access: CurrentAccess) -> None:
        """Remove the second factor of somebody who lost it. Their sessions end."""
        await auth.members.reset_second_factor(await reached(auth, user_id, access, "user:update"), by=access.principal)


def _add_trail(router: APIRouter, trail: FactorTrail, documents: Documents) -> None:
    @router.get(
        "/auth/mfa/audit-log", dependencies=[_PERSON], responses=documents(RequestInvalid, public=False, body=False)
    )
    async def events(
        user: CurrentUser,
        before: Annotated[
            Annotated[AwareDatetime, BeforeValidator(_written_out)] | None,
            Query(description="The `next` of the page before."),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> FactorEvents:
        """What happened to my second factor, newest first."""
        found = await trail.of_user(user.user_id, before=before, limit=limit + 1)
        page = found[:limit]
        return FactorEvents(
            events=[FactorEvent.of(event) for event in page],
            next=page[-1].occurred_at if len(found) > limit else None,
        )


def _written_out(value: object) -> object:
    """Not a bare number, which would be read as seconds since 1970."""
    if isinstance(value, str) and not _DATED.match(value):
        raise ValueError("an instant is written as RFC 3339 has it")
    return value


def _view(status: FactorStatus) -> FactorView:
    return FactorView(
        enabled=status.enabled, enabled_at=status.enabled_at, recovery_codes_left=status.recovery_codes_left
    )
