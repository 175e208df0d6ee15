"""The gate: who gets in over HTTP and WebSocket, and what everybody else is told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from auth_world import ORIGIN, World
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_auth.exceptions import AccessDenied, AuthStoreFailed
from orchestrator_auth.guard import OWN, PLATFORM, Rule, in_path
from orchestrator_auth.middleware import AuthMiddleware
from orchestrator_auth.models import ALL_TENANTS, KeyLimits
from orchestrator_kernel.exceptions import ConfigurationError, DatabaseError


class App:
    """Notes who came, and answers."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope, receive, send) -> None:
        self.scopes.append(scope)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})


class Gate:
    """The middleware around an application, driven message by message."""

    def __init__(self, world: World, app: Any = None, **options: Any) -> None:
        self.app = app or App()
        usual = {"public": {"/", "/healthz", "/auth/login"}, "rules": {"/calls": Rule("call:view", OWN), "/ops/*": Rule("system:monitor", PLATFORM), "/me": Rule("", OWN)}}  # fmt: skip
        options = {**usual, **options}
        self.gate = AuthMiddleware(
            self.app, authenticator=world.authenticator, guard=world.guard, audit=world.audit, **options
        )

    async def ask(
        self, path: str = "/calls", method: str = "GET", kind: str = "http", **changes: Any
    ) -> tuple[int, dict[str, str], Any]:
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in changes.pop("headers", [])]
        scope = {"type": kind, "path": path, "root_path": "", "headers": headers, "query_string": b"", **changes}
        if kind == "http":
            scope["method"] = method
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect" if kind == "websocket" else "http.request", "body": b""}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        async with asyncio.timeout(10):
            await self.gate(scope, receive, send)
        first = sent[0]
        if first["type"] in {"websocket.accept", "websocket.close"}:
            return first.get("code", 101), {}, first.get("reason", "")
        names = [name for name, _ in first["headers"]]
        assert len(names) == len(set(names))
        body = b"".join(message.get("body", b"") for message in sent[1:])
        found = {name.decode(): value.decode() for name, value in first["headers"]}
        return first["status"], found, json.loads(body) if body.startswith(b"{") else body


def bearer(token: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {token}")]


@pytest.fixture
async def world() -> World:
    return await World().open()


# --- public paths


@pytest.mark.parametrize("path", ["/", "/healthz", "/auth/login"])
async def test_a_public_path_is_open(world: World, path) -> None:
    assert (await Gate(world).ask(path))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "",
        "//",
        "/healthz/",
        "/healthz/x",
        "/Healthz",
        "/healthz;x",
        "/healthz?x",
        "/auth",
        "/auth/login/../me",
        "/auth/login%00",
        "/./healthz",
        "/calls",
        "/x",
        "/healthz\n",
    ],
)
async def test_nothing_but_the_very_path_is_public(world: World, path) -> None:
    """The list once held "/" and was matched by prefix: every path was public."""
    assert (await Gate(world).ask(path))[0] == 401


@given(st.text(max_size=20).map(lambda text: "/" + text))
async def test_no_path_gets_in_without_a_credential(path) -> None:
    gate = Gate(await World().open())
    status, _, _ = await gate.ask(path)
    assert status == 401 or path in {"/", "/healthz", "/auth/login"}


async def test_the_root_path_of_a_proxy_does_not_count(world: World) -> None:
    gate = Gate(world)
    assert (await gate.ask("/api/healthz", root_path="/api"))[0] == 200
    assert (await gate.ask("/apihealthz", root_path="/api"))[0] == 401
    assert (await gate.ask("/api/calls", root_path="/api"))[0] == 401


@pytest.mark.parametrize("path", ["healthz", "/x/*", "/x/{id}", "/x?"])
async def test_a_public_path_is_no_pattern(world: World, path) -> None:
    with pytest.raises(ConfigurationError, match="no pattern"):
        Gate(world, public={path})
    with pytest.raises(ConfigurationError, match="platform or for one's own"):
        Gate(world, rules={"/x": Rule("call:view", in_path("t"))})
    with pytest.raises(ConfigurationError, match="no permission"):
        Rule("", PLATFORM)


# --- who gets in


async def test_a_user_gets_in_with_a_token(world: World) -> None:
    gate = Gate(world)
    assert (await gate.ask(headers=bearer(await world.token("hotel_staff"))))[0] == 200
    principal = gate.app.scopes[0]["principal"]
    assert (principal.id, principal.tenant, principal.may("call:start")) == ("u-1", "hotel-7", True)


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
async def test_a_service_gets_in_with_a_key(world: World, header) -> None:
    gate, key = Gate(world), await world.key("call:view")
    value = key if header == "X-API-Key" else f"ApiKey {key}"
    assert (await gate.ask(headers=[(header, value)]))[0] == 200
    assert gate.app.scopes[0]["principal"].id == "service:billing"


