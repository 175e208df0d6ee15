"""What an application adds to the gate: limits in front that know who asks, errors answered elsewhere, other proofs, handlers that must not forget to ask."""

from __future__ import annotations

from typing import Any

import pytest
from auth_world import World
from fastapi import APIRouter, FastAPI, WebSocket
from httpx import ASGITransport, AsyncClient
from starlette.requests import Request
from starlette.responses import JSONResponse

from orchestrator_auth.authenticator import Authenticator, MasterToken
from orchestrator_auth.exceptions import CredentialRefused
from orchestrator_auth.fastapi_guard import CurrentAccess, CurrentPrincipal, declared_rules, proved_by, requires
from orchestrator_auth.guard import IN_HANDLER, OWN, PLATFORM, HandlerForgot, Proof, Rule
from orchestrator_auth.middleware import AuthMiddleware, IdentityMiddleware, require_rules
from orchestrator_auth.models import ALL_TENANTS
from orchestrator_kernel.exceptions import ConfigurationError

TOKEN = "a-token-of-the-configuration"
CALLS = {"c-7": "hotel-7", "c-8": "hotel-8"}


class Seen:
    """Stands between the two middlewares, and notes who it sees."""

    def __init__(self, app: Any, notes: list[str]) -> None:
        self._app = app
        self._notes = notes

    async def __call__(self, scope, receive, send) -> None:
        principal = scope.get("principal")
        self._notes.append("nobody" if principal is None else principal.id)
        await self._app(scope, receive, send)


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/calls", dependencies=[requires("call:view", tenant=IN_HANDLER)])
    async def calls(access: CurrentAccess, tenant: str | None = None) -> list[str]:
        tenant = await access.confine("call:view", tenant)
        return [call for call, owner in CALLS.items() if tenant in {None, owner}]

    @router.get("/forgets/{answer}", dependencies=[requires("call:view", tenant=IN_HANDLER)])
    async def forgets(answer: int) -> JSONResponse:
        return JSONResponse({}, status_code=answer)

    @router.post("/signed/{source}", dependencies=[proved_by("signature of the source")])
    async def signed(source: str) -> str:
        return source

    @router.websocket("/signed/{source}/live", dependencies=[proved_by("signature of the source")])
    async def live(websocket: WebSocket, source: str) -> None:
        await websocket.accept()

    @router.get("/person", dependencies=[requires("", tenant=OWN, only="person")])
    async def person(principal: CurrentPrincipal) -> str:
        return principal.id

    @router.get("/service", dependencies=[requires("", tenant=OWN, only="service")])
    async def service(principal: CurrentPrincipal) -> str:
        return principal.id

    @router.get("/sure", dependencies=[requires("", tenant=OWN, second_factor_within=300)])
    async def sure(principal: CurrentPrincipal) -> str:
        return principal.id

    @router.get("/ends", dependencies=[requires("call:end", tenant=IN_HANDLER)])
    async def ends(access: CurrentAccess) -> None:
        await access.to("call:end", tenant="hotel-7")

    @router.get("/platform", dependencies=[requires("system:monitor", tenant=PLATFORM)])
    async def platform(principal: CurrentPrincipal) -> str:
        return principal.id

    return router


class Service:
    def __init__(
        self, world: World, *, master: MasterToken | None = None, second_factor_roles: Any = (), **options: Any
    ) -> None:
        self.notes: list[str] = []
        self.app = FastAPI(openapi_url=None)
        self.app.include_router(routes())
        authenticator = Authenticator(
            world.policies,
            verifier=world.verifier,
            api_keys=world.keys,
            sessions=world.sessions,
            master=master,
            second_factor_roles=second_factor_roles,
        )
        shared = {"authenticator": authenticator}
        self.app.add_middleware(AuthMiddleware, guard=world.guard, audit=world.audit, **shared, **options)
        self.app.add_middleware(Seen, notes=self.notes)
        self.app.add_middleware(IdentityMiddleware, **shared)
        self.http = AsyncClient(transport=ASGITransport(self.app), base_url="https://calls.example")


@pytest.fixture
async def world() -> World:
    return await World().open()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_who_asks_is_known_in_front_of_the_gate_and_looked_up_once(world: World) -> None:
    service = Service(world)
    key = {"x-api-key": await world.key("call:view")}
    for headers in (bearer(await world.token("hotel_staff")), key, bearer("x.y.z"), {}):
        await service.http.get("/calls", headers=headers)

    assert service.notes == ["u-1", "service:billing", "nobody", "nobody"]
    # The key's request counted once, though two middlewares asked who it is.
    assert [event.type for event in world.sink.events].count("authz.access.denied") == 2


