"""Having one answer written: the responder's task, and what it has written so far."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from orchestrator_calls.call import TurnOutcome
from orchestrator_calls.responder import Responder, Step, TurnContext
from orchestrator_kernel.exceptions import OrchestratorError

__all__ = ["Answering", "Written"]

logger = logging.getLogger(__name__)

CANCEL_LIMIT: Final = 1.0
"""Seconds that a responder has to let go of a turn."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the responder wrote since it was last asked; `first` counts the steps before. `outcome` is set when it is through."""

    turn: str
    first: int
    steps: tuple[Step, ...]
    outcome: TurnOutcome | None
    reason: str


@dataclass(slots=True)
class _Draft:
    """The answer of one turn. A responder that goes on after it was cancelled writes into a draft that nobody reads."""

    turn: str
    kept: list[Step] = field(default_factory=list[Step])
    first: int = 0
    steps: list[Step] = field(default_factory=list[Step])
    taken: int = 0
    outcome: TurnOutcome | None = None
    reason: str = ""


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
        self._draft: _Draft | None = None

    @property
    def turn(self) -> str | None:
        """The turn whose answer is being written, or not taken to its end yet."""
        return self._draft.turn if self._draft else None

    def begin(self, responder: Responder, context: TurnContext, kept: Sequence[Step] = ()) -> None:
        """Have the answer of `context.turn` written; `kept` is the beginning that an earlier process left, and is not taken again."""
        self._draft = _Draft(context.turn, list(kept), len(kept))
        self._task = asyncio.create_task(self._write(self._draft, responder, context), name=f"answer {context.turn}")

    def take(self) -> Written | None:
        """What was written since the last time; None when that is nothing."""
        draft = self._draft
        if draft is None or (len(draft.steps) == draft.taken and draft.outcome is None):
            return None
        first = draft.first + draft.taken
        written = Written(draft.turn, first, tuple(draft.steps[draft.taken :]), draft.outcome, draft.reason)
        draft.taken = len(draft.steps)
        if draft.outcome is not None:
            self._draft = None
        return written

    async def cancel(self) -> None:
        """Stop writing; what was not taken is dropped."""
        task, self._task, self._draft = self._task, None, None
        if task is not None and not task.done():
            task.cancel()
            _, stuck = await asyncio.wait({task}, timeout=CANCEL_LIMIT)
            if stuck:
                logger.error("a responder does not let go of its turn", extra={"task": task.get_name()})

    async def _write(self, draft: _Draft, responder: Responder, context: TurnContext) -> None:
        try:
            async with asyncio.timeout(self._limit), aclosing(responder.respond(context)) as steps:
                async for step in steps:
                    if draft.kept and draft.kept[0] == step:
                        del draft.kept[0]
                        continue
                    draft.kept.clear()
                    draft.steps.append(step)
                    self._wake()
        except Exception as error:
            # A broken responder must not take the call down with it.
            draft.outcome, draft.reason = TurnOutcome.FAILED, _reason(error)
            logger.exception(
                "the answer failed",
                extra={"call_id": context.call_id, "turn": context.turn, "reason": draft.reason},
            )
        else:
            draft.outcome = TurnOutcome.ANSWERED
        self._wake()


def _reason(error: Exception) -> str:
    if isinstance(error, OrchestratorError):
        return error.code
    return "timeout" if isinstance(error, TimeoutError) else type(error).__name__
