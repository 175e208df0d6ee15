"""Who may do what, on the whole application: every operation of the OpenAPI document against people and programs of many kinds.

`nox -s authz` takes all roles in all places, over the network, and the sockets.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from app_authz import DENIED, IN, NOBODY, expected, operations, stage
from app_support import TENANT, Client, settings
from fastapi import APIRouter

from orchestrator_app.app import create_app
from orchestrator_app.routers import health
from orchestrator_auth.guard import Proof, Rule
from orchestrator_auth.models import ALL_TENANTS
from orchestrator_kernel.exceptions import ConfigurationError

ROLES = (("hotel_staff", TENANT), ("hotel_admin", "garden"), ("operator", ALL_TENANTS))
FEW = {
    *("nobody", "expired token", "revoked key", "ended session", "service own", "the access token"),
    *(f"{role} of {tenant}" for role, tenant in ROLES),
}


@pytest.mark.asyncio(loop_scope="module")
async def test_every_operation_answers_everybody_as_its_rule_says(service: Client) -> None:
    found = await stage(service, roles=iter(ROLES))
    found.identities = [each for each in found.identities if each.name in FEW]
    assert len(found.identities) == len(FEW)
    every = operations(create_app(service.app))

    assert await found.wrong(every) == []
    assert len(every) > 50
    assert {type(each.rule) for each in every} == {Rule, Proof, type(None)}
    assert {expected(each, who) for each in every for who in found.identities} == {NOBODY, DENIED, IN}


@pytest.mark.parametrize("kind", ["get", "websocket"])
def test_a_route_without_a_rule_keeps_the_application_from_starting(
    data: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    careless = APIRouter()

    async def handler() -> None:
        raise NotImplementedError

    getattr(careless, kind)("/v1/forgotten")(handler)
    monkeypatch.setattr(health, "router", careless)

    with pytest.raises(ConfigurationError, match="/v1/forgotten"):
        create_app(settings(data))
