"""A caller's world around the application: settings, a client that signs what it sends, the application in process, and as a process."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import itertools
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.dependencies import models as dependency_models
from pydantic import SecretStr

from orchestrator_app.app import create_app
from orchestrator_app.composition.application import Application, compose
from orchestrator_app.composition.database import Databases, migrate, open_databases
from orchestrator_app.composition.webhooks import AGENT_SCHEME
from orchestrator_app.settings import OLD_NAMES, PREFIX, AppSettings
from orchestrator_kernel.models import AuditEvent
from orchestrator_kernel.ports import Clock
from orchestrator_security.audit_logging import AuditQuery, show_audit

TOKEN = "operator-token-of-the-tests-0123456789"
ROOT_KEY = "root-key-of-the-tests-0123456789abcdef"
AGENT_SECRET = "agent-secret-of-the-tests-0123456789"
BEARER_KEY = "static-key-of-earlier-agents-0123456789"
LIVEKIT_KEY = "APItests"
LIVEKIT_SECRET = "livekit-secret-of-the-tests-0123456789"
CALLER = "+4915112345678"
DIALED = "+4930901821"
TENANT = "harbour"
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}

_numbers = itertools.count(1)


SHORT = {TENANT: {"name": "The Harbour House", "numbers": (DIALED,), "script": Path(__file__).parent / "short.toml"}}
"""Tenants whose script is read quickly, for services that do not live long."""


def new_call() -> str:
    """A call id that no other test uses."""
    return f"call-{os.getpid()}-{next(_numbers)}"


def settings(folder: Path, **groups: Any) -> AppSettings:
    """Settings of a text-only service with secrets of its own; a group given here replaces members of the same group."""
    base: dict[str, Any] = {
        "data_dir": folder,
        "security": {"access_token": TOKEN, "root_key": ROOT_KEY},
        "agents": {"secrets": {"first": AGENT_SECRET}, "bearer_key": BEARER_KEY},
        "livekit": {"api_key": LIVEKIT_KEY, "api_secret": LIVEKIT_SECRET, "tenant": TENANT},
        "speech": {"backends": ()},
        # The process that runs all tests holds more than one service would.
        "performance": {"memory_mb": 16_384},
        # Tests ask fast; the limits have tests of their own.
        "resilience": {
            "rate_limits": dict.fromkeys(
                ("anonymous", "authenticated", "calls", "webhooks", "sign_in", "passwords"), "1000000/minute"
            )
        },
        "tenants": {
            TENANT: {"name": "The Harbour House", "numbers": (DIALED,), "languages": ("en-US", "de-DE")},
            "garden": {"name": "The Garden", "numbers": ("+4989123456",), "languages": ("de-DE",)},
        },
    }
    for name, value in groups.items():
        base[name] = {**base.get(name, {}), **value} if isinstance(value, dict) and name != "tenants" else value
    return AppSettings.model_validate(base)


async def make_tables(where: Path | AppSettings) -> None:
    """All tables, as the first start makes them: in a folder, or where settings say."""
    databases = open_databases(settings(where) if isinstance(where, Path) else where)
    try:
        await migrate(databases)
    finally:
        await databases.close()


def sign_livekit(
    body: bytes,
    *,
    key: str = LIVEKIT_KEY,
    secret: str = LIVEKIT_SECRET,
    ttl: timedelta = timedelta(minutes=5),
    digest: str | None = None,
) -> str:
    """The `Authorization` of a webhook, made by LiveKit's own SDK."""
    from livekit import api

    token = api.AccessToken(key, secret).with_ttl(ttl)
    token = token.with_sha256(base64.b64encode(hashlib.sha256(body).digest()).decode() if digest is None else digest)
    return str(token.to_jwt())


def livekit_webhook(event: str, room: str, number: int | None = None, **members: Any) -> bytes:
    """A webhook in LiveKit's native format."""
    count = next(_numbers) if number is None else number
    body = {
        "event": event,
        "id": f"EV_{room}_{count}",
        "createdAt": str(int(time.time())),
        "room": {"sid": f"RM_{room}", "name": room},
        **members,
    }
    return json.dumps(body).encode()


def sip_caller(**attributes: str) -> dict[str, Any]:
    """The participant that stands for a caller on the telephone."""
    numbers = {"sip.phoneNumber": CALLER, "sip.trunkPhoneNumber": DIALED}
    return {"sid": "PA_1", "identity": "sip_caller", "kind": "SIP", "attributes": {**numbers, **attributes}}


