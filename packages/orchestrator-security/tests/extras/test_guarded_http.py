"""Server-side requests over real sockets: what is judged is what is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network

import httpx
import pytest

from orchestrator_security.input_validation import AddressRefused, GuardedTransport, UrlPolicy


@asynccontextmanager
async def server(answer: bytes) -> AsyncGenerator[tuple[int, list[bytes]]]:
    """A server on 127.0.0.1 that keeps the heads of its requests."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1], heads


def answers(*addresses: Sequence[str]) -> tuple[list[str], object]:
    """A resolver whose answer changes with every question."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return addresses[min(len(asked), len(addresses)) - 1]

    return asked, resolve


def policy(port: int, *, loopback: bool) -> UrlPolicy:
    networks = (ip_network("127.0.0.1/32"),) if loopback else ()
    return UrlPolicy(schemes=frozenset({"http"}), ports=frozenset({port}), networks=networks)


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


async def test_connects_to_the_judged_address_and_keeps_the_name() -> None:
    async with server(OK) as (port, heads):
        asked, resolve = answers(["127.0.0.1"])
        transport = GuardedTransport(policy(port, loopback=True), resolver=resolve)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport) as client:
            response = await client.get(f"http://rooms.example:{port}/")
    assert response.text == "ok"
    assert asked == ["rooms.example"]
    assert f"Host: rooms.example:{port}".encode() in heads[0]


async def test_a_name_that_points_inside_is_never_connected_to() -> None:
    async with server(OK) as (port, heads):
        _, resolve = answers(["8.8.8.8", "127.0.0.1"])
        transport = GuardedTransport(policy(port, loopback=False), resolver=resolve)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(AddressRefused):
                await client.get(f"http://rooms.example:{port}/")
    assert heads == []


async def test_a_name_that_changes_its_mind_is_asked_once_per_connection_and_judged_each_time() -> None:
    """DNS rebinding: allowed at first, inside the second time."""
    async with server(OK) as (port, heads):
        asked, resolve = answers(["127.0.0.1"], ["127.0.0.2"])
        transport = GuardedTransport(policy(port, loopback=True), resolver=resolve)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport) as client:
            await client.get(f"http://rooms.example:{port}/")
            with pytest.raises(AddressRefused):
                await client.get(f"http://rooms.example:{port}/")
    assert (len(asked), len(heads)) == (2, 1)


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/", "file:///etc/passwd", "http://[::1]:{port}/", "http://127.0.0.2:{port}/"]
)
async def test_every_redirect_is_judged(target: str) -> None:
    async with server(b"") as (port, _):
        pass
    location = target.format(port=port).encode()
    answer = b"HTTP/1.1 302 Found\r\nlocation: " + location + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    async with server(answer) as (port, heads):
        _, resolve = answers(["127.0.0.1"])
        transport = GuardedTransport(policy(port, loopback=True), resolver=resolve)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, follow_redirects=True) as client:
            with pytest.raises((AddressRefused, httpx.UnsupportedProtocol)):
                await client.get(f"http://rooms.example:{port}/")
    assert len(heads) == 1


async def test_the_second_address_is_tried_when_the_first_does_not_answer() -> None:
    async with server(OK) as (port, _):
        _, resolve = answers(["127.0.0.3", "127.0.0.1"])
        networks = (ip_network("127.0.0.0/8"),)
        rules = UrlPolicy(schemes=frozenset({"http"}), ports=frozenset({port}), networks=networks)
        async with httpx.AsyncClient(transport=GuardedTransport(rules, resolver=resolve)) as client:  # type: ignore[arg-type]
            assert (await client.get(f"http://rooms.example:{port}/")).text == "ok"


async def test_the_machines_resolver_is_used_by_default() -> None:
    async with (
        server(OK) as (port, heads),
        httpx.AsyncClient(transport=GuardedTransport(policy(port, loopback=False))) as client,
    ):
        for host in ("localhost", "no-such-name.invalid"):
            with pytest.raises(AddressRefused):
                await client.get(f"http://{host}:{port}/")
    assert heads == []


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(OK) as (port, heads):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        async with httpx.AsyncClient(transport=GuardedTransport(policy(port, loopback=False))) as client:
            with pytest.raises(AddressRefused):
                await client.get(f"http://localhost:{port}/")
    assert heads == []
