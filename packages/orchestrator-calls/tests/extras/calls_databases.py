"""Databases for the tests of the journal: brought up by the migrations, with a real sealer."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator_calls.engine import create_engine
from orchestrator_calls.migrations import HISTORY
from orchestrator_calls.sql_journal import SqlJournal
from orchestrator_kernel.ports import SystemClock
from orchestrator_secrets.envelope import EnvelopeSealer, MasterKeyFile, MemoryKeyStore


def helpers_importable() -> dict[str, str]:
    """The environment of a process that imports the helper modules of these tests."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the tables to a revision, as `orchestrator migrate` does."""
    (command.downgrade if revision == "base" else command.upgrade)(HISTORY.config(connection), revision)


@asynccontextmanager
async def database(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
        yield engine
    finally:
        await engine.dispose()


def real_sealer(folder: Path) -> EnvelopeSealer:
    return EnvelopeSealer(MasterKeyFile(folder / "master.keys"), MemoryKeyStore(), clock=SystemClock())


@asynccontextmanager
async def journal(engine: AsyncEngine, sealer: EnvelopeSealer, *, max_batch: int = 256) -> AsyncIterator[SqlJournal]:
    opened = SqlJournal(engine, sealer, max_batch=max_batch)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()
