"""The routes over HTTP: signing in with a second factor, one's own account, API keys; and each identity against each route of the document."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from auth_service import PASSWORD, Service, header

from orchestrator_auth.fastapi_routes import PUBLIC_PATHS
from orchestrator_auth.models import ALL_TENANTS


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.auth.open()
    async with service.http:
        yield service


async def test_signing_in_without_and_with_a_second_factor(service: Service) -> None:
    zoe = await service.person()
    headers = await service.signed_in()
    me = (await service.http.get("/auth/me", headers=headers)).json()
    assert (me["user_id"], me["tenant"], me["roles"], me["second_factor_at"]) == (
        zoe.id,
        "hotel-7",
        ["hotel_staff"],
        None,
    )
    assert len(await service.enrol(headers)) == 10
    answer = (await service.login()).json()
    assert answer["tokens"] is None
    challenge = answer["second_factor"]["challenge"]
    wrong = await service.http.post("/auth/login/second-factor", json={"challenge": challenge, "code": "000000"})
    assert wrong.status_code == 401
    right = await service.http.post("/auth/login/second-factor", json={"challenge": challenge, "code": service.code()})
    me = (await service.http.get("/auth/me", headers=header(right.json()["tokens"]))).json()
    assert me["second_factor_at"] is not None


async def test_a_browser_signs_in_with_a_cookie_and_changes_things_with_its_token(service: Service) -> None:
    await service.person()
    body = {"email": "zoe@example.org", "password": PASSWORD, "browser": True}
    answer = await service.http.post("/auth/login", json=body)
    assert answer.json()["tokens"] is None
    cookie = answer.headers["set-cookie"]
    for part in ("__Host-session=", "HttpOnly", "Secure", "Path=/", "SameSite=lax"):
        assert part in cookie
    assert "Domain" not in cookie
    assert answer.headers["cache-control"] == "no-store"
    # The client keeps the cookie, like a browser.
    assert (await service.http.get("/auth/me")).status_code == 200
    token = (await service.http.get("/auth/csrf")).json()["csrf_token"]
    assert token == answer.json()["csrf_token"]
    assert (await service.http.post("/auth/logout", json={})).status_code == 401
    evil = {"x-csrf-token": token, "origin": "https://evil.example"}
    assert (await service.http.post("/auth/logout", json={}, headers=evil)).status_code == 401
    ours = {"x-csrf-token": token, "origin": "https://calls.example"}
    assert (await service.http.post("/auth/logout", json={}, headers=ours)).status_code == 204
    assert (await service.http.get("/auth/me")).status_code == 401


async def test_the_csrf_token_is_for_browsers(service: Service) -> None:
    await service.person()
    assert (await service.http.get("/auth/csrf", headers=await service.signed_in())).status_code == 404


async def test_wrong_passwords_and_unknown_names_get_the_same_answer(service: Service) -> None:
    await service.person()
    answers = [await service.login(password="wrong"), await service.login("nobody"), await service.login("nobody", "")]
    bodies = {(answer.status_code, answer.text) for answer in answers}
    assert len(bodies) == 1
    assert answers[0].status_code == 401
    assert answers[0].json()["code"] == "login_failed"


async def test_tokens_are_refreshed_and_a_stolen_one_ends_the_session(service: Service) -> None:
    await service.person()
    tokens = (await service.login()).json()["tokens"]
    new = await service.http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert new.status_code == 200
    assert (
        await service.http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    ).status_code == 401
    assert (await service.http.get("/auth/me", headers=header(new.json()))).status_code == 401


async def test_one_signs_out_here_elsewhere_and_everywhere_but_not_others(service: Service) -> None:
    await service.person()
    await service.person("max")
    here, there, other = await service.signed_in(), await service.signed_in(), await service.signed_in("max")
    sessions = (await service.http.get("/auth/sessions", headers=here)).json()
    assert sorted(session["current"] for session in sessions) == [False, True]
    (of_max,) = (await service.http.get("/auth/sessions", headers=other)).json()
    foreign = await service.http.post("/auth/logout", headers=here, json={"session_id": of_max["session_id"]})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "session_not_found")
    elsewhere = next(session["session_id"] for session in sessions if not session["current"])
    assert (await service.http.post("/auth/logout", headers=here, json={"session_id": elsewhere})).status_code == 204
    assert (await service.http.get("/auth/me", headers=there)).status_code == 401
    assert (await service.http.post("/auth/logout", headers=here, json={"all_sessions": True})).status_code == 204
    assert (await service.http.get("/auth/me", headers=here)).status_code == 401
    assert (await service.http.get("/auth/me", headers=other)).status_code == 200


async def test_a_password_is_changed_and_reset(service: Service) -> None:
    zoe = await service.person()
    here, there = await service.signed_in(), await service.signed_in()
    body = {"old": PASSWORD, "new": "another good one"}
    assert (await service.http.post("/auth/password", headers=here, json=body)).status_code == 204
    assert (await service.http.get("/auth/me", headers=here)).status_code == 200
    assert (await service.http.get("/auth/me", headers=there)).status_code == 401
    answers = {
        (answer.status_code, answer.text)
        for name in ("zoe", "nobody")
        for answer in [await service.http.post("/auth/password/reset", json={"email": f"{name}@example.org"})]
    }
    assert answers == {(202, "null")}
    ((user_id, token),) = service.mail.sent
    assert user_id == zoe.id
    weak = await service.http.post("/auth/password/set", json={"token": token, "password": "short"})
    assert (weak.status_code, weak.json()["code"]) == (422, "weak_password")
    assert (
        await service.http.post("/auth/password/set", json={"token": token, "password": "a third good one"})
    ).status_code == 204
    assert (await service.http.get("/auth/me", headers=here)).status_code == 401
    assert (await service.login(password="a third good one")).status_code == 200
    assert (
        await service.http.post("/auth/password/set", json={"token": token, "password": "a fourth good one"})
    ).status_code == 401


async def test_nobody_touches_another_s_second_factor_by_naming_them(service: Service) -> None:
    """With one's own password one could once switch off anybody's second factor."""
    victim = await service.person("victim")
    victims = await service.signed_in("victim")
    await service.enrol(victims)
    await service.person("thief")
    thief = await service.signed_in("thief")
    for path in ("/auth/mfa/disable", "/auth/mfa/recovery-codes/regenerate"):
        for body in (
            {"user_id": victim.id},
            {"email": "victim@example.org", "password": PASSWORD, "user_id": victim.id},
        ):
            answer = await service.http.post(path, headers=thief, json=body, params={"user_id": victim.id})
            assert answer.status_code == 403
    admin = f"/auth/admin/mfa/users/{victim.id}/disable"
    assert (await service.http.post(admin, headers=thief)).status_code == 403
    status = (await service.http.get("/auth/mfa/status", headers=victims)).json()
    assert (status["enabled"], status["recovery_codes_left"]) == (True, 10)
    assert (await service.http.get("/auth/mfa/status", headers=thief)).json()["enabled"] is False


async def test_a_second_factor_is_removed_after_it_was_shown(service: Service) -> None:
    await service.person()
    headers = await service.signed_in()
    await service.enrol(headers)
    refused = await service.http.post("/auth/mfa/disable", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
    shown = await service.http.post("/auth/mfa/verify", headers=headers, json={"code": service.code()})
    fresh = header(shown.json()["tokens"])
    codes = (await service.http.post("/auth/mfa/recovery-codes/regenerate", headers=fresh)).json()["recovery_codes"]
    assert len(codes) == 10
    service.clock.seconds += 301
    assert (await service.http.post("/auth/mfa/disable", headers=fresh)).status_code == 403
    again = await service.http.post("/auth/mfa/verify", headers=fresh, json={"code": codes[0]})
    assert again.json()["method"] == "recovery_code"
    assert (await service.http.post("/auth/mfa/disable", headers=header(again.json()["tokens"]))).status_code == 204
    assert (await service.login()).json()["tokens"] is not None


async def test_an_administrator_helps_only_in_the_own_tenant(service: Service) -> None:
    zoe = await service.person()
    await service.enrol(await service.signed_in())
    await service.person("here", "hotel_admin")
    await service.person("there", "hotel_admin", "hotel-8")
    here, there = await service.signed_in("here"), await service.signed_in("there")
    path = f"/auth/admin/mfa/users/{zoe.id}"
    assert (await service.http.get(f"{path}/status", headers=there)).status_code == 403
    assert (await service.http.get(f"{path}/status", headers=here)).json()["enabled"] is True
    assert (await service.http.post(f"{path}/disable", headers=there)).status_code == 403
    assert (await service.http.post(f"{path}/disable", headers=here)).status_code == 204
    assert (await service.http.get(f"/auth/admin/mfa/users/u-{'0' * 24}/status", headers=here)).status_code == 404
    # At home here, and more than the administrator of this hotel: theirs is nobody's to remove but the platform's.
    chief = await service.person("chief", "hotel_staff")
    await service.auth.admin.grant(chief.id, "system_admin", tenant=ALL_TENANTS)
    assert (await service.http.post(f"/auth/admin/mfa/users/{chief.id}/disable", headers=here)).status_code == 403
    root = await service.person("root", "system_admin", ALL_TENANTS)
    assert (await service.http.get(f"/auth/admin/mfa/users/{root.id}/status", headers=here)).status_code == 403
    assert (
        await service.http.get(f"/auth/admin/mfa/users/{root.id}/status", headers=await service.signed_in("root"))
    ).status_code == 200


async def test_keys_are_made_listed_used_rotated_and_revoked(service: Service) -> None:
    await service.person("here", "hotel_admin")
    await service.person("there", "hotel_admin", "hotel-8")
    here, there = await service.signed_in("here"), await service.signed_in("there")
    body = {"service": "billing", "tenant": "hotel-7", "permissions": ["call:view"], "limits": {"per_minute": 5}}
    made = await service.http.post("/auth/api-keys", headers=here, json=body)
    assert made.status_code == 201
    key = made.json()
    listed = await service.http.get("/auth/api-keys", headers=here, params={"tenant": "hotel-7"})
    assert [each["key_id"] for each in listed.json()] == [key["key"]["key_id"]]
    assert key["api_key"] not in listed.text
    assert (await service.http.get("/auth/api-keys", headers=there, params={"tenant": "hotel-7"})).status_code == 403
    info = await service.http.get("/auth/service-info", headers={"x-api-key": key["api_key"]})
    assert (info.json()["service"], info.json()["permissions"]) == ("billing", ["call:view"])
    assert (await service.http.get("/auth/me", headers={"x-api-key": key["api_key"]})).status_code == 403
    path = f"/auth/api-keys/{key['key']['key_id']}"
    assert (await service.http.delete(path, headers=there)).status_code == 404
    new = (await service.http.post(f"{path}/rotate", headers=here)).json()
    assert (await service.http.delete(path, headers=here)).status_code == 204
    assert (await service.http.get("/auth/service-info", headers={"x-api-key": key["api_key"]})).status_code == 401
    assert (
        await service.http.get("/auth/service-info", headers={"authorization": f"ApiKey {new['api_key']}"})
    ).status_code == 200
    for days, status in ((30.0, 201), (30.5, 422), ("30", 422), (True, 422)):
        assert (
            await service.http.post("/auth/api-keys", headers=here, json={**body, "days": days})
        ).status_code == status
    more = {**body, "permissions": ["system:admin"]}
    assert (await service.http.post("/auth/api-keys", headers=here, json=more)).status_code == 403


async def test_a_service_asks_about_tokens_and_anybody_for_the_public_keys(service: Service) -> None:
    await service.person("here", "hotel_admin")
    tokens = (await service.login("here")).json()["tokens"]
    body = {"service": "billing", "tenant": "hotel-7", "permissions": []}
    key = (await service.http.post("/auth/api-keys", headers=header(tokens), json=body)).json()["api_key"]
    asked = await service.http.post(
        "/auth/introspect", headers={"x-api-key": key}, json={"token": tokens["access_token"]}
    )
    assert (asked.json()["active"], asked.json()["tenant"]) == (True, "hotel-7")
    nothing = await service.http.post("/auth/introspect", headers={"x-api-key": key}, json={"token": "x"})
    assert nothing.json() == {"active": False}
    assert (await service.http.post("/auth/introspect", headers=header(tokens), json={"token": "x"})).status_code == 403
    (jwk,) = (await service.http.get("/.well-known/jwks.json")).json()["keys"]
    assert jwk["alg"] == "ES256"
    assert "d" not in jwk


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@b"},
        {"email": "a@b", "password": 1},
        {"email": "a@b", "password": "x", "browser": "yes"},
        {"email": "a@b", "password": "x", "browser": 1},
        {"email": "", "password": "x"},
        {"email": "a@b", "password": "x" * 300},
        {"email": "a@b", "password": "x", "role": "admin"},
        {"email": "a@b", "password": "x", "tenant": "a b"},
        [],
    ],
)
async def test_a_body_of_another_form_is_refused_without_an_echo(service: Service, body) -> None:
    answer = await service.http.post("/auth/login", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "validation_failed"
    assert "body" in answer.json()["detail"]
    assert "x" * 300 not in answer.text
    assert "admin" not in answer.text


async def test_what_is_over_is_dropped_and_nothing_else(service: Service) -> None:
    await service.person()
    await service.signed_in()
    await service.login(password="wrong")
    before = len(service.auth.records._records)
    assert await service.auth.purge() == 0
    service.clock.seconds += 3601
    assert await service.auth.purge() == 2  # the counts of the account and of the address
    service.clock.seconds += 32 * 86_400
    assert await service.auth.purge() == 1
    assert len(service.auth.records._records) == before - 3
    assert await service.signed_in()


async def test_a_session_is_listed_by_the_kind_of_browser_and_no_more(service: Service) -> None:
    await service.person()
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.7339.128 Safari/537.36"
    body = {"email": "zoe@example.org", "password": PASSWORD}
    tokens = (await service.http.post("/auth/login", json=body, headers={"user-agent": agent})).json()["tokens"]
    (session,) = (await service.http.get("/auth/sessions", headers=header(tokens))).json()
    assert session["label"] == "Chrome on Windows"


async def test_every_route_of_the_document_is_closed_to_strangers_unless_public(service: Service) -> None:
    document = (await service.http.get("/openapi.json")).json()
    checked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            concrete = path.replace("{key_id}", "k").replace("{user_id}", "u-1").replace("{role}", "r")
            answer = await service.http.request(method, concrete, json={})
            if path in PUBLIC_PATHS:
                assert answer.status_code in {200, 422}, path
                assert "security" not in operation
            else:
                assert answer.status_code == 401, path
                assert operation["security"]
            checked += 1
    assert checked >= 27
