"""Roles compiled to sets: every question is then one look-up, and a policy never changes once it is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import Final, Protocol

from orchestrator_auth.exceptions import PolicyInvalid
from orchestrator_auth.models import ALL_TENANTS, Grant, Permission, require_permission, require_role
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.models import require_identifier

_MEMO: Final = 10_000


class Actor(Protocol):
    """What a decision has to know of a principal; `UserContext` and `ServiceContext` are such."""

    @property
    def id(self) -> str:
        """Stable and unique."""
        ...

    @property
    def tenant(self) -> str:
        """Where it acts; `ALL_TENANTS` for the platform's own."""
        ...

    @property
    def is_service(self) -> bool:
        """Whether it is a program."""
        ...

    @property
    def second_factor_at(self) -> datetime | None:
        """When it last showed a second factor."""
        ...

    def may(self, permission: str) -> bool:
        """Whether it holds the permission."""
        ...

    def may_access(self, tenant: str) -> bool:
        """Whether the tenant is open to it."""
        ...


def reaches(actor: Actor, tenant: str) -> bool:
    """Whether a tenant is open to somebody who gives things away there; the platform itself only to its own administrators."""
    if tenant == ALL_TENANTS:
        # Everything that there is in one tenant is still nothing elsewhere.
        return actor.tenant == ALL_TENANTS and actor.may(Permission.SYSTEM_ADMIN)
    return actor.may_access(tenant)


class Reason(StrEnum):
    """Why a decision came out as it did; for the audit."""

    ALLOWED = "allowed"
    NO_PERMISSION = "no permission"
    OTHER_TENANT = "other tenant"
    NOT_OWNER = "not the owner"
    SECOND_FACTOR = "second factor missing or too old"
    SERVICE_ONLY = "for services only"


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, and why."""

    allowed: bool
    reason: Reason


_ALLOWED: Final = Decision(allowed=True, reason=Reason.ALLOWED)
_NO_PERMISSION: Final = Decision(allowed=False, reason=Reason.NO_PERMISSION)
_OTHER_TENANT: Final = Decision(allowed=False, reason=Reason.OTHER_TENANT)
_NOT_OWNER: Final = Decision(allowed=False, reason=Reason.NOT_OWNER)
_SECOND_FACTOR: Final = Decision(allowed=False, reason=Reason.SECOND_FACTOR)
_SERVICE_ONLY: Final = Decision(allowed=False, reason=Reason.SERVICE_ONLY)
_NO_TIME: Final = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a permission needs besides being held.

    Attributes:
        own_tenant: The resource's tenant has to be open to the principal.
        own_resource: The resource has to be the principal's own.
        unless: A permission that lifts `own_resource`.
        second_factor_within: A second factor was shown within so many seconds.
        service_only: Only programs.
    """

    own_tenant: bool = True
    own_resource: bool = False
    unless: str = ""
    second_factor_within: float | None = None
    service_only: bool = False


_Limits = tuple[bool, Condition | None, timedelta | None]
"""A condition as it is asked: whether the tenant counts, what else there is, and how recent a second factor has to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDefinition:
    """What a role may do: its own permissions, and those of the roles it inherits."""

    permissions: frozenset[str] = frozenset()
    inherits: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySource:
    """A policy as written.

    Attributes:
        roles: What every tenant has.
        tenants: Roles that one tenant defines for itself, in place of the general one of that name or besides.
        conditions: By permission.
        vocabulary: Permissions that exist besides `Permission`; any other is a mistake. `*` and `resource:*` stand for all that exist.
    """

    roles: Mapping[str, RoleDefinition]
    tenants: Mapping[str, Mapping[str, RoleDefinition]] = field(default_factory=dict[str, Mapping[str, RoleDefinition]])
    conditions: Mapping[str, Condition] = field(default_factory=dict[str, Condition])
    vocabulary: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision about grants, and what led to it, line by line; `second_factor` where it holds only once one was shown in the session."""

    allowed: bool
    lines: tuple[str, ...]
    second_factor: bool = False


