"""The events of one socket, a media stream or a relay session: counted, in order, and sent again while there is no room for them."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from orchestrator_calls.events import Event, EventType
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import Clock, Json

__all__ = ["MediaSession", "Submit"]

logger = logging.getLogger(__name__)

PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Between the attempts to have an event taken in while the service has no room or no journal."""


class Submit(Protocol):
    """Takes an event in: `CallRuntime.submit`."""

    async def __call__(self, event: Event, /) -> object:
        """Keep it, or raise."""
        ...


class MediaSession:
    """One socket of one call.

    Args:
        source: The name of the socket among the sources of the call's events.
        call: The call's id.
        tenant: Whose call it is.
        submit: Takes an event in.
        clock: Tells when an event happened.
    """

    def __init__(self, source: str, call: str, tenant: str, submit: Submit, clock: Clock) -> None:
        self._source = source
        self._call = call
        self._tenant = tenant
        self._submit = submit
        self._clock = clock
        self._count = 0
        self._turn = asyncio.Lock()

    @property
    def count(self) -> int:
        """How many events were taken in."""
        return self._count

    async def tell(self, kind: EventType, /, **payload: Json) -> None:
        """Submit the next event, again and again while there is no room for it.

        Raises:
            OrchestratorError: There was none for too long, or it can never be taken in.
        """
        async with self._turn:
            number, now = self._count + 1, self._clock.now()
            event = Event(
                id=f"{self._source}:{number}",
                call_id=self._call,
                tenant=self._tenant,
                type=kind,
                source=self._source,
                sequence=number,
                occurred_at=now,
                received_at=now,
                payload=payload,
            )
            for pause in (*PAUSES, None):
                try:
                    await self._submit(event)
                except OrchestratorError as error:
                    if pause is None or not error.retryable:
                        raise
                    logger.warning("a leg waits", extra={"call_id": self._call, "code": error.code})
                    await self._clock.sleep(pause)
                else:
                    self._count = number
                    return
