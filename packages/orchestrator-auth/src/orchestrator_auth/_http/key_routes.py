"""Routes of API keys (extra `[fastapi]`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from orchestrator_auth._http.bodies import KeyView, MadeKeyView, NewKeyBody, Tenant
from orchestrator_auth.fastapi_guard import CurrentPrincipal, requires
from orchestrator_auth.guard import IN_HANDLER, in_query
from orchestrator_auth.service import Auth


def add_key_routes(router: APIRouter, auth: Auth) -> None:
    """Add them. Making, rotating and revoking judge the tenant by themselves: `ApiKeys` lets nobody give more than they hold, or elsewhere."""

    @router.post(
        "/auth/api-keys",
        status_code=201,
        dependencies=[requires("api_key:create", tenant=IN_HANDLER)],
        summary="Make a key; its text is shown this once",
    )
    async def create(body: NewKeyBody, principal: CurrentPrincipal) -> MadeKeyView:
        return MadeKeyView.of(await auth.keys.create(body.new_key(), by=principal))

    @router.get(
        "/auth/api-keys",
        dependencies=[requires("api_key:view", tenant=in_query("tenant"))],
        summary="The keys of a tenant",
    )
    async def list_keys(tenant: Annotated[Tenant, Query()]) -> list[KeyView]:
        return [KeyView.of(key) for key in await auth.keys.of_tenant(tenant)]

    @router.post(
        "/auth/api-keys/{key_id}/rotate",
        dependencies=[requires("api_key:create", tenant=IN_HANDLER)],
        summary="A successor for a key, which works a day longer",
    )
    async def rotate(key_id: str, principal: CurrentPrincipal) -> MadeKeyView:
        return MadeKeyView.of(await auth.keys.rotate(key_id, by=principal))

    @router.delete(
        "/auth/api-keys/{key_id}",
        status_code=204,
        response_model=None,
        dependencies=[requires("api_key:revoke", tenant=IN_HANDLER)],
        summary="Refuse a key from now on",
    )
    async def revoke(key_id: str, principal: CurrentPrincipal) -> None:
        await auth.keys.revoke(key_id, by=principal)