@dataclass
class Client:
    """Sends requests as operators, agents and LiveKit servers do."""

    http: httpx.AsyncClient
    url: str = "http://localhost"
    application: Application | None = None
    sequences: dict[str, int] = field(default_factory=dict)

    @property
    def app(self) -> Application:
        """The composed application, where it runs in this process."""
        assert self.application is not None
        return self.application

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.http.get(path, params=params or None, headers=AUTHORIZED)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=body, headers={**AUTHORIZED, **headers})

    async def start(self, *, caller: str = CALLER, tenant: str = TENANT, **members: Any) -> dict[str, Any]:
        answer = await self.post("/v1/call/start", {"caller_id": caller, "tenant_id": tenant, **members})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def signed(
        self,
        body: bytes,
        *,
        path: str = "/call/event",
        secret: str = AGENT_SECRET,
        at: datetime | None = None,
        **headers: str,
    ) -> httpx.Response:
        """A body as a media agent signs it."""
        proof = AGENT_SCHEME.sign(body, at or datetime.now(UTC), SecretStr(secret))
        return await self.http.post(
            path, content=body, headers={"content-type": "application/json", **proof, **headers}
        )

    def next_event(self, call_id: str, kind: str, *, tenant: str | None = TENANT, **data: Any) -> dict[str, Any]:
        """The agent's next event of a call, counted."""
        number = self.sequences[call_id] = self.sequences.get(call_id, 0) + 1
        event = {
            "event_id": f"{call_id}-{number}",
            "type": kind,
            "call_id": call_id,
            "sequence": number,
            "occurred_at": datetime.now(UTC).isoformat(),
            "data": data,
        }
        return event if tenant is None else {**event, "tenant_id": tenant}

    async def event(self, call_id: str, kind: str, *, tenant: str | None = TENANT, **data: Any) -> dict[str, Any]:
        """Send the agent's next event of a call; its answer."""
        body = json.dumps(self.next_event(call_id, kind, tenant=tenant, **data)).encode()
        answer = await self.signed(body)
        assert answer.status_code in {200, 202}, answer.text
        return dict(answer.json())

    async def says(self, call_id: str, text: str, **data: Any) -> dict[str, Any]:
        return await self.event(call_id, "transcription", text=text, final=True, **data)

    async def webhook(self, body: bytes, authorization: str | None = None) -> httpx.Response:
        headers = {"content-type": "application/webhook+json"}
        if authorization != "":
            headers["authorization"] = authorization or sign_livekit(body)
        return await self.http.post("/v1/livekit/webhook", content=body, headers=headers)

    async def view(self, call_id: str) -> dict[str, Any]:
        answer = await self.get(f"/v1/calls/{call_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def audited(self, event_type: str = "", resource: str = "", limit: float = 5.0) -> AuditEvent:
        """The newest event of that type about that resource in the audit log, once it is there."""
        engine = self.app.registry.get(Databases).data
        async with asyncio.timeout(limit):
            while True:
                for event in await show_audit(engine, AuditQuery(event_type=event_type, limit=500)):
                    if resource in {"", event.resource}:
                        return event
                await asyncio.sleep(0.01)

    async def until(self, call_id: str, state: str, limit: float = 5.0) -> dict[str, Any]:
        """The call once it is in this state."""
        async with asyncio.timeout(limit):
            while (view := await self.view(call_id))["state"] != state:
                await asyncio.sleep(0.01)
        return view


_documents: dict[int, list[tuple[re.Pattern[str], dict[str, Any]]]] = {}


def _operations(app: FastAPI) -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """The operations of the document; written once for all applications, because it takes longer than to start one."""
    routes = len(app.routes)
    if routes not in _documents:
        _documents[routes] = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + r"\Z"), listed)
            for path, listed in app.openapi()["paths"].items()
        ]
    return _documents[routes]


def as_documented(app: FastAPI) -> Callable[[httpx.Response], Awaitable[None]]:
    """A hook that fails on every answer which the application's OpenAPI document does not list."""
    operations = _operations(app)

    async def check(answer: httpx.Response) -> None:
        path, method = answer.request.url.path, answer.request.method.lower()
        for pattern, listed in operations:
            if method in listed and pattern.match(path):
                responses = listed[method]["responses"]
                status = str(answer.status_code)
                assert status in responses, f"{method} {path} answered {status}, which is not documented"
                media_type = answer.headers.get("content-type", "").partition(";")[0]
                assert media_type in responses[status].get("content", {media_type: {}})
                if media_type == "application/problem+json":
                    await answer.aread()
                    examples = responses[status]["content"][media_type]["examples"]
                    assert answer.json()["code"] in examples, (
                        f"{method} {path}: {answer.json()['code']} is not documented"
                    )

    return check


