"""The journal in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator_calls.contracts import SharedJournalContract
from orchestrator_calls.journal import MemoryJournal, SharedJournal


class TestMemoryJournal(SharedJournalContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SharedJournal]:
        yield MemoryJournal()
