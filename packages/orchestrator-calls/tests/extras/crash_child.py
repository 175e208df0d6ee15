"""Appends as fast as it can and says what was acknowledged, until it is killed: `crash_child.py URL FOLDER TASKS`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from sqlalchemy.ext.asyncio import create_async_engine

from orchestrator_calls.contracts._journal import made
from orchestrator_calls.engine import create_engine
from orchestrator_calls.sql_journal import SqlJournal
from orchestrator_kernel.ports import SystemClock
from orchestrator_secrets.envelope import EnvelopeSealer, MasterKeyFile
from orchestrator_secrets.sql_key_store import SqlKeyStore


async def main(url: str, folder: Path, tasks: int) -> None:
    sealer = EnvelopeSealer(
        MasterKeyFile(folder / "master.keys"),
        SqlKeyStore(create_async_engine(f"sqlite+aiosqlite:///{folder}/keys.db")),
        clock=SystemClock(),
    )
    journal = SqlJournal(create_engine(url), sealer)
    await journal.open()

    async def talk(call: str) -> None:
        await journal.bind("t1", call)
        for number in range(100_000):
            batch = [made(f"{call}-{number}-{part}", call, text="hello") for part in range(number % 3 + 1)]
            await journal.append(batch)
            # One write to the pipe is one line, whole: what is told was acknowledged.
            os.write(1, "".join(f"{each.id}\n" for each in batch).encode())

    await asyncio.gather(*(talk(f"c{number}") for number in range(tasks)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
