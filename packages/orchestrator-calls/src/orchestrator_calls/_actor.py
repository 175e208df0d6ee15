"""One call at work: takes its events in one after the other, decides, carries out.

The actor is the only one that changes its `Call`. Everything it does follows from `decide`; everything that comes back (steps of the
answer, reports of playback, timers) comes through its mailbox and becomes an event before it counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator_calls import decide as deciding
from orchestrator_calls._answering import Answering
from orchestrator_calls._keeper import Keeper
from orchestrator_calls._mailbox import Mailbox
from orchestrator_calls._steps import to_json
from orchestrator_calls.call import Call, Channel, Turn, TurnOutcome
from orchestrator_calls.decide import Policy
from orchestrator_calls.events import ORCHESTRATOR, TERMINAL, CallState, Event, EventType
from orchestrator_calls.journal import Journal
from orchestrator_calls.notices import EventKept, GapSeen, Notice, StateChanged, TurnTimed
from orchestrator_calls.ordering import Gap, Sequencer
from orchestrator_calls.playback import Player, Report
from orchestrator_calls.responder import HangUp, Responder, Transfer, TurnContext, TurnInput
from orchestrator_kernel.ports import Clock, Json, Speech, SpeechRequest

__all__ = ["Actor", "Environment"]

logger = logging.getLogger(__name__)

URGENT: Final = frozenset({EventType.DTMF, EventType.SPEECH_STARTED, EventType.CALL_ENDED, EventType.HOLD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What every actor of a runtime shares."""

    journal: Journal
    clock: Clock
    policy: Policy
    responder: Callable[[str], Responder]
    speech: Speech | None
    voice: Callable[[str, str], str | None]
    pseudonym: Callable[[str, str], str]
    observe: Callable[[Notice], None]
    answer_timeout: float
    places: int


@dataclass(frozen=True, slots=True)
class _Arrived:
    event: Event
    at: float


@dataclass(frozen=True, slots=True)
class _Wrote:
    """The responder wrote something."""


@dataclass(frozen=True, slots=True)
class _Media:
    player: Player | None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


Message = _Arrived | _Wrote | _Media | Report | _Stop


