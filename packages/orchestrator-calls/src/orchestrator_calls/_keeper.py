"""The orchestrator's own events of one call: made, made durable, then applied."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from orchestrator_calls.call import Call
from orchestrator_calls.events import ORCHESTRATOR, CallState, Event, EventType
from orchestrator_calls.journal import JournalUnavailable, Lease, SharedJournal, Snapshot
from orchestrator_calls.notices import EventKept, Notice
from orchestrator_kernel.ports import Clock, Json

__all__ = ["Keeper"]

logger = logging.getLogger(__name__)

LONGEST_PAUSE: Final = 2.0
"""Seconds between two attempts at a journal that is away, at most."""

_WALKED: Final = frozenset({EventType.TRANSFER_REQUESTED, EventType.TRANSFER_FAILED, EventType.CALL_ENDED})
T = TypeVar("T")


@dataclass(slots=True)
class Keeper:
    """Keeps the orchestrator's own events of `call`. While the journal is away the call waits: nothing is said that is not kept.

    With a lease, what is kept after another process took the call over is refused (`Fenced`).
    """

    call: Call
    journal: SharedJournal
    clock: Clock
    observe: Callable[[Notice], None]
    lease: Lease | None = None
    _later: list[Event] = field(default_factory=list[Event])

    def own(self, kind: EventType, key: str, payload: Mapping[str, Json]) -> Event:
        """An event of the orchestrator; the same kind and key is the same event."""
        now = self.clock.now()
        return Event(
            id=f"{self.call.id}/{kind.value}/{key}",
            call_id=self.call.id,
            tenant=self.call.tenant,
            type=kind,
            source=ORCHESTRATOR,
            occurred_at=self._after_all(now) if kind in _WALKED else now,
            received_at=now,
            payload=payload,
        )

    def _after_all(self, now: datetime) -> datetime:
        """A time behind every event that led to the decision, though a source's clock be ahead (a hybrid logical clock)."""
        latest = self.call.latest
        return now if latest is None else max(now, latest + timedelta(microseconds=1))

    def apply_now_keep_later(self, event: Event) -> None:
        """For a decision that has no effect outside before the next event is kept: it shares that event's commit."""
        self._later.append(event)
        self.call.apply(event)

    async def keep(self, events: Sequence[Event]) -> bool:
        """Make events durable, then let them count; whether any of them was new to the call."""
        batch, self._later = [*self._later, *events], []
        news = False
        for appended in await self._insist(lambda: self.journal.append(batch, lease=self.lease)):
            news = self.call.apply(appended.event) or news
            if not appended.duplicate:
                self.observe(EventKept(appended.event))
        return news

    async def mark(self, state: CallState, caller: str) -> None:
        """Note the state in the list of calls."""
        await self._insist(lambda: self.journal.mark(self.call.id, state, caller, lease=self.lease))

    async def save(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; one that cannot be kept now costs the next process time, and nothing else."""
        try:
            await self.journal.save(self.call.id, snapshot, lease=self.lease)
        except JournalUnavailable as error:
            logger.warning("a snapshot was not kept", extra={"call_id": self.call.id}, exc_info=error)

    async def took(self, lease: Lease, position: int) -> None:
        """Note how far events from outside are taken in."""
        await self._insist(lambda: self.journal.took(lease, position))

    async def _insist(self, write: Callable[[], Awaitable[T]]) -> T:
        pause = 0.05
        while True:
            try:
                return await write()
            except JournalUnavailable as error:
                logger.warning(
                    "the journal is away; the call waits",
                    extra={"call_id": self.call.id, "pause": pause},
                    exc_info=error,
                )
            await self.clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
