"""The orchestrator's own events of one call: made, made durable, then applied."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator_calls.call import Call
from orchestrator_calls.events import ORCHESTRATOR, Event, EventType
from orchestrator_calls.journal import Journal, JournalUnavailable
from orchestrator_calls.notices import EventKept, Notice
from orchestrator_kernel.ports import Clock, Json

__all__ = ["Keeper"]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Keeper:
    """Keeps the orchestrator's own events of `call`."""

    call: Call
    journal: Journal
    clock: Clock
    observe: Callable[[Notice], None]
    _later: list[Event]

    def own(self, kind: EventType, key: str, payload: Mapping[str, Json]) -> Event:
        """An event of the orchestrator; the same kind and key is the same event."""
        now = self.clock.now()
        return Event(
            id=f"{self.call.id}/{kind.value}/{key}",
            call_id=self.call.id,
            tenant=self.call.tenant,
            type=kind,
            source=ORCHESTRATOR,
            occurred_at=now,
            received_at=now,
            payload=payload,
        )

    def apply_now_keep_later(self, event: Event) -> None:
        """For a decision that has no effect outside before the next event is kept: it shares that event's commit."""
        self._later.append(event)
        self.call.apply(event)

    async def keep(self, events: Sequence[Event]) -> None:
        """Make events durable, then let them count. While the journal is away the call waits: nothing is said that is not kept."""
        batch, self._later = [*self._later, *events], []
        pause = 0.05
        while True:
            try:
                kept = await self.journal.append(batch)
                break
            except JournalUnavailable:
                logger.exception("the journal is away; the call waits", extra={"call_id": self.call.id})
                await self.clock.sleep(pause)
                pause = min(pause * 2, 2.0)
        for appended in kept:
            self.call.apply(appended.event)
            if not appended.duplicate:
                self.observe(EventKept(appended.event))
