"""A caller and its media agent, as a process of its own: places calls through the front doors of a running service."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from orchestrator_app.cli._ear import Ear, Heard
from orchestrator_app.composition.webhooks import AGENT_SCHEME
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.http import HttpClientConfig, create_client, http_errors
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Clock, Json, SystemClock

__all__ = [
    "CallClient",
    "Credentials",
    "LiveKitKey",
    "Running",
    "Service",
    "client_for",
    "listen",
    "media_leg",
    "served",
    "start_service",
]

START_SECONDS = 60.0
STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: where it is, and what proves us to it."""

    url: str
    voices: tuple[str, ...]
    token: str = field(repr=False)
    agent_secret: SecretStr

    def media_url(self, call_id: str) -> str:
        """The media socket of a call, here and not at the public URL."""
        return f"{self.url.replace('http', 'ws', 1)}/v1/calls/{call_id}/media"


@dataclass(frozen=True, slots=True)
class LiveKitKey:
    """What a LiveKit server signs with."""

    api_key: str
    secret: str = field(repr=False)

    def sign(self, body: bytes) -> str:
        """The `Authorization` of a webhook, made by LiveKit's own SDK.

        Raises:
            ConfigurationError: The SDK is not installed.
        """
        try:
            from livekit import api  # noqa: PLC0415 - only where calls are placed for show
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                "the demo signs its webhooks with LiveKit's own SDK; install orchestrator-app[demo]"
            ) from error
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        token = api.AccessToken(self.api_key, self.secret).with_ttl(timedelta(minutes=5)).with_sha256(digest)
        return str(token.to_jwt())


class CallClient:
    """Sends the events of one call."""

    def __init__(self, service: Service, http: httpx.AsyncClient, livekit: LiveKitKey | None, clock: Clock) -> None:
        self._http = http
        self._agent_secret = service.agent_secret
        self._token = service.token
        self._livekit = livekit
        self._clock = clock
        self._webhooks = 0
        self.sequence = 0

    async def announce(self, caller: str, tenant: str, language: str) -> dict[str, str]:
        """`POST /v1/call/start`; its answer."""
        body = {"caller_id": caller, "tenant_id": tenant, "language": language}
        return await self._post("/v1/call/start", json.dumps(body).encode(), {"authorization": f"Bearer {self._token}"})

    async def webhook(self, event: str, call_id: str, participant: Mapping[str, Json] | None = None) -> dict[str, str]:
        """A LiveKit webhook in its native format."""
        if self._livekit is None:
            raise ConfigurationError("no LiveKit key to sign with")
        self._webhooks += 1
        members: dict[str, Json] = {
            "event": event,
            "id": f"EV_{call_id[-12:]}_{self._webhooks}",
            "createdAt": str(int(self._clock.now().timestamp())),
            "room": {"sid": f"RM_{call_id[-12:]}", "name": call_id},
        }
        if participant:
            members["participant"] = participant
        body = json.dumps(members).encode()
        headers = {"authorization": self._livekit.sign(body), "content-type": "application/webhook+json"}
        return await self._post("/v1/livekit/webhook", body, headers)

    def next_event(self, kind: str, call_id: str, tenant: str, **data: Json) -> dict[str, Json]:
        """The agent's next event, counted."""
        self.sequence += 1
        return {
            "event_id": f"{call_id}-{self.sequence}",
            "type": kind,
            "call_id": call_id,
            "tenant_id": tenant,
            "sequence": self.sequence,
            "occurred_at": self._clock.now().isoformat(),
            "data": data,
        }

    async def event(self, event: Mapping[str, Json]) -> dict[str, str]:
        """`POST /call/event`, signed; its answer."""
        body = json.dumps(event).encode()
        return await self._post("/call/event", body, AGENT_SCHEME.sign(body, self._clock.now(), self._agent_secret))

    async def view(self, call_id: str) -> dict[str, Json]:
        """`GET /v1/calls/{id}`."""
        with http_errors("the service"):
            response = await self._http.get(f"/v1/calls/{call_id}", headers={"authorization": f"Bearer {self._token}"})
        return dict(_answer(response))

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        with http_errors("the service"):
            response = await self._http.post(
                path, content=body, headers={"content-type": "application/json", **headers}
            )
        return _answer(response)


def _answer(response: httpx.Response) -> dict[str, str]:
    if response.status_code >= 300:
        raise OrchestratorError(f"{response.request.url.path} answered {response.status_code}: {response.text[:300]}")
    answer: dict[str, str] = response.json()
    return answer


