"""`orchestrator migrate` and `orchestrator calls`: commands on the data, without a running service."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator_app.cli._print import print_json, print_table
from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.database import (
    SchemaState,
    migrate,
    open_databases,
    prepare,
)
from orchestrator_app.composition.sealing import make_sealer
from orchestrator_app.composition.tenants import with_tenants
from orchestrator_app.settings import AppSettings, TenantSettings
from orchestrator_calls.call import Call, fold
from orchestrator_calls.events import Event
from orchestrator_calls.export import json_lines
from orchestrator_calls.journal import CallRow
from orchestrator_calls.runtime import CallNotFound
from orchestrator_calls.sql_journal import SqlJournal
from orchestrator_calls.transcript import as_json as call_as_json
from orchestrator_calls.transcript import as_text
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import SystemClock

__all__ = ["run_export", "run_list", "run_migrate", "run_show"]


def run_migrate(*, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Upgrade every package's tables and tell from where to where."""
    settings = load_settings(config, data_dir=data).value
    done: list[SchemaState] = []

    async def upgrade() -> None:
        databases = open_databases(settings)
        try:
            await migrate(databases, report=done.append)
        finally:
            await databases.close()

    asyncio.run(upgrade())
    if as_json:
        print_json([{"package": state.package, "from": state.current, "to": state.head} for state in done])
        return
    rows = [
        (state.package, state.current or "nothing", state.head, "" if state.up_to_date else "upgraded")
        for state in done
    ]
    print_table("Tables", ["package", "was", "is", ""], rows)


def run_list(*, config: Path | None, data: Path | None, open_only: bool, limit: int, as_json: bool) -> None:
    """List calls."""
    settings = load_settings(config, data_dir=data).value

    async def rows() -> list[dict[str, object]]:
        async with _journal(settings) as journal:
            found = await journal.calls(open_only=open_only, limit=limit)
        return [
            {
                "id": row.call_id,
                "tenant": row.tenant,
                "state": row.state.value,
                "created": row.created_at.isoformat(sep=" ", timespec="seconds"),
            }
            for row in found
        ]

    found = asyncio.run(rows())
    if as_json:
        print_json(found)
        return
    table = [tuple(row.values()) for row in found]
    print_table(
        "Calls", ["id", "tenant", "state", "created"], table, empty="no calls yet; `orchestrator serve` takes them"
    )


def run_show(call_id: str, *, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Show one call."""
    settings = with_tenants(load_settings(config, data_dir=data).value)

    async def load() -> Call:
        async with _journal(settings) as journal:
            events = await journal.read(call_id)
        if not events:
            raise CallNotFound(f"there is no call {call_id}; `orchestrator calls list` shows what there is")
        tenant = settings.tenants.get(events[0].tenant, TenantSettings())
        return fold(events, language=tenant.languages[0])

    call = asyncio.run(load())
    if as_json:
        print_json(call_as_json(call))
    else:
        print(as_text(call))  # noqa: T201 - a command speaks on standard output


def run_export(call_id: str, *, config: Path | None, data: Path | None, out: Path | None, transcript: bool) -> None:
    """Write all that is kept of one call as JSON lines, or its transcript, to a file of mode 600 or to standard output."""
    settings = with_tenants(load_settings(config, data_dir=data).value)

    async def load() -> tuple[CallRow, list[Event]]:
        async with _journal(settings) as journal:
            row = await journal.call(call_id)
            if row is None:
                raise CallNotFound(f"there is no call {call_id}; `orchestrator calls list` shows what there is")
            return row, await journal.read(call_id)

    row, events = asyncio.run(load())
    if transcript:
        tenant = settings.tenants.get(row.tenant, TenantSettings())
        call = fold(events, language=tenant.languages[0]) if events else Call(row.call_id, row.tenant)
        lines: Iterable[str] = as_text(call).splitlines()
    else:
        lines = json_lines(row, events)
    if out is None:
        for line in lines:
            print(line)  # noqa: T201 - a command speaks on standard output
        return
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise ConfigurationError(f"cannot write {out}: {error.strerror}") from error


@asynccontextmanager
async def _journal(settings: AppSettings) -> AsyncGenerator[SqlJournal, None]:
    databases = open_databases(settings)
    try:
        await prepare(settings, databases)
        clock = SystemClock()
        yield SqlJournal(databases.data, make_sealer(settings, databases, clock), clock)
    finally:
        await databases.close()
