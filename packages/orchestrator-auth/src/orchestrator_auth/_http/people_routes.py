"""Routes for the people of a tenant (extra `[fastapi]`): who there is, invited, kept out, given and taken roles. Nobody manages somebody who may do more than they."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query

from orchestrator_auth._http.bodies import Invite, Invited, PersonView, RoleName, Tenant
from orchestrator_auth._http.documents import Documents
from orchestrator_auth._http.quiet_route import RequestInvalid
from orchestrator_auth._http.reset_mail import ResetMail
from orchestrator_auth.fastapi_guard import CurrentAccess, requires
from orchestrator_auth.guard import IN_HANDLER, in_body, in_query
from orchestrator_auth.members import RoleUnknown, TenantUnknown
from orchestrator_auth.models import Grant
from orchestrator_auth.service import Auth
from orchestrator_auth.users import LoginTaken, User, UserNotFound

UserId = Annotated[str, Path(pattern=r"^u-[0-9a-f]{24}$")]
InTenant = Annotated[Tenant, Query(description="Where the role holds; `*` is the platform.")]
_ASSIGNS: Final = requires("role:assign", tenant=in_query("tenant"))
_UPDATES: Final = requires("user:update", tenant=IN_HANDLER)


def add_people_routes(router: APIRouter, auth: Auth, mail: ResetMail, documents: Documents) -> None:
    """Add them."""
    _add_lists(router, auth, documents)
    _add_invitation(router, auth, mail, documents)
    _add_doors(router, auth, documents)
    _add_roles(router, auth, documents)


def _add_lists(router: APIRouter, auth: Auth, documents: Documents) -> None:
    @router.get(
        "/auth/users",
        dependencies=[requires("user:view", tenant=in_query("tenant"))],
        responses=documents(RequestInvalid, public=False, body=False),
    )
    async def people(
        tenant: Annotated[Tenant, Query(description="Whose people; `*` is the platform.")],
        after: Annotated[str, Query(pattern=r"^(u-[0-9a-f]{24})?$", description="The last `user_id` so far.")] = "",
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> list[PersonView]:
        """Who is at home in a tenant, by id; fewer than `limit` on the last page."""
        found = await auth.users.of_tenant(tenant, after=after, limit=limit)
        return [await _view(auth, user) for user in found]

    @router.get(
        "/auth/users/{user_id}",
        dependencies=[requires("user:view", tenant=IN_HANDLER)],
        responses=documents(UserNotFound, RequestInvalid, public=False, body=False),
    )
    async def person(user_id: UserId, access: CurrentAccess) -> PersonView:
        """Somebody, with their roles."""
        return await _view(auth, await reached(auth, user_id, access, "user:view"))


def _add_invitation(router: APIRouter, auth: Auth, mail: ResetMail, documents: Documents) -> None:
    @router.post(
        "/auth/users",
        status_code=201,
        dependencies=[requires("role:assign", tenant=in_body("tenant"))],
        responses=documents(LoginTaken, RoleUnknown, TenantUnknown, RequestInvalid, public=False, body=True),
    )
    async def invite(body: Invite, access: CurrentAccess) -> Invited:
        """Add somebody with a first role. They choose their password with a token, sent by mail or shown this once."""
        await access.to("user:create", tenant=body.tenant)
        invited = await auth.members.invite(body.login, Grant(body.role, body.tenant), by=access.principal)
        sent = await mail.invite(invited.user, invited.token)
        return Invited(user=await _view(auth, invited.user), token=None if sent else invited.token)


def _add_doors(router: APIRouter, auth: Auth, documents: Documents) -> None:
    @router.post(
        "/auth/users/{user_id}/disable",
        status_code=204,
        response_model=None,
        dependencies=[_UPDATES],
        responses=documents(UserNotFound, RequestInvalid, public=False, body=False),
    )
    async def disable(user_id: UserId, access: CurrentAccess) -> None:
        """Keep somebody out. Their sessions and tokens end at once."""
        await auth.members.disable(await reached(auth, user_id, access, "user:update"), by=access.principal)

    @router.post(
        "/auth/users/{user_id}/enable",
        status_code=204,
        response_model=None,
        dependencies=[_UPDATES],
        responses=documents(UserNotFound, RequestInvalid, public=False, body=False),
    )
    async def enable(user_id: UserId, access: CurrentAccess) -> None:
        """Let somebody in again."""
        await auth.members.enable(await reached(auth, user_id, access, "user:update"), by=access.principal)


def _add_roles(router: APIRouter, auth: Auth, documents: Documents) -> None:
    @router.put(
        "/auth/users/{user_id}/roles/{role}",
        status_code=204,
        response_model=None,
        dependencies=[_ASSIGNS],
        responses=documents(UserNotFound, RoleUnknown, TenantUnknown, RequestInvalid, public=False, body=False),
    )
    async def give(user_id: UserId, role: Annotated[RoleName, Path()], tenant: InTenant, access: CurrentAccess) -> None:
        """Give a role. It may come to no more than whoever gives it holds there."""
        user = await reached(auth, user_id, access, "user:update")
        await auth.members.give(user, Grant(role, tenant), by=access.principal)

    @router.delete(
        "/auth/users/{user_id}/roles/{role}",
        status_code=204,
        response_model=None,
        dependencies=[_ASSIGNS],
        responses=documents(UserNotFound, RequestInvalid, public=False, body=False),
    )
    async def take(user_id: UserId, role: Annotated[RoleName, Path()], tenant: InTenant, access: CurrentAccess) -> None:
        """Take a role away. Access tokens that still hold it are refused."""
        user = await reached(auth, user_id, access, "user:update")
        await auth.members.take(user, Grant(role, tenant), by=access.principal)


async def reached(auth: Auth, user_id: str, access: CurrentAccess, permission: str) -> User:
    """Somebody at home where the principal holds a permission.

    Raises:
        UserNotFound: There is no such user.
        AccessDenied: The principal does not hold it there.
        SecondFactorRequired: The policy asks for one.
    """
    user = await auth.users.get(user_id)
    await access.to(permission, tenant=user.tenant)
    return user


async def _view(auth: Auth, user: User) -> PersonView:
    status = await auth.factor.status(user.id)
    return PersonView.of(user, login=await auth.users.login_of(user), second_factor=status.enabled)
