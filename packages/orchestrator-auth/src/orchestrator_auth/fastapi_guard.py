"""What a route of FastAPI declares and asks for (extra `[fastapi]`), for HTTP and WebSocket.

What the user types:

    @app.get("/v1/hotels/{hotel_id}/calls", dependencies=[requires("call:view", tenant=in_path("hotel_id"))])
    async def calls(hotel_id: str, user: CurrentUser) -> ...: ...

    @app.get("/v1/calls/{call_id}", dependencies=[requires("call:view", tenant=IN_HANDLER)])
    async def call(call_id: str, access: CurrentAccess) -> ...:
        found = await calls.get(call_id)
        await access.to("call:view", tenant=found.tenant)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal, cast

from fastapi import Depends, params
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.requests import HTTPConnection, Request
from fastapi.security.base import SecurityBase

from orchestrator_auth._http.credentials import COOKIE
from orchestrator_auth._http.pending import PENDING, Pending
from orchestrator_auth._http.routes import GUARD_MARK, declarations, path_pattern
from orchestrator_auth.exceptions import AccessDenied, CredentialRefused
from orchestrator_auth.guard import Guard, Proof, Rule, TenantFrom, Where
from orchestrator_auth.models import ALL_TENANTS, ServiceContext, UserContext
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError

__all__ = [
    "Access",
    "CurrentAccess",
    "CurrentPrincipal",
    "CurrentService",
    "CurrentUser",
    "declared_rules",
    "path_pattern",
    "proved_by",
    "requires",
]

Principal = UserContext | ServiceContext


class _Declared(SecurityBase):
    """A scheme as OpenAPI shows it; the middleware has done the work."""

    def __init__(self, name: str, model: HTTPBearer | APIKey) -> None:
        self.scheme_name = name
        self.model = model

    async def __call__(self, connection: HTTPConnection) -> None:
        """Nothing."""

    # Where annotations are postponed, older releases of FastAPI cannot resolve those of an instance.
    __call__.__annotations__ = {"connection": HTTPConnection}  # noqa: RUF012 - of the method, no attribute


_BEARER = _Declared("Bearer", HTTPBearer(bearerFormat="JWT", description="An access token."))
_API_KEY = _Declared(
    "ApiKey", APIKey.model_validate({"in": APIKeyIn.header, "name": "X-API-Key", "description": "An API key."})
)


_COOKIE = _Declared(
    "Session",
    APIKey.model_validate(
        {
            "in": APIKeyIn.cookie,
            "name": COOKIE,
            "description": "A browser's session. What changes something needs its token as `X-CSRF-Token` besides.",
        }
    ),
)


class _Requires:
    """A dependency that lets the request pass if the rule holds."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        setattr(self, GUARD_MARK, rule)

    async def __call__(
        self,
        connection: HTTPConnection,
        _bearer: Annotated[None, Depends(_BEARER)],
        _api_key: Annotated[None, Depends(_API_KEY)],
        _cookie: Annotated[None, Depends(_COOKIE)],
    ) -> None:
        access, where = current_access(connection), self.rule.tenant.where
        principal, permission = access.principal, self.rule.permission
        await access.guard.require_standing(principal, self.rule)
        if not permission:
            return
        if where is Where.HANDLER:
            await access.guard.require_held(principal, permission)
            access.pending.permission = permission
        elif where is Where.PLATFORM:
            await access.guard.require(principal, permission, platform=True)
        elif where is Where.OWN:
            await access.guard.require(principal, permission, owner=principal.id)
        else:
            tenant = await self._tenant(connection)
            if not tenant:
                await access.guard.refused(principal, permission, "request names no tenant", None)
                raise AccessDenied("request names no tenant")
            await access.guard.require(principal, permission, tenant=tenant)

    __call__.__annotations__ = {  # noqa: RUF012 - of the method, no attribute
        "connection": HTTPConnection,
        "_bearer": Annotated[None, Depends(_BEARER)],
        "_api_key": Annotated[None, Depends(_API_KEY)],
        "_cookie": Annotated[None, Depends(_COOKIE)],
    }

    async def _tenant(self, connection: HTTPConnection) -> str | None:
        """The one tenant that the request names; None if it names none or several."""
        source = self.rule.tenant
        if source.where is Where.PATH:
            return str(connection.path_params.get(source.name, ""))
        if source.where is Where.QUERY:
            values = connection.query_params.getlist(source.name)
            return values[0] if len(values) == 1 else None
        return await _in_body(connection, source.name)


