"""The calls of one process.

What the user types: `async with CallRuntime(journal=…, responder=…) as runtime`, then `await runtime.submit(event)` for everything that
comes in. The pure parts are `fold` and `decide`; here is the shell around them: one actor per call, loaded from the journal when
an event for it arrives, gone when the call is over. An event is acknowledged when it is durable; its effects follow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, tzinfo
from types import TracebackType
from typing import Final, Self, TypeVar

from orchestrator_calls._actor import Actor
from orchestrator_calls._environment import Environment
from orchestrator_calls._receipt import CallNotFound, Draining, Receipt, TooManyCalls
from orchestrator_calls.call import Call, fold
from orchestrator_calls.decide import Policy
from orchestrator_calls.events import ORCHESTRATOR, TERMINAL, CallState, Event, EventType, Origin, text_of
from orchestrator_calls.journal import CallOfAnotherTenant, CallRow, Journal, JournalUnavailable
from orchestrator_calls.notices import Notice
from orchestrator_calls.playback import MediaClosed, MediaSink, Player
from orchestrator_calls.responder import Responder
from orchestrator_kernel.exceptions import OrchestratorError, ValidationError
from orchestrator_kernel.ports import Clock, Erased, Speech, SpeechUnavailable, SystemClock

__all__ = ["CallNotFound", "CallRuntime", "Draining", "Receipt", "TooManyCalls"]

logger = logging.getLogger(__name__)

STOP_LIMIT: Final = 5.0
"""Seconds that calls have to come to rest when the runtime is stopped; what is under way then is cut off, and nothing is lost."""

T = TypeVar("T")


def _quiet(_notice: Notice) -> None:
    """Nobody observes."""


def _default_voice(_tenant: str, _language: str) -> None:
    """The language's default voice."""


def _no_pseudonym(_tenant: str, _caller: str) -> str:
    """Every call stands alone."""
    return ""


