"""Rules and their enforcement: what a route needs, decided by the policy in force, every refusal audited with its real reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from orchestrator_auth._rbac.policy import shown_within
from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import AccessDenied, SecondFactorRequired
from orchestrator_auth.models import ALL_TENANTS, ServiceContext, UserContext, require_permission
from orchestrator_auth.rbac import PolicyHolder, Reason, require
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.ports import Clock

__all__ = [
    "IN_HANDLER",
    "OWN",
    "PLATFORM",
    "Guard",
    "HandlerForgot",
    "Proof",
    "Rule",
    "TenantFrom",
    "Where",
    "in_body",
    "in_path",
    "in_query",
]


class Where(StrEnum):
    """Where a request says whose the resource is."""

    PATH = "path"
    QUERY = "query"
    BODY = "body"
    PLATFORM = "platform"
    OWN = "own"
    HANDLER = "handler"


@dataclass(frozen=True, slots=True)
class TenantFrom:
    """Where the tenant of a request stands; `name` is that of the parameter, or a dotted path into the JSON body."""

    where: Where
    name: str = ""


PLATFORM = TenantFrom(Where.PLATFORM)
"""The platform's own: only for those whose grant holds in all tenants."""

OWN = TenantFrom(Where.OWN)
"""The principal's own things; no tenant is named."""

IN_HANDLER = TenantFrom(Where.HANDLER)
"""Known only later, from a stored event or another reference: the handler asks the guard again, with the tenant."""


def in_path(name: str) -> TenantFrom:
    """The tenant is this parameter of the path."""
    return TenantFrom(Where.PATH, name)


def in_query(name: str) -> TenantFrom:
    """The tenant is this parameter of the query, once."""
    return TenantFrom(Where.QUERY, name)


def in_body(name: str) -> TenantFrom:
    """The tenant is this member of the JSON body, like `call.tenant_id`."""
    return TenantFrom(Where.BODY, name)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route needs: a permission, in the tenant that is found where `tenant` says.

    An empty permission is for every principal, whoever it is.

    Attributes:
        only: Whether persons alone, or services alone, may come.
        second_factor_within: Seconds since a second factor was shown; None where the policy alone says.
    """

    permission: str
    tenant: TenantFrom
    only: Literal["any", "person", "service"] = "any"
    second_factor_within: float | None = None

    def __post_init__(self) -> None:
        if self.permission:
            require_permission(self.permission)
        elif self.tenant is not OWN:
            raise ConfigurationError("only what is one's own needs no permission")


@dataclass(frozen=True, slots=True)
class Proof:
    """Instead of a rule: whoever sends to this route proves it in another way than by a credential of ours, and the route checks it.

    Attributes:
        by: What proves it, like `signature of Twilio`.
    """

    by: str


class HandlerForgot(OrchestratorError):
    """A route whose handler has to ask for the tenant answered without asking: a mistake in the application, and the answer stays here."""

    default_code = "access_not_decided"


class Guard:
    """Decides by the policy in force, and tells the audit what it refused."""

    def __init__(self, policies: PolicyHolder, *, audit: Auditor, clock: Clock) -> None:
        self._policies = policies
        self._audit = audit
        self._clock = clock

    async def require(
        self,
        principal: UserContext | ServiceContext,
        permission: str,
        *,
        tenant: str | None = None,
        owner: str | None = None,
        platform: bool = False,
    ) -> None:
        """Return if the principal may do this.

        Args:
            principal: Who asks.
            permission: What for.
            tenant: Whose the resource is; None for what belongs to no tenant, `ALL_TENANTS` for what belongs to the platform.
            owner: The principal whose own it is.
            platform: Whether it belongs to the platform.

        Raises:
            AccessDenied: No.
            SecondFactorRequired: Yes, once a second factor was shown recently.
        """
        policy, now = self._policies.policy, self._clock.now()
        if tenant == ALL_TENANTS:
            tenant, platform = None, True
        await self._require_shown(principal, permission, tenant)
        try:
            require(policy.decide(principal, permission, tenant=tenant, owner=owner, now=now))
            if platform and principal.tenant != ALL_TENANTS:
                raise AccessDenied("not of the platform")  # noqa: TRY301 - refused like the rest
        except (AccessDenied, SecondFactorRequired) as error:
            await self.refused(principal, permission, error.reason, tenant)
            raise

    async def require_standing(self, principal: UserContext | ServiceContext, rule: Rule) -> None:
        """Return if the principal is of the kind that the rule is for, and has shown a second factor lately enough.

        Raises:
            AccessDenied: It is of the other kind.
            SecondFactorRequired: It is, once a second factor was shown.
        """
        if rule.only != "any" and (rule.only == "service") is not principal.is_service:
            reason = f"for a {rule.only} only"
            await self.refused(principal, rule.permission, reason, None)
            raise AccessDenied(reason)
        within = rule.second_factor_within
        if within is not None and not shown_within(
            timedelta(seconds=within), principal.second_factor_at, self._clock.now()
        ):
            await self.refused(principal, rule.permission, Reason.SECOND_FACTOR, None)
            raise SecondFactorRequired(Reason.SECOND_FACTOR)

    async def require_held(self, principal: UserContext | ServiceContext, permission: str) -> None:
        """Return if the principal holds the permission at all; whether it does here is asked again, with the tenant.

        Raises:
            AccessDenied: No.
        """
        await self._require_shown(principal, permission, None)
        if not principal.may(permission):
            await self.refused(principal, permission, Reason.NO_PERMISSION, None)
            raise AccessDenied(Reason.NO_PERMISSION)

    async def _require_shown(
        self, principal: UserContext | ServiceContext, permission: str, tenant: str | None
    ) -> None:
        if isinstance(principal, UserContext) and permission in principal.withheld:
            await self.refused(principal, permission, Reason.SECOND_FACTOR, tenant)
            raise SecondFactorRequired(Reason.SECOND_FACTOR)

    async def refused(
        self, principal: UserContext | ServiceContext, permission: str, reason: str, tenant: str | None
    ) -> None:
        """Tell the audit of a refusal."""
        await self._audit.refuse(
            "authz.access.denied",
            reason,
            actor=principal.id,
            permission=permission,
            asked_tenant=(tenant or "")[:128],
            policy=self._policies.policy.revision,
        )
