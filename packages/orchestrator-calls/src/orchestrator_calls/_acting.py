"""Carrying the actions of one call out: each in a task of its own, probed first where an earlier process may have run it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from orchestrator_calls.actions import ActionOutcome, ActionRequest, Actions, ActionStatus
from orchestrator_kernel.exceptions import OrchestratorError

__all__ = ["Acted", "Acting"]

logger = logging.getLogger(__name__)

CANCEL_LIMIT: Final = 1.0
"""Seconds that an action has to let go."""

_FINAL: Final = frozenset({ActionStatus.DONE, ActionStatus.REFUSED})


@dataclass(frozen=True, slots=True)
class Acted:
    """The action `key` of the call has ended."""

    key: str
    outcome: ActionOutcome


class Acting:
    """The actions of one call that are under way.

    Args:
        done: Called with each end; must not block.
    """

    def __init__(self, done: Callable[[Acted], None]) -> None:
        self._done = done
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def busy(self) -> bool:
        """Whether an action is under way, or its end is not taken yet."""
        return bool(self._tasks)

    def __contains__(self, key: str) -> bool:
        return key in self._tasks

    def begin(self, key: str, request: ActionRequest, actions: Actions | None, *, again: bool) -> None:
        """Carry out; `again` when nobody knows what became of an earlier attempt."""
        self._tasks[key] = asyncio.create_task(self._carry_out(key, request, actions, again), name=f"action {key}")

    def taken(self, key: str) -> None:
        """The end of this action is kept."""
        self._tasks.pop(key, None)

    async def cancel(self) -> None:
        """Let go of all; what became of them is found out by whoever resumes the call."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=CANCEL_LIMIT)
            if stuck:
                logger.error("actions do not let go", extra={"count": len(stuck)})

    async def _carry_out(self, key: str, request: ActionRequest, actions: Actions | None, again: bool) -> None:  # noqa: FBT001
        self._done(Acted(key, await _outcome(request, actions, again=again)))


async def _outcome(request: ActionRequest, actions: Actions | None, *, again: bool) -> ActionOutcome:
    if actions is None:
        logger.error("the tenant has no actions", extra={"call_id": request.call_id, "action": request.name})
        return ActionOutcome(status=ActionStatus.REFUSED, reason="not_configured")
    try:
        if again:
            known = await actions.probe(request)
            if known is not None and known.status in _FINAL:
                return known
        return await actions.run(request)
    except Exception as error:
        # A broken executor must not take the call down with it, and must not be taken for a success.
        logger.exception("an action broke", extra={"call_id": request.call_id, "action": request.name})
        reason = error.code if isinstance(error, OrchestratorError) else type(error).__name__
        return ActionOutcome(status=ActionStatus.UNCONFIRMED, reason=reason)
