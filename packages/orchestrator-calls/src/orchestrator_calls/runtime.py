"""The calls of one process.

What the user types: `async with CallRuntime(journal=…, responder=…) as runtime`, then `await runtime.submit(event)` for everything that
comes in. The pure parts are `fold` and `decide`; here is the shell around them: one actor per call, loaded from the journal when
an event for it arrives, gone when the call is over. An event is acknowledged when it is durable; its effects follow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, tzinfo
from types import TracebackType
from typing import Final, Self, TypeVar, cast

from orchestrator_calls._actor import Actor, turn_key
from orchestrator_calls._environment import Environment
from orchestrator_calls._hosting import Hosting, ended, seen
from orchestrator_calls._mailbox import MailboxFull
from orchestrator_calls._outcomes import told_with
from orchestrator_calls._peers import PeersConfig
from orchestrator_calls._receipt import CallNotFound, Draining, Receipt, TooManyCalls
from orchestrator_calls.actions import Actions
from orchestrator_calls.call import Call, fold
from orchestrator_calls.decide import Policy
from orchestrator_calls.events import ORCHESTRATOR, TERMINAL, CallState, Event, EventType, Origin, text_of
from orchestrator_calls.journal import (
    CallOfAnotherTenant,
    CallRow,
    Journal,
    JournalUnavailable,
    SharedJournal,
)
from orchestrator_calls.notices import Notice
from orchestrator_calls.phrases import PhraseFor, default_phrase
from orchestrator_calls.playback import LegPlayer, MediaClosed, MediaSink, Permit, Player, Report
from orchestrator_calls.responder import Responder
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.ports import Clock, Speech, SpeechUnavailable, SystemClock

__all__ = ["CallNotFound", "CallRuntime", "Draining", "MailboxFull", "PeersConfig", "Receipt", "TooManyCalls"]

logger = logging.getLogger(__name__)

TRUST: Final = 1.0
"""Seconds until it is asked anew who owns a call, though its owner answered a moment ago."""

STOP_LIMIT: Final = 5.0
"""Seconds that calls have to come to rest when the runtime is stopped; what is under way then is cut off, and nothing is lost."""

T = TypeVar("T")
LegT = TypeVar("LegT", bound=LegPlayer)


def _quiet(_notice: Notice) -> None:
    """Nobody observes."""


def _default_voice(_tenant: str, _language: str) -> None:
    """The language's default voice."""


def _no_actions(_tenant: str) -> None:
    """No tenant has actions."""


def _no_pseudonym(_tenant: str, _caller: str) -> str:
    """Every call stands alone."""
    return ""


