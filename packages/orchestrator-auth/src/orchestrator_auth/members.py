"""What administrators do for the people of a tenant: invite them, keep them out, give and take roles. Nobody manages somebody who may do more than they.

What the user types:

    members = auth.members
    invited = await members.invite("zoe@hotel.example", Grant("hotel_staff", "hotel-7"), by=principal)
    await members.disable(invited.user, by=principal)

Whether `by` holds the permission for it (`user:view`, `user:update`, …) in the tenant is for the caller to ask before; what is asked here holds besides.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from orchestrator_auth._jwt.revocation import Revocations
from orchestrator_auth._rbac.policy import Actor
from orchestrator_auth._rbac.tenants import TenantUnknown, require_tenant
from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import AccessDenied
from orchestrator_auth.mfa import SecondFactor, Subject
from orchestrator_auth.models import Grant
from orchestrator_auth.rbac import PolicyHolder
from orchestrator_auth.sessions import Sessions
from orchestrator_auth.users import User, Users, covers
from orchestrator_kernel.exceptions import ValidationError

__all__ = ["INVITATION_SECONDS", "Invitation", "Members", "RoleUnknown", "TenantUnknown"]

INVITATION_SECONDS: Final = 86_400.0
"""How long the token of an invitation works."""


class RoleUnknown(ValidationError):
    """The policy has no such role in this tenant; whoever got it would hold nothing."""

    default_code = "role_unknown"
    default_status = 404


@dataclass(frozen=True, slots=True)
class Invitation:
    """A new person, and the token with which they choose their password, once."""

    user: User
    token: str = field(repr=False)


class Members:
    """The people of all tenants, as their administrators see them; `tenants` are those that there are, where that is known."""

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        factor: SecondFactor,
        revocations: Revocations,
        *,
        policies: PolicyHolder,
        audit: Auditor,
        tenants: Collection[str] | None = None,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._factor = factor
        self._revocations = revocations
        self._policies = policies
        self._audit = audit
        self._tenants = tenants

    async def invite(self, login: str, grant: Grant, *, by: Actor) -> Invitation:
        """A new person at home in the tenant of their first role.

        Raises:
            AccessDenied: The role may do more than `by`, or elsewhere.
            RoleUnknown: The policy does not know the role.
            TenantUnknown: There is no such tenant.
            LoginTaken: Somebody has the name.
            ValidationError: The name is none.
        """
        await self._require_role(grant, by)
        user = await self._users.create(login, tenant=grant.tenant, by=by.id)
        user = await self._users.grant(user.id, grant, by=by, policy=self._policies.policy)
        return Invitation(user, await self._users.issue_reset(user, lifetime=INVITATION_SECONDS, by=by.id))

    async def give(self, user: User, grant: Grant, *, by: Actor) -> User:
        """Give a role.

        Raises:
            AccessDenied: The role, or the person, may do more than `by`.
            RoleUnknown: The policy does not know the role.
            TenantUnknown: There is no such tenant.
            UserNotFound: The person was removed meanwhile.
        """
        await self._require_less(user, by)
        await self._require_role(grant, by)
        return await self._users.grant(user.id, grant, by=by, policy=self._policies.policy)

    async def take(self, user: User, grant: Grant, *, by: Actor) -> User:
        """Take a role away, and end the person's tokens that still hold it.

        Raises:
            AccessDenied: The person may do more than `by`, or the tenant is not open to `by`.
            UserNotFound: The person was removed meanwhile.
        """
        await self._require_less(user, by)
        changed = await self._users.withdraw(user.id, grant, by=by)
        await self._revocations.revoke_user(user.id)
        return changed

    async def disable(self, user: User, *, by: Actor) -> User:
        """Keep somebody out, at once.

        Raises:
            AccessDenied: They may do more than `by`, or are `by`.
            UserNotFound: They were removed meanwhile.
        """
        await self._require_less(user, by)
        if user.id == by.id:
            await self._refuse(user, by, "nobody keeps out themselves")
        changed = await self._users.set_disabled(user.id, disabled=True, by=by.id)
        await self._sessions.end_all(user.id, reason="disabled", by=by.id)
        return changed

    async def enable(self, user: User, *, by: Actor) -> User:
        """Let somebody in again.

        Raises:
            AccessDenied: They may do more than `by`.
            UserNotFound: They were removed meanwhile.
        """
        await self._require_less(user, by)
        return await self._users.set_disabled(user.id, disabled=False, by=by.id)

    async def reset_second_factor(self, user: User, *, by: Actor) -> bool:
        """Remove the second factor of somebody who lost it, and end their sessions; false if there was none.

        Raises:
            AccessDenied: They may do more than `by`.
        """
        await self._require_less(user, by)
        removed = await self._factor.disable(Subject(user.id, user.tenant), by=by.id)
        await self._sessions.end_all(user.id, reason="second factor removed by an administrator", by=by.id)
        return removed

    async def _require_role(self, grant: Grant, by: Actor) -> None:
        policy = self._policies.policy
        if not covers(by, grant, policy):
            await self._audit.refuse("authz.role.assignment", "more than the giver holds", actor=by.id)
            raise AccessDenied("the role may do more than its giver, or elsewhere")
        require_tenant(grant.tenant, self._tenants)
        if grant.role not in policy.roles and not policy.permissions(grant.tenant, {grant.role}):
            raise RoleUnknown(f"The policy has no role {grant.role!r}; it has {', '.join(sorted(policy.roles))}.")

    async def _require_less(self, user: User, by: Actor) -> None:
        # Else the administrator of one hotel could take the second factor, and then the account, of the platform's.
        if user.id != by.id and not all(covers(by, grant, self._policies.policy) for grant in user.grants):
            await self._refuse(user, by, "may do more than whoever manages them")

    async def _refuse(self, user: User, by: Actor, reason: str) -> None:
        await self._audit.refuse("authz.user.management", reason, actor=by.id, user=user.id)
        raise AccessDenied(reason)
