"""The transport under a real httpx client, in front of a real server on loopback."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest

from orchestrator_resilience.circuit_breaker import CircuitOpen
from orchestrator_resilience.config import CircuitBreakerConfig, RetryConfig
from orchestrator_resilience.deadlines import DEADLINE_HEADER
from orchestrator_resilience.http_transport import PipelineTransport
from orchestrator_resilience.manager import Pipeline
from orchestrator_resilience.pipeline_config import PipelineConfig


class Service:
    """Answers with the statuses that it is told, then 200; remembers the heads of the requests."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.heads: list[str] = []

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await self._head(reader):
                self.heads.append(head.lower())
                status = self.statuses.pop(0) if self.statuses else 200
                writer.write(b"HTTP/1.1 %d x\r\nretry-after: 0\r\ncontent-length: 4\r\n\r\nbody" % status)
                await writer.drain()
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> str:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except (asyncio.IncompleteReadError, ConnectionError):
            return ""
        lengths = [line.partition(":")[2] for line in head.lower().split("\r\n") if line.startswith("content-length")]
        await reader.readexactly(int(lengths[0]) if lengths else 0)
        return head


@asynccontextmanager
async def client(service: Service, **settings):
    config = PipelineConfig(retry=RetryConfig(attempts=3, base_seconds=0.001), deadline_seconds=20, **settings)
    server = await asyncio.start_server(service.connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    # One connection: an answer that was not closed would block the next request.
    inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=1))
    transport = PipelineTransport(inner, Pipeline("service", config))
    async with server, httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=5) as made:
        yield made


async def test_a_get_is_mended_and_the_failed_answers_are_closed():
    service = Service(503, 500)
    async with client(service) as made:
        response = await made.get("/")
    assert (response.status_code, response.text, len(service.heads)) == (200, "body", 3)


async def test_the_last_failed_answer_is_an_ordinary_response():
    async with client(Service(503, 503, 503)) as made:
        response = await made.get("/")
        assert (response.status_code, response.text) == (503, "body")
        assert (await made.get("/")).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status", "requests"), [({}, 503, 1), ({}, 429, 2), ({"Idempotency-Key": "k1"}, 503, 2)]
)
async def test_a_post_is_repeated_only_if_that_is_safe(headers, status, requests):
    service = Service(status)
    async with client(service) as made:
        await made.post("/", json={"a": 1}, headers=headers)
    assert len(service.heads) == requests


async def test_a_body_that_is_produced_while_it_is_sent_is_sent_once():
    async def body():
        yield b"piece"

    service = Service(503)
    async with client(service) as made:
        response = await made.put("/", content=body(), headers={"content-length": "5"})
    assert (response.status_code, len(service.heads)) == (503, 1)


async def test_failed_answers_open_the_circuit_and_the_time_left_is_told():
    service = Service(*[503] * 30)
    breaker = CircuitBreakerConfig(window="consecutive", consecutive_failures=2)
    async with client(service, breaker=breaker) as made:
        assert [(await made.get("/")).status_code for _ in range(2)] == [503, 503]
        with pytest.raises(CircuitOpen):
            await made.get("/")
    told = [line for line in service.heads[0].split("\r\n") if line.startswith(DEADLINE_HEADER)]
    assert 15_000 < int(told[0].partition(":")[2]) <= 20_000
