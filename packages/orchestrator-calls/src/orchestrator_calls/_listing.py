"""What the list of calls, and those who watch, know of a call: its state, and who calls."""

from __future__ import annotations

from orchestrator_calls._environment import Environment
from orchestrator_calls._keeper import Keeper
from orchestrator_calls.call import Call
from orchestrator_calls.events import TERMINAL
from orchestrator_calls.journal import CallRow
from orchestrator_calls.notices import StateChanged

__all__ = ["Listing"]


class Listing:
    """Notes and tells what changed, once; `row` is what the list holds now."""

    def __init__(self, call: Call, row: CallRow, environment: Environment, keeper: Keeper) -> None:
        self._call = call
        self._env = environment
        self._keeper = keeper
        self._noted = row.state, row.caller
        self._told = row.state

    async def update(self, *, busy: bool) -> bool:
        """Note and tell what changed; whether the call has come to its end by it. `busy` while an action is under way.

        A call is open in the list until its last action has ended: whoever resumes open calls sees to it.
        """
        call, state = self._call, self._call.state
        noted, known = self._noted
        caller = known or (self._env.pseudonym(call.tenant, call.caller) if call.caller else "")
        listed = noted if state in TERMINAL and busy else state
        if (listed, caller) != self._noted:
            self._noted = listed, caller
            await self._keeper.mark(listed, caller)
        if state is self._told:
            return False
        before, self._told = self._told, state
        self._env.observe(StateChanged(call.id, call.tenant, before, state, call.end_reason))
        return state in TERMINAL
