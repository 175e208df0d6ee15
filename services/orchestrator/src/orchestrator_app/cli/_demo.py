"""`orchestrator demo`: complete calls, shown as they happen, over the network and through the real front doors."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from orchestrator_app.cli._client import CallClient, LiveKitKey, served
from orchestrator_app.cli._demo_call import CALLER, DIALED, TENANT, Script, Show, check, document
from orchestrator_app.cli._demo_relay import relay_call
from orchestrator_app.cli._ear import Heard
from orchestrator_app.cli._fleet import Scene, lasting_leg, restarted, shared
from orchestrator_app.cli._print import print_json, print_table
from orchestrator_app.cli._relay import TwilioAccount
from orchestrator_app.settings import OLD_NAMES, PREFIX
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_kernel.ports import Json, SystemClock

__all__ = ["run_demo"]


@dataclass(slots=True)
class _Demo:
    """What is to be shown, and what came of it.

    Attributes:
        databases: The URLs of data and keys on a server, for several processes.
    """

    show: Show
    wav: Path
    kill: bool
    processes: int
    databases: tuple[str, str] | None = None
    key: LiveKitKey = field(default_factory=lambda: LiveKitKey("demo-key", secrets.token_urlsafe(32)))
    account: TwilioAccount = field(default_factory=TwilioAccount.made)
    calls: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    journal: dict[str, Json] = field(default_factory=dict[str, Json])
    survived: dict[str, Json] = field(default_factory=dict[str, Json])


def run_demo(*, as_json: bool, wav: Path, kill: bool = False, processes: int = 1) -> None:
    """Start the service, place the calls, show them; leave with 1 unless they went as the script says."""
    show = Show(quiet=as_json, clock=SystemClock())
    demo = _Demo(show, wav, kill, processes)
    with _databases(processes) as demo.databases:
        asyncio.run(_run(demo))
    told: dict[str, object] = {"calls": demo.calls, "journal": demo.journal, "failures": show.failures}
    if demo.survived:
        told["survived"] = demo.survived
    if as_json:
        print_json(told)
    else:
        _tables(demo)
    if show.failures:
        sys.exit(1)


@contextmanager
def _databases(processes: int) -> Generator[tuple[str, str] | None, None, None]:
    """Several processes share a PostgreSQL server, which is started from its wheel."""
    if processes == 1:
        yield None
        return
    try:
        from orchestrator_testing.servers.postgres import postgres  # noqa: PLC0415 - only for several processes
    except ModuleNotFoundError as error:
        raise ConfigurationError("several processes need a PostgreSQL; install orchestrator-app[processes]") from error
    with postgres() as server, server.fresh_database() as data, server.fresh_database() as keys:
        yield data, keys


async def _run(demo: _Demo) -> None:
    # The SDK takes a while to load; not while the phone rings.
    demo.key.sign(b"")
    with tempfile.TemporaryDirectory(prefix="orchestrator-demo-") as folder:
        environment = {
            # Whatever settings the environment holds are those of another service.
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(PREFIX) and name not in OLD_NAMES
            },
            "ORCHESTRATOR_CONFIG": _settings_file(Path(folder), demo),
        }
        async with _scene(demo, environment, Path(folder) / "data") as scene:
            if not scene.service.voices:
                raise OrchestratorError("the demo needs the embedded voice; install orchestrator-app[voice]")
            # One connection per request: a balancer in between spreads them.
            http = HttpClientConfig(base_url=scene.service.url, read_timeout=20.0, headers={"connection": "close"})
            async with create_client(http) as requests:
                client = CallClient(scene.service, requests, demo.key, demo.show.clock)
                await _first_call(demo, scene, client)
                if scene.disaster is None:
                    await _second_call(demo, scene, client)
    if scene.disaster is not None:
        demo.survived.update(scene.told)


@asynccontextmanager
async def _scene(demo: _Demo, environment: Mapping[str, str], data: Path) -> AsyncGenerator[Scene, None]:
    if demo.processes > 1:
        async with shared(environment, data, demo.processes) as scene:
            yield scene
    elif demo.kill:
        async with restarted(environment, data) as scene:
            yield scene
    else:
        async with served(environment, data) as service:
            yield Scene(service)


def _settings_file(folder: Path, demo: _Demo) -> str:
    path = folder / "orchestrator.toml"
    path.touch(mode=0o600)
    key = demo.key
    text = (
        f'[livekit]\napi_key = "{key.api_key}"\napi_secret = "{key.secret}"\ntenant = "{TENANT}"\n'
        f'[log]\nlevel = "WARNING"\n[server]\ndrain_seconds = 1.0\n'
        f'[tenants.{TENANT}]\nname = "The Harbour House"\nnumbers = ["{DIALED}"]\nlanguages = ["en-US"]\n'
    )
    text += demo.account.settings(TENANT)
    if demo.databases is not None:
        text += f'[database]\nurl = "{demo.databases[0]}"\nkeys_url = "{demo.databases[1]}"\n'
    path.write_text(text)
    return str(path)


async def _first_call(demo: _Demo, scene: Scene, client: CallClient) -> None:
    show = demo.show
    show.started = show.clock.monotonic()
    show.say("", f"the service runs at {scene.service.url}")
    started = await client.announce(CALLER, TENANT, "en-US")
    call_id = started["call_id"]
    heard: list[Heard] = []
    async with lasting_leg(scene.service.media_url(call_id), started["session_token"], show.clock, show.notice) as ear:
        script = Script(show, client, ear, call_id, scene.disaster)
        try:
            await script.play()
        except TimeoutError as error:
            show.failures.append(str(error))
        await show.clock.sleep(0.3)
        seconds = ear.write(demo.wav)
        heard = ear.sentences
    view = await client.view(call_id)
    check(show, view, heard)
    demo.calls.append(document(show, view, demo.wav, seconds))
    demo.journal = {"events": view["events"], "duplicates": show.duplicates, "out_of_order": show.out_of_order}
    if script.silence is not None:
        demo.survived["seconds_of_silence"] = round(script.silence, 2)


async def _second_call(demo: _Demo, scene: Scene, client: CallClient) -> None:
    show = demo.show
    show.say("", "a second call, over Twilio")
    call = await relay_call(show, scene.service, client, demo.account, caller=CALLER, dialed=DIALED)
    demo.calls.append(call)


def _tables(demo: _Demo) -> None:
    for number, call in enumerate(demo.calls, 1):
        turns = cast("list[dict[str, Json]]", call["turns"])
        print()  # noqa: T201
        rows = [
            (
                turn["kind"],
                turn["caller"] or "",
                " ".join(cast("list[str]", turn["spoken"])),
                "to the end" if not turn["interrupted"] else f"“{turn['heard']}”",
                f"{float(str(turn['latency_ms'])):.1f}" if turn["latency_ms"] is not None else "",
            )
            for turn in turns
        ]
        print_table(f"Call {number}, turn by turn", ["turn", "caller", "desk", "heard", "ms"], rows)
    journal, call = demo.journal, demo.calls[0]
    audio = cast("dict[str, Json]", call["audio"])
    facts: list[tuple[str, Callable[[], str]]] = [
        ("state", lambda: str(call["state"])),
        (
            "journal",
            lambda: (
                f"{journal['events']} events; {journal['duplicates']} duplicate and {journal['out_of_order']} out of order"
            ),
        ),
        ("heard", lambda: f"{audio['seconds']} s in {audio['file']}"),
        ("ms", lambda: "event in to first audio frame or token out, in the service"),
    ]
    if demo.survived:
        facts.append(("survived", lambda: _survival(demo.survived)))
    print("\nIn all")  # noqa: T201
    for name, text in facts:
        print(f" {name:<9} {text()}")  # noqa: T201
    failures = demo.show.failures
    print("The calls went as the script says." if not failures else "Not as the script says: " + "; ".join(failures))  # noqa: T201


def _survival(survived: Mapping[str, Json]) -> str:
    told = f"{survived['how']}; the caller heard nothing for {survived.get('seconds_of_silence', '?')} s"
    if "connections" in survived:
        counts = ", ".join(str(count) for count in cast("list[int]", survived["connections"]))
        told += f"; process {survived['killed']} of {survived['processes']} died; connections by process: {counts}"
    return told
