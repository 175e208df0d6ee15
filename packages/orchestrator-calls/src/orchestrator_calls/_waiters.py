"""Those who wait for the answer to an input."""

from __future__ import annotations

import asyncio

from orchestrator_calls.call import Call, Turn
from orchestrator_calls.events import CallState

__all__ = ["Waiters"]


class Waiters:
    """Waits for turns of `call`.

    Attributes:
        closed: Nobody answers here any more.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._waiting: dict[str, asyncio.Future[Turn | None]] = {}
        self.closed = False

    async def answered(self, event_id: str, limit: float) -> Turn | None:
        """The answered turn that this input belongs to (or that has this id); None when there was none within `limit` seconds."""
        done, turn = self.known(event_id)
        if done:
            return turn
        if self.closed:
            return None
        waiter = self._waiting.setdefault(event_id, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(limit):
                # Several may wait for the same input: one that goes away must not take the answer from the others.
                return await asyncio.shield(waiter)
        except TimeoutError:
            return None

    def resolve(self) -> None:
        """Answer those who wait for a turn that is closed, or that will not come."""
        for event_id in list(self._waiting):
            done, turn = self.known(event_id)
            if done:
                self._settle(event_id, turn)

    def give_up(self) -> None:
        """Nobody will answer here any more, those who ask later included."""
        self.closed = True
        for event_id in list(self._waiting):
            self._settle(event_id, None)

    def _settle(self, event_id: str, turn: Turn | None) -> None:
        waiter = self._waiting.pop(event_id)
        if not waiter.done():
            waiter.set_result(turn)

    def known(self, event_id: str) -> tuple[bool, Turn | None]:
        """Whether there is nothing to wait for any more, and the turn if there is one."""
        turn = self._call.turn_of(event_id)
        if turn is None:
            return self._without_turn(event_id), None
        return turn.outcome is not None, turn

    def _without_turn(self, event_id: str) -> bool:
        """Whether this input, which has been taken in, opens no turn now."""
        if event_id not in self._call:
            return False
        if self._call.state is not CallState.ACTIVE or self._call.collecting is not None:
            return True
        return event_id not in [event.id for event in self._call.waiting_inputs()]
