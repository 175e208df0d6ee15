"""The calls of one process.

What the user types: `async with CallRuntime(journal=…, responder=…) as runtime`, then `await runtime.submit(event)` for everything that
comes in. The pure parts are `fold` and `decide`; here is the shell around them: one actor per call, loaded from the journal when
an event for it arrives, gone when the call is over. An event is acknowledged when it is durable; its effects follow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, tzinfo
from types import TracebackType
from typing import Final, Self, TypeVar, cast

from orchestrator_calls._environment import Environment
from orchestrator_calls._hosting import Hosting, ended
from orchestrator_calls._intake import Intake
from orchestrator_calls._mailbox import MailboxFull
from orchestrator_calls._peers import PeersConfig
from orchestrator_calls._receipt import CallNotFound, Draining, Receipt, TooManyCalls
from orchestrator_calls.actions import Actions
from orchestrator_calls.call import Call, fold
from orchestrator_calls.decide import Policy
from orchestrator_calls.events import TERMINAL, CallState, Event, text_of
from orchestrator_calls.journal import (
    CallRow,
    Journal,
    JournalUnavailable,
    SharedJournal,
)
from orchestrator_calls.notices import Notice
from orchestrator_calls.phrases import PhraseFor, default_phrase
from orchestrator_calls.playback import LegPlayer, MediaClosed, MediaSink, Permit, Player, Report
from orchestrator_calls.responder import Responder
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Clock, Speech, SpeechUnavailable, SystemClock

__all__ = ["CallNotFound", "CallRuntime", "Draining", "MailboxFull", "PeersConfig", "Receipt", "TooManyCalls"]

logger = logging.getLogger(__name__)

STOP_LIMIT: Final = 5.0
"""Seconds that calls have to come to rest when the runtime is stopped; what is under way then is cut off, and nothing is lost."""

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
        self._intake = Intake(self._env, self._hosting, self._open, self.view)
        self._work = self._intake.work

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
        return await self._intake.submit(event, wait=wait)

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
            await cancel(task)
            actor.detach(player)


async def _play(player: LegPlayer) -> None:
    try:
        await player.run()
    except MediaClosed:
        return
