"""One question to the store for all who ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from orchestrator_secrets.key_store import DataKey


class _Batch:
    def __init__(self) -> None:
        self.key_ids: set[bytes] = set()
        self.answer: Mapping[bytes, DataKey] | None = None


class Lookup:
    """Looks keys up in batches.

    An answer is never older than its question: who asks while the store is being read waits for the next reading. Without a task
    of its own: the first in line reads for its batch, and if it is cancelled or fails, the next one does.
    """

    def __init__(self, read: Callable[[set[bytes]], Awaitable[Mapping[bytes, DataKey]]]) -> None:
        self._read = read
        self._next = _Batch()
        self._reading = asyncio.Lock()

    async def __call__(self, key_id: bytes) -> DataKey | None:
        """The key as it is stored now; None if it does not exist."""
        batch = self._next
        batch.key_ids.add(key_id)
        async with self._reading:
            if batch.answer is None:
                if batch is self._next:
                    self._next = _Batch()
                batch.answer = await self._read(batch.key_ids)
        return batch.answer.get(key_id)
