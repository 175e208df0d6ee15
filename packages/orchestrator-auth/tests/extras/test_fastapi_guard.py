"""A FastAPI application behind the gate: rules at routes, every identity against every route, and what keeps it from starting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from auth_world import World
from fastapi import APIRouter, Body, FastAPI, WebSocket
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from orchestrator_auth.fastapi_guard import CurrentAccess, CurrentPrincipal, CurrentService, CurrentUser, requires
from orchestrator_auth.guard import IN_HANDLER, OWN, PLATFORM, Rule, in_body, in_path, in_query
from orchestrator_auth.middleware import AuthMiddleware
from orchestrator_auth.models import ALL_TENANTS
from orchestrator_kernel.exceptions import ConfigurationError

PUBLIC = {"/healthz", "/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
STORED = {"call-7": "hotel-7", "call-8": "hotel-8"}


def application(world: World, *routers: APIRouter, **options) -> FastAPI:
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    usual = {"public": PUBLIC, **options}
    app.add_middleware(AuthMiddleware, authenticator=world.authenticator, guard=world.guard, audit=world.audit, **usual)
    return app


def routes() -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get("/hotels/{hotel_id}/calls", dependencies=[requires("call:view", tenant=in_path("hotel_id"))])
    async def of_hotel(hotel_id: str) -> str:
        return hotel_id

    @router.get("/calls", dependencies=[requires("call:view", tenant=in_query("hotel_id"))])
    async def by_query(hotel_id: str) -> str:
        return hotel_id

    @router.post("/calls", dependencies=[requires("call:start", tenant=in_body("call.hotel_id"))])
    async def by_body(call: Annotated[dict[str, str], Body(embed=True)]) -> str:
        return call["hotel_id"]

    @router.get("/calls/{call_id}", dependencies=[requires("call:view", tenant=IN_HANDLER)])
    async def by_reference(call_id: str, access: CurrentAccess) -> str:
        await access.to("call:view", tenant=STORED[call_id])
        return STORED[call_id]

    @router.get("/me", dependencies=[requires("", tenant=OWN)])
    async def me(user: CurrentUser) -> str:
        return user.user_id

    @router.get("/service", dependencies=[requires("", tenant=OWN)])
    async def service(found: CurrentService) -> str:
        return found.service

    @router.post("/ops/evaluate", dependencies=[requires("slo:evaluate", tenant=PLATFORM)])
    async def evaluate(principal: CurrentPrincipal) -> str:
        return principal.id

    @router.post("/secrets/rotate", dependencies=[requires("secret:rotate", tenant=PLATFORM)])
    async def rotate() -> str:
        return "rotated"

    @router.websocket("/hotels/{hotel_id}/live", dependencies=[requires("call:view", tenant=in_path("hotel_id"))])
    async def live(websocket: WebSocket, hotel_id: str) -> None:
        await websocket.accept()
        await websocket.send_text(hotel_id)
        await websocket.close()

    return router


@pytest.fixture
async def world() -> World:
    return await World().open()


@pytest.fixture
async def http(world: World) -> AsyncIterator[AsyncClient]:
    app = application(world, routes())

    @app.get("/healthz")
    async def healthz() -> str:
        return "up"

    async with AsyncClient(transport=ASGITransport(app), base_url="https://calls.example") as client:
        yield client


async def headers_of(world: World, identity: str) -> dict[str, str]:
    """The credential of an identity of the matrix."""
    kind, _, rest = identity.partition(" ")
    if kind == "nobody":
        return {}
    if kind == "expired":
        token = await world.token("system_admin", tenant=ALL_TENANTS, fresh=True)
        world.clock.seconds += 1000
        return {"authorization": f"Bearer {token}"}
    if kind == "revoked":
        token = await world.token("system_admin", tenant=ALL_TENANTS, fresh=True)
        await world.revocations.revoke_session("s-1")
        return {"authorization": f"Bearer {token}"}
    if kind == "service":
        return {"x-api-key": await world.key(*rest.split(), tenant="hotel-7")}
    tenant = {"platform": ALL_TENANTS, "here": "hotel-7", "elsewhere": "hotel-8"}[kind]
    role, _, fresh = rest.partition(" ")
    return {"authorization": f"Bearer {await world.token(*filter(None, [role]), tenant=tenant, fresh=bool(fresh))}"}


ROUTES = {
    "GET /v1/hotels/hotel-7/calls": ("call:view", "hotel-7"),
    "GET /v1/calls?hotel_id=hotel-7": ("call:view", "hotel-7"),
    "POST /v1/calls": ("call:start", "hotel-7"),
    "GET /v1/calls/call-7": ("call:view", "hotel-7"),
    "GET /v1/me": ("", "user"),
    "GET /v1/service": ("", "service"),
    "POST /v1/ops/evaluate": ("slo:evaluate", ALL_TENANTS),
    "POST /v1/secrets/rotate": ("secret:rotate", ALL_TENANTS),
}
ROLES = ("system_admin", "hotel_admin", "hotel_staff", "guest_user", "operator", "auditor", "")
IDENTITIES = [
    "nobody",
    "expired",
    "revoked",
    "service call:view call:start",
    "service slo:evaluate",
    *(f"{where} {role}" for where in ("platform", "here", "elsewhere") for role in ROLES),
    "platform system_admin fresh",
]


def expected(world: World, identity: str, route: str) -> int:
    """What the declared rule says, worked out without the code under test."""
    permission, tenant = ROUTES[route]
    kind, _, rest = identity.partition(" ")
    if kind in {"nobody", "expired", "revoked"}:
        return 401
    if not permission:
        return 200 if (kind == "service") == (tenant == "service") else 403
    home = {"platform": ALL_TENANTS, "here": "hotel-7", "elsewhere": "hotel-8", "service": "hotel-7"}[kind]
    role, _, fresh = rest.partition(" ")
    held = set(rest.split()) if kind == "service" else world.policies.policy.permissions(home, {role})
    reach = home in {tenant, ALL_TENANTS}
    if permission == "secret:rotate" and not fresh:
        return 403
    return 200 if permission in held and reach else 403


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_every_identity_gets_at_every_route_what_its_rule_says(world: World, http: AsyncClient, identity) -> None:
    headers = await headers_of(world, identity)
    for route in ROUTES:
        method, path = route.split(" ")
        body = {"call": {"hotel_id": "hotel-7"}} if route == "POST /v1/calls" else None
        answer = await http.request(method, path, headers=headers, json=body)
        assert answer.status_code == expected(world, identity, route), (identity, route, answer.text)
        if answer.status_code in {401, 403}:
            assert answer.headers["content-type"] == "application/problem+json"
            assert set(answer.json()) == {"type", "title", "status", "detail", "instance", "code"}


async def test_every_refusal_is_audited_with_its_reason(world: World, http: AsyncClient) -> None:
    headers = {"authorization": f"Bearer {await world.token('guest_user')}"}
    await http.get("/v1/hotels/hotel-8/calls", headers=headers)
    await http.post("/v1/ops/evaluate", headers=headers)
    await http.post("/v1/calls", headers=headers, json={"call": {}})
    found = [
        (e.actor, e.details["reason"], e.details.get("permission"))
        for e in world.sink.events
        if e.type == "authz.access.denied"
    ]
    assert found == [
        ("u-1", "other tenant", "call:view"),
        ("u-1", "no permission", "slo:evaluate"),
        ("u-1", "request names no tenant", "call:start"),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?hotel_id=",
        "?hotel_id=hotel-7&hotel_id=hotel-8",
        "?hotel_id=*",
        "?Hotel_id=hotel-7",
        "?hotel_id=hotel-7%00",
    ],
)
async def test_a_tenant_in_the_query_is_named_once_or_not_at_all(world: World, http: AsyncClient, query) -> None:
    headers = {"authorization": f"Bearer {await world.token('hotel_admin')}"}
    assert (await http.get(f"/v1/calls{query}", headers=headers)).status_code in {403, 422}


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"call": 1}',
        '{"call": {"hotel_id": ["hotel-7"]}}',
        '{"call": {"hotel_id": ""}}',
        '{"call.hotel_id": "hotel-7"}',
        "[]",
        "null",
    ],
)
async def test_a_tenant_in_the_body_is_where_the_rule_says(world: World, http: AsyncClient, body) -> None:
    headers = {"authorization": f"Bearer {await world.token('hotel_admin')}", "content-type": "application/json"}
    assert (await http.post("/v1/calls", headers=headers, content=body)).status_code in {403, 422}


async def test_a_missing_second_factor_says_what_to_do(world: World, http: AsyncClient) -> None:
    headers = {"authorization": f"Bearer {await world.token('system_admin', tenant=ALL_TENANTS)}"}
    answer = await http.post("/v1/secrets/rotate", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_required")
    assert "second factor" in answer.json()["detail"]


async def test_the_document_shows_how_to_get_in(http: AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    assert set(document["components"]["securitySchemes"]) == {"Bearer", "ApiKey", "Session"}
    assert {"Bearer": []} in document["paths"]["/v1/me"]["get"]["security"]
    assert "security" not in document["paths"]["/healthz"]["get"]


# --- WebSocket


async def talk(app: FastAPI, path: str, headers: list[tuple[bytes, bytes]]) -> list[dict]:
    scope = {"type": "websocket", "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": headers, "subprotocols": [], "scheme": "ws"}  # fmt: skip
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message: dict) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def test_a_websocket_keeps_the_rule_of_its_route(world: World) -> None:
    app = application(world, routes())
    headers = [(b"authorization", f"Bearer {await world.token('hotel_staff')}".encode())]
    opened = await talk(app, "/v1/hotels/hotel-7/live", headers)
    assert [message["type"] for message in opened] == ["websocket.accept", "websocket.send", "websocket.close"]
    refused = await talk(app, "/v1/hotels/hotel-8/live", headers)
    assert [(message["type"], message.get("code")) for message in refused] == [("websocket.close", 1008)]
    nobody = await talk(app, "/v1/hotels/hotel-7/live", [])
    assert [(message["type"], message.get("code")) for message in nobody] == [("websocket.close", 1008)]


# --- what keeps an application from starting


async def start(app: FastAPI) -> list[dict]:
    sent: list[dict] = []
    waiting = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict:
        return waiting.pop(0)

    async def send(message: dict) -> None:
        sent.append(message)

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    return sent


def undeclared() -> APIRouter:
    router = APIRouter()

    @router.get("/forgotten")
    async def forgotten() -> str:
        return "?"

    return router


def undeclared_socket() -> APIRouter:
    router = APIRouter(prefix="/deep")

    @router.websocket("/forgotten")
    async def forgotten(websocket: WebSocket) -> None:
        await websocket.accept()

    outer = APIRouter(prefix="/outer")
    outer.include_router(router)
    return outer


@pytest.mark.parametrize(
    ("router", "named"), [(undeclared(), "GET /forgotten"), (undeclared_socket(), "/outer/deep/forgotten")]
)
async def test_a_route_without_a_rule_keeps_the_application_from_starting(world: World, router, named) -> None:
    app = application(world, routes(), router)
    sent: list[dict] = []
    with pytest.raises(ConfigurationError, match=named):
        sent += await start(app)
    # And should a server go on all the same, nothing is answered.
    async with AsyncClient(transport=ASGITransport(app), base_url="https://calls.example") as client:
        with pytest.raises(ConfigurationError):
            await client.get("/healthz")


async def test_a_server_is_told_that_the_start_failed(world: World) -> None:
    app = application(world, undeclared())
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "lifespan.startup"}

    async def send(message: dict) -> None:
        sent.append(message)

    with pytest.raises(ConfigurationError):
        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "GET /forgotten" in sent[0]["message"]


async def test_a_rule_of_a_router_counts_for_its_routes(world: World) -> None:
    outer = APIRouter(dependencies=[requires("", tenant=OWN)])
    outer.include_router(undeclared())
    app = FastAPI()
    app.include_router(outer, prefix="/x")
    app.include_router(undeclared(), prefix="/y", dependencies=[requires("slo:view", tenant=PLATFORM)])
    app.add_middleware(
        AuthMiddleware, authenticator=world.authenticator, guard=world.guard, audit=world.audit, public=PUBLIC
    )
    assert [message["type"] for message in await start(app)] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    async with AsyncClient(transport=ASGITransport(app), base_url="https://calls.example") as client:
        headers = {"authorization": f"Bearer {await world.token('guest_user')}"}
        assert (await client.get("/x/forgotten", headers=headers)).status_code == 200
        assert (await client.get("/y/forgotten", headers=headers)).status_code == 403


async def test_what_is_mounted_needs_a_rule_too(world: World) -> None:
    async def answer(request) -> PlainTextResponse:
        return PlainTextResponse("in")

    inner = Starlette(routes=[Route("/x", answer)])
    app = application(world)
    app.mount("/inner", inner)
    with pytest.raises(ConfigurationError, match="GET/HEAD /inner/x"):
        await start(app)
    bare = application(world)
    bare.mount("/bare", PlainTextResponse("in"))
    with pytest.raises(ConfigurationError, match="/bare/"):
        await start(bare)
    ruled = application(world, rules={"/inner/*": Rule("system:monitor", PLATFORM)})
    ruled.mount("/inner", inner)
    async with AsyncClient(transport=ASGITransport(ruled), base_url="https://calls.example") as client:
        staff = {"authorization": f"Bearer {await world.token('hotel_staff')}"}
        operator = {"authorization": f"Bearer {await world.token('operator', tenant=ALL_TENANTS)}"}
        assert (await client.get("/inner/x", headers=staff)).status_code == 403
        assert (await client.get("/inner/x", headers=operator)).text == "in"
        assert (await client.get("/inner/x")).status_code == 401


async def test_without_the_middleware_nobody_is_let_in() -> None:
    app = FastAPI()
    app.include_router(routes())
    async with AsyncClient(transport=ASGITransport(app), base_url="https://calls.example") as client:
        with pytest.raises(ConfigurationError, match="AuthMiddleware is missing"):
            await client.get("/v1/hotels/hotel-7/calls")