class CallRuntime:
    """Runs calls; made once per process.

    Args:
        journal: Open.
        responder: Gives the responder of a tenant.
        speech: The voice for media legs; None when there is none.
        policy: How patient calls are.
        voice: The voice's name for a tenant and language; None for the language's default.
        pseudonym: The stable pseudonym of a caller's number within a tenant, under which the caller's data is sealed.
        zone: The time zone of a tenant, in which "tomorrow" is told to the responder.
        language: The first language of a tenant, BCP 47.
        observe: Called with every notice; must not block or raise.
        answer_timeout: Seconds that a responder has for a turn.
        max_calls: How many calls at once.
        max_waiting: How many events of one call may wait before more are refused.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        responder: Callable[[str], Responder],
        speech: Speech | None = None,
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
    ) -> None:
        self._clock = clock or SystemClock()
        self._journal = journal
        self._language = language
        self._max_calls = max_calls
        self._actors: dict[str, Actor] = {}
        self._opening: set[str] = set()
        self._loading: dict[str, asyncio.Task[Actor]] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._legs: set[asyncio.Task[None]] = set()
        self._work: set[asyncio.Task[object]] = set()
        self._draining = False
        self._stopped = False
        self._env = Environment(
            journal=journal,
            clock=self._clock,
            policy=policy or Policy(),
            responder=responder,
            speech=speech,
            voice=voice,
            pseudonym=pseudonym,
            zone=zone,
            observe=observe,
            answer_timeout=answer_timeout,
            places=max_waiting,
        )

    # --- life ---------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up the calls that were open when the last process ended.

        Raises:
            JournalUnavailable: The journal cannot be read.
        """
        rows = await self._journal.calls(open_only=True, limit=self._max_calls)
        for row in rows:
            try:
                await self._actor(row)
            except JournalUnavailable:
                raise
            except OrchestratorError:
                # One call that cannot be read must not keep all others down.
                logger.exception("a call cannot be resumed", extra={"call_id": row.call_id})
        if rows:
            logger.info("calls resumed", extra={"count": len(self._actors)})

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
        self._draining = self._stopped = True
        deadline = asyncio.get_running_loop().time() + STOP_LIMIT
        await _ended([*self._work, *self._loading.values()], deadline)
        for actor in self._actors.values():
            actor.leave()
        await _ended(self._legs, deadline)
        for actor in self._actors.values():
            actor.stop()
        await _ended(self._calls, deadline)

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
            row = await self._declare(event)
            if row.state in TERMINAL:
                return await self._after_the_end(event)
            actor = await self._actor(row)
        if actor.call.tenant != event.tenant:
            raise CallOfAnotherTenant(f"call {event.call_id} belongs to another tenant")
        actor.mailbox.reserve()
        if event.type is EventType.SPEECH_STARTED:
            actor.barge_in(event)
        # Once the write is on its way it cannot be taken back; so neither can the delivery that follows it.
        duplicate, kept = await self._unbroken(self._take_in(actor, event, at))
        turn = (
            await actor.waiters.answered(_turn_key(kept), wait) if wait and (kept.is_input or _starts(kept)) else None
        )
        return Receipt(kept, actor.call.state, duplicate, turn)

    async def _take_in(self, actor: Actor, event: Event, at: float) -> tuple[bool, Event]:
        try:
            [appended] = await self._journal.append([event])
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
        if row is not None and row.state not in TERMINAL and not self._stopped:
            await self._actor(row)

    async def _after_the_end(self, event: Event) -> Receipt:
        [appended] = await self._journal.append([event])
        call = await self.view(event.call_id)
        key = _turn_key(appended.event)
        turn = next((turn for turn in call.turns.values() if key in turn.inputs or turn.id == key), None)
        return Receipt(appended.event, call.state, appended.duplicate, turn)

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
            row = await self._journal.bind(event.tenant, event.call_id, pseudonym)
            await self._actor(row)
        finally:
            self._opening.discard(event.call_id)
        return row

    async def _unbroken(self, work: Coroutine[object, object, T]) -> T:
        """Run `work` to its end though the one who waits for it is cancelled."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        task.add_done_callback(_seen)
        return await asyncio.shield(task)

    # --- actors -------------------------------------------------------------------------------------------------------------

    async def _actor(self, row: CallRow) -> Actor:
        actor = self._actors.get(row.call_id)
        if actor is not None:
            return actor
        if self._stopped:
            raise Draining("the service is ending", retry_after=5.0)
        loading = self._loading.get(row.call_id)
        if loading is None:
            loading = asyncio.create_task(self._load(row), name=f"load {row.call_id}")
            self._loading[row.call_id] = loading
            loading.add_done_callback(lambda _: self._loading.pop(row.call_id, None))
            loading.add_done_callback(_seen)
        return await asyncio.shield(loading)

    async def _load(self, row: CallRow) -> Actor:
        events = await self._journal.read(row.call_id)
        actor = Actor(row, Call(row.call_id, row.tenant, self._language(row.tenant)), self._env)
        actor.resume(events)
        self._actors[row.call_id] = actor
        task = asyncio.create_task(self._run(actor), name=f"call {row.call_id}")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return actor

    async def _run(self, actor: Actor) -> None:
        call = actor.call
        try:
            await actor.run()
        except Erased:
            logger.warning("the caller of an open call was erased; the call is over", extra={"call_id": call.id})
            with suppress(JournalUnavailable):  # the next start finds it, and comes here again
                await self._journal.mark(call.id, CallState.FAILED)
        except Exception:
            # The call is not lost: its next event loads it from the journal again.
            logger.exception("a call stopped working", extra={"call_id": call.id})
        finally:
            del self._actors[call.id]

    # --- looking ------------------------------------------------------------------------------------------------------------

    async def view(self, call_id: str) -> Call:
        """The call as it is now; do not change it.

        Raises:
            CallNotFound: There is none.
        """
        actor = self._actors.get(call_id)
        if actor is not None:
            return actor.call
        row = await self._journal.call(call_id)
        if row is None:
            raise CallNotFound(f"there is no call {call_id}")
        events = await self._journal.read(call_id)
        if not events:
            return Call(call_id, row.tenant, self._language(row.tenant))
        return fold(events, language=self._language(row.tenant))

    async def events(self, call_id: str) -> Sequence[Event]:
        """The call's events as they are kept."""
        return await self._journal.read(call_id)

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
        if self._env.speech is None:
            raise SpeechUnavailable(
                "no voice is installed; install orchestrator-utils[voice] or configure a speech service"
            )
        row = await self._journal.call(call_id)
        if row is None or (row.state in TERMINAL and call_id not in self._actors):
            raise CallNotFound(f"there is no open call {call_id}")
        actor = await self._actor(row)
        player = Player(self._env.speech, sink, self._clock, actor.report)
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


async def _play(player: Player) -> None:
    try:
        await player.run()
    except MediaClosed:
        return


async def _ended(tasks: Collection[asyncio.Task[T]], deadline: float) -> None:
    """Wait for tasks to end; those that have not by `deadline` (loop time) are cancelled."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


def _seen(task: asyncio.Task[T]) -> None:
    """What went wrong was told to whoever waited; if nobody did any more, it is told here."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.debug("work for a sender failed", exc_info=error)


def _starts(event: Event) -> bool:
    return event.type is EventType.CALL_STARTED


def _turn_key(event: Event) -> str:
    return f"{event.call_id}/greeting" if _starts(event) else event.id
