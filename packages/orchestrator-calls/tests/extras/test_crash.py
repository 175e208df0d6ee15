"""What was acknowledged survives SIGKILL."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from calls_databases import database, journal
from sqlalchemy.ext.asyncio import create_async_engine

from orchestrator_kernel.ports import SystemClock
from orchestrator_secrets.envelope import EnvelopeSealer, MasterKeyFile
from orchestrator_secrets.migrations import HISTORY as KEYS
from orchestrator_secrets.sql_key_store import SqlKeyStore

CHILD = Path(__file__).with_name("crash_child.py")


async def killed_while_appending(url: str, folder: Path, tasks: int, after: float) -> set[str]:
    """What the child had been acknowledged when it was killed, `after` seconds from its first acknowledgement."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), url, str(folder), str(tasks), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(30):
            told = await child.stdout.read(65536)
        await asyncio.sleep(after)
    finally:
        child.send_signal(signal.SIGKILL)
    told += await child.stdout.read()
    assert await child.wait() == -signal.SIGKILL
    return set(told.decode().splitlines())


@pytest.mark.parametrize("after", [0.0, 0.05, 0.21, 0.4])
async def test_every_acknowledged_event_is_there_after_sigkill(tmp_path, after):
    url = f"sqlite+aiosqlite:///{tmp_path}/calls.db"
    keys = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/keys.db")
    async with keys.begin() as connection:
        await connection.run_sync(KEYS.upgrade)
    async with database(url):
        pass
    acknowledged = await killed_while_appending(url, tmp_path, 20, after)
    sealer = EnvelopeSealer(MasterKeyFile(tmp_path / "master.keys"), SqlKeyStore(keys), clock=SystemClock())
    async with database(url) as engine, journal(engine, sealer) as opened:
        rows = await opened.calls()
        events = [event for row in rows for event in await opened.read(row.call_id)]
    await keys.dispose()
    kept = {event.id for event in events}
    assert acknowledged
    assert acknowledged <= kept
    assert all(event.payload == {"text": "hello"} for event in events)
    # All or none of each batch: the child numbers the parts of a batch.
    for event in events:
        call, number, _ = event.id.split("-")
        assert {f"{call}-{number}-{part}" for part in range(int(number) % 3 + 1)} <= kept
