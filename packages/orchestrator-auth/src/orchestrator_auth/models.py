"""Who somebody is and what they hold: permissions, roles, grants, and the contexts that stand behind a request.

All are frozen, and constructible exactly when valid. A context implements the kernel's `Principal`.

>>> UserContext(user_id="u-1", tenant="hotel-7", permissions={"call:view"}).may("call:view")
True
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.models import require_aware, require_identifier

__all__ = [
    "ALL_TENANTS",
    "Grant",
    "KeyLimits",
    "Permission",
    "Role",
    "ServiceContext",
    "TokenPair",
    "UserContext",
    "require_permission",
    "require_role",
    "require_tenant",
]

ALL_TENANTS: Final = "*"
"""The platform itself: a grant here holds in every tenant."""

_permission = re.compile(r"[a-z][a-z0-9_]{0,63}:[a-z][a-z0-9_]{0,63}\Z")
_role = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")


class Permission(StrEnum):
    """The permissions that the orchestrator's own routes ask for; other services bring their own `resource:verb`."""

    CALL_START = "call:start"
    CALL_END = "call:end"
    CALL_VIEW = "call:view"
    CALL_MANAGE = "call:manage"
    HOTEL_CREATE = "hotel:create"
    HOTEL_UPDATE = "hotel:update"
    HOTEL_DELETE = "hotel:delete"
    HOTEL_VIEW = "hotel:view"
    SYSTEM_CONFIG = "system:config"
    SYSTEM_MONITOR = "system:monitor"
    SYSTEM_ADMIN = "system:admin"
    USER_CREATE = "user:create"
    USER_UPDATE = "user:update"
    USER_DELETE = "user:delete"
    USER_VIEW = "user:view"
    SESSION_VIEW = "session:view"
    SESSION_END = "session:end"
    API_KEY_CREATE = "api_key:create"
    API_KEY_VIEW = "api_key:view"
    API_KEY_REVOKE = "api_key:revoke"
    ROLE_ASSIGN = "role:assign"
    AUDIT_READ = "audit:read"
    SECRET_VIEW = "secret:view"  # noqa: S105 - a permission
    SECRET_ROTATE = "secret:rotate"  # noqa: S105 - a permission
    SLO_VIEW = "slo:view"
    SLO_EVALUATE = "slo:evaluate"
    RUNBOOK_VIEW = "runbook:view"
    RUNBOOK_EXECUTE = "runbook:execute"
    ALERT_ACKNOWLEDGE = "alert:acknowledge"
    RESILIENCE_VIEW = "resilience:view"
    RESILIENCE_MANAGE = "resilience:manage"
    PERFORMANCE_VIEW = "performance:view"
    PERFORMANCE_MANAGE = "performance:manage"
    COMPLIANCE_VIEW = "compliance:view"
    COMPLIANCE_MANAGE = "compliance:manage"
    DATA_ERASE = "data:erase"
    RECOVERY_VIEW = "recovery:view"
    RECOVERY_OPERATE = "recovery:operate"
    RECOVERY_MANAGE = "recovery:manage"


class Role(StrEnum):
    """The roles of the policy that comes with the package."""

    SYSTEM_ADMIN = "system_admin"
    HOTEL_ADMIN = "hotel_admin"
    HOTEL_STAFF = "hotel_staff"
    GUEST_USER = "guest_user"
    OPERATOR = "operator"
    AUDITOR = "auditor"


def require_permission(value: str) -> str:
    """Return `value`, or raise `ValidationError` when it is no `resource:verb` in lower case."""
    if not _permission.match(value):
        raise ValidationError("a permission is resource:verb in lower case", details={"field": "permission"})
    return value


def require_role(value: str) -> str:
    """Return `value`, or raise `ValidationError` when it is no name of a role."""
    if not _role.match(value):
        raise ValidationError("a role is a lower-case word", details={"field": "role"})
    return value


def require_tenant(value: str) -> str:
    """Return `value`, or raise `ValidationError` when it is neither a tenant's id nor `ALL_TENANTS`."""
    return value if value == ALL_TENANTS else require_identifier(value, "tenant")