@contextmanager
def _forgotten() -> Generator[None, None, None]:
    """FastAPI keeps the functions of the last thousands of routes, and each of ours holds its application: as many as there are tests."""
    try:
        yield
    finally:
        for each in vars(dependency_models).values():
            if hasattr(each, "cache_clear"):
                each.cache_clear()


@asynccontextmanager
async def running(configured: AppSettings, *, clock: Clock | None = None) -> AsyncGenerator[Client, None]:
    """The application in this process, asked without a network."""
    application = compose(configured, clock=clock)
    app = create_app(application)
    with _forgotten():
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://localhost",
                event_hooks={"response": [as_documented(app)]},
            ) as http,
        ):
            yield Client(http, application=application)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # they are the test runner's


@asynccontextmanager
async def listening(configured: AppSettings) -> AsyncGenerator[Client, None]:
    """The application in this process behind a real server on a free loopback port."""
    application = compose(configured)
    with _forgotten(), socket.create_server(("127.0.0.1", 0)) as listener:
        # A client that comes back after a while must not meet its connection just as it is closed.
        config = uvicorn.Config(
            create_app(application), log_config=None, access_log=False, lifespan="on", timeout_keep_alive=120
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(20):
            while not server.started:
                assert not task.done(), "the server did not start"
                await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
                yield Client(http, url, application)
        finally:
            server.should_exit = True
            async with asyncio.timeout(20):
                await task


# --- the command line ---------------------------------------------------------------------------------------------------------


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without any setting of the application, and with these."""
    foreign = {name for name in os.environ if name.startswith(PREFIX) or name in OLD_NAMES}
    return {**{name: value for name, value in os.environ.items() if name not in foreign}, "COLUMNS": "200", **variables}


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


class Commands:
    """`orchestrator …` in this process: the same code, without a second's worth of imports each time."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd = capfd
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str, folder: Path, **variables: str) -> Done:
        """Run a command in this folder to its end."""
        from orchestrator_app.cli import main

        self._capfd.readouterr()
        with self._monkeypatch.context() as patch, _logging_restored():
            patch.chdir(folder)
            for name in os.environ.keys() - (wanted := environment(**variables)).keys():
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["orchestrator", *arguments])
            try:
                main()
            except SystemExit as leaving:
                code = leaving.code
            else:
                code = 0
        return Done(int(code or 0), *self._capfd.readouterr())


@contextmanager
def _logging_restored() -> Generator[None, None, None]:
    root, uvicorns = logging.getLogger(), logging.getLogger("uvicorn.error")
    handlers, level, filters = list(root.handlers), root.level, list(uvicorns.filters)
    levels = {
        name: each.level for name, each in logging.root.manager.loggerDict.items() if isinstance(each, logging.Logger)
    }
    try:
        yield
    finally:
        root.handlers[:], uvicorns.filters[:] = handlers, filters
        root.setLevel(level)
        for name, each in logging.root.manager.loggerDict.items():
            if isinstance(each, logging.Logger):
                each.setLevel(levels.get(name, logging.NOTSET))


class Process:
    """`orchestrator serve --json` as a process of its own; all that it writes is kept."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator_app", "serve", "--port", "0", "--json", *arguments],
            cwd=folder,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.pid = self._process.pid
        self._log = bytearray()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.kill()
            raise AssertionError(self.log)
        self.told: dict[str, Any] = json.loads(line)

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._log += line

    @property
    def log(self) -> str:
        return self._log.decode()

    def signal(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def wait(self, limit: float = 20) -> int:
        """The exit code; the log is complete then."""
        code = self._process.wait(limit)
        self._close()
        return code

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(20)
        self._close()

    def _close(self) -> None:
        self._reading.join(20)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()
        else:
            self._close()


@asynccontextmanager
async def client_of(process: Process) -> AsyncGenerator[Client, None]:
    """A client of a process that was given the secrets of this module."""
    async with httpx.AsyncClient(base_url=process.told["url"], trust_env=False, timeout=20) as http:
        yield Client(http, process.told["url"])


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