class Policy:
    """Compiled and immutable. `revision` names what it was made from.

    Raises:
        PolicyInvalid: The source contradicts itself; the message names the place.
    """

    def __init__(self, source: PolicySource, *, revision: str = "") -> None:
        self.revision = revision
        self.vocabulary = _vocabulary(source.vocabulary)
        self._roles = _checked(source.roles, source.roles, "roles", self.vocabulary)
        self._tenant_roles = {
            tenant: _checked({**source.roles, **own}, own, f"tenants.{tenant}.roles", self.vocabulary)
            for tenant, own in source.tenants.items()
        }
        for tenant in source.tenants:
            _named(_require_own_tenant, tenant, "tenants")
        self._compiled = {tenant: _compile(roles, tenant) for tenant, roles in self._tenant_roles.items()}
        self._general = _compile(self._roles, "")
        self._conditions = _conditions(source.conditions, self.vocabulary)
        self._limits = {name: _limits(condition) for name, condition in self._conditions.items()}
        self._memo: dict[tuple[str, frozenset[str]], frozenset[str]] = {}

    @property
    def roles(self) -> Mapping[str, RoleDefinition]:
        """The general roles, wildcards resolved."""
        return MappingProxyType(self._roles)

    def condition(self, permission: str) -> Condition | None:
        """What the permission needs besides being held; None for only the tenant."""
        return self._conditions.get(permission)

    def permissions(self, tenant: str, roles: Iterable[str]) -> frozenset[str]:
        """What these roles may do in this tenant; a role that the policy does not know may do nothing."""
        key = tenant, frozenset(roles)
        found = self._memo.get(key)
        if found is None:
            compiled = self._compiled.get(tenant, self._general)
            found = frozenset[str]().union(*(compiled.get(role, frozenset()) for role in key[1]))
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            self._memo[key] = found
        return found

    def decide(
        self,
        actor: Actor,
        permission: str,
        *,
        tenant: str | None = None,
        owner: str | None = None,
        now: datetime | None = None,
    ) -> Decision:
        """Whether the actor may do this.

        Args:
            actor: Who asks, holding what `permissions` gave for its roles.
            permission: What for.
            tenant: Whose the resource is; None for what belongs to no tenant.
            owner: The id of the principal whose own the resource is.
            now: The instant that "recent" counts from; without it nothing is recent.
        """
        if not actor.may(permission):
            return _NO_PERMISSION
        limits = self._limits.get(permission)
        if limits is None:
            return _OTHER_TENANT if tenant is not None and not actor.may_access(tenant) else _ALLOWED
        own_tenant, further, within = limits
        if own_tenant and tenant is not None and not actor.may_access(tenant):
            return _OTHER_TENANT
        if further is not None and (refused := _refused(further, actor, owner)) is not None:
            return refused
        return _ALLOWED if within is None or shown_within(within, actor.second_factor_at, now) else _SECOND_FACTOR

    def explain(
        self, grants: Iterable[Grant], permission: str, tenant: str, *, second_factor_roles: Collection[str] = ()
    ) -> Explanation:
        """Whether these grants come to the permission in the tenant, through which roles, and what else it needs.

        `second_factor_roles` are those that count only in a session where a second factor was shown.

        >>> policy = Policy(PolicySource(roles={"clerk": RoleDefinition(permissions=frozenset({"call:view"}))}))
        >>> policy.explain([Grant("clerk", "hotel-7")], "call:view", "hotel-7").lines
        ('granted by clerk in hotel-7', 'needs: the tenant hotel-7')
        """
        lines: list[str] = []
        allowed = at_once = False
        # A grant on the platform means the general roles, and reaches into every tenant.
        for grant in sorted(grants):
            if grant.tenant not in {tenant, ALL_TENANTS}:
                continue
            path = self._path(grant.tenant, grant.role, permission)
            if path:
                sure = grant.role in second_factor_roles
                allowed, at_once = True, at_once or not sure
                only = ", once a second factor was shown in the session" if sure else ""
                lines.append(f"granted by {' < '.join(path)} in {grant.tenant}{only}")
            else:
                known = grant.role in self._tenant_roles.get(grant.tenant, self._roles)
                lines.append(
                    f"{grant.role} in {grant.tenant} {'does not hold it' if known else 'is unknown to the policy'}"
                )
        if not allowed:
            able = sorted(role for role in self._roles if permission in self._general[role])
            exists = permission in self.vocabulary
            lines.append(f"not granted; held by: {', '.join(able) or 'no role'}" if exists else "no such permission")
        else:
            lines.append(f"needs: {_needs(self._conditions.get(permission), tenant)}")
        return Explanation(allowed, tuple(lines), second_factor=allowed and not at_once)

    def _path(self, tenant: str, role: str, permission: str) -> tuple[str, ...]:
        """From the role to the one it inherits the permission from; empty if it does not."""
        roles = self._tenant_roles.get(tenant, self._roles)
        definition = roles.get(role)
        if definition is None:
            return ()
        if permission in definition.permissions:
            return (role,)
        for parent in definition.inherits:
            if rest := self._path(tenant, parent, permission):
                return (role, *rest)
        return ()


