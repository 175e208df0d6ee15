"""Where the demo's calls take place: one service, one that is killed and started again, or several behind a balancer that knows nothing of calls."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from orchestrator_app.cli._client import Credentials, Running, Service, listen, start_service
from orchestrator_app.cli._ear import Ear, Heard
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Clock, Json

__all__ = ["Scene", "lasting_leg", "restarted", "shared"]

AGAIN: Final = 0.1
"""Seconds until a phone whose line died tries again."""


@dataclass(slots=True)
class Scene:
    """Where calls are placed.

    Attributes:
        disaster: Kills the process that speaks, and sees to it that somebody can go on.
        told: What happened, for the document.
    """

    service: Service
    disaster: Callable[[], Awaitable[None]] | None = None
    told: dict[str, Json] = field(default_factory=dict[str, Json])


@asynccontextmanager
async def restarted(environment: Mapping[str, str], data: Path) -> AsyncGenerator[Scene, None]:
    """One service that is killed, and started again on the same data and port."""
    credentials = Credentials()
    running = await start_service(environment, data, credentials)

    async def disaster() -> None:
        nonlocal running
        port = urlsplit(running.service.url).port or 0
        await running.kill()
        running = await start_service(environment, data, credentials, port=port)

    try:
        yield Scene(running.service, disaster, {"how": "killed, and started again"})
    finally:
        await running.stop()


@asynccontextmanager
async def shared(environment: Mapping[str, str], data: Path, count: int) -> AsyncGenerator[Scene, None]:
    """`count` services on one PostgreSQL, which the environment names, behind a round robin; the one that speaks is killed for good."""
    environment = {**environment, "ORCHESTRATOR_SECURITY__ROOT_KEY": secrets.token_urlsafe(32)}
    await _migrate(environment, data)
    credentials = Credentials()
    running = await asyncio.gather(*(start_service(environment, data, credentials) for _ in range(count)))
    balancer = RoundRobin(running)
    scene = Scene(
        replace(running[0].service, url=await balancer.start()),
        told={"how": "killed, and taken over by another process", "processes": count},
    )

    async def disaster() -> None:
        victim = balancer.busiest()
        scene.told["killed"] = victim + 1
        await running[victim].kill()

    scene.disaster = disaster
    try:
        yield scene
    finally:
        await balancer.stop()
        scene.told["connections"] = [balancer.count[number] for number in range(count)]
        await asyncio.gather(*(each.stop() for each in running))


async def _migrate(environment: Mapping[str, str], data: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator_app", "migrate", "--data", str(data)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise OrchestratorError(f"the tables could not be made: {errors.decode().strip()[-300:]}")


class RoundRobin:
    """Gives each connection to the next service that takes it.

    Attributes:
        count: How many connections each service got.
    """

    def __init__(self, services: list[Running]) -> None:
        self._ports = [urlsplit(each.service.url).port or 0 for each in services]
        self._next = itertools.cycle(range(len(services)))
        self._open: Counter[int] = Counter()
        self._server: asyncio.Server | None = None
        self.count: Counter[int] = Counter()

    async def start(self) -> str:
        """Listen on a free loopback port; its URL."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.close()

    def busiest(self) -> int:
        """Which service has the most connections open: requests are short, the media socket is not."""
        return max(range(len(self._ports)), key=self._open.__getitem__)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in itertools.islice(self._next, len(self._ports)):
            try:
                onward = await asyncio.open_connection("127.0.0.1", self._ports[number])
            except OSError:
                continue
            self.count[number] += 1
            self._open[number] += 1
            try:
                await asyncio.gather(_pipe(reader, onward[1]), _pipe(onward[0], writer))
            finally:
                self._open[number] -= 1
            return
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()


@asynccontextmanager
async def lasting_leg(
    url: str, token: str, clock: Clock, notice: Callable[[str, Heard], None]
) -> AsyncGenerator[Ear, None]:
    """An ear on the media socket of a call that connects again whenever the line dies, for as long as the context lasts."""
    line = _Line(url, token, clock)
    ear = Ear(clock, line.send, notice)
    tasks = [asyncio.create_task(line.hold(ear)), asyncio.create_task(ear.report())]
    try:
        yield ear
    finally:
        await cancel(*tasks)


class _Line:
    """The connection of the moment."""

    def __init__(self, url: str, token: str, clock: Clock) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"}
        self._clock = clock
        self._send: Callable[[str], Awaitable[None]] | None = None

    async def send(self, message: Mapping[str, Json]) -> None:
        if self._send is not None:
            with suppress(ConnectionClosed):  # what is played on a dead line nobody counts
                await self._send(json.dumps(message))

    async def hold(self, ear: Ear) -> None:
        while True:
            with suppress(WebSocketException, OSError):
                async with connect(self._url, additional_headers=self._headers, open_timeout=2) as socket:
                    await socket.send(json.dumps({"type": "hello", "reports": True}))
                    self._send = socket.send
                    await listen(socket, ear)
            self._send = None
            ear.lost()
            await self._clock.sleep(AGAIN)
