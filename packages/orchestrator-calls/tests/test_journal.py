"""The journal in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator_calls.contracts import JournalContract
from orchestrator_calls.journal import Journal, MemoryJournal


class TestMemoryJournal(JournalContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Journal]:
        yield MemoryJournal()
