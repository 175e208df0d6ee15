"""`orchestrator auth`: people, roles, keys, sessions and signing keys from the shell, on a service that need not run."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from app_support import ROOT_KEY, TENANT, TOKEN, Commands, Done, running, settings

from orchestrator_auth.service import Auth

SECRETS = {"ORCHESTRATOR_SECURITY__ROOT_KEY": ROOT_KEY, "ORCHESTRATOR_SECURITY__ACCESS_TOKEN": TOKEN}
NAMED = {**SECRETS, f"ORCHESTRATOR_TENANTS__{TENANT.upper()}__NAME": "The Harbour House"}


class Shell:
    """Commands on one data folder."""

    def __init__(self, command: Commands, data: Path, folder: Path) -> None:
        self._command = command
        self._data = data
        self._folder = folder

    def __call__(self, *arguments: str, **variables: str) -> Done:
        return self._command("auth", *arguments, "--data", str(self._data), folder=self._folder, **NAMED, **variables)

    def told(self, *arguments: str) -> Any:
        """The JSON document that a command prints."""
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def shell(command: Commands, data: Path, tmp_path: Path) -> Shell:
    return Shell(command, data, tmp_path)


def token_of(link: str) -> str:
    return unquote(link.partition("#")[2])


def test_the_first_administrators_link_is_printed_once_and_a_second_one_ends_it(shell: Shell, data: Path) -> None:
    first = shell.told("first-admin", "root@example.org")["link"]
    second = shell("first-admin", "root@example.org").stdout.splitlines()[-1]
    assert first.startswith("http://127.0.0.1:8080/auth/password/set#")
    assert first != second

    async def choose() -> list[int]:
        async with running(settings(data)) as service:
            return [
                (
                    await service.http.post(
                        "/auth/password/set", json={"token": token_of(each), "password": "several words, long"}
                    )
                ).status_code
                for each in (first, second)
            ]

    assert asyncio.run(choose()) == [401, 204]
    again = shell("first-admin", "other@example.org")
    assert (again.returncode, "There is an administrator already" in again.stderr) == (1, True)


def test_people_come_change_and_go(shell: Shell) -> None:
    shell.told("users", "invite", "zoe@example.org", "--tenant", TENANT, "--role", "hotel_staff")
    [zoe] = shell.told("users", "list", "--tenant", TENANT)
    assert (zoe["name"], zoe["roles"], zoe["state"]) == ("zoe@example.org", [f"hotel_staff in {TENANT}"], "invited")

    refused = shell("explain", "zoe@example.org", "call:end", "--tenant", TENANT)
    assert (refused.returncode, "held by: hotel_admin, system_admin" in refused.stdout) == (1, True)
    assert shell("roles", "grant", zoe["user"], "hotel_admin", "--tenant", TENANT).returncode == 0
    allowed = shell("explain", "zoe@example.org", "call:end", "--tenant", TENANT)
    assert (allowed.returncode, allowed.stdout.splitlines()[1]) == (0, f"granted by hotel_admin in {TENANT}")
    assert shell("roles", "withdraw", zoe["user"], "hotel_admin", "--tenant", TENANT).returncode == 0
    assert shell("explain", "zoe@example.org", "call:end", "--tenant", TENANT).returncode == 1

    shell("users", "disable", "zoe@example.org")
    assert shell.told("users", "show", "zoe@example.org")["state"] == "disabled"
    shell("users", "enable", "zoe@example.org")
    assert "#opr_" in shell("users", "reset-password", "zoe@example.org").stdout
    assert "had none" in shell("users", "reset-second-factor", "zoe@example.org").stdout
    shell("users", "delete", "zoe@example.org")
    assert shell.told("users", "list", "--tenant", TENANT) == []


def test_keys_are_made_shown_once_rotated_and_revoked(shell: Shell) -> None:
    options = ("--tenant", TENANT, "--permission", "call:view", "--permission", "call:start", "--days", "30")
    made = shell.told("keys", "create", "pms", *options)
    assert made["api_key"].startswith("ork_")
    listed = shell("keys", "list", "--tenant", TENANT)
    assert made["key"] in listed.stdout
    assert made["api_key"] not in listed.stdout
    after = shell.told("keys", "rotate", made["key"])
    assert after["api_key"] != made["api_key"]
    shell("keys", "revoke", after["key"])
    states = {
        each["key"]: (each["revoked"] is not None, each["replaced by"])
        for each in shell.told("keys", "list", "--tenant", TENANT)
    }
    assert states == {made["key"]: (False, after["key"]), after["key"]: (True, "")}


def test_signing_keys_are_rotated_while_the_service_runs(shell: Shell, data: Path) -> None:
    async def rotated() -> tuple[int, int, list[str]]:
        async with running(settings(data)) as service:
            auth = service.app.registry.get(Auth)
            user = await auth.users.create("zoe@example.org", tenant=TENANT)
            await auth.admin.grant(user.id, "hotel_staff", tenant=TENANT)
            from orchestrator_auth.sessions import Begin

            pair = await auth.sessions.begin(Begin(user_id=user.id, tenant=TENANT))
            bearer = {"authorization": f"Bearer {pair.access_token}"}
            new = (await asyncio.to_thread(shell.told, "signing-keys", "rotate"))["key"]
            await asyncio.sleep(1.6)
            keys = {each["key"]: each["state"] for each in await asyncio.to_thread(shell.told, "signing-keys", "list")}
            old = next(kid for kid in keys if kid != new)
            before = (await service.http.get("/auth/me", headers=bearer)).status_code
            await asyncio.to_thread(shell, "signing-keys", "remove", old)
            await asyncio.sleep(0.6)
            return before, (await service.http.get("/auth/me", headers=bearer)).status_code, [keys[old], keys[new]]

    assert asyncio.run(rotated()) == (200, 401, ["verifies", "signs"])


def test_sessions_are_listed_and_ended_while_the_service_runs(shell: Shell, data: Path) -> None:
    async def ended() -> list[int]:
        async with running(settings(data)) as service:
            auth = service.app.registry.get(Auth)
            user = await auth.users.create("zoe@example.org", tenant=TENANT, password="several words, long")
            await auth.admin.grant(user.id, "hotel_staff", tenant=TENANT)
            body = {"email": "zoe@example.org", "password": "several words, long"}
            found: list[int] = []
            for how in ("end", "end-all", "revoke-all"):
                tokens = (await service.http.post("/auth/login", json=body)).json()["tokens"]
                bearer = {"authorization": f"Bearer {tokens['access_token']}"}
                found.append((await service.http.get("/auth/me", headers=bearer)).status_code)
                if how == "end":
                    [session] = await asyncio.to_thread(shell.told, "sessions", "list", "zoe@example.org")
                    await asyncio.to_thread(shell, "sessions", "end", session["session"])
                else:
                    arguments = ("sessions", how, "zoe@example.org") if how == "end-all" else (how,)
                    await asyncio.to_thread(shell, *arguments)
                await asyncio.sleep(0.6)
                found.append((await service.http.get("/auth/me", headers=bearer)).status_code)
            return found

    assert asyncio.run(ended()) == [200, 401] * 3


def test_roles_and_the_policy_are_shown_and_a_file_is_checked(shell: Shell, command: Commands, tmp_path: Path) -> None:
    roles = {each["role"]: each for each in shell.told("roles", "list")}
    assert roles["hotel_staff"]["permissions"] == ["call:start", "call:view", "hotel:view"]
    printed = command("auth", "policy", folder=tmp_path)
    (tmp_path / "policy.toml").write_text(printed.stdout)
    assert "hotel_admin" in command("auth", "policy", "policy.toml", folder=tmp_path).stdout
    (tmp_path / "policy.toml").write_text(printed.stdout.replace('"call:view"', '"call:look"'))
    wrong = command("auth", "policy", "policy.toml", folder=tmp_path)
    assert (wrong.returncode, "call:look" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("users", "show", "nobody@example.org"), 1, "There is no such user"),
        (("users", "invite", "a@example.org", "--tenant", "nowhere", "--role", "hotel_staff"), 1, "There is no tenant 'nowhere'"),
        (("users", "invite", "a@example.org", "--tenant", TENANT, "--role", "king"), 1, "no role 'king'"),
        (("keys", "create", "x", "--tenant", TENANT, "--permission", "call:look"), 2, "there is no permission call:look"),
        (("keys", "revoke", "x"), 1, "no such key"),
        (("sessions", "end", "0" * 32), 1, "no such session"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_in_a_sentence(
    shell: Shell, arguments: tuple[str, ...], code: int, told: str
) -> None:
    done = shell(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_state_of_the_door_is_told(shell: Shell, command: Commands, data: Path, tmp_path: Path) -> None:
    def states(**variables: str) -> dict[str, tuple[str, str]]:
        done = command("check", "--security", "--data", str(data), "--json", folder=tmp_path, **NAMED, **variables)
        return {each["what"]: (each["state"], each["detail"]) for each in json.loads(done.stdout)}

    found = states()
    assert found["administrators"] == ("off", "none yet: `orchestrator auth first-admin EMAIL`")
    assert found["access token's reach"] == ("ok", "everything on the platform")
    assert found["documentation"] == ("open", "answers anyone")

    shell("first-admin", "root@example.org")
    shell("keys", "create", "pms", "--tenant", TENANT, "--permission", "call:view")
    production = {"ORCHESTRATOR_ENVIRONMENT": "production", "ORCHESTRATOR_AGENTS__SECRETS__A": "a" * 32}
    found = states(**production)
    assert found["documentation"] == ("ok", "needs a credential")
    assert found["second factor"] == ("ok", "needed for system_admin")
    assert found["access token's reach"][0] == "weak"
    assert found["API keys"][1].startswith("1 in use, in the database")
    assert found["limits of API keys"] == ("ok", "counted in the one process")
    several = {"ORCHESTRATOR_DATABASE__URL": f"sqlite:///{tmp_path / 'several.db'}"}
    assert states(**several)["limits of API keys"][0] == "weak"
    several["ORCHESTRATOR_AUTH__SHARED_URL"] = "redis://127.0.0.1:9"
    assert states(**several)["limits of API keys"] == ("ok", "counted by all processes together")
    (tmp_path / "policy.toml").write_text("version = 2")
    found = states(ORCHESTRATOR_AUTH__POLICY_FILE=str(tmp_path / "policy.toml"))
    assert found["sign-in"] == ("failed", "version: must be 1")