async def test_a_browser_gets_in_with_its_cookie(world: World) -> None:
    gate = Gate(world)
    cookie, _ = await world.cookie("hotel_staff")
    assert (await gate.ask(headers=[("Cookie", f"a=b; __Host-session={cookie}; c=d")]))[0] == 200
    assert gate.app.scopes[0]["principal"].session_id
    assert gate.app.scopes[0]["auth_scheme"] == "cookie"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Basic YTpi")],
        [("Authorization", "Digest x")],
        [("Authorization", "Bearer a.b.c")],
        [("Authorization", "Bearer " + "x" * 20_000)],
        [("Authorization", "ApiKey x")],
        [("Authorization", "Bearer \xe9")],
        [("X-API-Key", "x")],
        [("X-API-Key", "\xff")],
        [("Cookie", "__Host-session=x")],
        [("Cookie", "__Host-session=a; __Host-session=b")],
        [("Cookie", ";;=;")],
        [("Cookie", "session=x")],
    ],
)
async def test_nobody_else_gets_in_and_all_are_told_the_same(world: World, headers) -> None:
    gate = Gate(world)
    status, found, body = await gate.ask(headers=headers)
    assert status == 401
    assert found["content-type"] == "application/problem+json"
    assert found["www-authenticate"].startswith('Bearer realm="orchestrator"')
    assert found["www-authenticate"].endswith('ApiKey realm="orchestrator"')
    assert found["cache-control"] == "no-store"
    assert set(body) == {"type", "title", "status", "detail", "instance", "code"}
    assert body["code"] in {"authentication_failed", "invalid_token"}
    assert not gate.app.scopes
    event = world.sink.events[-1]
    assert (event.outcome, bool(event.details["reason"])) == ("denied", True)
    assert str(event.details["reason"]) not in json.dumps(body)


async def test_two_credentials_are_none(world: World) -> None:
    token, key = await world.token("hotel_staff"), await world.key("call:view")
    gate = Gate(world)
    for headers in ([*bearer(token), ("X-API-Key", key)], [*bearer(token), *bearer(token)], [("X-API-Key", key)] * 2):
        assert (await gate.ask(headers=headers))[0] == 401


async def test_a_token_that_is_over_is_told_as_the_standard_says(world: World) -> None:
    gate, token = Gate(world), await world.token("hotel_staff")
    world.clock.seconds += 1000
    status, found, _ = await gate.ask(headers=bearer(token))
    assert status == 401
    assert 'error="invalid_token"' in found["www-authenticate"]
    assert "error" not in (await gate.ask())[1]["www-authenticate"]


async def test_a_key_over_its_limit_is_told_when_to_come_back(world: World) -> None:
    gate, key = Gate(world), await world.key("call:view", limits=KeyLimits(per_minute=1))
    assert (await gate.ask(headers=[("X-API-Key", key)]))[0] == 200
    status, found, body = await gate.ask(headers=[("X-API-Key", key)])
    assert (status, body["code"]) == (429, "rate_limited")
    assert 1 <= int(found["retry-after"]) <= 60


async def test_a_store_that_is_down_lets_nobody_in_and_says_so(world: World) -> None:
    gate, token = Gate(world), await world.token("hotel_staff")

    async def down(*_: object) -> None:
        raise AuthStoreFailed("down")

    world.clock.seconds += 10
    world.revocations._store.changes = down  # type: ignore[method-assign, assignment]
    assert (await gate.ask(headers=bearer(token)))[0] == 503


# --- cookies and changes


@pytest.mark.parametrize(
    ("method", "extra", "status"),
    [
        ("GET", [], 200),
        ("GET", [("Sec-Fetch-Site", "cross-site")], 200),
        ("POST", [], 401),
        ("DELETE", [], 401),
        ("post", [], 401),
        ("QUERY", [], 401),
        ("POST", [("X-CSRF-Token", "wrong")], 401),
        ("POST", [("X-CSRF-Token", "{csrf}")], 200),
        ("POST", [("X-CSRF-Token", "{csrf}"), ("Origin", ORIGIN)], 200),
        ("POST", [("X-CSRF-Token", "{csrf}"), ("Origin", "https://evil.example")], 401),
        ("POST", [("X-CSRF-Token", "{csrf}"), ("Origin", "null")], 401),
        ("POST", [("X-CSRF-Token", "{csrf}"), ("Sec-Fetch-Site", "cross-site")], 401),
        ("POST", [("X-CSRF-Token", "{csrf}"), ("Sec-Fetch-Site", "same-origin")], 200),
        ("POST", [("X-CSRF-Token", "{csrf}"), ("X-CSRF-Token", "{csrf}")], 401),
    ],
)
async def test_a_change_by_cookie_needs_the_page_s_own_token(world: World, method, extra, status) -> None:
    cookie, csrf = await world.cookie("hotel_staff")
    headers = [("Cookie", f"__Host-session={cookie}"), *((name, value.format(csrf=csrf)) for name, value in extra)]
    assert (await Gate(world).ask(method=method, headers=headers))[0] == status


