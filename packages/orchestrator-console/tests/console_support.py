"""An ASGI client that keeps cookies, and the console over the host of `console_host`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from console_host import ALL, EchoDesk, MemoryAlerts, MemoryCalls, MemoryFigures, MemorySignIn, Person

from orchestrator_console import Console, ConsoleConfig

BASE = "/console"
PASSWORD = "correct horse battery"
FAST = ConsoleConfig(push=0.01, refresh=0.1, read_limit=0.2, check_viewer=0.05)


@dataclass
class Answer:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body)
        return found


@dataclass
class Stream:
    """An answer that goes on; `gate` holds the line back, as a slow browser does."""

    pieces: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    rest: str = ""

    async def event(self, limit: float = 5.0) -> tuple[str, dict[str, object]]:
        """The next event; comments and times are passed over."""
        async with asyncio.timeout(limit):
            while True:
                while "\n\n" not in self.rest:
                    self.rest += (await self.pieces.get()).decode()
                block, _, self.rest = self.rest.partition("\n\n")
                fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
                if "event" in fields:
                    return fields["event"], json.loads(fields["data"])

    async def until(self, condition: Callable[[dict[str, object]], bool], limit: float = 5.0) -> dict[str, object]:
        """The first patch for which the condition holds."""
        async with asyncio.timeout(limit):
            while True:
                name, data = await self.event(limit)
                if name == "patch" and condition(data):
                    return data


class Browser:
    """Asks a mounted console; keeps its cookies, as a browser does."""

    def __init__(self, console: Console, base: str = BASE) -> None:
        self._app = console.app
        self.base = base
        self.cookies: dict[str, str] = {}

    def _scope(self, method: str, path: str, headers: dict[str, str]) -> dict[str, object]:
        path, _, query = (self.base + path).partition("?")
        given = {"host": "calls.example", **headers}
        if self.cookies:
            given["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": self.base,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "client": ("192.0.2.1", 40_000),
            "server": ("calls.example", 443),
        }

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """One request. Header names are written with underscores."""
        named = {"accept": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        pieces = [{"type": "http.request", "body": body, "more_body": False}]
        start: dict[str, object] = {}
        content = bytearray()

        async def receive() -> dict[str, object]:
            if pieces:
                return pieces.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                content.extend(message.get("body", b""))  # type: ignore[arg-type]

        await self._app(self._scope(method, path, named), receive, send)
        found = {name.decode().lower(): value.decode() for name, value in start["headers"]}  # type: ignore[attr-defined]
        self._keep(found.get("set-cookie", ""))
        return Answer(int(str(start["status"])), found, bytes(content))

    def _keep(self, header: str) -> None:
        name, _, value = header.partition(";")[0].partition("=")
        if name and "max-age=0" in header.lower():
            self.cookies.pop(name, None)
        elif name:
            self.cookies[name] = value

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, **headers)

    async def form(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        return await self.ask(
            "POST", path, urlencode(fields).encode(), content_type="application/x-www-form-urlencoded", **headers
        )

    async def post(self, path: str, fields: object, csrf: str, **headers: str) -> Answer:
        """As the page's script does it."""
        given = {"accept": "application/json", "content_type": "application/json", "x_csrf_token": csrf, **headers}
        return await self.ask("POST", path, json.dumps(fields).encode(), **given)

    async def sign_in(self, login: str = "zoe") -> Answer:
        return await self.form("/login", {"login": login, "password": PASSWORD})

    @asynccontextmanager
    async def stream(self, path: str, *, held: bool = False) -> AsyncGenerator[Stream, None]:
        """An open page; leaving the context is the browser going away."""
        stream, gone = Stream(), asyncio.Event()
        if not held:
            stream.gate.set()

        async def receive() -> dict[str, object]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            await stream.gate.wait()
            if message["type"] == "http.response.start":
                stream.status = int(str(message["status"]))
            elif message.get("body"):
                stream.pieces.put_nowait(message["body"])  # type: ignore[arg-type]

        async def run() -> None:
            await self._app(self._scope("GET", path, {"accept": "text/event-stream"}), receive, send)
            stream.ended.set()

        task = asyncio.create_task(run())
        try:
            yield stream
        finally:
            gone.set()
            stream.gate.set()
            async with asyncio.timeout(5):
                await task


@dataclass
class Host:
    """A console and all that stands behind it."""

    config: ConsoleConfig = FAST
    sign_in: MemorySignIn = field(default_factory=MemorySignIn)
    calls: MemoryCalls = field(default_factory=MemoryCalls)
    alerts: MemoryAlerts = field(default_factory=MemoryAlerts)
    figures: MemoryFigures = field(default_factory=MemoryFigures)

    def __post_init__(self) -> None:
        self.desk = EchoDesk(self.calls)
        self.sign_in.add("zoe", PASSWORD, Person("u-zoe", ALL))
        self.sign_in.add("kim", PASSWORD, Person("u-kim", frozenset({"call:view", "call:start"}), tenant="lake"))
        self.sign_in.add("max", PASSWORD, Person("u-max", ALL), codes=["123456"])
        self.console = Console(
            sign_in=self.sign_in,
            calls=self.calls,
            health=self.figures,
            objectives=self.figures,
            alerts=self.alerts,
            policies=self.figures,
            audit=self.figures,
            test_calls=self.desk,
            config=self.config,
        )

    async def browser(self, login: str = "zoe") -> Browser:
        """A browser that is signed in."""
        browser = Browser(self.console)
        assert (await browser.sign_in(login)).status == 303
        return browser

    def csrf(self, browser: Browser) -> str:
        return self.sign_in.sessions[browser.cookies["session"]].csrf_token