def _freeze(instance: object, name: str, values: Iterable[str]) -> None:
    if isinstance(values, str):
        raise ValidationError(f"{name} must be a set of strings", details={"field": name})
    object.__setattr__(instance, name, frozenset(values))


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """A role in a tenant, or in all of them."""

    role: str
    tenant: str

    def __post_init__(self) -> None:
        require_role(self.role)
        require_tenant(self.tenant)


class _Acting:
    """What persons and programs have in common: they hold permissions in one tenant, or in all."""

    __slots__ = ()
    tenant: str
    permissions: AbstractSet[str]

    def may(self, permission: str) -> bool:
        """Whether it holds the permission."""
        return permission in self.permissions

    def may_access(self, tenant: str) -> bool:
        """Whether the tenant is open to it."""
        if self.tenant == ALL_TENANTS:
            return bool(tenant) and tenant != ALL_TENANTS
        return tenant == self.tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class UserContext(_Acting):
    """A person behind a request: a `Principal`.

    Attributes:
        user_id: Stable, safe to log.
        tenant: Where the person acts now; `ALL_TENANTS` for the platform's own staff. No tenant but this one is open.
        roles: Held in `tenant`.
        permissions: What the roles come to under the policy in force.
        withheld: What more they come to once a second factor was shown in the session.
        session_id: The session that the credential belongs to.
        token_id: Of the access token; empty for a cookie.
        authenticated_at: When the password, or another first factor, was shown.
        second_factor_at: When a second factor was last shown in this session.
        expires_at: When the credential ends.
    """

    user_id: str
    tenant: str
    roles: AbstractSet[str] = frozenset()
    permissions: AbstractSet[str] = frozenset()
    withheld: AbstractSet[str] = frozenset()
    session_id: str = ""
    token_id: str = ""
    authenticated_at: datetime | None = None
    second_factor_at: datetime | None = None
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        require_identifier(self.user_id, "user id")
        require_tenant(self.tenant)
        _freeze(self, "roles", map(require_role, self.roles))
        _freeze(self, "permissions", map(require_permission, self.permissions))
        _freeze(self, "withheld", map(require_permission, self.withheld))
        for name in ("session_id", "token_id"):
            if value := getattr(self, name):
                require_identifier(value, name)
        for name in ("authenticated_at", "second_factor_at", "expires_at"):
            if (at := getattr(self, name)) is not None:
                require_aware(at, name)

    @property
    def id(self) -> str:
        return self.user_id

    @property
    def is_service(self) -> bool:
        """False: a person."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """How many requests an API key may make; None for no limit of that kind."""

    per_minute: int | None = 100
    per_hour: int | None = 1_000
    per_day: int | None = 10_000

    def __post_init__(self) -> None:
        for name in ("per_minute", "per_hour", "per_day"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 2**31:
                raise ValidationError(f"{name} must be positive", details={"field": name})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContext(_Acting):
    """A program behind a request, known by its API key: a `Principal`.

    Attributes:
        service: Its name.
        key_id: Which of its keys was shown.
        tenant: Where it acts; `ALL_TENANTS` for the platform's own services.
        permissions: The scopes of the key.
    """

    service: str
    key_id: str
    tenant: str
    permissions: AbstractSet[str] = frozenset()
    limits: KeyLimits = field(default_factory=KeyLimits)
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        require_identifier(self.service, "service")
        require_identifier(self.id, "service")
        require_identifier(self.key_id, "key id")
        require_tenant(self.tenant)
        _freeze(self, "permissions", map(require_permission, self.permissions))
        if self.expires_at is not None:
            require_aware(self.expires_at, "expires_at")

    @property
    def id(self) -> str:
        # Whoever makes a key chooses its service's name: it must not be able to read like a person's id.
        return f"service:{self.service}"

    @property
    def is_service(self) -> bool:
        """True: a program."""
        return True

    @property
    def second_factor_at(self) -> datetime | None:
        """None: a program has no second factor."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What a login or a refresh gives (RFC 6749 section 5.1); `expires_in` in seconds."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    session_id: str
    token_type: str = "Bearer"  # noqa: S105 - the kind, no secret