async def test_another_session_s_csrf_token_is_worth_nothing(world: World) -> None:
    cookie, _ = await world.cookie("hotel_staff")
    _, other = await world.cookie("hotel_staff", user="u-2")
    headers = [("Cookie", f"__Host-session={cookie}"), ("X-CSRF-Token", other)]
    assert (await Gate(world).ask(method="POST", headers=headers))[0] == 401


# --- WebSocket


async def test_a_websocket_is_let_in_with_a_token_a_key_or_a_cookie_of_our_origin(world: World) -> None:
    gate = Gate(world)
    cookie, _ = await world.cookie("hotel_staff")
    for headers in (
        bearer(await world.token("hotel_staff")),
        [("X-API-Key", await world.key("call:view"))],
        [("Cookie", f"__Host-session={cookie}"), ("Origin", ORIGIN)],
    ):
        assert (await gate.ask(kind="websocket", headers=headers))[0] == 101
    assert len(gate.app.scopes) == 3


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null", ORIGIN + ".evil.example", ORIGIN + ":444"])
async def test_a_websocket_of_another_page_is_refused(world: World, origin) -> None:
    cookie, _ = await world.cookie("hotel_staff")
    headers = [("Cookie", f"__Host-session={cookie}"), *([("Origin", origin)] if origin else [])]
    assert await Gate(world).ask(kind="websocket", headers=headers) == (1008, {}, "authentication_failed")


async def test_a_refused_handshake_is_a_problem_document_where_the_server_can_send_one(world: World) -> None:
    gate = Gate(world)
    extensions = {"websocket.http.response": {}}
    status, found, body = await gate.ask(kind="websocket", extensions=extensions)
    assert (status, found["content-type"], body["status"]) == (401, "application/problem+json", 401)
    assert not gate.app.scopes


# --- what they may


async def test_a_rule_of_the_gate_is_kept(world: World) -> None:
    gate = Gate(world)
    staff, operator = await world.token("hotel_staff"), await world.token("operator", tenant=ALL_TENANTS)
    hotel_operator = await world.token("operator")
    assert (await gate.ask("/calls", headers=bearer(staff)))[0] == 200
    assert (await gate.ask("/calls", headers=bearer(operator)))[0] == 403
    assert (await gate.ask("/ops/metrics", headers=bearer(operator)))[0] == 200
    # The platform's own is not a tenant's, whatever the role is called there.
    assert (await gate.ask("/ops/metrics", headers=bearer(hotel_operator)))[0] == 403
    assert (await gate.ask("/me", headers=bearer(hotel_operator)))[0] == 200


async def test_a_path_without_a_rule_is_closed_to_everybody(world: World) -> None:
    """A path that nobody listed once needed no permission."""
    gate = Gate(world)
    status, _, body = await gate.ask("/unlisted", headers=bearer(await world.token("system_admin", tenant=ALL_TENANTS)))
    assert (status, body["code"]) == (403, "forbidden")
    assert world.sink.events[-1].details["reason"] == "path has no rule"


async def test_a_refusal_from_below_is_answered_and_anything_else_passes(world: World) -> None:
    async def denies(scope, receive, send) -> None:
        raise AccessDenied("other tenant")

    async def breaks(scope, receive, send) -> None:
        raise DatabaseError("broken")

    async def breaks_late(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise AccessDenied("too late")

    headers = bearer(await world.token("hotel_staff"))
    status, _, body = await Gate(world, denies).ask(headers=headers)
    assert (status, body["code"], "other tenant" in json.dumps(body)) == (403, "forbidden", False)
    with pytest.raises(DatabaseError):
        await Gate(world, breaks).ask(headers=headers)
    with pytest.raises(AccessDenied):
        await Gate(world, breaks_late).ask(headers=headers)


async def test_the_lifespan_passes(world: World) -> None:
    seen = []

    async def app(scope, receive, send) -> None:
        seen.append(scope["type"])

    await Gate(world, app).gate({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Authorization", "X-API-Key", "Cookie", "Origin", "X-CSRF-Token"]),
            st.text(st.characters(max_codepoint=255), max_size=60),
        ),
        max_size=4,
    )
)
async def test_whatever_the_headers_the_answer_is_a_401(headers) -> None:
    assert (await Gate(await World().open()).ask(headers=headers))[0] == 401
