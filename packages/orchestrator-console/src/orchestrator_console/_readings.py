"""Asking a source: with a time limit, once for all who look, and never so that one that fails takes the page with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import Clock

__all__ = ["Reading", "Source", "read"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What a source said; or why it said nothing, in words that may be shown."""

    items: tuple[T, ...] = ()
    problem: str = ""


async def read(ask: Callable[[], Awaitable[Sequence[T]]], limit: float) -> Reading[T]:
    """Ask; whatever goes wrong is told in the reading, and logged if nobody foresaw it."""
    scope = asyncio.timeout(limit)
    try:
        async with scope:
            return Reading(tuple(await ask()))
    except OrchestratorError as error:
        return Reading(problem=error.message)
    except Exception as error:
        if isinstance(error, TimeoutError) and scope.expired():
            return Reading(problem=f"No answer within {limit:g} s.")
        # A fault of one source must not hide the others from those who look for faults.
        logger.exception("a source of the console failed")
        return Reading(problem="This cannot be shown; the log says why.")


class Source(Generic[T]):
    """A source that many look at: asked once in `fresh` seconds, by one of them.

    Args:
        ask: Gives what there is.
        fresh: Seconds for which an answer is good.
        limit: Seconds that an answer may take.
    """

    def __init__(self, ask: Callable[[], Awaitable[Sequence[T]]], clock: Clock, *, fresh: float, limit: float) -> None:
        self._ask = ask
        self._clock = clock
        self._fresh = fresh
        self._limit = limit
        self._last: tuple[float, Reading[T]] | None = None
        self._asking: asyncio.Task[Reading[T]] | None = None

    async def get(self) -> Reading[T]:
        """The present answer; who is cancelled while waiting takes it from nobody else."""
        if self._last is not None and self._clock.monotonic() - self._last[0] < self._fresh:
            return self._last[1]
        if self._asking is None:
            self._asking = asyncio.create_task(self._renew())
        return await asyncio.shield(self._asking)

    def forget(self) -> None:
        """Something was changed: the next one asks again, also when an answer from before is on its way."""
        self._last = self._asking = None

    async def _renew(self) -> Reading[T]:
        asked = asyncio.current_task()
        found = await read(self._ask, self._limit)
        if self._asking is asked:
            self._last, self._asking = (self._clock.monotonic(), found), None
        return found
