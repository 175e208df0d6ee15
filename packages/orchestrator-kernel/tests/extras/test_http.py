"""The HTTP client seam, against a real server on loopback."""

from __future__ import annotations

import asyncio
import gc
import random
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError, ExternalServiceError
from orchestrator_kernel.http import (
    HttpClientConfig,
    check_status,
    create_client,
    deadline,
    http_errors,
    is_url,
    read_limited,
    safe_url,
)

# A key for tests alone, valid for localhost and 127.0.0.1 until 2125; nothing trusts it but the tests below.
TEST_KEY = """\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIGLgvZ79JdiMPT5u8hZkBMaHX1bZ6kXhTZwoHSjRCnpnoAoGCCqGSM49
AwEHoUQDQgAEFhAFFuzyaBPetCqTWbi3Fpp2Zz9uONoh13nSCr/fNTm1xvjgPQcL
NTLgUiK4u3OKv2av0sJsOPvR6CgG7zwlmQ==
-----END EC PRIVATE KEY-----
"""
TEST_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUBjhxpG1R4cYKzvcf0tDzsc2PHc0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE5MDMzM1oYDzIxMjYxMDI5
MTkwMzMzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQWEAUW7PJoE960KpNZuLcWmnZnP2442iHXedIKv981ObXG+OA9Bws1
MuBSIri7c4q/Zq/Swmw4+9HoKAbvPCWZo28wbTAdBgNVHQ4EFgQUB2rHn9uHZQt5
4t+6YaafeWSH9fswHwYDVR0jBBgwFoAUB2rHn9uHZQt54t+6YaafeWSH9fswDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgEEMNjLzePvVy6np3JnqpXswBiuR6M7lKUrEXnn8Y5hcCIHP3
MxnBFewS/5ysLZBnUmfAebgTYzrp94l2Db3nOsbl
-----END CERTIFICATE-----
"""


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("https://pms.example/a?b=c", True),
        ("https://[::1]:8443", True),
        ("https://0177.0.0.1/", False),
        ("https://[v1.pms]/", False),
        ("https://xn--.example/", False),
        ("https://pms.example/a\0", False),
        ("/a", False),
    ],
)
def test_what_a_client_would_take_for_a_url(text: str, right: bool) -> None:
    assert is_url(text) is right


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
ANSWERS = {
    "/plain": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "/stated": b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n",
    "/gzip": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
    "/moved": b"HTTP/1.1 302 Found\r\nlocation: /plain\r\ncontent-length: 0\r\n\r\n",
    "/status": b"HTTP/1.1 %s Refused\r\nretry-after: 7\r\ncontent-length: 6\r\n\r\nsecret",
    "/garbage": b"this is not HTTP\r\n\r\n",
    "/cut": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
    "/gone": b"",
}


@dataclass
class Server:
    """A small HTTP/1.1 server that counts its connections."""

    url: str = ""
    open: int = 0
    peak: int = 0
    accepted: int = 0
    requests: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.accepted += 1
        self.peak = max(self.peak, self.open)
        try:
            while await self._answer(reader, writer) not in {"/cut", "/gone"}:
                await writer.drain()
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            return
        finally:
            self.open -= 1
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.requests.append(head)
        lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
        await reader.readexactly(int(lengths[0].split(":")[1]) if lengths else 0)
        path, _, query = head.split(" ", 2)[1].partition("?")
        if path in ANSWERS:
            writer.write(ANSWERS[path].replace(b"%s", query.encode()))
        elif path == "/late":
            for piece in (b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 5\r\n\r\nhello"):
                await asyncio.sleep(0.004)
                writer.write(piece)
                await writer.drain()
        elif path == "/stream":
            writer.write(CHUNKED)
            for _ in range(10):
                writer.write(b"400\r\n" + b"x" * 0x400 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.001)
            writer.write(b"0\r\n\r\n")
        elif path == "/big":
            writer.write(CHUNKED)
            while True:
                writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                await writer.drain()
        else:
            await reader.read()
        return path


async def eventually(condition: Callable[[], bool]) -> None:
    """A closed socket is noticed by the other side a moment later."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        await eventually(lambda: server.open == 0)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running() as one:
        yield one


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "server.pem"
    path.write_text(TEST_KEY + TEST_CERTIFICATE)
    return path


