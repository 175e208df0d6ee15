"""Where keys and revocations lie: API keys in a real OpenBao, revocations and limits in a real Valkey."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path
from uuid import uuid4

import pytest
from app_support import AUTHORIZED, SHORT, TENANT, Commands, running, settings

from orchestrator_app.cli._auth import opened
from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.performance import Performance
from orchestrator_auth.exceptions import TokenRefused
from orchestrator_auth.jwt_service import SigningKey
from orchestrator_auth.models import Grant
from orchestrator_auth.service import Auth
from orchestrator_auth.sessions import Begin
from orchestrator_auth.sql_store import SqlRecords
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


async def test_the_service_logs_in_to_vault_with_the_token_of_an_identity_provider(
    data: Path, tmp_path: Path, openbao: OpenBao
) -> None:
    where, key = f"jwt-{uuid4().hex[:8]}", SigningKey.generate("ES256")
    openbao.request("POST", f"sys/auth/{where}", {"type": "jwt"})
    pem = key.key.as_pem(private=False).decode()
    openbao.request("POST", f"auth/{where}/config", {"jwt_validation_pubkeys": [pem]})
    rules = 'path "secret/*" { capabilities = ["create", "read", "update", "delete", "list"] }'
    openbao.request("PUT", f"sys/policies/acl/{where}", {"policy": rules})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": where}
    openbao.request("POST", f"auth/{where}/role/calls", role)
    file = tmp_path / "jwt"
    vault = {
        "url": openbao.url,
        "jwt_role": "calls",
        "jwt_file": str(file),
        "login_mount": where,
        "api_keys_path": where,
    }
    async with running(settings(data, tenants=SHORT, vault=vault)) as service:
        # No token there yet: that is no wrong key.
        answer = await service.http.post("/auth/api-keys", json=KEY, headers=AUTHORIZED)
        assert (answer.status_code, answer.json()["code"]) == (503, "auth_store_failed")
        file.write_text(identity(key))
        made = (await service.post("/auth/api-keys", KEY)).json()
        assert (await service.http.get("/v1/calls", headers={"x-api-key": made["api_key"]})).status_code == 200
    assert openbao.request("GET", f"secret/data/{where}/record/api_key/{made['key']['key_id']}")


def identity(key: SigningKey) -> str:
    """What an identity provider says of the service."""
    now = int(time.time())
    claims = {"sub": "calls", "aud": "vault", "iat": now, "exp": now + 60}
    parts = [json.dumps(part).encode() for part in ({"alg": "ES256", "kid": key.kid}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    return (signed + b"." + base64.urlsafe_b64encode(key.sign(signed)).rstrip(b"=")).decode()


async def test_sessions_lie_in_valkey_where_every_process_finds_them(data: Path, valkey_database: str) -> None:
    configured = settings(data, tenants=SHORT, auth={"shared_url": valkey_database, "sessions": "shared"})
    async with running(configured) as service, opened(configured) as elsewhere:
        auth = service.app.registry.get(Auth)
        user = await auth.users.create("zoe@example.org", tenant=TENANT, grants=[Grant("hotel_staff", TENANT)])
        pair = await auth.sessions.begin(Begin(user_id=user.id, tenant=TENANT))
        assert await SqlRecords(service.app.registry.get(Databases).data).owned("session", user.id) == []
        new = (await service.http.post("/auth/refresh", json={"refresh_token": pair.refresh_token})).json()
        assert [each.id for each in await elsewhere.sessions.of_user(user.id)] == [pair.session_id]
        # The second use of a token, in another process, ends the session here.
        with pytest.raises(TokenRefused):
            await elsewhere.sessions.refresh(pair.refresh_token)
        await asyncio.sleep(0.6)
        bearer = {"authorization": f"Bearer {new['access_token']}"}
        assert (await service.http.get("/auth/me", headers=bearer)).status_code == 401
    # People are where they were; nobody is signed in without the server.
    async with running(settings(data, tenants=SHORT)) as service:
        auth = service.app.registry.get(Auth)
        assert (await auth.users.get(user.id)).tenant == TENANT
        assert await auth.sessions.of_user(user.id) == []


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

        [pool] = [each for each in service.app.registry.get(Performance).pools.stats() if each.name == "auth"]
        assert (pool.kind, pool.in_use, pool.idle) == ("redis", 0, 1)

        limited = {**KEY, "limits": {"per_minute": 2, "per_hour": 3}}
        made = (await service.http.post("/auth/api-keys", json=limited, headers=AUTHORIZED)).json()
        for _ in range(2):
            assert (await elsewhere.keys.verify(made["api_key"])).service == "pms"
        key = {"x-api-key": made["api_key"]}
        answers = [(await service.http.get("/v1/calls", headers=key)).status_code for _ in range(2)]
        # A minute may end in between; the hour's count is shared too.
        assert answers in ([429, 429], [200, 429])