class Actor:
    """Runs one call until it is over or `stop` is called."""

    def __init__(self, call: Call, environment: Environment) -> None:
        self.call = call
        self.mailbox: Mailbox[Message] = Mailbox(environment.places)
        self._env = environment
        self._sequencer = Sequencer(environment.policy.reorder_window)
        self._keeper = Keeper(call, environment.journal, environment.clock, environment.observe, [])
        self._own, self._keep = self._keeper.own, self._keeper.keep
        self._answering = Answering(lambda: self.mailbox.post(_Wrote()), environment.answer_timeout)
        self._since: dict[str, float] = {}
        self._player: Player | None = None
        self._spoken: set[str] = set()
        self._timers: dict[str, float] = {}
        self._waiters: dict[str, asyncio.Future[Turn | None]] = {}
        self._reported = call.state
        self._stopped = False

    # --- from the runtime ---------------------------------------------------------------------------------------------------

    def barge_in(self, event: Event) -> None:
        """Stop the speech at once, before the event is even durable: falling silent is never wrong."""
        if (
            self._player is not None
            and event.id not in self.call
            and deciding.interrupted_by(self.call, event) is not None
        ):
            self._player.stop()

    def deliver(self, event: Event, at: float) -> None:
        """Hand over a journalled event that came in at `at` (monotonic), into the place reserved for it."""
        self.mailbox.deliver(_Arrived(event, at), urgent=event.type in URGENT)

    def resume(self, events: Sequence[Event]) -> None:
        """Continue from the journal: the past is folded, inputs that were never answered are answered now."""
        for event in sorted(events, key=lambda each: each.position):
            self.call.apply(event)
            if event.source != ORCHESTRATOR:
                self._sequencer.offer(event, float("-inf"))
        self._reported = self.call.state

    def attach(self, player: Player) -> None:
        """From now on speak through this player."""
        self.mailbox.post(_Media(player))

    def detach(self, player: Player) -> None:
        """The player's leg is gone."""
        self.mailbox.post(_Media(player, ended=True))

    def report(self, report: Report) -> None:
        """Take a report of playback in."""
        self.mailbox.post(report)

    async def answered(self, event_id: str, limit: float) -> Turn | None:
        """The answered turn that this input belongs to; None when it opened none within `limit` seconds."""
        turn = self._turn_of(event_id)
        if turn is not None and turn.outcome is not None:
            return turn
        waiter = self._waiters.setdefault(event_id, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(limit):
                return await asyncio.shield(waiter)
        except TimeoutError:
            self._waiters.pop(event_id, None)
            return None

    def stop(self) -> None:
        """End the actor, not the call: the call can be resumed from its journal."""
        self.mailbox.post(_Stop())

    # --- the loop -----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take messages until the call is over and nothing is left to do."""
        try:
            self._take_up()
            await self._settle()
            while not self._stopped and not self._over:
                message = self.mailbox.take()
                if message is None:
                    await self.mailbox.wait(self._patience())
                    await self._tick()
                else:
                    await self._handle(message)
                await self._settle()
        finally:
            await self._answering.cancel()
            for waiter in self._waiters.values():
                if not waiter.done():
                    waiter.set_result(None)

    @property
    def _over(self) -> bool:
        return self.call.state in TERMINAL and len(self.mailbox) == 0 and self._player is None

    def _take_up(self) -> None:
        """A turn that was open when the process ended: write its answer now; the turn stays the same one."""
        turn = self.call.open_turn
        if turn is None:
            return
        if turn.sentences:
            # Half an answer was committed; what the rest would have been is not known.
            self._answering.give_up(turn.id, "restart")
            return
        self._begin(
            deciding.Ask(
                key=f"ask/{turn.id}",
                turn=turn.id,
                kind=turn.kind,
                inputs=turn.inputs,
                text=turn.text,
                language=turn.language,
                confidence=turn.confidence,
                repeats=turn.repeats,
            )
        )

    async def _handle(self, message: Message) -> None:
        match message:
            case _Arrived(event, at):
                await self._arrived(event, at)
            case _Wrote():
                await self._take_answer()
            case Report():
                await self._keep([self._report_event(message)])
            case _Media(player, ended):
                await self._media(player, ended=ended)
            case _Stop():
                self._stopped = True

    async def _arrived(self, event: Event, at: float) -> None:
        self._env.observe(EventKept(event))
        if event.is_input:
            self._since[event.id] = at
        dropped = event.payload.get("num_dropped")
        if isinstance(dropped, int) and dropped > 0:
            self._gap(GapSeen(self.call.id, self.call.tenant, event.source, dropped, "dropped by the provider"))
        await self._release(*self._sequencer.offer(event, self._env.clock.monotonic()))

    async def _release(self, events: Sequence[Event], gaps: Sequence[Gap]) -> None:
        for gap in gaps:
            detail = f"{gap.first} to {gap.last} of {gap.source}"
            self._gap(GapSeen(self.call.id, self.call.tenant, gap.source, gap.last - gap.first + 1, detail))
        for event in events:
            if event.type is EventType.SPEECH_STARTED:
                await self._interrupt(event)
            self.call.apply(event)
            await self._settle()

    def _gap(self, notice: GapSeen) -> None:
        logger.warning(
            "events are missing", extra={"call_id": notice.call_id, "source": notice.source, "detail": notice.detail}
        )
        self._env.observe(notice)

    async def _interrupt(self, event: Event) -> None:
        turn = deciding.interrupted_by(self.call, event)
        if turn is not None:
            await self._keep([self._own(EventType.TURN_INTERRUPTED, event.id, {"turn": turn.id, "by": event.id})])

    async def _tick(self) -> None:
        now = self._env.clock.monotonic()
        for key in [key for key, due in self._timers.items() if due <= now]:
            del self._timers[key]
            if key not in self.call.fired:
                await self._keep([self._own(EventType.TIMER_FIRED, key, {"timer": key})])
        due = self._sequencer.due
        if due is not None and due <= now:
            await self._release(*self._sequencer.expire(now))

    def _patience(self) -> float | None:
        """Seconds until the next timer or the end of the reorder window."""
        dues = [*self._timers.values(), *([] if self._sequencer.due is None else [self._sequencer.due])]
        return max(0.0, min(dues) - self._env.clock.monotonic()) if dues else None

    # --- carrying out -------------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Decide and carry out until nothing new is to be done."""
        while True:
            intents = deciding.decide(self.call, self._env.policy)
            self._set_timers(each for each in intents if isinstance(each, deciding.Timer))
            busy = False
            for intent in intents:
                busy = await self._carry_out(intent) or busy
            if not busy:
                break
            if self._answering.turn is not None:
                # A responder that needs not wait answers now, so that what is said does not depend on how fast events follow.
                await asyncio.sleep(0)
                await self._take_answer()
        await self._tell_state()
        self._resolve_waiters()

    def _set_timers(self, timers: Iterable[deciding.Timer]) -> None:
        now, monotonic = self._env.clock.now(), self._env.clock.monotonic()
        self._timers = {timer.key: monotonic + (timer.due - now).total_seconds() for timer in timers}

    async def _carry_out(self, intent: deciding.Intent) -> bool:  # noqa: PLR0911 - one line per kind of intent
        """Carry out what is new; true when the call changed and must be decided again."""
        match intent:
            case deciding.Ask() if self._answering.turn is None:
                return self._ask(intent)
            case deciding.CancelAnswer(_, turn) if self._answering.turn == turn:
                await self._answering.cancel()
                await self._keep([self._closing(turn, TurnOutcome.SUPERSEDED)])
                return True
            case deciding.Speak() if self._player is not None and intent.key not in self._spoken:
                self._speak(self._player, intent)
            case deciding.StopSpeaking(_, turn):
                return await self._stop_speaking(turn)
            case deciding.Command():
                return await self._command(intent)
            case deciding.EndCall(_, reason):
                await self._keep([self._own(EventType.CALL_ENDED, "end", {"reason": reason})])
                return True
            case deciding.FailTransfer(_, transfer):
                await self._keep(
                    [self._own(EventType.TRANSFER_FAILED, transfer, {"key": transfer, "reason": "not confirmed"})]
                )
                return True
            case _:
                pass
        return False

    def _ask(self, intent: deciding.Ask) -> bool:
        payload: dict[str, Json] = {
            "turn": intent.turn,
            "kind": intent.kind.value,
            "inputs": list(intent.inputs),
            "text": intent.text,
            "language": intent.language,
            "confidence": intent.confidence,
            "repeats": intent.repeats,
            "sensitive": intent.sensitive,
            "interrupted": intent.interrupted,
        }
        self._keeper.apply_now_keep_later(self._own(EventType.TURN_OPENED, intent.turn, payload))
        since = [self._since.pop(each, None) for each in intent.inputs]
        self._since[intent.turn] = next((at for at in reversed(since) if at is not None), self._env.clock.monotonic())
        self._begin(intent)
        return True

    def _begin(self, intent: deciding.Ask) -> None:
        call = self.call
        context = TurnContext(
            call_id=call.id,
            tenant=call.tenant,
            turn=intent.turn,
            language=call.language,
            input=TurnInput(
                kind=intent.kind,
                text=intent.text,
                language=intent.language,
                confidence=intent.confidence,
                repeats=intent.repeats,
            ),
            memory=call.memory,
            history=call.history(before=intent.turn),
            now=call.turns[intent.turn].opened_at,
        )
        self._answering.begin(self._env.responder(call.tenant), context)

    async def _take_answer(self) -> None:
        """Commit all that the responder has written by now with one write."""
        written = self._answering.take()
        if written is None:
            return
        events: list[Event] = []
        if written.steps:
            payload: dict[str, Json] = {"turn": written.turn, "steps": [to_json(step) for step in written.steps]}
            events.append(self._own(EventType.TURN_ANSWERED, f"{written.turn}/{written.first}", payload))
        if written.outcome is not None:
            events.append(self._closing(written.turn, written.outcome, written.reason))
        await self._keep(events)
        if written.outcome is not None:
            self._closed(self.call.turns[written.turn])

    def _closing(self, turn: str, outcome: TurnOutcome, reason: str = "") -> Event:
        payload: dict[str, Json] = {"turn": turn, "outcome": outcome.value, "reason": reason}
        if self.call.channel is Channel.ANSWER:
            payload["handed_over"] = True
        return self._own(EventType.TURN_CLOSED, turn, payload)

    def _closed(self, turn: Turn) -> None:
        if self.call.channel is Channel.ANSWER:
            since = self._since.pop(turn.id, None)
            if since is not None:
                seconds = self._env.clock.monotonic() - since
                self._env.observe(TurnTimed(self.call.id, self.call.tenant, turn.id, Channel.ANSWER.value, seconds))
        elif not turn.sentences:
            self._since.pop(turn.id, None)

    def _resolve_waiters(self) -> None:
        """Answer those who wait for a turn that is closed, or that will not come."""
        for event_id in list(self._waiters):
            turn = self._turn_of(event_id)
            if (turn is not None and turn.outcome is not None) or (turn is None and self._without_turn(event_id)):
                waiter = self._waiters.pop(event_id)
                if not waiter.done():
                    waiter.set_result(turn)

    def _without_turn(self, event_id: str) -> bool:
        """Whether this input, which has been taken in, opens no turn now."""
        if event_id not in self.call:
            return False
        waiting = [event.id for event in self.call.waiting_inputs()]
        return event_id not in waiting or self.call.state is not CallState.ACTIVE or self.call.collecting is not None

    def _speak(self, player: Player, intent: deciding.Speak) -> None:
        self._spoken.add(intent.key)
        request = SpeechRequest(
            text=intent.text, language=intent.language, voice=self._env.voice(self.call.tenant, intent.language)
        )
        first = intent.key.endswith("/0")
        player.speak(intent.key, request, self._since.pop(intent.turn, None) if first else None)

    async def _stop_speaking(self, turn_id: str) -> bool:
        """What the player has is stopped and reported by it; what it never got is cleared here."""
        keys = [sentence.key for turn, sentence in self.call.speaking if turn.id == turn_id]
        if self._player is not None:
            self._player.stop(keys)
        never = [key for key in keys if key not in self._spoken]
        reports = [Report(EventType.PLAYBACK_CLEARED, key, 0, "", reason="interrupted") for key in never]
        self._spoken.update(never)
        if reports:
            await self._keep([self._report_event(report) for report in reports])
        return bool(reports)

    async def _command(self, intent: deciding.Command) -> bool:
        order = intent.order
        events = [self._own(EventType.COMMAND_SENT, intent.key, {"key": intent.key})]
        if isinstance(order, Transfer):
            payload: dict[str, Json] = {"key": intent.key, "target": order.target, "reason": order.reason}
            events.append(self._own(EventType.TRANSFER_REQUESTED, intent.key, payload))
        await self._keep(events)
        if self._player is not None:
            self._player.control(_order(intent.key, order))
        return True

    # --- media --------------------------------------------------------------------------------------------------------------

    async def _media(self, player: Player | None, *, ended: bool) -> None:
        if ended:
            if player is self._player:
                self._player = None
                await self._keep([self._own(EventType.LEG_DETACHED, f"media/{self.call.count}", {})])
            return
        if self._player is not None:
            self._player.stop()
        self._player = player
        self._spoken = {sentence.key for _, sentence in self.call.speaking if sentence.key in self._spoken}
        await self._keep(
            [self._own(EventType.LEG_ATTACHED, f"media/{self.call.count}", {"channel": Channel.MEDIA.value})]
        )

    def _report_event(self, report: Report) -> Event:
        payload: dict[str, Json] = {"key": report.key, "played_ms": report.played_ms}
        if report.heard is not None:
            payload["heard"] = report.heard
        if report.reason:
            payload["reason"] = report.reason
        if report.latency_ms is not None:
            payload["latency_ms"] = round(report.latency_ms, 3)
            sentence = self.call.sentence(report.key)
            if sentence is not None:
                turn = report.key.rpartition("/")[0]
                seconds = report.latency_ms / 1000
                self._env.observe(TurnTimed(self.call.id, self.call.tenant, turn, Channel.MEDIA.value, seconds))
        return self._own(report.type, f"{report.key}/{report.played_ms}", payload)

    # --- telling -----------------------------------------------------------------------------------------------------------

    async def _tell_state(self) -> None:
        state, before = self.call.state, self._reported
        if state is before:
            return
        self._reported = state
        self._env.observe(StateChanged(self.call.id, self.call.tenant, before, state, self.call.end_reason))
        caller = self._env.pseudonym(self.call.tenant, self.call.caller) if self.call.caller else ""
        await self._env.journal.mark(self.call.id, state, caller)
        if state in TERMINAL:
            if self._player is not None:
                self._player.stop()
                self._player.control({"type": "bye", "state": state.value, "reason": self.call.end_reason})
            await self._answering.cancel()

    def _turn_of(self, event_id: str) -> Turn | None:
        if event_id in self.call.turns:
            return self.call.turns[event_id]
        if event_id == "":
            return None
        return next((turn for turn in reversed(self.call.turns.values()) if event_id in turn.inputs), None)


def _order(key: str, order: Transfer | HangUp) -> dict[str, Json]:
    if isinstance(order, Transfer):
        return {"type": "transfer", "key": key, "target": order.target, "reason": order.reason}
    return {"type": "hang_up", "key": key, "reason": order.reason}
