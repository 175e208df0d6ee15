"""Cross-origin requests and trusted hosts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from security_asgi import ask, echo, scope_of

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_security.headers_middleware import (
    CorsMiddleware,
    CorsPolicy,
    OriginRefused,
    TrustedHosts,
    UntrustedHost,
)

CONSOLE = "https://console.example"
POLICY = CorsPolicy(
    origins=frozenset({CONSOLE}), methods=frozenset({"GET", "PUT"}), exposed=frozenset({"X-Total"}), credentials=True
)
APP = CorsMiddleware(echo, policy=POLICY)
HOST = ("host", "calls.example")


def asked(origin: str | None, *more: tuple[str, str], method: str = "GET", kind: str = "http") -> dict[str, Any]:
    origins = [] if origin is None else [("origin", origin)]
    return scope_of("/calls", method=method, headers=[HOST, *origins, *more], kind=kind)


async def test_a_known_page_may_read_the_answer() -> None:
    reply = await ask(APP, asked(CONSOLE))
    assert reply.status == 200
    assert reply.header("access-control-allow-origin") == CONSOLE
    assert reply.header("access-control-allow-credentials") == "true"
    assert reply.header("access-control-expose-headers") == "X-Total"
    assert reply.header("vary") == "Origin"


@pytest.mark.parametrize("origin", [None, "https://calls.example"])
async def test_no_page_and_its_own_pages_pass_without_a_word(origin: str | None) -> None:
    reply = await ask(APP, asked(origin, method="DELETE"))
    assert (reply.status, reply.header("access-control-allow-origin")) == (200, None)


@pytest.mark.parametrize(
    "origin",
    ["null", "", "https://evil.example", "https://console.example.evil.example", "http://console.example", "https://console.example:444",
     "https://CONSOLE.example", "https://console.example/", "https://console.example https://evil.example"],
)  # fmt: skip
async def test_every_other_page_is_refused_before_anything_happens(origin: str) -> None:
    async def unreachable(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the application was asked")

    app = CorsMiddleware(unreachable, policy=POLICY)
    reply = await ask(app, asked(origin))
    assert (reply.status, reply.problem["code"]) == (403, "origin_refused")
    assert reply.header("access-control-allow-origin") is None
    socket = await ask(app, asked(origin, kind="websocket"))
    assert (socket.status, socket.closed) == (0, 1008)


@given(st.text(max_size=40))
async def test_the_origin_is_never_reflected_unless_it_is_known(origin: str) -> None:
    reply = await ask(APP, asked(origin.encode("latin-1", "ignore").decode("latin-1")))
    assert reply.header("access-control-allow-origin") in {None, CONSOLE}
    assert reply.status == (200 if origin in {CONSOLE, "https://calls.example"} else 403)


async def test_two_origins_are_none() -> None:
    assert (await ask(APP, asked(CONSOLE, ("origin", CONSOLE)))).status == 403


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("PUT", "Authorization, content-type", 204),
        ("GET", "", 204),
        ("DELETE", "", 403),
        ("POST", "", 403),
        ("PUT", "x-other", 403),
    ],
)
async def test_preflight(method: str, headers: str, status: int) -> None:
    more = [("access-control-request-method", method)]
    if headers:
        more.append(("access-control-request-headers", headers))
    reply = await ask(APP, asked(CONSOLE, *more, method="OPTIONS"))
    assert reply.status == status
    if status == 204:
        assert reply.header("access-control-allow-methods") == "GET, PUT"
        assert reply.header("access-control-max-age") == "600"


async def test_a_method_that_is_not_for_pages_is_refused_without_preflight_too() -> None:
    assert (await ask(APP, asked(CONSOLE, method="POST"))).status == 403


async def test_what_the_application_says_about_cors_does_not_count() -> None:
    async def open_to_all(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Access-Control-Allow-Origin", b"*")]})
        await send({"type": "http.response.body", "body": b""})

    assert (await ask(CorsMiddleware(open_to_all, policy=POLICY), asked(CONSOLE))).all(
        "access-control-allow-origin"
    ) == [CONSOLE]


async def test_known_pages_open_sockets() -> None:
    assert (await ask(APP, asked(CONSOLE, kind="websocket"))).status == 101


@pytest.mark.parametrize(
    "origin", ["*", "null", "https://*.example", "https://a.example/", "a.example", "HTTPS://a.example", ""]
)
def test_only_exact_origins_can_be_allowed(origin: str) -> None:
    with pytest.raises(ConfigurationError):
        CorsPolicy(origins=frozenset({origin}))


HOSTS = TrustedHosts(echo, hosts=["Calls.example", ".tenants.example", "[::1]"], open_paths={"/healthz"})


@pytest.mark.parametrize(
    ("host", "known"),
    [("calls.example", True), ("CALLS.example:8443", True), ("a.tenants.example", True), ("[::1]:8000", True), ("[::1]", True),
     ("tenants.example", False), ("calls.example.evil.example", False), ("evil.example", False), ("", False), ("calls.example:80:80", False),
     ("calls.example@evil.example", False), ("calls.example.", False)],
)  # fmt: skip
async def test_hosts(host: str, known: bool) -> None:
    reply = await ask(HOSTS, scope_of("/", headers=[("host", host)]))
    assert reply.status == (200 if known else 400)
    socket = await ask(HOSTS, scope_of("/", headers=[("host", host)], kind="websocket"))
    assert (socket.status == 101) is known


async def test_none_and_two_hosts_are_refused_and_probes_are_not() -> None:
    assert (await ask(HOSTS, scope_of("/"))).status == 400
    assert (
        await ask(HOSTS, scope_of("/", headers=[("host", "calls.example"), ("host", "calls.example")]))
    ).status == 400
    assert (await ask(HOSTS, scope_of("/healthz", headers=[("host", "10.0.0.7")]))).status == 200


async def test_errors_can_go_to_an_outer_handler() -> None:
    with pytest.raises(UntrustedHost):
        await ask(TrustedHosts(echo, hosts=["a.example"], raise_errors=True), scope_of("/"))
    with pytest.raises(OriginRefused):
        await ask(CorsMiddleware(echo, policy=POLICY, raise_errors=True), asked("null"))
