"""An event's way in: kept, handed to its call wherever that is at work, and the receipt that its sender gets.

A call may be at work in this process, in another one, in none yet, or be over; which of these it is may change while the event is on its
way. In each case the event is durable before anything follows from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Final, TypeVar

from orchestrator_calls._actor import Actor, turn_key
from orchestrator_calls._environment import Environment
from orchestrator_calls._hosting import Hosting, seen
from orchestrator_calls._outcomes import told_with
from orchestrator_calls._receipt import Receipt
from orchestrator_calls.call import Call
from orchestrator_calls.events import ORCHESTRATOR, TERMINAL, Event, EventType, Origin
from orchestrator_calls.journal import CallOfAnotherTenant, CallRow
from orchestrator_kernel.exceptions import ValidationError

__all__ = ["Intake"]

TRUST: Final = 1.0
"""Seconds until it is asked anew who owns a call, though its owner answered a moment ago."""

T = TypeVar("T")


class Intake:
    """Takes the events of one process in.

    Args:
        open_call: Opens the call of which the event is the first, or refuses it.
        view: The call as it is now.

    Attributes:
        work: Writes under way, which go on though their senders give up.
    """

    def __init__(
        self,
        environment: Environment,
        hosting: Hosting,
        open_call: Callable[[Event], Awaitable[CallRow]],
        view: Callable[[str], Awaitable[Call]],
    ) -> None:
        self._env = environment
        self._hosting = hosting
        self._open = open_call
        self._view = view
        self.work: set[asyncio.Task[object]] = set()

    async def submit(self, event: Event, *, wait: float) -> Receipt:
        """See `CallRuntime.submit`."""
        if event.source == ORCHESTRATOR or Origin.of(event.type) is Origin.ORCHESTRATOR:
            raise ValidationError(f"{event.type} events are the orchestrator's own", details={"field": "type"})
        at = self._env.clock.monotonic()
        actor = self._hosting.actors.get(event.call_id)
        if actor is None:
            known = self._hosting.following.known(event.call_id)
            if known is not None:
                return await self._trusting(event, known, wait)
            row = await self._declare(event)
            if row.state in TERMINAL:
                return await self._after_the_end(event)
            actor = await self._hosting.actor(row)
            if actor is None:
                return await self._elsewhere(event, row, wait)
        if actor.call.tenant != event.tenant:
            raise CallOfAnotherTenant(f"call {event.call_id} belongs to another tenant")
        actor.mailbox.reserve()
        if event.type is EventType.SPEECH_STARTED:
            actor.barge_in(event)
        # Once the write is on its way it cannot be taken back; so neither can the delivery that follows it.
        duplicate, kept = await self._unbroken(self._take_in(actor, event, at))
        return await self._answer(actor, kept, wait, duplicate=duplicate)

    async def _answer(self, actor: Actor, kept: Event, wait: float, *, duplicate: bool) -> Receipt:
        if not wait or not _opens(kept):
            return Receipt(kept, actor.call.state, duplicate)
        if duplicate and actor.call.forgot(kept):
            return await self._from_journal(kept)
        deadline = self._env.clock.monotonic() + wait
        turn = await actor.waiters.answered(turn_key(kept), wait)
        if turn is None and actor.waiters.closed:
            left = deadline - self._env.clock.monotonic()
            return replace(await self._answered_by_the_next(actor, kept, left), duplicate=duplicate)
        outcomes = await actor.outcomes(turn) if turn else ()
        return Receipt(kept, actor.call.state, duplicate, turn, outcomes, actor.call.channel)

    async def _answered_by_the_next(self, actor: Actor, kept: Event, wait: float) -> Receipt:
        """The call has gone from this actor: it is over, has moved to another process, or begins anew here."""
        await actor.gone.wait()
        row = await self._declare(kept)
        if row.state in TERMINAL:
            return await self._from_journal(kept)
        if wait <= 0 or self._hosting.closed:
            return Receipt(kept, actor.call.state, duplicate=False)
        following = await self._hosting.actor(row)
        if following is None:
            return await self._elsewhere(kept, row, wait)
        return await self._answer(following, kept, wait, duplicate=False)

    async def _trusting(self, event: Event, row: CallRow, wait: float) -> Receipt:
        """The process that answered a moment ago will answer again; if it does not, it is asked for anew who owns the call."""
        first = min(wait, TRUST)
        receipt = await self._elsewhere(event, row, first)
        if receipt.turn is not None or first == wait or not _opens(event):
            return receipt
        self._hosting.following.doubt(event.call_id)
        return replace(await self.submit(event, wait=wait - first), duplicate=receipt.duplicate)

    async def _elsewhere(self, event: Event, row: CallRow, wait: float) -> Receipt:
        """Another process owns the call: append, and wait for its answer."""
        self._hosting.following.require_room(event.call_id)
        [appended] = await self._unbroken(self._env.journal.append([event], sender=self._hosting.name))
        kept = appended.event
        if not wait or not _opens(kept):
            return Receipt(kept, row.state, appended.duplicate)
        following = self._hosting.following
        turn, call = await following.answered(row, kept, turn_key(kept), wait, new=not appended.duplicate)
        outcomes = await following.outcomes(row, turn, self._env.policy.patience) if turn else ()
        return Receipt(kept, call.state, appended.duplicate, turn, outcomes, call.channel)

    async def _take_in(self, actor: Actor, event: Event, at: float) -> tuple[bool, Event]:
        try:
            [appended] = await self._env.journal.append([event], sender=self._hosting.name)
        except BaseException:
            actor.mailbox.release()
            actor.not_kept(event)
            raise
        if appended.duplicate:
            actor.mailbox.release()
            actor.not_kept(event)
        elif self._hosting.actors.get(event.call_id) is actor:
            actor.deliver(appended.event, at)
        else:
            # The actor ended meanwhile. If the call did not, it goes on from the journal, with this event.
            await self._revive(event.call_id)
        return appended.duplicate, appended.event

    async def _revive(self, call_id: str) -> None:
        row = await self._env.journal.call(call_id)
        if row is not None and row.state not in TERMINAL and not self._hosting.closed:
            await self._hosting.actor(row)

    async def _after_the_end(self, event: Event) -> Receipt:
        [appended] = await self._env.journal.append([event])
        receipt = await self._from_journal(appended.event)
        return replace(receipt, duplicate=appended.duplicate)

    async def _from_journal(self, event: Event) -> Receipt:
        """The receipt of an event that was taken in long ago."""
        call = await self._view(event.call_id)
        turn = call.turn_of(turn_key(event))
        outcomes = told_with(call, turn, self._env.policy.patience) if turn else ()
        return Receipt(event, call.state, duplicate=True, turn=turn, outcomes=outcomes, channel=call.channel)

    async def _declare(self, event: Event) -> CallRow:
        row = await self._env.journal.call(event.call_id)
        if row is None:
            return await self._open(event)
        if row.tenant != event.tenant:
            raise CallOfAnotherTenant(f"call {event.call_id} belongs to another tenant")
        return row

    async def _unbroken(self, work: Coroutine[object, object, T]) -> T:
        """Run `work` to its end though the one who waits for it is cancelled."""
        task = asyncio.create_task(work)
        self.work.add(task)
        task.add_done_callback(self.work.discard)
        task.add_done_callback(seen)
        return await asyncio.shield(task)


def _opens(event: Event) -> bool:
    """Whether there is an answer to wait for."""
    return event.is_input or event.type is EventType.CALL_STARTED