class CallRuntime:
    """Runs calls; made once per process.

    Args:
        journal: Open.
        responder: Gives the responder of a tenant.
        actions: Gives the actions of a tenant; None for a tenant that has none.
        phrase: The words that the runtime itself says while the caller waits, or when an answer cannot be had.
        speech: The voice for media legs; None when there is none.
        speech_for: The voice for media legs of a tenant, in the place of `speech`.
        policy: How patient calls are.
        voice: The voice's name for a tenant and language; None for the language's default.
        pseudonym: The stable pseudonym of a caller's number within a tenant, under which the caller's data is sealed.
        zone: The time zone of a tenant, in which "tomorrow" is told to the responder.
        language: The first language of a tenant, BCP 47.
        observe: Called with every notice; must not block or raise.
        answer_timeout: Seconds that a responder has for a turn.
        max_calls: How many calls at once.
        max_waiting: How many events of one call may wait before more are refused.
        peers: How this process shares calls with others; then the journal must be a `SharedJournal` that all of them use. None for the only one.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        responder: Callable[[str], Responder],
        actions: Callable[[str], Actions | None] = _no_actions,
        phrase: PhraseFor = default_phrase,
        speech: Speech | None = None,
        speech_for: Callable[[str], Speech | None] | None = None,
        clock: Clock | None = None,
        policy: Policy | None = None,
        voice: Callable[[str, str], str | None] = _default_voice,
        pseudonym: Callable[[str, str], str] = _no_pseudonym,
        zone: Callable[[str], tzinfo] = lambda _tenant: UTC,
        language: Callable[[str], str] = lambda _tenant: "en-US",
        observe: Callable[[Notice], None] = _quiet,
        answer_timeout: float = 10.0,
        max_calls: int = 2000,
        max_waiting: int = 64,
        peers: PeersConfig | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._journal = journal
        self._language = language
        self._speech_for = speech_for
        self._max_calls = max_calls
        self._opening: set[str] = set()
        self._legs: set[asyncio.Task[None]] = set()
        self._work: set[asyncio.Task[object]] = set()
        self._draining = False
        self._env = Environment(
            # What only a shared journal can is asked of it only where there are peers.
            journal=cast("SharedJournal", journal),
            clock=self._clock,
            policy=policy or Policy(),
            responder=responder,
            actions=actions,
            phrase=phrase,
            speech=speech,
            voice=voice,
            pseudonym=pseudonym,
            zone=zone,
            observe=observe,
            answer_timeout=answer_timeout,
            places=max_waiting,
        )
        self._hosting = Hosting(self._env, language, peers)
        self._actors = self._hosting.actors

    # --- life ---------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up the calls that were open when the last process ended.

        Raises:
            JournalUnavailable: The journal cannot be read.
        """
        await self._hosting.start(self._max_calls)

    async def drain(self, limit: float) -> None:
        """Take no new calls; return when no call is left, or after `limit` seconds."""
        self._draining = True
        deadline = self._clock.monotonic() + limit
        while self._actors and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.05)

    async def stop(self) -> None:
        """End the actors. The calls are not over: a later process resumes them from the journal.

        Legs are told (`bye`, reason `restart`), and what was heard until now is kept. What does not come to rest within 5 s is cut off.
        """
        hosting = self._hosting
        self._draining = hosting.closed = True
        if hosting.peers is not None:
            await hosting.peers.leave()
        deadline = asyncio.get_running_loop().time() + STOP_LIMIT
        await ended([*self._work, *hosting.loading.values()], deadline)
        for actor in self._actors.values():
            actor.leave()
        await ended(self._legs, deadline)
        for actor in self._actors.values():
            actor.stop()
        await ended(hosting.calls, deadline)
        if hosting.peers is not None:
            await hosting.following.stop()
            await hosting.peers.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def active(self) -> int:
        """How many calls run in this process."""
        return len(self._actors)

    def running(self) -> dict[str, tuple[str, CallState]]:
        """The calls that run in this process: by id, the tenant and the state."""
        return {call_id: (actor.call.tenant, actor.call.state) for call_id, actor in self._actors.items()}

    # --- events -------------------------------------------------------------------------------------------------------------

    async def submit(self, event: Event, *, wait: float = 0.0) -> Receipt:
        """Take an event of a call in.

        Args:
            event: From outside. The first event of an unknown call creates it.
            wait: For an input, how many seconds to wait for the turn it opens; the receipt then holds the turn.

        Raises:
            MailboxFull, TooManyCalls: Too much at once; nothing was kept, send it again.
            Draining: The call is new and the process is ending.
            CallOfAnotherTenant: The call id is in use by another tenant.
            JournalUnavailable: Nothing was kept.
            Erased: The caller's data was erased during the call; nothing was kept.
        """
        if event.source == ORCHESTRATOR or Origin.of(event.type) is Origin.ORCHESTRATOR:
            raise ValidationError(f"{event.type} events are the orchestrator's own", details={"field": "type"})
        at = self._clock.monotonic()
        actor = self._actors.get(event.call_id)
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
        deadline = self._clock.monotonic() + wait
        turn = await actor.waiters.answered(turn_key(kept), wait)
        if turn is None and actor.waiters.closed:
            left = deadline - self._clock.monotonic()
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
        [appended] = await self._unbroken(self._journal.append([event], sender=self._hosting.name))
        kept = appended.event
        if not wait or not _opens(kept):
            return Receipt(kept, row.state, appended.duplicate)
        following = self._hosting.following
        turn, call = await following.answered(row, kept, turn_key(kept), wait, new=not appended.duplicate)
        outcomes = await following.outcomes(row, turn, self._env.policy.patience) if turn else ()
        return Receipt(kept, call.state, appended.duplicate, turn, outcomes, call.channel)

    async def _take_in(self, actor: Actor, event: Event, at: float) -> tuple[bool, Event]:
        try:
            [appended] = await self._journal.append([event], sender=self._hosting.name)
        except BaseException:
            actor.mailbox.release()
            actor.not_kept(event)
            raise
        if appended.duplicate:
            actor.mailbox.release()
            actor.not_kept(event)
        elif self._actors.get(event.call_id) is actor:
            actor.deliver(appended.event, at)
        else:
            # The actor ended meanwhile. If the call did not, it goes on from the journal, with this event.
            await self._revive(event.call_id)
        return appended.duplicate, appended.event

    async def _revive(self, call_id: str) -> None:
        row = await self._journal.call(call_id)
        if row is not None and row.state not in TERMINAL and not self._hosting.closed:
            await self._hosting.actor(row)

    async def _after_the_end(self, event: Event) -> Receipt:
        [appended] = await self._journal.append([event])
        receipt = await self._from_journal(appended.event)
        return replace(receipt, duplicate=appended.duplicate)

    async def _from_journal(self, event: Event) -> Receipt:
        """The receipt of an event that was taken in long ago."""
        call = await self.view(event.call_id)
        turn = call.turn_of(turn_key(event))
        outcomes = told_with(call, turn, self._env.policy.patience) if turn else ()
        return Receipt(event, call.state, duplicate=True, turn=turn, outcomes=outcomes, channel=call.channel)

    async def _declare(self, event: Event) -> CallRow:
        row = await self._journal.call(event.call_id)
        if row is None:
            return await self._open(event)
        if row.tenant != event.tenant:
            raise CallOfAnotherTenant(f"call {event.call_id} belongs to another tenant")
        return row

    async def _open(self, event: Event) -> CallRow:
        if self._draining:
            raise Draining("the service is ending; it takes no new calls", retry_after=5.0)
        if event.call_id not in self._actors and len(self._actors.keys() | self._opening) >= self._max_calls:
            raise TooManyCalls("the service has as many calls as it may", retry_after=5.0)
        self._opening.add(event.call_id)
        try:
            caller = text_of(event.payload, "caller")
            pseudonym = self._env.pseudonym(event.tenant, caller) if caller else ""
            owner = self._hosting.name
            row = await self._journal.bind(event.tenant, event.call_id, pseudonym, owner=owner)
            await self._hosting.actor(row)
        finally:
            self._opening.discard(event.call_id)
        return row

    async def _unbroken(self, work: Coroutine[object, object, T]) -> T:
        """Run `work` to its end though the one who waits for it is cancelled."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        task.add_done_callback(seen)
        return await asyncio.shield(task)

    # --- looking ------------------------------------------------------------------------------------------------------------

    async def view(self, call_id: str) -> Call:
        """The call as it is now; do not change it.

        Raises:
            CallNotFound: There is none.
        """
        actor = self._actors.get(call_id)
        if actor is not None and actor.call.turn_count == len(actor.call.turns):
            return actor.call
        row = await self._journal.call(call_id)
        if row is None:
            raise CallNotFound(f"there is no call {call_id}")
        events = await self._journal.read(call_id)
        if not events:
            return Call(call_id, row.tenant, self._language(row.tenant))
        return fold(events, language=self._language(row.tenant))

    async def state(self, call_id: str) -> CallState:
        """Where a call stands; costs no look at its events.

        Raises:
            CallNotFound: There is no such call.
        """
        actor = self._actors.get(call_id)
        if actor is not None:
            return actor.call.state
        row = await self._journal.call(call_id)
        if row is None:
            raise CallNotFound(f"there is no call {call_id}")
        return row.state

    async def events(self, call_id: str) -> Sequence[Event]:
        """The call's events as they are kept."""
        return await self._journal.read(call_id)

    async def follow(self, call_id: str, tell: Callable[[Notice], None]) -> None:
        """Tell what happens in a call while another process owns it; returns when the call is over, or where there are no peers.

        What happens here is told to the runtime's observer, as ever.
        """
        row = await self._journal.call(call_id) if self._hosting.peers else None
        if row is not None:
            await self._hosting.following.follow(row, tell, elsewhere=lambda: call_id not in self._actors)

    # --- media --------------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def media(self, call_id: str, sink: MediaSink) -> AsyncGenerator[Player, None]:
        """Attach a media leg to a call for as long as the context lasts; a later leg takes the place of an earlier one.

        The leg is told `bye` when the call is over, or when it is to attach again because this process ends.

        Raises:
            CallNotFound: There is no such call, or it is over.
            SpeechUnavailable: There is no voice to speak with.
            Draining: The process is ending.
        """
        speech = await self._voice_of(call_id)
        if speech is None:
            raise SpeechUnavailable(
                "no voice is installed; install orchestrator-utils[voice] or configure a speech service"
            )
        async with self.leg(
            call_id, lambda clock, report, permit: Player(speech, sink, clock, report, permit=permit)
        ) as player:
            yield player

    async def _voice_of(self, call_id: str) -> Speech | None:
        row = await self._journal.call(call_id) if self._speech_for is not None else None
        return self._env.speech if row is None or self._speech_for is None else self._speech_for(row.tenant)

    @asynccontextmanager
    async def leg(
        self, call_id: str, make: Callable[[Clock, Callable[[Report], None], Permit], LegT]
    ) -> AsyncGenerator[LegT, None]:
        """As `media`, for a leg of any kind: `make` gets the clock, where to report, and whom to ask before a sentence begins.

        Raises:
            CallNotFound: There is no such call, or it is over.
            Draining: The process is ending.
        """
        row = await self._journal.call(call_id)
        if row is None or (row.state in TERMINAL and call_id not in self._actors):
            raise CallNotFound(f"there is no open call {call_id}")
        actor = await self._hosting.actor(row, force=True)
        if actor is None:
            raise JournalUnavailable(f"call {call_id} cannot be had from its owner")
        player = make(self._clock, actor.report, actor.permit)
        actor.attach(player)
        task = asyncio.create_task(_play(player), name=f"media {call_id}")
        self._legs.add(task)
        task.add_done_callback(self._legs.discard)
        try:
            yield player
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            actor.detach(player)


async def _play(player: LegPlayer) -> None:
    try:
        await player.run()
    except MediaClosed:
        return


def _opens(event: Event) -> bool:
    """Whether there is an answer to wait for."""
    return event.is_input or event.type is EventType.CALL_STARTED
