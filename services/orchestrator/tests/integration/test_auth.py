"""Signing in on the whole application: from the first administrator's link to a second factor, keys of services, and what the earlier service got wrong."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import re
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from app_support import (
    AGENT_SECRET,
    AUTHORIZED,
    ROOT_KEY,
    SHORT,
    TENANT,
    TOKEN,
    Client,
    Commands,
    Process,
    client_of,
    new_call,
    running,
    settings,
)

from orchestrator_auth.mfa import authenticator_code
from orchestrator_auth.models import ALL_TENANTS, Grant
from orchestrator_auth.service import Auth
from orchestrator_auth.sessions import Begin
from orchestrator_kernel.ports import SystemClock

shared = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "a password of several words"
SECRETS = {
    "ORCHESTRATOR_SECURITY__ROOT_KEY": ROOT_KEY,
    "ORCHESTRATOR_SECURITY__ACCESS_TOKEN": TOKEN,
    "ORCHESTRATOR_AGENTS__SECRETS__FIRST": AGENT_SECRET,
    "ORCHESTRATOR_LOG__FORMAT": "json",
}


@dataclass
class Person:
    """Somebody with a name and a password."""

    client: Client
    email: str
    user_id: str

    async def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        return await self.client.http.post(path, json=body, headers=headers)

    async def sign_in(self) -> dict[str, str]:
        """The headers of a fresh session."""
        answer = await self.post("/auth/login", {"email": self.email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return {"authorization": f"Bearer {answer.json()['tokens']['access_token']}"}


_numbers = itertools.count(1)


async def person(client: Client, name: str, role: str, tenant: str) -> Person:
    """Somebody new."""
    auth, email = client.app.registry.get(Auth), f"{name}-{next(_numbers)}@example.org"
    user = await auth.users.create(email, tenant=tenant, grants=[Grant(role, tenant)], password=PASSWORD)
    return Person(client, email, user.id)


def code_for(secret: str, *, later: float = 0) -> str:
    return authenticator_code(secret, SystemClock().now() + timedelta(seconds=later))


# --- from the link to the second factor


async def test_from_the_first_link_to_a_second_factor(data: Path, tmp_path: Path, command: Commands) -> None:
    """The administrator is made in the shell of a service that runs, and all the rest happens over the network."""
    with Process(tmp_path, "--data", str(data), **SECRETS) as process:
        made = await asyncio.to_thread(
            command,
            "auth",
            "first-admin",
            "root@example.org",
            "--data",
            str(data),
            "--json",
            folder=tmp_path,
            **SECRETS,
        )
        token = unquote(json.loads(made.stdout)["link"].partition("#")[2])
        async with client_of(process) as client:
            http = client.http
            page = await http.get("/auth/password/set")
            assert (page.status_code, "Choose a password" in page.text) == (200, True)
            spend = {"token": token, "password": PASSWORD}
            assert [(await http.post("/auth/password/set", json=spend)).status_code for _ in range(2)] == [204, 401]

            root = {"email": "root@example.org", "password": PASSWORD}
            tokens = (await http.post("/auth/login", json=root)).json()["tokens"]
            bearer = {"authorization": f"Bearer {tokens['access_token']}"}
            assert (await http.get("/metrics", headers=bearer)).status_code == 200

            enrolment = (await http.post("/auth/mfa/enroll", headers=bearer)).json()
            code = code_for(enrolment["secret"])
            confirmed = await http.post("/auth/mfa/enroll/verify", json={"code": code}, headers=bearer)
            assert len(confirmed.json()["recovery_codes"]) == 10

            asked = (await http.post("/auth/login", json=root)).json()
            assert asked["tokens"] is None
            answer = {"challenge": asked["second_factor"]["challenge"], "code": code_for(enrolment["secret"], later=30)}
            entered = await http.post("/auth/login/second-factor", json=answer)
            bearer = {"authorization": f"Bearer {entered.json()['tokens']['access_token']}"}
            assert (await http.get("/auth/me", headers=bearer)).json()["second_factor_at"]

            trail = (await http.get("/auth/mfa/audit-log", params={"limit": 2}, headers=bearer)).json()
            assert [each["type"] for each in trail["events"]] == ["mfa.verification", "mfa.recovery_code_generated"]
            older = await http.get("/auth/mfa/audit-log", params={"before": trail["next"]}, headers=bearer)
            assert [each["type"] for each in older.json()["events"]] == ["mfa.verification", "mfa.enrollment"]
        process.signal()
        process.wait()
        written = b"".join(each.read_bytes() for each in data.iterdir()) + process.log.encode()
    secrets = (
        "root@example.org",
        PASSWORD,
        token,
        enrolment["secret"],
        tokens["access_token"],
        tokens["refresh_token"],
    )
    assert [each for each in secrets if each.encode() in written] == []


@shared
async def test_the_page_runs_its_own_script_and_no_other(service: Client) -> None:
    page = await service.http.get("/auth/password/set")
    allowed = page.headers["content-security-policy"]
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in allowed
    assert "unsafe-inline" not in allowed


@shared
async def test_the_page_leads_on_to_the_consoles_sign_in(service: Client) -> None:
    page = await service.http.get("/auth/password/set")
    [link] = re.findall(r'<a href="([^"]+)">', page.text)
    door = await service.http.get(str(page.url.join(link)))
    assert (door.status_code, 'type="password"' in door.text) == (200, True)


@shared
async def test_the_page_for_a_password_hides_it_and_lets_it_be_pasted(service: Client) -> None:
    page = (await service.http.get("/auth/password/set")).text
    fields = re.findall(r"<input [^>]*>", page)
    assert [each for each in fields if 'type="password"' not in each or 'autocomplete="new-password"' not in each] == []
    assert "onpaste" not in page
    assert "paste" not in page


@shared
async def test_a_browser_of_our_own_page_signs_in_and_changes_things_and_no_other_page_does(service: Client) -> None:
    zoe = await person(service, "zoe", "hotel_admin", TENANT)
    page = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
    body = {"email": zoe.email, "password": PASSWORD, "browser": True}
    answer = await zoe.post("/auth/login", body, **page)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    assert len(cookie.partition(";")[0]) <= 4096
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    sent = {"cookie": cookie.partition(";")[0]}
    csrf = {"x-csrf-token": answer.json()["csrf_token"]}
    service.http.cookies.clear()

    assert (await service.http.get("/auth/me", headers=sent)).json()["tenant"] == TENANT
    assert (await service.http.get("/auth/csrf", headers=sent)).json() == {"csrf_token": csrf["x-csrf-token"]}
    elsewhere = {**sent, **csrf, "origin": "http://localhost.evil.example", "sec-fetch-site": "cross-site"}
    for headers, status in (
        ({**sent, **page}, 401),
        ({**sent, **page, "x-csrf-token": "x" * 64}, 401),
        (elsewhere, 403),
        ({**sent, **page, **csrf}, 204),
        ({**sent, **page, **csrf}, 401),
    ):
        assert (await service.http.post("/auth/logout", json={}, headers=headers)).status_code == status


# --- who they are to the rest of the application


@shared
async def test_people_see_the_calls_of_their_tenant_and_the_audit_knows_who_and_why(service: Client) -> None:
    ours, theirs = new_call(), new_call()
    await service.event(ours, "call_started")
    await service.event(theirs, "call_started", tenant="garden")
    member = await person(service, "zoe", "hotel_admin", TENANT)
    zoe = await member.sign_in()

    listed = await service.http.get("/v1/calls", headers=zoe)
    assert {each["tenant"] for each in listed.json()["calls"]} == {TENANT}
    for path in ("/v1/calls?tenant=garden", f"/v1/calls/{theirs}", "/metrics", "/resilience/health"):
        assert (await service.http.get(path, headers=zoe)).status_code == 403
    assert (await service.http.get(f"/v1/calls?before={theirs}", headers=zoe)).status_code == 404
    body = {"caller_id": "+4915112345678", "tenant_id": "garden"}
    assert (await service.http.post("/v1/call/start", json=body, headers=zoe)).status_code == 403
    body["tenant_id"] = TENANT
    assert (await service.http.post("/v1/call/start", json=body, headers=zoe)).status_code == 200
    assert (await service.http.get(f"/v1/calls/{ours}", headers=zoe)).json()["id"] == ours

    read = await service.audited("pii.access", f"call:{ours}")
    assert (read.actor, read.tenant, read.outcome) == (member.user_id, TENANT, "success")
    refused = await service.audited("pii.access", f"call:{theirs}")
    assert (refused.actor, refused.outcome) == (member.user_id, "denied")
    assert refused.details["reason"] == "other tenant"
    assert (refused.details["permission"], refused.details["asked_tenant"]) == ("call:view", "garden")
    denied = await service.audited("authz.access.denied", "path:/resilience/health")
    assert denied.details["reason"] == "no permission"
    entered = await service.audited("auth.login.success")
    assert entered.details["client"] == read.details["client"]
    assert entered.correlation_id


@shared
async def test_people_are_administered_in_their_own_tenant_and_the_audit_knows_by_whom(service: Client) -> None:
    here = await person(service, "here", "hotel_admin", TENANT)
    there = await person(service, "there", "hotel_admin", "garden")
    ours, theirs = await here.sign_in(), await there.sign_in()
    email = f"new-{next(_numbers)}@example.org"
    invited = {"email": email, "tenant": TENANT, "role": "hotel_staff"}
    # Roles are given after a second factor, which the access token counts as outside of production.
    assert (await here.post("/auth/users", invited, **ours)).json()["code"] == "second_factor_required"
    made = (await service.post("/auth/users", invited)).json()
    user_id = made["user"]["user_id"]
    chosen = await service.http.post("/auth/password/set", json={"token": made["token"], "password": PASSWORD})
    assert chosen.status_code == 204
    new = Person(service, email, user_id)
    await new.sign_in()

    listed = (await service.http.get("/auth/users", params={"tenant": TENANT}, headers=ours)).json()
    assert {here.user_id, user_id} <= {each["user_id"] for each in listed}
    assert there.user_id not in {each["user_id"] for each in listed}
    for method, path in (("GET", f"/auth/users/{user_id}"), ("POST", f"/auth/users/{user_id}/disable")):
        assert (await service.http.request(method, path, headers=theirs)).status_code == 403
    assert (await here.post(f"/auth/users/{user_id}/disable", **ours)).status_code == 204
    assert (await new.post("/auth/login", {"email": email, "password": PASSWORD})).status_code == 401

    created = await service.audited("user.created", f"user:{user_id}")
    assert (created.actor, created.tenant) == ("operator", TENANT)
    disabled = await service.audited("user.disabled", f"user:{user_id}")
    assert (disabled.actor, disabled.tenant) == (here.user_id, TENANT)
    looked = await service.audited("data.read", f"user:{user_id}")
    assert (looked.actor, looked.outcome) == (there.user_id, "denied")


@shared
async def test_a_refusal_says_why_to_the_audit_and_nothing_of_it_to_the_client(service: Client) -> None:
    for headers, reason in (
        ({}, "no credential"),
        ({"authorization": "Bearer a.b.c"}, "segment is not base64url"),
        ({"x-api-key": "ork_nothing"}, "not an API key"),
        ({**AUTHORIZED, "x-api-key": "ork_nothing"}, "two credentials"),
    ):
        answer = await service.http.get("/auth/me", headers=headers)
        assert answer.status_code == 401
        event = await service.audited("authz.access.denied", "path:/auth/me")
        assert (event.actor, event.outcome, event.details["reason"]) == ("anonymous", "denied", reason)
        assert reason not in answer.text
        # The redactor knows secrets by their form, and finds none in our own words.
        assert "[" not in answer.json()["detail"]


async def test_who_signed_in_is_limited_by_who_they_are(data: Path) -> None:
    configured = settings(data, resilience={"rate_limits": {"authenticated": "3/minute", "calls": "3/minute"}})
    async with running(configured) as service:
        zoe = await (await person(service, "zoe", "hotel_admin", TENANT)).sign_in()
        ann = await (await person(service, "ann", "hotel_admin", TENANT)).sign_in()

        assert [(await service.http.get("/auth/me", headers=zoe)).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert (await service.http.get("/auth/me", headers=ann)).status_code == 200


async def test_sign_ins_of_one_address_are_limited(data: Path) -> None:
    limits = {"sign_in": "3/minute", "passwords": "3/minute"}
    async with running(settings(data, tenants=SHORT, resilience={"rate_limits": limits})) as service:
        for path in ("/auth/login", "/auth/login/second-factor", "/auth/password/set", "/auth/password/reset"):
            for _ in range(4):
                answer = await service.http.post(path, json={})
            assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited"), path


async def test_guesses_wait_longer_and_longer_and_do_not_tell_who_exists(data: Path) -> None:
    async with running(settings(data, tenants=SHORT, auth={"free_attempts": 2})) as service:
        zoe = await person(service, "zoe", "hotel_admin", TENANT)
        wrong = [{"email": email, "password": "wrong"} for email in (zoe.email, zoe.email, "nobody@example.org")]
        told = [(await zoe.post("/auth/login", each)).json() for each in wrong]
        # One more wrong one, and the right one while its wait of two seconds lasts: together, since a busy machine takes long for each.
        bodies = [wrong[0], {"email": zoe.email, "password": PASSWORD}]
        last, locked = await asyncio.gather(*[zoe.post("/auth/login", body) for body in bodies])
        assert (locked.status_code, locked.json()["code"]) == (401, "login_failed")
        told += [last.json(), locked.json()]
        assert len({(each["status"], each["code"], each["detail"]) for each in told}) == 1
        assert (await service.audited("auth.login.failure")).details["reason"]


# --- the access token of the settings


@shared
async def test_the_access_token_is_the_administrators_of_the_platform(service: Client) -> None:
    me = (await service.get("/auth/me")).json()
    assert (me["user_id"], me["tenant"], me["roles"]) == ("operator", ALL_TENANTS, ["system_admin"])
    assert set(me["permissions"]) == service.app.registry.get(Auth).policies.policy.vocabulary
    made = await service.post("/auth/api-keys", {"service": "pms", "tenant": TENANT, "permissions": ["call:view"]})
    assert made.status_code == 201


async def test_once_there_is_an_administrator_the_access_token_can_be_switched_off(data: Path) -> None:
    configured = settings(data, tenants=SHORT, auth={"access_token": False})
    async with running(configured) as service:
        assert (await service.get("/v1/calls")).status_code == 401
        root = await (await person(service, "root", "system_admin", ALL_TENANTS)).sign_in()
        assert (await service.http.get("/v1/calls", headers=root)).status_code == 200
    assert not (data / "access.token").exists()


async def test_in_production_a_second_factor_takes_a_person_and_the_documentation_a_credential(data: Path) -> None:
    configured = settings(data, tenants=SHORT, environment="production")
    async with running(configured) as service:
        assert (await service.get("/auth/me")).json()["second_factor_at"] is None
        for path in ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"):
            assert (await service.http.get(path)).status_code == 401
            assert (await service.get(path)).status_code == 200

        root = await person(service, "root", "system_admin", ALL_TENANTS)
        plain = await root.sign_in()
        refused = await service.http.get("/metrics", headers=plain)
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
        secret = (await root.post("/auth/mfa/enroll", **plain)).json()["secret"]
        confirmed = await root.post("/auth/mfa/enroll/verify", {"code": code_for(secret, later=-30)}, **plain)
        assert confirmed.status_code == 200
        shown = await root.post("/auth/mfa/verify", {"code": code_for(secret)}, **plain)
        sure = {"authorization": f"Bearer {shown.json()['tokens']['access_token']}"}
        assert (await service.http.get("/metrics", headers=sure)).status_code == 200


async def test_passwords_of_the_file_and_little_more_than_a_common_word_are_refused(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "leaked.txt"
    file.write_text("this was leaked once\n")
    async with running(settings(data, tenants=SHORT, auth={"blocked_passwords": file})) as service:
        auth = service.app.registry.get(Auth)
        link = await auth.admin.invite("zoe@example.org", tenant=TENANT, role="hotel_staff", link="x")
        for password, status in (
            ("This was LEAKED once", 422),
            ("Password-2026!", 422),
            ("orchestrator-1", 422),
            ("three words of hers", 204),
        ):
            body = {"token": unquote(link.partition("#")[2]), "password": password}
            assert (await service.http.post("/auth/password/set", json=body)).status_code == status, password


async def test_a_new_password_removes_no_second_factor(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        zoe = await person(service, "zoe", "hotel_staff", TENANT)
        bearer = await zoe.sign_in()
        secret = (await zoe.post("/auth/mfa/enroll", **bearer)).json()["secret"]
        await zoe.post("/auth/mfa/enroll/verify", {"code": code_for(secret)}, **bearer)
        link = await service.app.registry.get(Auth).admin.reset_password(zoe.email, link="x")
        await zoe.post("/auth/password/set", {"token": unquote(link.partition("#")[2]), "password": PASSWORD[::-1]})

        assert (await service.http.get("/auth/me", headers=bearer)).status_code == 401
        entered = (await zoe.post("/auth/login", {"email": zoe.email, "password": PASSWORD[::-1]})).json()
        assert (entered["tokens"], bool(entered["second_factor"])) == (None, True)


@shared
async def test_elsewhere_the_documentation_is_open_and_can_sign_in(service: Client) -> None:
    assert (await service.http.get("/docs")).status_code == 200
    document = (await service.http.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]["Bearer"] == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token.",
    }
    zoe = await person(service, "zoe", "hotel_admin", TENANT)
    # What "Try it out" and "Authorize" of the page send.
    page = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
    answer = await zoe.post("/auth/login", {"email": zoe.email, "password": PASSWORD}, **page)
    bearer = {"authorization": f"Bearer {answer.json()['tokens']['access_token']}", **page}
    assert (await service.http.get("/v1/calls", headers=bearer)).status_code == 200


@shared
async def test_a_method_that_a_path_has_not_is_answered_with_those_it_has(service: Client) -> None:
    answer = await service.http.request("PATCH", "/auth/api-keys", headers=AUTHORIZED)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


# --- settings


async def test_roles_are_those_of_the_policy_file_as_it_is_now(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('version = 1\n[roles.hotel_admin]\npermissions = ["call:view"]\n')
    async with running(settings(data, tenants=SHORT, auth={"policy_file": file})) as service:
        zoe = await (await person(service, "zoe", "hotel_admin", TENANT)).sign_in()
        assert (await service.http.get("/v1/calls", headers=zoe)).status_code == 200
        file.write_text('version = 1\n[roles.hotel_admin]\npermissions = ["call:start"]\n')
        async with asyncio.timeout(10):
            while (await service.http.get("/v1/calls", headers=zoe)).status_code != 403:
                await asyncio.sleep(0.1)
        file.write_text("no policy")
        await asyncio.sleep(2.5)
        assert (await service.http.get("/v1/calls", headers=zoe)).status_code == 403
        assert (await service.get("/v1/calls")).status_code == 200


async def test_tokens_and_sessions_last_as_long_as_the_settings_say(data: Path) -> None:
    async with running(settings(data, tenants=SHORT, auth={"access_minutes": 1 / 60, "algorithm": "EdDSA"})) as service:
        zoe = await (await person(service, "zoe", "hotel_admin", TENANT)).sign_in()
        header = zoe["authorization"].removeprefix("Bearer ").partition(".")[0]
        assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] in {"EdDSA", "Ed25519"}
        assert (await service.http.get("/auth/me", headers=zoe)).status_code == 200
        await asyncio.sleep(2.2)
        assert (await service.http.get("/auth/me", headers=zoe)).json()["code"] == "invalid_token"


async def test_people_and_keys_outlive_a_change_of_the_root_key(data: Path) -> None:
    changed = {"root_key": "another-root-key-0123456789abcdefghij"}
    async with running(settings(data, tenants=SHORT)) as service:
        zoe = await person(service, "zoe", "hotel_staff", TENANT)
        key = (await service.post("/auth/api-keys", {"service": "pms", "tenant": TENANT, "permissions": []})).json()
    told: list[list[int]] = []
    for auth in ({}, {"earlier_root_keys": (ROOT_KEY,)}):
        async with running(settings(data, tenants=SHORT, security=changed, auth=auth)) as service:
            body = {"email": zoe.email, "password": PASSWORD}
            entered = await service.http.post("/auth/login", json=body)
            known = await service.http.get("/auth/service-info", headers={"x-api-key": key["api_key"]})
            told.append([entered.status_code, known.status_code])
    assert told == [[401, 401], [200, 200]]


# --- what the earlier service got wrong


@shared
async def test_an_issued_key_opens_what_it_is_for_at_once_and_nothing_else(service: Client) -> None:
    body = {"service": "pms", "tenant": TENANT, "permissions": ["call:view", "call:start"]}
    made = (await service.post("/auth/api-keys", body)).json()

    for headers in ({"x-api-key": made["api_key"]}, {"authorization": f"ApiKey {made['api_key']}"}):
        assert (await service.http.get("/v1/calls", headers=headers)).status_code == 200
    key = {"x-api-key": made["api_key"]}
    assert (await service.http.get("/auth/service-info", headers=key)).json()["service"] == "pms"
    start = {"caller_id": "+4915112345678", "tenant_id": TENANT}
    assert (await service.http.post("/v1/call/start", json=start, headers=key)).status_code == 200
    assert (await service.http.get("/metrics", headers=key)).status_code == 403
    assert (await service.http.get("/v1/calls?tenant=garden", headers=key)).status_code == 403
    assert (await service.audited("data.read")).actor == "service:pms"

    gone = await service.http.delete(f"/auth/api-keys/{made['key']['key_id']}", headers=AUTHORIZED)
    assert gone.status_code == 204
    assert (await service.http.get("/v1/calls", headers=key)).status_code == 401


async def test_what_somebody_wrote_into_the_place_of_sessions_is_never_executed(data: Path, tmp_path: Path) -> None:
    """Session data was once given to `eval`."""
    async with running(settings(data, tenants=SHORT)) as service:
        zoe = await person(service, "zoe", "hotel_admin", TENANT)
        auth = service.app.registry.get(Auth)
        session, cookie = await auth.sessions.begin_browser(Begin(user_id=zoe.user_id, tenant=TENANT))
        sent = {"cookie": f"__Host-session={cookie}"}
        assert (await service.http.get("/auth/me", headers=sent)).status_code == 200
        proof = tmp_path / "executed"
        with sqlite3.connect(data / "calls.db") as database:
            poison = f"__import__('pathlib').Path({str(proof)!r}).touch()"
            changed = database.execute("UPDATE auth_records SET body = ? WHERE id = ?", (poison, session.id))
            assert changed.rowcount == 1

        answer = await service.http.get("/auth/me", headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (503, "auth_store_failed")
        assert not proof.exists()


@shared
async def test_nobody_switches_off_the_second_factor_of_another_by_naming_them(service: Client) -> None:
    victim = await person(service, "victim", "hotel_staff", TENANT)
    signed_in = await victim.sign_in()
    secret = (await victim.post("/auth/mfa/enroll", **signed_in)).json()["secret"]
    await victim.post("/auth/mfa/enroll/verify", {"code": code_for(secret)}, **signed_in)
    thief = await person(service, "thief", "hotel_staff", TENANT)
    bearer = await thief.sign_in()

    named = {"user_id": victim.user_id, "email": victim.email, "password": PASSWORD, "id": victim.user_id}
    for path in ("/auth/mfa/disable", "/auth/mfa/recovery-codes/regenerate", "/auth/mfa/enroll"):
        await service.http.post(path, json=named, params=named, headers=bearer)
    assert (await thief.post(f"/auth/admin/mfa/users/{victim.user_id}/disable", **bearer)).status_code == 403
    elsewhere = await (await person(service, "far", "hotel_admin", "garden")).sign_in()
    assert (await thief.post(f"/auth/admin/mfa/users/{victim.user_id}/disable", **elsewhere)).status_code == 403
    status = await service.http.get("/auth/mfa/status", headers=signed_in)
    assert (status.json()["enabled"], status.json()["recovery_codes_left"]) == (True, 10)


@shared
async def test_nobody_signs_others_out_by_the_id_of_their_session(service: Client) -> None:
    zoe = await person(service, "zoe", "hotel_staff", TENANT)
    bearer = await zoe.sign_in()
    [session] = (await service.http.get("/auth/sessions", headers=bearer)).json()
    thief = await (await person(service, "thief", "hotel_staff", TENANT)).sign_in()

    answer = await zoe.post("/auth/logout", {"session_id": session["session_id"]}, **thief)
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
    assert (await service.http.get("/auth/me", headers=bearer)).status_code == 200
    assert (await zoe.post("/auth/logout", {}, **bearer)).status_code == 204
    # The access token too, not only the session.
    assert (await service.http.get("/auth/me", headers=bearer)).status_code == 401


@shared
async def test_a_refresh_token_works_once_and_a_copy_of_it_ends_the_session(service: Client) -> None:
    zoe = await person(service, "zoe", "hotel_staff", TENANT)
    body = {"email": zoe.email, "password": PASSWORD}
    first = (await zoe.post("/auth/login", body)).json()["tokens"]
    second = (await zoe.post("/auth/refresh", {"refresh_token": first["refresh_token"]})).json()
    assert (await zoe.post("/auth/refresh", {"refresh_token": first["refresh_token"]})).status_code == 401
    assert (await zoe.post("/auth/refresh", {"refresh_token": second["refresh_token"]})).status_code == 401
    bearer = {"authorization": f"Bearer {second['access_token']}"}
    assert (await service.http.get("/auth/me", headers=bearer)).status_code == 401
    assert (await service.audited("auth.token.refresh")).severity == "high"
    for refused in (first["refresh_token"], second["refresh_token"]):
        headers = {"authorization": f"Bearer {refused}"}
        assert (await service.http.get("/auth/me", headers=headers)).status_code == 401


async def test_tokens_outlive_a_restart_and_are_good_in_every_process(data: Path) -> None:
    """Keys were once made anew by each process."""
    configured = settings(data, tenants=SHORT)
    async with running(configured) as service:
        bearer = await (await person(service, "zoe", "hotel_staff", TENANT)).sign_in()
    async with running(configured) as service:
        assert (await service.http.get("/auth/me", headers=bearer)).status_code == 200
        keys = (await service.http.get("/.well-known/jwks.json")).json()["keys"]
        assert [key.get("d") for key in keys] == [None]
        assert keys[0]["kty"] == "EC"
