"""What is over is dropped, an hour after the other: deliveries that no sender repeats any more, what the audit log has kept for long enough, old samples and notices."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.lifecycle import done_before
from orchestrator_kernel.ports import Clock

__all__ = ["Housekeeping", "Job"]

logger = logging.getLogger(__name__)

EVERY: Final = 3600.0

Job = Callable[[], Awaitable[int | None]]
"""Drops what is over, and answers how much that was, where it is counted."""


class Housekeeping:
    """Runs jobs at start and then every hour; a job that fails is tried again with the next round.

    Args:
        jobs: By what they drop.
        clock: Of the waits.
    """

    def __init__(self, jobs: Mapping[str, Job], clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._ending.clear()
        self._task = asyncio.create_task(self._run(), name="housekeeping")

    async def stop(self) -> None:
        """Stop, once the present job is done: a statement that is cut off keeps its connection."""
        if self._task is not None:
            self._ending.set()
            await self._task
            self._task = None

    async def run_once(self) -> None:
        """Every job once; the rest is left when it is told to stop."""
        for name, job in self._jobs.items():
            if self._ending.is_set():
                return
            try:
                dropped = await job()
            except OrchestratorError as error:
                logger.warning("housekeeping failed", extra={"job": name, "code": error.code})
            else:
                if dropped:
                    logger.info("housekeeping", extra={"job": name, "dropped": dropped})

    async def _run(self) -> None:
        while not self._ending.is_set():
            await self.run_once()
            await done_before(self._ending, self._clock.sleep(EVERY))