async def test_what_cannot_be_found_out_is_no_answer_of_the_one_in_front(world: World) -> None:
    service = Service(world)
    limited = await world.key("call:view")
    for _ in range(100):
        assert (await service.http.get("/calls", headers={"x-api-key": limited})).status_code == 200
    answer = await service.http.get("/calls", headers={"x-api-key": limited})
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")


async def test_refusals_are_raised_for_whoever_answers_all_errors_alike(world: World) -> None:
    seen: list[str] = []

    class Outermost:
        def __init__(self, app: Any) -> None:
            self._app = app

        async def __call__(self, scope, receive, send) -> None:
            try:
                await self._app(scope, receive, send)
            except CredentialRefused as error:
                seen.append(f"{error.code} {scope['auth_challenge']}")
                await JSONResponse({}, status_code=401)(scope, receive, send)

    service = Service(world, raise_errors=True)
    service.app.add_middleware(Outermost)
    for headers in ({}, bearer("x.y.z")):
        assert (await service.http.get("/calls", headers=headers)).status_code == 401
    assert seen == [
        'authentication_failed Bearer realm="orchestrator", ApiKey realm="orchestrator"',
        'invalid_token Bearer realm="orchestrator", error="invalid_token", ApiKey realm="orchestrator"',
    ]


# --- other proofs


async def test_a_route_with_another_proof_asks_for_no_credential_of_ours(world: World) -> None:
    service = Service(world)
    for headers in ({}, bearer("of somebody else's scheme"), {"authorization": "whatever"}):
        answer = await service.http.post("/signed/twilio", headers=headers)
        assert (answer.status_code, answer.json()) == (200, "twilio")
    assert (await service.http.get("/signed/twilio")).status_code == 405
    for path in ("/signed", "/signed/", "/signed/a/b", "/signed/a/live", "/signedx/a"):
        assert (await service.http.post(path)).status_code == 401
    assert world.sink.events[-1].details["reason"] == "no credential"


async def test_what_every_route_declares_can_be_listed(world: World) -> None:
    found = {
        (path, "".join(methods)): rule for path, methods, rule in declared_rules(Service(world).app) if path != "/docs"
    }
    assert found["/signed/{source}", "POST"] == Proof("signature of the source")
    assert found["/signed/{source}/live", ""] == Proof("signature of the source")
    assert found["/platform", "GET"] == Rule("system:monitor", PLATFORM)
    assert found["/person", "GET"] == Rule("", OWN, "person")


async def test_a_socket_is_never_public_by_its_path() -> None:
    app = FastAPI(openapi_url=None)

    @app.websocket("/healthz")
    async def live(websocket: WebSocket) -> None:
        await websocket.accept()

    with pytest.raises(ConfigurationError, match="/healthz"):
        require_rules(app, public={"/healthz"})


# --- handlers that ask


async def test_a_list_is_confined_to_the_tenants_that_are_open(world: World) -> None:
    service = Service(world)
    here, everywhere = (
        bearer(await world.token("hotel_staff")),
        bearer(await world.token("system_admin", tenant=ALL_TENANTS)),
    )
    assert (await service.http.get("/calls", headers=here)).json() == ["c-7"]
    assert (await service.http.get("/calls?tenant=hotel-7", headers=here)).json() == ["c-7"]
    assert (await service.http.get("/calls?tenant=hotel-8", headers=here)).status_code == 403
    assert (await service.http.get("/calls", headers=everywhere)).json() == ["c-7", "c-8"]
    assert (await service.http.get("/calls?tenant=hotel-8", headers=everywhere)).json() == ["c-8"]
    assert (await service.http.get("/calls", headers=bearer(await world.token("operator")))).status_code == 403


@pytest.mark.parametrize("status", [200, 201, 204, 302])
async def test_a_handler_that_forgets_to_ask_gets_no_answer_out(world: World, status) -> None:
    service = Service(world)
    answer = await service.http.get(f"/forgets/{status}", headers=bearer(await world.token("hotel_staff")))

    assert (answer.status_code, answer.json()["code"]) == (500, "access_not_decided")


async def test_a_handler_may_refuse_before_it_asks(world: World) -> None:
    service = Service(world)
    answer = await service.http.get("/forgets/404", headers=bearer(await world.token("hotel_staff")))
    assert answer.status_code == 404