def _limits(condition: Condition) -> _Limits:
    further = condition if condition.service_only or condition.own_resource else None
    within = condition.second_factor_within
    return condition.own_tenant, further, None if within is None else timedelta(seconds=within)


def _refused(condition: Condition, actor: Actor, owner: str | None) -> Decision | None:
    if condition.service_only and not actor.is_service:
        return _SERVICE_ONLY
    if condition.own_resource and owner != actor.id and not (condition.unless and actor.may(condition.unless)):
        return _NOT_OWNER
    return None


def shown_within(time: timedelta, shown: datetime | None, now: datetime | None) -> bool:
    """Whether a second factor was shown in this time until now; one of the future was not."""
    return shown is not None and now is not None and _NO_TIME <= now - shown <= time


def _needs(condition: Condition | None, tenant: str) -> str:
    if condition is None:
        return f"the tenant {tenant}"
    unless = f", unless {condition.unless} is held" if condition.unless else ""
    parts = (
        (condition.own_tenant, f"the tenant {tenant}"),
        (condition.own_resource, f"the resource to be one's own{unless}"),
        (condition.second_factor_within is not None, f"a second factor within {condition.second_factor_within} s"),
        (condition.service_only, "a service"),
    )
    return "; ".join(text for needed, text in parts if needed) or "nothing else"


def _require_own_tenant(value: str) -> str:
    return require_identifier(value, "tenant")


def _vocabulary(more: Collection[str]) -> frozenset[str]:
    for permission in more:
        _named(require_permission, permission, "vocabulary")
    return frozenset(more) | {str(permission) for permission in Permission}


def _named(check: Callable[[str], str], value: str, place: str) -> None:
    try:
        check(value)
    except ValidationError as error:
        raise PolicyInvalid(f"{place}: {value!r}: {error.message}") from None


def _checked(
    reachable: Mapping[str, RoleDefinition], own: Mapping[str, RoleDefinition], place: str, vocabulary: frozenset[str]
) -> dict[str, RoleDefinition]:
    for name, definition in own.items():
        _named(require_role, name, place)
        for parent in definition.inherits:
            if parent not in reachable:
                raise PolicyInvalid(f"{place}.{name}.inherits: there is no role {parent!r}")
    resolved: dict[str, RoleDefinition] = {}
    for name, definition in reachable.items():
        permissions = _resolve(definition.permissions, f"{place}.{name}.permissions", vocabulary)
        resolved[name] = RoleDefinition(
            permissions=permissions, inherits=definition.inherits, description=definition.description
        )
    return resolved


def _resolve(permissions: Iterable[str], place: str, vocabulary: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    for each in permissions:
        prefix = each.removesuffix("*")
        matching = {one for one in vocabulary if one.startswith(prefix)} if prefix != each else {each} & vocabulary
        if not matching or (prefix not in {"", each} and not prefix.endswith(":")):
            raise PolicyInvalid(f"{place}: there is no permission {each!r}; the vocabulary may name it")
        found |= matching
    return frozenset(found)


def _compile(roles: Mapping[str, RoleDefinition], tenant: str) -> dict[str, frozenset[str]]:
    graph = {name: definition.inherits for name, definition in roles.items()}
    compiled: dict[str, frozenset[str]] = {}
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        place = f"tenants.{tenant}.roles" if tenant else "roles"
        raise PolicyInvalid(f"{place}: a role inherits itself: {circle}") from None
    for name in order:
        definition = roles[name]
        compiled[name] = definition.permissions.union(*(compiled[parent] for parent in definition.inherits))
    return compiled


def _conditions(conditions: Mapping[str, Condition], vocabulary: frozenset[str]) -> dict[str, Condition]:
    for permission, condition in conditions.items():
        for name in filter(None, (permission, condition.unless)):
            if name not in vocabulary:
                raise PolicyInvalid(f"conditions.{permission}: there is no permission {name!r}")
        within = condition.second_factor_within
        if within is not None and not 0 < within <= 86_400:
            raise PolicyInvalid(f"conditions.{permission}.second_factor_within: must be up to a day of seconds")
    return dict(conditions)
