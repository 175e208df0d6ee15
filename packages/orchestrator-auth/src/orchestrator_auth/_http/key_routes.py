"""Routes of API keys (extra `[fastapi]`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from orchestrator_auth._http.bodies import KeyView, MadeKeyView, NewKeyBody, Tenant
from orchestrator_auth._http.documents import Documents
from orchestrator_auth._http.quiet_route import RequestInvalid
from orchestrator_auth.api_keys import ApiKeyNotFound, TenantUnknown
from orchestrator_auth.fastapi_guard import CurrentAccess, requires
from orchestrator_auth.guard import IN_HANDLER, in_query
from orchestrator_auth.service import Auth

KeyId = Annotated[str, Path(pattern="^[0-9A-Za-z]{16}$")]


def add_key_routes(router: APIRouter, auth: Auth, documents: Documents) -> None:
    """Add them. Making, rotating and revoking judge the tenant by themselves: `ApiKeys` lets nobody give more than they hold, or elsewhere."""

    @router.post(
        "/auth/api-keys",
        status_code=201,
        dependencies=[requires("api_key:create", tenant=IN_HANDLER)],
        responses=documents(TenantUnknown, RequestInvalid, public=False, body=True),
    )
    async def create(body: NewKeyBody, access: CurrentAccess) -> MadeKeyView:
        """Make a key for a service; its text is shown this once. It may do no more than whoever makes it."""
        access.decided_elsewhere()
        return MadeKeyView.of(await auth.keys.create(body.new_key(), by=access.principal))

    @router.get(
        "/auth/api-keys",
        dependencies=[requires("api_key:view", tenant=in_query("tenant"))],
        responses=documents(RequestInvalid, public=False, body=False),
    )
    async def list_keys(tenant: Annotated[Tenant, Query()]) -> list[KeyView]:
        """The keys of a tenant, those that are over included; `*` is the platform."""
        return [KeyView.of(key) for key in await auth.keys.of_tenant(tenant)]

    @router.post(
        "/auth/api-keys/{key_id}/rotate",
        status_code=201,
        dependencies=[requires("api_key:create", tenant=IN_HANDLER)],
        responses=documents(ApiKeyNotFound, RequestInvalid, public=False, body=False),
    )
    async def rotate(key_id: KeyId, access: CurrentAccess) -> MadeKeyView:
        """A successor for a key, which works a day longer."""
        access.decided_elsewhere()
        return MadeKeyView.of(await auth.keys.rotate(key_id, by=access.principal))

    @router.delete(
        "/auth/api-keys/{key_id}",
        status_code=204,
        response_model=None,
        dependencies=[requires("api_key:revoke", tenant=IN_HANDLER)],
        responses=documents(ApiKeyNotFound, RequestInvalid, public=False, body=False),
    )
    async def revoke(key_id: KeyId, access: CurrentAccess) -> None:
        """Refuse a key from now on."""
        access.decided_elsewhere()
        await auth.keys.revoke(key_id, by=access.principal)
