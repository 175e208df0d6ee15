"""Where keys and revocations lie: API keys in a real OpenBao, revocations and limits in a real Valkey."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from app_support import AUTHORIZED, SHORT, TENANT, Commands, running, settings

from orchestrator_app.cli._auth import opened
from orchestrator_auth.exceptions import TokenRefused
from orchestrator_auth.models import Grant
from orchestrator_auth.service import Auth
from orchestrator_auth.sessions import Begin
from orchestrator_testing.servers import OpenBao

KEY = {"service": "pms", "tenant": TENANT, "permissions": ["call:view"]}


async def test_api_keys_lie_in_vault_and_an_outage_is_no_wrong_key(data: Path, openbao: OpenBao) -> None:
    vault = {"url": openbao.url, "token": openbao.token, "api_keys_path": "desk/keys"}
    async with running(settings(data, tenants=SHORT, vault=vault)) as service:
        made = (await service.post("/auth/api-keys", KEY)).json()
        headers = {"x-api-key": made["api_key"]}
        assert (await service.http.get("/v1/calls", headers=headers)).status_code == 200
        kept = openbao.request("GET", f"secret/data/desk/keys/record/api_key/{made['key']['key_id']}")
        assert made["api_key"] not in str(kept)
        assert "call:view" in str(kept)
        assert (await service.get("/auth/api-keys", tenant=TENANT)).json()[0]["service"] == "pms"
    # Nothing of it in the database.
    async with running(settings(data, tenants=SHORT)) as service:
        assert (await service.http.get("/v1/calls", headers=headers)).status_code == 401
    gone = {**vault, "url": "http://127.0.0.1:9"}
    async with running(settings(data, tenants=SHORT, vault=gone)) as service:
        answer = await service.http.get("/v1/calls", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "auth_store_failed")
        assert (await service.get("/v1/calls")).status_code == 200


def test_the_state_of_the_keys_in_vault_is_told(
    data: Path, tmp_path: Path, command: Commands, openbao: OpenBao
) -> None:
    variables = {"ORCHESTRATOR_VAULT__URL": openbao.url, "ORCHESTRATOR_VAULT__TOKEN": openbao.token}
    told = command("check", "--security", "--data", str(data), folder=tmp_path, **variables)
    assert "in Vault at" in told.stdout


async def test_processes_share_revocations_and_the_counts_of_keys_in_valkey(data: Path, valkey_database: str) -> None:
    configured = settings(data, tenants=SHORT, auth={"shared_url": valkey_database})
    async with running(configured) as service, opened(configured) as elsewhere:
        auth = service.app.registry.get(Auth)
        user = await auth.users.create("zoe@example.org", tenant=TENANT, grants=[Grant("hotel_staff", TENANT)])
        pair = await auth.sessions.begin(Begin(user_id=user.id, tenant=TENANT))
        bearer = {"authorization": f"Bearer {pair.access_token}"}
        assert (await elsewhere.verifier.verify(pair.access_token)).subject == user.id
        assert (await service.http.post("/auth/logout", json={}, headers=bearer)).status_code == 204
        await asyncio.sleep(0.6)
        with pytest.raises(TokenRefused, match="Not accepted"):
            await elsewhere.verifier.verify(pair.access_token)

        limited = {**KEY, "limits": {"per_minute": 2, "per_hour": 3}}
        made = (await service.http.post("/auth/api-keys", json=limited, headers=AUTHORIZED)).json()
        for _ in range(2):
            assert (await elsewhere.keys.verify(made["api_key"])).service == "pms"
        key = {"x-api-key": made["api_key"]}
        answers = [(await service.http.get("/v1/calls", headers=key)).status_code for _ in range(2)]
        # A minute may end in between; the hour's count is shared too.
        assert answers in ([429, 429], [200, 429])
