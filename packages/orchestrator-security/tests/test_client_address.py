"""Who is at the other end: one answer for limits, lockouts and audit."""

from __future__ import annotations

from typing import Any

import pytest
from security_asgi import scope_of

from orchestrator_security.headers_middleware import ClientAddress
from orchestrator_security.webhook_security import TrustedProxies

PROXIES = TrustedProxies(["127.0.0.0/8"])


async def seen(proxies: TrustedProxies, *forwarded: str, kind: str = "http") -> Any:
    told: list[Any] = []

    async def app(scope: dict[str, Any], receive: object, send: object) -> None:
        told.append(scope["client"])

    scope = scope_of(headers=[("x-forwarded-for", value) for value in forwarded], kind=kind)
    await ClientAddress(app, proxies=proxies)(scope, None, None)  # type: ignore[arg-type]
    return told[0]


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_behind_a_proxy_of_ours_the_client_is_who_called_it(kind: str) -> None:
    assert await seen(PROXIES, "203.0.113.9, 198.51.100.7", kind=kind) == ("198.51.100.7", 0)


async def test_without_a_proxy_or_a_header_it_is_the_peer() -> None:
    assert await seen(PROXIES) == ("127.0.0.1", 50000)
    assert await seen(TrustedProxies(), "198.51.100.7") == ("127.0.0.1", 50000)
    assert await seen(TrustedProxies(["10.0.0.0/8"]), "198.51.100.7") == ("127.0.0.1", 50000)


@pytest.mark.parametrize("forwarded", ["unknown", "198.51.100.7, unknown", ",".join(["127.0.0.1"] * 40)])
async def test_what_cannot_be_read_gives_nobody_an_address_of_their_choice(forwarded: str) -> None:
    assert await seen(PROXIES, forwarded) == ("127.0.0.1", 50000)


async def test_a_socket_without_peer_stays_one() -> None:
    async def app(scope: dict[str, Any], receive: object, send: object) -> None:
        assert scope["client"] is None

    scope = {**scope_of(headers=[("x-forwarded-for", "198.51.100.7")]), "client": None}
    await ClientAddress(app, proxies=PROXIES)(scope, None, None)  # type: ignore[arg-type]
