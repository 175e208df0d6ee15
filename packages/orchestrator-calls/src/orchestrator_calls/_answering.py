"""Having one answer written: the responder's task, and what it has written so far."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from orchestrator_calls.call import TurnOutcome
from orchestrator_calls.responder import Responder, Step, TurnContext
from orchestrator_kernel.exceptions import OrchestratorError

__all__ = ["Answering", "Written"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Written:
    """What the responder wrote since it was last asked; `first` counts the steps before. `outcome` is set when it is through."""

    turn: str
    first: int
    steps: tuple[Step, ...]
    outcome: TurnOutcome | None
    reason: str


class Answering:
    """Writes the answer of one turn at a time.

    Args:
        wake: Called whenever something was written.
        limit: Seconds that an answer may take.
    """

    def __init__(self, wake: Callable[[], None], limit: float) -> None:
        self._wake = wake
        self._limit = limit
        self._task: asyncio.Task[None] | None = None
        self._steps: list[Step] = []
        self._taken = 0
        self._outcome: TurnOutcome | None = None
        self._reason = ""
        self.turn: str | None = None

    def begin(self, responder: Responder, context: TurnContext) -> None:
        """Have the answer of `context.turn` written."""
        self._reset(context.turn)
        self._task = asyncio.create_task(self._write(responder, context), name=f"answer {context.turn}")

    def give_up(self, turn: str, reason: str) -> None:
        """The answer of `turn` cannot be had."""
        self._reset(turn)
        self._end(TurnOutcome.FAILED, reason)

    def take(self) -> Written | None:
        """What was written since the last time; None when that is nothing."""
        if self.turn is None or not (self._steps or self._outcome):
            return None
        written = Written(self.turn, self._taken, tuple(self._steps), self._outcome, self._reason)
        self._taken += len(self._steps)
        self._steps = []
        if self._outcome is not None:
            self.turn = None
        return written

    async def cancel(self) -> None:
        """Stop writing; what was not taken is dropped."""
        task, self._task, self.turn = self._task, None, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _reset(self, turn: str) -> None:
        self.turn, self._steps, self._taken, self._outcome, self._reason = turn, [], 0, None, ""

    def _end(self, outcome: TurnOutcome, reason: str = "") -> None:
        self._outcome, self._reason = outcome, reason
        self._wake()

    async def _write(self, responder: Responder, context: TurnContext) -> None:
        try:
            async with asyncio.timeout(self._limit), aclosing(responder.respond(context)) as steps:
                async for step in steps:
                    self._steps.append(step)
                    self._wake()
        except Exception as error:
            # A broken responder must not take the call down with it.
            reason = error.code if isinstance(error, OrchestratorError) else type(error).__name__
            logger.exception(
                "the answer failed", extra={"call_id": context.call_id, "turn": context.turn, "reason": reason}
            )
            self._end(TurnOutcome.FAILED, reason)
        else:
            self._end(TurnOutcome.ANSWERED)
