"""Administering the people of a tenant over HTTP: one's own tenant only, nobody above oneself, and everything told to the audit."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from auth_service import PASSWORD, Service, header

from orchestrator_auth.models import ALL_TENANTS, Grant
from orchestrator_auth.users import User

ROLE = {"tenant": "hotel-7"}


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.auth.open()
    async with service.http:
        yield service


async def administrator(
    service: Service, name: str = "here", role: str = "hotel_admin", tenant: str = "hotel-7"
) -> dict[str, str]:
    """The header of one who just showed a second factor, as giving roles asks for."""
    await service.person(name, role, tenant)
    await service.enrol(await service.signed_in(name))
    challenge = (await service.login(name)).json()["second_factor"]["challenge"]
    answer = await service.http.post("/auth/login/second-factor", json={"challenge": challenge, "code": service.code()})
    return header(answer.json()["tokens"])


def invitation(name: str = "zoe", role: str = "hotel_staff", tenant: str = "hotel-7") -> dict[str, str]:
    return {"email": f"{name}@example.org", "tenant": tenant, "role": role}


async def named(service: Service, user_id: str) -> User:
    return await service.auth.users.get(user_id)


async def test_somebody_is_invited_and_signs_in(service: Service) -> None:
    here = await administrator(service)
    answer = await service.http.post("/auth/users", headers=here, json=invitation())
    assert answer.status_code == 201
    made = answer.json()
    assert made["user"]["state"] == "invited"
    assert made["user"]["roles"] == [{"role": "hotel_staff", "tenant": "hotel-7"}]
    chosen = await service.http.post("/auth/password/set", json={"token": made["token"], "password": PASSWORD})
    assert chosen.status_code == 204
    me = (await service.http.get("/auth/me", headers=await service.signed_in())).json()
    assert (me["user_id"], me["roles"]) == (made["user"]["user_id"], ["hotel_staff"])
    shown = (await service.http.get(f"/auth/users/{me['user_id']}", headers=here)).json()
    assert (shown["email"], shown["state"], shown["second_factor"]) == ("zoe@example.org", "active", False)
    again = await service.http.post("/auth/users", headers=here, json=invitation())
    assert (again.status_code, again.json()["code"]) == (409, "login_taken")
    created = [event for event in service.sink.events if event.type == "user.created"]
    assert created[-1].actor != "local-operator"
    assert created[-1].actor.startswith("u-")


async def test_an_invitation_by_mail_is_not_shown_to_whoever_invites(service: Service) -> None:
    service.mail.invites = True
    here = await administrator(service)
    made = (await service.http.post("/auth/users", headers=here, json=invitation())).json()
    assert made["token"] is None
    ((user_id, token),) = service.mail.sent
    assert user_id == made["user"]["user_id"]
    assert (
        await service.http.post("/auth/password/set", json={"token": token, "password": PASSWORD})
    ).status_code == 204


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (invitation(tenant="hotel-8"), 403, "forbidden"),
        (invitation(tenant=ALL_TENANTS), 403, "forbidden"),
        (invitation(role="system_admin"), 403, "forbidden"),
        (invitation(role="auditor"), 403, "forbidden"),
        (invitation(role="hotel_adnim"), 404, "role_unknown"),
        (invitation(role="Hotel Staff"), 422, "validation_failed"),
        (invitation("zoe \u0430"), 422, "validation_failed"),
        ({"email": "zoe@example.org", "tenant": "hotel-7"}, 422, "validation_failed"),
        ({**invitation(), "permissions": ["call:view"]}, 422, "validation_failed"),
        ({**invitation(), "tenant": ["hotel-7"]}, 403, "forbidden"),
    ],
)
async def test_nobody_invites_elsewhere_or_above_and_no_half_of_a_person_is_left(
    service: Service, body, status, code
) -> None:
    here = await administrator(service)
    answer = await service.http.post("/auth/users", headers=here, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await service.auth.users.find("zoe@example.org") is None


async def test_nobody_is_given_anything_where_there_is_no_tenant() -> None:
    there = {"hotel-7"}
    service = Service(there)
    await service.auth.open()
    async with service.http:
        root = await administrator(service, "root", "system_admin", ALL_TENANTS)
        here = await administrator(service)
        zoe = await service.person()
        key = {"service": "billing", "tenant": "hotel-9", "permissions": ["call:view"]}
        for headers, status, code in ((root, 404, "tenant_unknown"), (here, 403, "forbidden")):
            for answer in (
                await service.http.post("/auth/users", headers=headers, json=invitation("new", tenant="hotel-9")),
                await service.http.put(f"/auth/users/{zoe.id}/roles/hotel_staff?tenant=hotel-9", headers=headers),
                await service.http.post("/auth/api-keys", headers=headers, json=key),
            ):
                assert (answer.status_code, answer.json()["code"]) == (status, code)
                assert ("hotel-7" in answer.text) == (status == 404)
        assert await service.auth.users.find("new@example.org") is None
        assert await named(service, zoe.id) == zoe
        assert await service.auth.keys.of_tenant("hotel-9") == []
        # What comes later is known at once, and what is for the platform has no tenant.
        there.add("hotel-9")
        assert (await service.http.post("/auth/api-keys", headers=root, json=key)).status_code == 201
        everywhere = {**key, "tenant": ALL_TENANTS}
        assert (await service.http.post("/auth/api-keys", headers=root, json=everywhere)).status_code == 201


async def test_roles_are_given_after_a_second_factor_only(service: Service) -> None:
    await service.person("here", "hotel_admin")
    answer = await service.http.post("/auth/users", headers=await service.signed_in("here"), json=invitation())
    assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_required")


async def test_the_people_of_a_tenant_are_listed_in_pages_to_its_own(service: Service) -> None:
    here = await administrator(service)
    made = {(await service.person(f"p{n}")).id for n in range(5)}
    await service.person("elsewhere", tenant="hotel-8")
    seen, after = list[str](), ""
    while page := (
        await service.http.get("/auth/users", headers=here, params={**ROLE, "after": after, "limit": 2})
    ).json():
        assert len(page) <= 2
        seen += [each["user_id"] for each in page]
        after = seen[-1]
    assert len(seen) == 6
    assert made < set(seen)
    for tenant in ("hotel-8", ALL_TENANTS):
        assert (await service.http.get("/auth/users", headers=here, params={"tenant": tenant})).status_code == 403
    assert (
        await service.http.get("/auth/users", headers=await service.signed_in("p1"), params=ROLE)
    ).status_code == 403
    root = await administrator(service, "root", "system_admin", ALL_TENANTS)
    (platform,) = (await service.http.get("/auth/users", headers=root, params={"tenant": ALL_TENANTS})).json()
    assert platform["email"] == "root@example.org"


async def test_somebody_kept_out_is_out_at_once_and_in_again_later(service: Service) -> None:
    here = await administrator(service)
    zoe = await service.person()
    hers = await service.signed_in()
    assert (await service.http.post(f"/auth/users/{zoe.id}/disable", headers=here)).status_code == 204
    assert (await service.http.get("/auth/me", headers=hers)).status_code == 401
    assert (await service.login()).status_code == 401
    assert (await service.http.get(f"/auth/users/{zoe.id}", headers=here)).json()["state"] == "disabled"
    assert (await service.http.post(f"/auth/users/{zoe.id}/enable", headers=here)).status_code == 204
    assert (await service.login()).status_code == 200
    ended = [event for event in service.sink.events if event.type == "auth.logout"]
    assert ended[-1].actor != zoe.id


async def test_a_role_is_given_and_taken_and_the_tokens_that_held_it_end(service: Service) -> None:
    here = await administrator(service)
    zoe = await service.person(role="guest_user")
    path = f"/auth/users/{zoe.id}/roles/hotel_staff"
    assert (await service.http.put(path, headers=here, params=ROLE)).status_code == 204
    hers = await service.signed_in()
    assert (await service.http.get("/auth/me", headers=hers)).json()["roles"] == ["guest_user", "hotel_staff"]
    assert (await service.http.delete(path, headers=here, params=ROLE)).status_code == 204
    assert (await service.http.get("/auth/me", headers=hers)).status_code == 401
    assert (await named(service, zoe.id)).grants == {Grant("guest_user", "hotel-7")}
    assigned = [event.actor for event in service.sink.events if event.type == "authz.role.assignment"]
    assert len(assigned) == 2
    assert all(actor.startswith("u-") for actor in assigned)


async def test_an_administrator_of_another_hotel_changes_and_sees_nobody_here(service: Service) -> None:
    there = await administrator(service, "there", tenant="hotel-8")
    zoe = await service.person()
    asked = [
        ("GET", f"/auth/users/{zoe.id}", {}),
        ("POST", f"/auth/users/{zoe.id}/disable", {}),
        ("POST", f"/auth/users/{zoe.id}/enable", {}),
        ("PUT", f"/auth/users/{zoe.id}/roles/guest_user", ROLE),
        ("PUT", f"/auth/users/{zoe.id}/roles/guest_user", {"tenant": "hotel-8"}),
        ("PUT", f"/auth/users/{zoe.id}/roles/guest_user", {"tenant": ALL_TENANTS}),
        ("DELETE", f"/auth/users/{zoe.id}/roles/hotel_staff", ROLE),
        ("DELETE", f"/auth/users/{zoe.id}/roles/hotel_staff", {"tenant": "hotel-8"}),
    ]
    for method, path, params in asked:
        answer = await service.http.request(method, path, headers=there, params=params)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path, params)
        assert "zoe" not in answer.text
    assert await named(service, zoe.id) == zoe


async def test_nobody_manages_somebody_who_may_do_more(service: Service) -> None:
    here = await administrator(service)
    chief = await service.person("chief")
    chief = await service.auth.admin.grant(chief.id, "system_admin", tenant=ALL_TENANTS)
    path = f"/auth/users/{chief.id}"
    for method, end in (("POST", "disable"), ("PUT", "roles/guest_user"), ("DELETE", "roles/hotel_staff")):
        answer = await service.http.request(method, f"{path}/{end}", headers=here, params=ROLE)
        assert answer.status_code == 403, end
    assert await named(service, chief.id) == chief
    reasons = [str(event.details.get("reason")) for event in service.sink.events if event.outcome == "denied"]
    assert reasons.count("may do more than whoever manages them") == 3


async def test_nobody_gives_themselves_more_or_keeps_out_themselves(service: Service) -> None:
    here = await administrator(service)
    me = (await service.http.get("/auth/me", headers=here)).json()["user_id"]
    for role, tenant in (("system_admin", "hotel-7"), ("guest_user", ALL_TENANTS), ("guest_user", "hotel-8")):
        answer = await service.http.put(f"/auth/users/{me}/roles/{role}", headers=here, params={"tenant": tenant})
        assert answer.status_code == 403
    assert (await service.http.post(f"/auth/users/{me}/disable", headers=here)).status_code == 403
    assert (await service.http.get("/auth/me", headers=here)).json()["roles"] == ["hotel_admin"]


async def test_everything_in_one_hotel_is_nothing_on_the_platform(service: Service) -> None:
    """Whoever held system_admin in one hotel could once make a key, or give a role, for all of them."""
    boss = await administrator(service, "boss", "system_admin", "hotel-7")
    me = (await service.http.get("/auth/me", headers=boss)).json()["user_id"]
    key = {"service": "billing", "tenant": ALL_TENANTS, "permissions": ["call:view"]}
    assert (await service.http.post("/auth/api-keys", headers=boss, json=key)).status_code == 403
    everywhere = {"tenant": ALL_TENANTS}
    answer = await service.http.put(f"/auth/users/{me}/roles/system_admin", headers=boss, params=everywhere)
    assert answer.status_code == 403
    assert (await named(service, me)).grants == {Grant("system_admin", "hotel-7")}


async def test_who_is_not_there_is_not_found(service: Service) -> None:
    root = await administrator(service, "root", "system_admin", ALL_TENANTS)
    nobody = f"/auth/users/u-{'0' * 24}"
    for method, path, params in (
        ("GET", nobody, {}),
        ("POST", f"{nobody}/disable", {}),
        ("PUT", f"{nobody}/roles/hotel_staff", ROLE),
    ):
        answer = await service.http.request(method, path, headers=root, params=params)
        assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")
    assert (await service.http.get("/auth/users/zoe", headers=root)).status_code == 422