@pytest.fixture
async def tls_server(certificate: Path) -> AsyncIterator[Server]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with running(context) as one:
        yield one


class TestCancelledRequests:
    """A barge-in cancels a request; the pool must not notice."""

    @pytest.fixture
    async def complaints(self) -> AsyncIterator[list[dict[str, object]]]:
        found: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
        yield found
        gc.collect()
        await asyncio.sleep(0)
        assert found == []

    async def test_no_slot_is_lost(self, server: Server, complaints: list[object]) -> None:
        async with create_client(HttpClientConfig(base_url=server.url, max_connections=4, pool_timeout=10)) as client:
            await storm(client, server, seconds=6.0, limit=4)

    async def test_no_slot_is_lost_over_tls(
        self, tls_server: Server, certificate: Path, complaints: list[object]
    ) -> None:
        config = HttpClientConfig(base_url=tls_server.url, max_connections=4, pool_timeout=10, ca_file=str(certificate))
        async with create_client(config) as client:
            await storm(client, tls_server, seconds=2.0, limit=4)

    async def test_a_hanging_handshake_costs_its_slot_no_longer_than_the_connect_timeout(self) -> None:
        """The caller is told at once; the slot comes back when the connection has given up."""
        silent = Server()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            silent.open += 1
            await reader.read()
            silent.open -= 1
            writer.transport.abort()

        listening = await asyncio.start_server(accept, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        config = HttpClientConfig(base_url=url, max_connections=1, connect_timeout=0.3, pool_timeout=2.0)
        async with create_client(config) as client:
            for _ in range(3):
                task = asyncio.create_task(client.get("/"))
                await asyncio.sleep(0.05)
                began = time.perf_counter()
                task.cancel()
                await asyncio.wait([task])
                assert time.perf_counter() - began < 0.2
            with pytest.raises(httpx.ConnectTimeout):
                await client.get("/")
        listening.close()
        await eventually(lambda: silent.open == 0)

    async def test_closing_the_client_ends_what_another_task_reads(self, server: Server) -> None:
        client = create_client(HttpClientConfig(base_url=server.url))
        async with client.stream("GET", "/big") as response:
            pieces = response.aiter_raw()
            assert await anext(pieces)
            await client.aclose()
            with pytest.raises(httpx.ReadError):
                async for _ in pieces:
                    pass
        await eventually(lambda: server.open == 0)

    @pytest.mark.soak
    async def test_no_slot_is_lost_in_a_minute(self, server: Server, complaints: list[object]) -> None:
        async with create_client(HttpClientConfig(base_url=server.url, max_connections=10, pool_timeout=10)) as client:
            await storm(client, server, seconds=60.0, limit=10)


PATHS = ("/plain", "/late", "/stream")


async def test_a_transport_of_the_users_own_sees_every_request(server: Server):
    seen: list[str] = []

    class Watching(httpx.AsyncBaseTransport):
        def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
            self.inner = inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            seen.append(request.method)
            return await self.inner.handle_async_request(request)

        async def aclose(self) -> None:
            await self.inner.aclose()

    async with create_client(HttpClientConfig(base_url=server.url), wrap=Watching) as client:
        assert (await client.get("/plain")).status_code == 200
    assert seen == ["GET"]


async def ask(client: httpx.AsyncClient, dice: random.Random) -> None:
    """One request, of any kind a caller makes; it may be cancelled anywhere."""
    path, way = dice.choice(PATHS), dice.randrange(4)
    if way == 0:
        assert (await client.post(path, json={"text": "x" * dice.choice((1, 100_000))})).is_success
        return
    response = await client.send(client.build_request("GET", path), stream=True)
    try:
        if way == 1:
            assert await response.aread()
        elif way == 2:
            async for _ in response.aiter_bytes():
                await asyncio.sleep(0)
    finally:
        # A second cancellation can strike here; the client must stand that as well.
        await response.aclose()


@dataclass
class Tally:
    """What a storm did; times in seconds."""

    answered: int = 0
    cancelled: int = 0
    cancellations: list[float] = field(default_factory=list)
    control: list[float] = field(default_factory=list)
    typical: float = 0.01


async def ask_and_cancel(client: httpx.AsyncClient, dice: random.Random, tally: Tally) -> None:
    """One request that is cancelled at a random moment of the time that a request takes now, or left alone."""
    began = time.perf_counter()
    task = asyncio.create_task(ask(client, dice))
    if dice.random() < 0.1:
        await task
        tally.answered += 1
        tally.typical = 0.8 * tally.typical + 0.2 * (time.perf_counter() - began)
        return
    await asyncio.sleep(dice.choice((0, dice.uniform(0, 0.1), dice.uniform(0, 1.0))) * tally.typical)
    began = time.perf_counter()
    task.cancel()
    if dice.random() < 0.3:
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.wait([task])
    if task.cancelled():
        tally.cancelled += 1
        tally.cancellations.append(time.perf_counter() - began)
    else:
        assert task.result() is None
        tally.answered += 1


async def control(tally: Tally, stop_at: float) -> None:
    """What a cancellation costs in this loop, as busy as it is, when nothing has to be cleaned up."""
    while time.monotonic() < stop_at:
        task = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(0.005)
        began = time.perf_counter()
        task.cancel()
        await asyncio.wait([task])
        tally.control.append(time.perf_counter() - began)


async def storm(client: httpx.AsyncClient, server: Server, *, seconds: float, limit: int) -> None:
    """Cancel at random for a while, then ask 100 times in earnest."""
    stop_at = time.monotonic() + seconds
    tally = Tally()

    async def caller(seed: int) -> None:
        dice = random.Random(seed)
        while time.monotonic() < stop_at:
            await ask_and_cancel(client, dice, tally)

    await asyncio.gather(control(tally, stop_at), *(caller(seed) for seed in range(limit * 2)))
    served = len(server.requests)
    answers = await asyncio.gather(*(client.get("/plain") for _ in range(100)))
    assert [answer.text for answer in answers] == ["hello"] * 100
    # Every slot can be held at one time again.
    streams = [await client.send(client.build_request("GET", "/stream"), stream=True) for _ in range(limit)]
    for stream in streams:
        await stream.aclose()
    figures = {
        "answered": tally.answered,
        "cancelled": tally.cancelled,
        "reached the server": served,
        "connections": server.accepted,
        "peak connections": server.peak,
        "cancel p50 ms": percentile(tally.cancellations, 50),
        "cancel p99 ms": percentile(tally.cancellations, 99),
        "control p99 ms": percentile(tally.control, 99),
    }
    print(figures)  # noqa: T201 - the run's figures, shown with -s
    assert tally.cancelled > 20 * seconds, "hardly anything was cancelled"
    assert served > tally.answered + 3 * seconds, "hardly anything was cancelled on its way"
    # A connection that the client has closed can still be open on the server's side for a moment.
    assert server.peak <= limit * 2, "the number of connections is not bounded"
    assert figures["cancel p99 ms"] < figures["control p99 ms"] * 2 + 5, "a cancelled caller waited"


def percentile(seconds: list[float], percent: int) -> float:
    return round(sorted(seconds)[len(seconds) * percent // 100] * 1000, 2)


class TestClient:
    async def test_is_an_httpx_client_with_the_settings(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
        config = HttpClientConfig(base_url=server.url, headers={"Authorization": "Bearer key", "Accept-Encoding": "br"})
        async with create_client(config) as client:
            assert isinstance(client, httpx.AsyncClient)
            assert (await client.get("/plain?q=1")).text == "hello"
            assert (await client.get("/plain")).extensions["http_version"] == b"HTTP/1.1"
        assert "authorization: bearer key" in server.requests[0].lower()
        assert "accept-encoding: br" in server.requests[0].lower()
        assert server.accepted == 1, "the connection is used again"

    async def test_answers_are_asked_for_without_compression(self, server: Server) -> None:
        async with create_client(HttpClientConfig(base_url=server.url)) as client:
            await client.get("/plain")
        assert "accept-encoding: identity" in server.requests[0].lower()

    async def test_a_redirect_is_not_followed(self, server: Server) -> None:
        async with create_client(HttpClientConfig(base_url=server.url)) as client:
            assert (await client.get("/moved")).status_code == 302
        async with create_client(HttpClientConfig(base_url=server.url, follow_redirects=True)) as client:
            assert (await client.get("/moved")).text == "hello"

    async def test_a_full_pool_is_a_pool_timeout(self, server: Server) -> None:
        config = HttpClientConfig(base_url=server.url, max_connections=1, pool_timeout=0.05)
        async with create_client(config) as client, client.stream("GET", "/big"):
            with pytest.raises(httpx.PoolTimeout):
                await client.get("/plain")

    async def test_a_certificate_nobody_vouches_for_is_refused(self, tls_server: Server, certificate: Path) -> None:
        async with create_client(HttpClientConfig(base_url=tls_server.url)) as client:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get("/plain")
        async with create_client(HttpClientConfig(base_url=tls_server.url, ca_file=str(certificate))) as client:
            assert (await client.get("/plain")).text == "hello"
        async with create_client(HttpClientConfig(base_url=tls_server.url, verify=False)) as client:
            assert (await client.get("/plain")).text == "hello"

    async def test_the_callers_trace_extension_still_works(self, server: Server) -> None:
        seen: list[str] = []

        async def trace(event: str, info: dict[str, object]) -> None:
            seen.append(event)

        async with create_client(HttpClientConfig(base_url=server.url)) as client:
            request = client.build_request("GET", "/moved", extensions={"trace": trace})
            for _ in range(2):
                assert (await client.send(request, follow_redirects=True)).text == "hello"
            assert request.extensions["trace"] is trace
        assert seen.count("http11.send_request_headers.started") == 4
        assert "http11.send_request_headers.started" in seen

    async def test_an_error_in_the_callers_own_body_reaches_the_caller(self, server: Server) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b"x"
            raise LookupError("mine")

        async with create_client(HttpClientConfig(base_url=server.url, max_connections=1)) as client:
            with pytest.raises(LookupError, match="mine"):
                await client.post("/plain", content=body())
            assert (await client.get("/plain")).text == "hello"

    def test_importing_loads_no_extra(self) -> None:
        code = "import sys, orchestrator_kernel.http; print({'httpx', 'httpcore', 'anyio'} & set(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "set()"

    def test_without_the_extra_its_name_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "httpx", None)
        with pytest.raises(ConfigurationError, match=r"orchestrator-kernel\[http\]"):
            create_client(HttpClientConfig())


class TestConfig:
    @pytest.mark.parametrize(
        ("values", "setting"),
        [
            ({"base_url": "ftp://host"}, "base_url"),
            ({"base_url": "https://"}, "base_url"),
            ({"base_url": "https://user:hunter2@host"}, "base_url"),
            ({"base_url": "https://host/?key=hunter2"}, "base_url"),
            ({"base_url": "https://host:99999"}, "base_url"),
            ({"connect_timeout": 0}, "connect_timeout"),
            ({"read_timeout": float("inf")}, "read_timeout"),
            ({"pool_timeout": float("nan")}, "pool_timeout"),
            ({"max_connections": -1}, "max_connections"),
        ],
    )
    def test_what_makes_no_sense_is_refused_by_name(self, values: dict[str, object], setting: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            HttpClientConfig(**values)  # type: ignore[arg-type]
        assert caught.value.details["setting"] == setting
        assert "hunter2" not in str(caught.value)

    def test_a_key_with_a_line_end_is_refused_without_showing_it(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            HttpClientConfig(headers={"authorization": "Bearer hunter2\n"})
        assert "hunter2" not in repr(caught.value)
        assert caught.value.details["header"] == "authorization"

    def test_shows_no_header_and_cannot_be_changed(self) -> None:
        headers = {"authorization": "hunter2"}
        config = HttpClientConfig(headers=headers)
        headers["authorization"] = "other"
        assert config.headers["authorization"] == "hunter2"
        assert "hunter2" not in repr(config)
        with pytest.raises(TypeError):
            config.headers["x"] = "y"  # type: ignore[index]

    async def test_a_missing_ca_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError) as caught:
            create_client(HttpClientConfig(ca_file=str(tmp_path / "none.pem")))
        assert caught.value.details["setting"] == "ca_file"

    @given(st.text())
    def test_any_text_as_a_url_is_taken_or_refused(self, text: str) -> None:
        try:
            create_client(HttpClientConfig(base_url="http://" + text, verify=False))
        except ConfigurationError:
            return


class TestHelpers:
    @pytest.fixture
    async def client(self, server: Server) -> AsyncIterator[httpx.AsyncClient]:
        config = HttpClientConfig(base_url=server.url, read_timeout=0.2)
        async with create_client(config) as client:
            yield client

    @pytest.mark.parametrize(
        ("path", "reason", "retryable", "status"),
        [
            ("/never", "read_timeout", True, 504),
            ("/gone", "answer_broken", True, 502),
            ("/garbage", "answer_broken", True, 502),
            ("/cut", "answer_broken", True, 502),
            ("http://127.0.0.1:1/", "connect_failed", True, 502),
            ("ftp://127.0.0.1/", "url_unsupported", False, 502),
        ],
    )
    async def test_every_failure_has_a_reason(
        self, client: httpx.AsyncClient, *, path: str, reason: str, retryable: bool, status: int
    ) -> None:
        with pytest.raises(ExternalServiceError) as caught, http_errors("tts"):
            await client.get(path + "?key=hunter2")
        error = caught.value
        assert (error.details["reason"], error.retryable, error.status) == (reason, retryable, status)
        assert str(error).startswith("tts: ")
        assert error.__cause__ is None
        assert error.__suppress_context__

    def test_every_error_of_httpx_has_a_meaning(self) -> None:
        kinds = [one for one in vars(httpx).values() if isinstance(one, type) and issubclass(one, Exception)]
        for kind in kinds:
            if issubclass(kind, httpx.CookieConflict):
                continue
            error = kind.__new__(kind)
            Exception.__init__(error, "https://u:p@host/?key=hunter2")
            with pytest.raises(ExternalServiceError) as caught, http_errors("tts"):
                raise error
            assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize(
        ("code", "retryable"),
        [(400, False), (401, False), (404, False), (429, True), (500, True), (501, False), (503, True)],
    )
    async def test_a_refusal_is_an_error_without_its_body(
        self, client: httpx.AsyncClient, *, code: int, retryable: bool
    ) -> None:
        response = await client.get(f"/status?{code}")
        with pytest.raises(ExternalServiceError) as caught:
            check_status(response, "tts")
        error = caught.value
        assert error.retryable is retryable
        assert error.retry_after == 7.0
        assert error.details["upstream_status"] == code
        assert "secret" not in str(error)
        assert f"?{code}" not in str(error)

    async def test_success_passes(self, client: httpx.AsyncClient) -> None:
        check_status(await client.get("/plain"), "tts")

    @pytest.mark.parametrize(
        ("path", "reason"),
        [("/big", "answer_too_large"), ("/stated", "answer_too_large"), ("/gzip", "answer_compressed")],
    )
    async def test_a_large_body_is_refused_early(self, client: httpx.AsyncClient, path: str, reason: str) -> None:
        async with client.stream("GET", path) as response:
            with pytest.raises(ExternalServiceError) as caught:
                await read_limited(response, 100_000, "tts")
        assert caught.value.details["reason"] == reason
        assert not caught.value.retryable

    async def test_a_body_of_just_the_limit_is_read(self, client: httpx.AsyncClient) -> None:
        async with client.stream("GET", "/plain") as response:
            assert await read_limited(response, 5, "tts") == b"hello"
        async with client.stream("GET", "/plain") as response:
            with pytest.raises(ExternalServiceError):
                await read_limited(response, 4, "tts")

    async def test_the_deadline_covers_everything(self, client: httpx.AsyncClient) -> None:
        async def read_for_ever() -> None:
            async with deadline(0.05, "tts"), client.stream("GET", "/big") as response:
                async for _ in response.aiter_raw():
                    pass

        with pytest.raises(ExternalServiceError) as caught:
            await read_for_ever()
        assert (caught.value.status, caught.value.retryable) == (504, True)
        assert caught.value.details["reason"] == "deadline"

    async def test_the_deadline_leaves_other_timeouts_and_cancellations_alone(self) -> None:
        with pytest.raises(TimeoutError):
            async with deadline(5, "tts"):
                raise TimeoutError
        with pytest.raises(asyncio.CancelledError):
            async with deadline(5, "tts"):
                raise asyncio.CancelledError

    @given(secret=st.text("abcdefghijk", min_size=6), path=st.sampled_from(["/", "/a/b", ""]))
    def test_a_safe_url_holds_no_secret(self, secret: str, path: str) -> None:
        url = httpx.URL(f"https://{secret}:{secret}@tts.example:8443{path}?key={secret}#{secret}")
        shown = safe_url(url)
        assert secret not in shown
        assert shown == f"https://tts.example:8443{path}"
