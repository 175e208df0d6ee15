"""The console over the host of the tests, served by uvicorn in a thread; and a page whose mistakes are noted."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import uvicorn
from console_support import BASE, PASSWORD, Host
from playwright.sync_api import ConsoleMessage, Page, Request
from starlette.applications import Starlette
from starlette.routing import Mount

from orchestrator_console import ConsoleConfig

T = TypeVar("T")

# Notes every sample that Web Audio is told to play.
EAR = """
globalThis.heard = {samples: 0, loudest: 0, stopped: 0};
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (...when) {
  const samples = this.buffer.getChannelData(0);
  heard.samples += samples.length;
  heard.rate = this.buffer.sampleRate;
  for (const sample of samples) heard.loudest = Math.max(heard.loudest, Math.abs(sample));
  heard.context = this.context;
  return start.apply(this, when);
};
const stop = AudioBufferSourceNode.prototype.stop;
AudioBufferSourceNode.prototype.stop = function (...when) { heard.stopped += 1; return stop.apply(this, when); };
"""


@dataclass
class Served:
    """A host, where it is, and a way to change it in its own thread."""

    host: Host
    url: str
    loop: asyncio.AbstractEventLoop

    def do(self, change: Callable[..., T], *values: object, **named: object) -> T:
        """Call it on the server's event loop, where all of the host lives."""

        async def run() -> T:
            return change(*values, **named)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)


@dataclass
class Watched:
    """A page, and every error that its console showed."""

    page: Page
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._noted)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("requestfailed", self._failed)

    def _noted(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def _failed(self, request: Request) -> None:
        # What the page itself gave up, by going elsewhere, is no mistake.
        if request.failure != "net::ERR_ABORTED":
            self.errors.append(f"failed: {request.url}: {request.failure}")

    def until(self, condition: str, limit: float = 15.0) -> None:
        """Return when the expression holds; asked through the debugger, for the page's policy lets nobody else evaluate a text."""
        deadline = time.monotonic() + limit
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, condition
            time.sleep(0.02)

    def sign_in(self, served: Served, login: str = "zoe") -> Page:
        """Through the form, as people do."""
        self.page.goto(f"{served.url}/")
        self.page.get_by_label("Name or e-mail address").fill(login)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{served.url}/")
        return self.page


@contextmanager
def serve(config: ConsoleConfig) -> Generator[Served, None, None]:
    """Until the context ends."""
    host = Host(config=config)
    app = Starlette(routes=[Mount(BASE, host.console.app)])
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[listening])

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    served = Served(host, f"http://127.0.0.1:{listening.getsockname()[1]}{BASE}", loops[0])
    try:
        yield served
    finally:
        served.do(host.console.close)
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive(), "the server did not end, though the console was closed"
