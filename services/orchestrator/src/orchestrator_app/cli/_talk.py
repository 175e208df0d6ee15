"""`orchestrator talk`: a call from the terminal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator_app.cli._client import CallClient, client_for, media_leg, served
from orchestrator_app.cli._ear import Ear, Heard
from orchestrator_app.cli._settings import load_settings
from orchestrator_app.cli._tenants import TenantNotFound
from orchestrator_app.composition.tenants import TenantBook, with_tenants
from orchestrator_app.composition.tenants_file import TenantsFile
from orchestrator_app.settings import TenantSettings
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import Json, SystemClock

__all__ = ["run_talk"]

DEFAULT: Final = "default"
"""The tenant that is talked to, if there is one of this name; otherwise the first."""

CALLER: Final = "+4930901820"
INTERRUPT: Final = "\x03"


def run_talk(
    *, tenant: str | None, language: str | None, wav: Path | None, config: Path | None, data: Path | None
) -> None:
    """Start a service of its own, with the settings and tenants that are in force here, and talk to it until the call is over or the input ends.

    Raises:
        TenantNotFound: Names the tenants there are.
    """
    settings = load_settings(config, data_dir=data).value
    # Talking makes no data folder where there is none.
    tenants = with_tenants(settings).tenants if settings.data_dir.exists() else settings.tenants
    if tenant is None:
        tenant = DEFAULT if DEFAULT in tenants else next(iter(tenants))
    elif tenant not in tenants:
        raise TenantNotFound(f"there is no tenant {tenant}; there is {', '.join(tenants)}")
    environment = {**os.environ, "ORCHESTRATOR_LOG__LEVEL": "WARNING", "ORCHESTRATOR_SERVER__DRAIN_SECONDS": "1"}
    if config is not None:
        environment["ORCHESTRATOR_CONFIG"] = str(config)
    with tempfile.TemporaryDirectory(prefix="orchestrator-talk-") as folder:
        own = _own_data(Path(folder), tenants)
        asyncio.run(_talk(tenant, language or tenants[tenant].languages[0], wav, environment, own))


def _own_data(folder: Path, tenants: Mapping[str, TenantSettings]) -> Path:
    """A data folder for this one call, with the tenants that were added."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    if isinstance(tenants, TenantBook):
        TenantsFile(data / tenants.file.path.name).replace(tenants.file.read())
    return data


async def _talk(tenant: str, language: str, wav: Path | None, environment: Mapping[str, str], data: Path) -> None:
    async with served(environment, data) as service, client_for(service) as client:
        if not service.voices:
            raise OrchestratorError("talking needs a voice; install orchestrator-app[voice] or set speech.backends")
        started = await client.announce(CALLER, tenant, language)
        call_id, token = started["call_id"], started["session_token"]
        async with media_leg(service.media_url(call_id), token, SystemClock(), _notice) as ear:
            print("Type what the caller says; #1 presses keys; Ctrl-C interrupts the speech; Ctrl-D hangs up.")  # noqa: T201
            await _converse(_Caller(client, call_id, tenant, language), ear)
            if wav is not None:
                print(f"{ear.write(wav):.1f} s kept in {wav}")  # noqa: T201


def _notice(what: str, heard: Heard) -> None:
    if what == "begin":
        print(f"  desk: {heard.text}", flush=True)  # noqa: T201
    elif what == "cut":
        print(f"        (interrupted after {heard.seconds:.1f} s)", flush=True)  # noqa: T201


@dataclass(frozen=True, slots=True)
class _Caller:
    """Makes events of what is typed."""

    client: CallClient
    call_id: str
    tenant: str
    language: str

    async def tell(self, kind: str, **data: Json) -> None:
        await self.client.event(self.client.next_event(kind, self.call_id, self.tenant, **data))

    async def typed(self, line: str) -> None:
        if line == INTERRUPT:
            await self.tell("speech_started")
        elif line.startswith("#"):
            for key in line[1:].strip():
                await self.tell("dtmf", digit=key)
        elif line:
            await self.tell("transcription", text=line, final=True, language=self.language)


async def _converse(caller: _Caller, ear: Ear) -> None:
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lines.put_nowait, INTERRUPT)
    # A thread that waits for the terminal cannot be stopped; as a daemon it does not keep the process.
    threading.Thread(target=_read, args=(loop, lines), daemon=True).start()
    await caller.tell("call_started", caller=CALLER, language=caller.language, reply_channel="media")
    over = asyncio.create_task(ear.until(_over, 24 * 3600, "the end of the call"))
    try:
        while not over.done():
            getting = asyncio.create_task(lines.get())
            await asyncio.wait({getting, over}, return_when=asyncio.FIRST_COMPLETED)
            if not getting.done():
                getting.cancel()
                break
            line = getting.result()
            if line is None:
                break
            await caller.typed(line)
        await caller.tell("call_ended", reason="hung up")
        print("  The call is over.")  # noqa: T201
    finally:
        over.cancel()
        loop.remove_signal_handler(signal.SIGINT)


def _read(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str | None]) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line.strip())
    loop.call_soon_threadsafe(lines.put_nowait, None)


def _over(ear: Ear) -> bool:
    return any(order["type"] in {"hang_up", "bye"} for order in ear.orders)
