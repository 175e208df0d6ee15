"""One process among several on the same journal: it says that it lives, hears what is new for its calls, and takes over from the dead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Protocol

from orchestrator_calls._environment import BUSY, GRAIN
from orchestrator_calls.journal import CallRow, JournalUnavailable, Lease, News, SharedJournal
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Clock

__all__ = ["Peers", "PeersConfig", "Work"]

logger = logging.getLogger(__name__)

AT_ONCE: Final = 16
"""How many calls of the dead one process takes over with one statement, so that several share them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeersConfig:
    """How processes share calls; times in seconds.

    Attributes:
        name: Of this process, unique for its lifetime: letters and digits, 40 at most.
        lease: A process that has not said for so long that it lives is dead to the others, which take its calls over.
        poll: How often news is looked for without a hint.
    """

    name: str
    lease: float = 1.0
    poll: float = 0.25


class Work(Protocol):
    """What the runtime does with what its peers tell it."""

    def owns(self, call_id: str) -> bool:
        """Whether this call is at work here."""
        ...

    def positions(self) -> Mapping[str, int]:
        """How far the news of each owned call is known."""
        ...

    def news(self, news: News, sender: str) -> None:
        """Something may be new about an owned call; `sender` is who said so, empty where nobody did."""
        ...

    def busy(self, call_id: str) -> None:
        """The process that owns this call has more waiting for it than it may."""
        ...

    def told(self, call_id: str) -> None:
        """A process that owns a call which we wait for has told that there is news."""
        ...

    async def take_over(self, row: CallRow, lease: Lease) -> None:
        """We own a call that nobody owned."""
        ...


class Peers:
    """Keeps this process among the living, until `stop`."""

    def __init__(self, config: PeersConfig, journal: SharedJournal, clock: Clock, work: Work) -> None:
        self.name = config.name
        self._config = config
        self._journal = journal
        self._clock = clock
        self._work = work
        self._hints: dict[str, str] = {}
        self._polled = float("-inf")
        self._unread: list[tuple[CallRow, Lease]] = []
        self._wake = asyncio.Event()
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Say that we live, and take over what nobody owns.

        Raises:
            JournalUnavailable: The journal cannot be used.
        """
        await self._journal.beat(self.name, self._config.lease)
        await self._stack.enter_async_context(self._journal.listening(self.name, self.heard))
        await self._adopt()
        self._tasks = [
            asyncio.create_task(self._every(self._config.lease / 4, self._beat), name="peers beat"),
            asyncio.create_task(self._every(self._config.lease / 10, self._adopt), name="peers adopt"),
            asyncio.create_task(self._every(0.0, self._look), name="peers news"),
        ]

    async def leave(self) -> None:
        """Hear and take over nothing more; the calls are still ours."""
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks[1:], return_exceptions=True)

    async def stop(self) -> None:
        """Own nothing any more, so that the others go on at once."""
        await cancel(*self._tasks)
        await self._stack.aclose()
        try:
            await self._journal.release(self.name)
        except JournalUnavailable:
            logger.warning("calls could not be released; the others take them over when the lease is over")

    async def _every(self, pause: float, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await self._clock.sleep(pause)
                await step()
            except JournalUnavailable as error:
                logger.warning("the journal is away; calls cannot be shared", exc_info=error)
                await self._clock.sleep(self._config.poll)
            except Exception:
                # A process that no longer beats or looks would own calls that nobody serves.
                logger.exception("a step of sharing calls failed; it is tried again")
                await self._clock.sleep(self._config.poll)

    async def _beat(self) -> None:
        await self._journal.beat(self.name, self._config.lease)

    async def _adopt(self) -> None:
        unread, self._unread = self._unread, []
        for row, lease in unread:
            await self._take_over(row, lease)
        while orphans := await self._journal.claim_orphans(self.name, AT_ONCE):
            # All at once: a call that waits in a queue here is answered by nobody.
            async with asyncio.TaskGroup() as tasks:
                for row, lease in orphans:
                    tasks.create_task(self._take_over(row, lease))
            logger.info("calls taken over", extra={"count": len(orphans)})
            if len(orphans) < AT_ONCE:
                return

    async def _take_over(self, row: CallRow, lease: Lease) -> None:
        try:
            await self._work.take_over(row, lease)
        except JournalUnavailable as error:
            # It is ours now, so nobody else will read it.
            logger.warning("a call cannot be read now", extra={"call_id": row.call_id}, exc_info=error)
            self._unread.append((row, lease))
        except OrchestratorError:
            # One call that cannot be read must not keep all others down; its next event finds it.
            logger.exception("a call cannot be resumed", extra={"call_id": row.call_id})

    # --- news ---------------------------------------------------------------------------------------------------------------

    def heard(self, call_id: str, sender: str) -> None:
        """There may be news of a call; `sender` told so, or nobody."""
        if sender.startswith(BUSY):
            self._work.busy(call_id)
        elif self._work.owns(call_id):
            self._hints[call_id] = sender
            self._wake.set()
        else:
            self._work.told(call_id)

    async def _look(self) -> None:
        """Look at the calls that hints named, and every `poll` seconds at all: a hint may be lost, and hints never end when there is much to do."""
        if not self._hints and (left := self._until_poll()) > 0:
            self._wake.clear()
            try:
                async with asyncio.timeout(left):
                    await self._wake.wait()
            except TimeoutError:
                pass
        hints, self._hints = self._hints, {}
        known = self._work.positions()
        wanted: Mapping[str, int] = {call_id: known[call_id] for call_id in hints.keys() & known.keys()}
        if self._until_poll() <= 0:
            self._polled, wanted = self._clock.monotonic(), known
        if wanted:
            for call_id, news in (await self._journal.news(wanted)).items():
                self._work.news(news, hints.get(call_id, ""))

    def _until_poll(self) -> float:
        """Seconds; none where less is left than a sum of floats may fall short by."""
        left = self._polled + self._config.poll - self._clock.monotonic()
        return left if left > GRAIN else 0.0