@asynccontextmanager
async def media_leg(
    url: str, token: str, clock: Clock, notice: Callable[[str, Heard], None]
) -> AsyncGenerator[Ear, None]:
    """An ear on the media socket for as long as the context lasts.

    Raises:
        OrchestratorError: The service does not let us in.
    """
    try:
        connection = await connect(url, additional_headers={"authorization": f"Bearer {token}"})
    except (WebSocketException, OSError) as error:
        raise OrchestratorError(f"the media socket cannot be opened: {error}") from error
    async with connection as socket:
        await socket.send(json.dumps({"type": "hello", "reports": True}))

        async def send(message: Mapping[str, Json]) -> None:
            try:
                await socket.send(json.dumps(message))
            except ConnectionClosed:
                return  # the call is over; nobody counts what is played after it

        ear = Ear(clock, send, notice)
        tasks = [asyncio.create_task(listen(socket, ear)), asyncio.create_task(ear.report())]
        try:
            yield ear
        finally:
            await cancel(*tasks)


async def listen(socket: ClientConnection, ear: Ear) -> None:
    """Give the ear what comes until the socket is closed."""
    async for message in socket:
        if isinstance(message, bytes):
            ear.audio(message)
        else:
            await ear.control(json.loads(message))


@dataclass(slots=True)
class Running:
    """A service in a process of its own.

    Attributes:
        pid: Of the process.
    """

    service: Service
    _process: asyncio.subprocess.Process
    _dropping: asyncio.Task[None]

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    async def kill(self) -> None:
        """SIGKILL: nothing is saved, nothing is told."""
        self._process.kill()
        await self._process.wait()
        await self._dropping

    async def stop(self) -> None:
        """End it in order; by force when that takes too long."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._dropping


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves us to a service that we start."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    agent_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


async def start_service(
    environment: Mapping[str, str], data: Path, credentials: Credentials, *, port: int = 0
) -> Running:
    """Start the service on a loopback port, by default a free one.

    Raises:
        OrchestratorError: It did not start; with what it said.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "orchestrator_app", "serve", "--host", "127.0.0.1", "--port", str(port), "--json", "--data", str(data)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **environment,
            "ORCHESTRATOR_SECURITY__ACCESS_TOKEN": credentials.token,
            "ORCHESTRATOR_AGENTS__SECRETS__CALLER": credentials.agent_secret,
        },
        # Ctrl-C in the terminal is for the command, which ends the service itself.
        process_group=0,
    )
    stdout, stderr = process.stdout, process.stderr
    if stdout is None or stderr is None:
        raise OrchestratorError("the service was started without pipes")
    try:
        told = await _ready(stdout, stderr)
    except BaseException:
        if process.returncode is None:
            process.kill()
        await process.wait()
        raise
    service = Service(str(told["url"]), tuple(told["voices"]), credentials.token, SecretStr(credentials.agent_secret))
    return Running(service, process, asyncio.create_task(_drop(stderr)))


@asynccontextmanager
async def served(environment: Mapping[str, str], data: Path) -> AsyncGenerator[Service, None]:
    """The service in a process of its own on a free loopback port, ended with the context.

    Raises:
        OrchestratorError: It did not start; with what it said.
    """
    running = await start_service(environment, data, Credentials())
    try:
        yield running.service
    finally:
        await running.stop()


async def _ready(stdout: asyncio.StreamReader, stderr: asyncio.StreamReader) -> dict[str, list[str]]:
    """What the service told about itself."""
    try:
        async with asyncio.timeout(START_SECONDS):
            line = await stdout.readline()
    except TimeoutError:
        raise OrchestratorError(f"the service was not ready within {START_SECONDS:g} s") from None
    if not line:
        said = (await stderr.read()).decode().strip().splitlines()
        raise OrchestratorError(f"the service did not start: {said[-1] if said else 'it said nothing'}")
    told: dict[str, list[str]] = json.loads(line)
    return told


async def _drop(stream: asyncio.StreamReader) -> None:
    """Read the service's log away, so that a full pipe does not stop it."""
    while await stream.read(65_536):
        pass


@asynccontextmanager
async def client_for(
    service: Service, livekit: LiveKitKey | None = None, *, connections: int = 100
) -> AsyncGenerator[CallClient, None]:
    """A client of a running service for as long as the context lasts."""
    config = HttpClientConfig(base_url=service.url, read_timeout=20.0, pool_timeout=20.0, max_connections=connections)
    async with create_client(config) as http:
        yield CallClient(service, http, livekit, SystemClock())
