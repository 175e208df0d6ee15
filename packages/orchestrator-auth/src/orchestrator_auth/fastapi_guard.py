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

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, params
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.requests import HTTPConnection, Request
from fastapi.security.base import SecurityBase

from orchestrator_auth._http.routes import GUARD_MARK
from orchestrator_auth.exceptions import AccessDenied, CredentialRefused
from orchestrator_auth.guard import Guard, Rule, TenantFrom, Where
from orchestrator_auth.models import ServiceContext, UserContext
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError

__all__ = ["Access", "CurrentAccess", "CurrentPrincipal", "CurrentService", "CurrentUser", "requires"]

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
    ) -> None:
        if not self.rule.permission:
            current_principal(connection)
            return
        access, where = current_access(connection), self.rule.tenant.where
        principal, permission = access.principal, self.rule.permission
        if where is Where.HANDLER:
            await access.guard.require_held(principal, permission)
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


def requires(permission: str, *, tenant: TenantFrom) -> params.Depends:
    """A dependency that declares and enforces what a route needs.

    Args:
        permission: `resource:verb`; empty for everybody who is known, with `OWN` only.
        tenant: `in_path`, `in_query`, `in_body`, `PLATFORM`, `OWN` or `IN_HANDLER`.
    """
    return params.Depends(_Requires(Rule(permission, tenant)))


@dataclass(frozen=True, slots=True)
class Access:
    """For a handler that learns the tenant or the owner only later."""

    principal: Principal
    guard: Guard

    async def to(self, permission: str, *, tenant: str | None = None, owner: str | None = None) -> None:
        """Return if the principal may do this.

        Raises:
            AccessDenied: No.
            SecondFactorRequired: Yes, once a second factor was shown recently.
        """
        await self.guard.require(self.principal, permission, tenant=tenant, owner=owner)


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
    return Access(current_principal(connection), guard)


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