async def test_a_socket_s_handler_has_to_ask_before_it_accepts(world: World) -> None:
    app = FastAPI(openapi_url=None)

    @app.websocket("/live", dependencies=[requires("call:view", tenant=IN_HANDLER)])
    async def live(websocket: WebSocket) -> None:
        await websocket.accept()

    app.add_middleware(AuthMiddleware, authenticator=world.authenticator, guard=world.guard, audit=world.audit)
    token = await world.token("hotel_staff")
    scope = {"type": "websocket", "path": "/live", "raw_path": b"/live", "root_path": "", "query_string": b"", "headers": [(b"authorization", f"Bearer {token}".encode())], "subprotocols": [], "scheme": "ws"}  # fmt: skip
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message: dict) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert sent[0]["reason"] == HandlerForgot.default_code


# --- who may come at all


async def test_persons_and_services_each_to_their_own(world: World) -> None:
    service = Service(world)
    person, program = bearer(await world.token("hotel_staff")), {"x-api-key": await world.key()}

    assert (await service.http.get("/person", headers=person)).json() == "u-1"
    assert (await service.http.get("/person", headers=program)).status_code == 403
    assert world.sink.events[-1].details["reason"] == "for a person only"
    assert (await service.http.get("/service", headers=program)).json() == "service:billing"
    assert (await service.http.get("/service", headers=person)).status_code == 403


async def test_a_rule_can_ask_for_a_second_factor_shown_lately(world: World) -> None:
    service = Service(world)
    old, fresh = bearer(await world.token("hotel_staff")), bearer(await world.token("hotel_staff", fresh=True))

    assert (await service.http.get("/sure", headers=old)).json()["code"] == "second_factor_required"
    assert (await service.http.get("/sure", headers=fresh)).status_code == 200
    world.clock.seconds += 301
    assert (await service.http.get("/sure", headers=fresh)).status_code == 403


@pytest.mark.parametrize("carried", ["token", "cookie"])
async def test_roles_can_count_only_once_a_second_factor_was_shown(world: World, carried) -> None:
    service = Service(world, second_factor_roles={"hotel_admin"})
    if carried == "token":
        plain, sure = (
            bearer(await world.token("hotel_admin", "guest_user")),
            bearer(await world.token("hotel_admin", "guest_user", fresh=True)),
        )
    else:
        cookie, _ = await world.cookie("hotel_admin", "guest_user")
        plain = {"cookie": f"__Host-session={cookie}"}
        await world.sessions.confirm_second_factor(cookie.removeprefix("ocs_").partition(".")[0])
        sure = plain
        plain = {"cookie": f"__Host-session={(await world.cookie('hotel_admin', 'guest_user'))[0]}"}

    # What another role holds too is not withheld.
    assert (await service.http.get("/calls", headers=plain)).json() == ["c-7"]
    answer = await service.http.get("/ends", headers=plain)
    assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_required")
    assert (await service.http.get("/ends", headers=sure)).status_code == 200
    assert (await service.http.get("/person", headers=plain)).status_code == 200


# --- the token of the configuration


async def test_the_master_token_is_the_platform_s(world: World) -> None:
    service = Service(world, master=MasterToken(TOKEN, actor="operator"))
    for path, headers, status in (
        ("/platform", bearer(TOKEN), 200),
        ("/calls", bearer(TOKEN), 200),
        ("/sure", bearer(TOKEN), 403),
        ("/platform", bearer(TOKEN + "x"), 401),
        ("/platform", bearer(TOKEN[:-1]), 401),
        ("/platform", {"x-api-key": TOKEN}, 401),
        ("/platform", {"authorization": TOKEN}, 401),
    ):
        assert (await service.http.get(path, headers=headers)).status_code == status, (path, headers)
    assert (await service.http.get("/platform", headers=bearer(TOKEN))).json() == "operator"

    trusted = Service(world, master=MasterToken(TOKEN, clock=world.clock))
    assert (await trusted.http.get("/sure", headers=bearer(TOKEN))).status_code == 200


def test_a_short_master_token_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="16"):
        MasterToken("short")


# --- our own pages


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://calls.example", 200),
        ("http://calls.example", 401),
        ("https://calls.example:444", 401),
        ("https://evil.example", 401),
        ("null", 401),
    ],
)
async def test_where_hosts_are_known_a_page_of_the_host_is_our_own(world: World, origin, status) -> None:
    app = FastAPI(openapi_url=None)

    @app.post("/change", dependencies=[requires("", tenant=OWN)])
    async def change(request: Request) -> None: ...

    known = Authenticator(world.policies, sessions=world.sessions, host_is_known=True)
    app.add_middleware(AuthMiddleware, authenticator=known, guard=world.guard, audit=world.audit)
    cookie, csrf = await world.cookie("hotel_staff")
    headers = {"cookie": f"__Host-session={cookie}", "x-csrf-token": csrf, "origin": origin}
    async with AsyncClient(transport=ASGITransport(app), base_url="https://calls.example") as http:
        assert (await http.post("/change", headers=headers)).status_code == status