def requires(
    permission: str,
    *,
    tenant: TenantFrom,
    only: Literal["any", "person", "service"] = "any",
    second_factor_within: float | None = None,
) -> params.Depends:
    """A dependency that declares and enforces what a route needs.

    Args:
        permission: `resource:verb`; empty for everybody who is known, with `OWN` only.
        tenant: `in_path`, `in_query`, `in_body`, `PLATFORM`, `OWN` or `IN_HANDLER`.
        only: Whether persons alone, or services alone, may come.
        second_factor_within: Seconds since a second factor was shown; None where the policy alone says.
    """
    return params.Depends(_Requires(Rule(permission, tenant, only, second_factor_within)))


def declared_rules(app: object) -> Iterator[tuple[str, frozenset[str], Rule | Proof | None]]:
    """Path, methods (none for a WebSocket) and declaration of every route of an application, for tests that hold it to its word."""
    return declarations(app)


class _ProvedBy:
    """A dependency that does nothing but declare: the route checks the proof."""

    def __init__(self, proof: Proof) -> None:
        setattr(self, GUARD_MARK, proof)

    async def __call__(self) -> None:
        """Nothing."""


def proved_by(what: str) -> params.Depends:
    """A dependency that declares a route whose senders prove themselves otherwise, and which checks that itself: a signature, a token for this one call.

    No credential of ours is asked for there.

    Args:
        what: In words, like `signature of Twilio`.
    """
    return params.Depends(_ProvedBy(Proof(what)))


@dataclass(frozen=True, slots=True)
class Access:
    """For a handler that learns the tenant or the owner only later. One that has to ask and forgets gets no answer out."""

    principal: Principal
    guard: Guard
    pending: Pending = field(default_factory=Pending)

    async def to(self, permission: str, *, tenant: str | None = None, owner: str | None = None) -> None:
        """Return if the principal may do this.

        Raises:
            AccessDenied: No.
            SecondFactorRequired: Yes, once a second factor was shown recently.
        """
        await self.guard.require(self.principal, permission, tenant=tenant, owner=owner)
        self.decided_elsewhere()

    async def confine(self, permission: str, tenant: str | None = None) -> str | None:
        """The tenant that a list has to be confined to: the one asked for, or one's own; None for all, which only the platform's own people see.

        Raises:
            AccessDenied: That tenant is not open to them.
            SecondFactorRequired: It is, once a second factor was shown recently.
        """
        if tenant is None and self.principal.tenant != ALL_TENANTS:
            tenant = self.principal.tenant
        await self.to(permission, tenant=tenant)
        return tenant

    def decided_elsewhere(self) -> None:
        """Say that whatever is called now decides by itself, given the principal."""
        self.pending.permission = ""


def current_principal(connection: HTTPConnection) -> Principal:
    """Who stands behind the request.

    Raises:
        CredentialRefused: Nobody: the path is public, or the middleware is missing.
    """
    principal: object = connection.scope.get("principal")
    if not isinstance(principal, UserContext | ServiceContext):
        raise CredentialRefused("no principal on the scope")
    return principal


def current_user(connection: HTTPConnection) -> UserContext:
    """The person behind the request, never one that the request names.

    Raises:
        AccessDenied: It is a service.
    """
    principal = current_principal(connection)
    if not isinstance(principal, UserContext):
        raise AccessDenied("for users only")
    return principal


def current_service(connection: HTTPConnection) -> ServiceContext:
    """The service behind the request.

    Raises:
        AccessDenied: It is a person.
    """
    principal = current_principal(connection)
    if not isinstance(principal, ServiceContext):
        raise AccessDenied("for services only")
    return principal


def current_access(connection: HTTPConnection) -> Access:
    """The guard, for the principal of the request."""
    guard: object = connection.scope.get("auth_guard")
    if not isinstance(guard, Guard):
        raise ConfigurationError("AuthMiddleware is missing")
    pending: object = connection.scope.get(PENDING)
    return Access(current_principal(connection), guard, pending if isinstance(pending, Pending) else Pending())


async def _in_body(connection: HTTPConnection, name: str) -> str | None:
    if connection.scope["type"] != "http":
        return None
    request = cast("Request", connection)
    try:
        value: object = await request.json()
    except (ValueError, RecursionError):
        raise ValidationError("The body is not JSON.") from None
    for part in name.split("."):
        value = cast("dict[str, object]", value).get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]
CurrentUser = Annotated[UserContext, Depends(current_user)]
CurrentService = Annotated[ServiceContext, Depends(current_service)]
CurrentAccess = Annotated[Access, Depends(current_access)]
