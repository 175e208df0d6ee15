"""One call at work: takes its events in one after the other, decides, carries out.

The actor is the only one that changes its `Call`. Everything it does follows from `decide`; everything that comes back (steps of the
answer, reports of playback, timers) comes through its mailbox and becomes an event before it counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator_calls import decide as deciding
from orchestrator_calls._answering import Answering
from orchestrator_calls._asking import context_of, opening
from orchestrator_calls._environment import Arrived, Environment, Media, Message, Stop, Wrote
from orchestrator_calls._keeper import Keeper
from orchestrator_calls._mailbox import Mailbox
from orchestrator_calls._speaking import Speaking, order_message, report_payload
from orchestrator_calls._steps import to_json
from orchestrator_calls._waiters import Waiters
from orchestrator_calls.call import Call, Channel, SentenceState, Turn, TurnOutcome
from orchestrator_calls.events import ORCHESTRATOR, TERMINAL, Event, EventType
from orchestrator_calls.journal import CallRow
from orchestrator_calls.notices import EventKept, GapSeen, StateChanged, TurnTimed
from orchestrator_calls.ordering import Gap, Sequencer
from orchestrator_calls.playback import Player, Report
from orchestrator_calls.responder import Transfer
from orchestrator_kernel.ports import Json

__all__ = ["Actor"]

logger = logging.getLogger(__name__)

URGENT: Final = frozenset({EventType.DTMF, EventType.SPEECH_STARTED, EventType.CALL_ENDED, EventType.HOLD})


class Actor:
    """Runs one call until it is over or `stop` is called."""

    def __init__(self, row: CallRow, call: Call, environment: Environment) -> None:
        self.call = call
        self.mailbox: Mailbox[Message] = Mailbox(environment.places)
        self.waiters = Waiters(call)
        self._env = environment
        self._sequencer = Sequencer(environment.policy.reorder_window)
        self._keeper = Keeper(call, environment.journal, environment.clock, environment.observe)
        self._own, self._keep = self._keeper.own, self._keeper.keep
        self._answering = Answering(lambda: self.mailbox.post(Wrote()), environment.answer_timeout)
        self._speaking = Speaking(call, environment.voice)
        self._since: dict[str, float] = {}
        self._timers: dict[str, float] = {}
        self._marked = row.state, row.caller
        self._stopped = False

    # --- from the runtime ---------------------------------------------------------------------------------------------------

    def barge_in(self, event: Event) -> None:
        """Fall silent at once for this beginning of the caller's speech, before it is even durable."""
        self._speaking.hush(event)

    def not_kept(self, event: Event) -> None:
        """The event that `barge_in` told of will not be delivered."""
        self._speaking.heard_out(event.id)

    def deliver(self, event: Event, at: float) -> None:
        """Hand over a journalled event that came in at `at` (monotonic), into the place reserved for it."""
        self.mailbox.deliver(Arrived(event, at), urgent=event.type in URGENT)

    def resume(self, events: Sequence[Event]) -> None:
        """Continue from the journal: the past is folded, inputs that were never answered are answered now."""
        for event in sorted(events, key=lambda each: each.position):
            self.call.apply(event)
            if event.source != ORCHESTRATOR:
                self._sequencer.offer(event, float("-inf"))

    def attach(self, player: Player) -> None:
        """From now on speak through this player."""
        self.mailbox.post(Media(player))

    def detach(self, player: Player) -> None:
        """The player's leg is gone."""
        self.mailbox.post(Media(player, ended=True))

    def report(self, report: Report) -> None:
        """Take a report of playback in."""
        self.mailbox.post(report)

    def leave(self) -> None:
        """Tell the leg to attach again elsewhere; what was heard until now is reported."""
        self._speaking.end({"type": "bye", "state": self.call.state.value, "reason": "restart"})

    def stop(self) -> None:
        """End the actor, not the call: the call can be resumed from its journal."""
        self.mailbox.post(Stop())

    # --- the loop -----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take messages until the call is over and nothing is left to do."""
        try:
            await self._take_up()
            await self._settle()
            while not (self._stopped or self._over):
                message = self.mailbox.take()
                if message is None:
                    await self.mailbox.wait(self._patience())
                else:
                    await self._handle(message)
                await self._tick()
                await self._settle()
        finally:
            await self._answering.cancel()
            self.waiters.give_up()
            self.leave()

    @property
    def _over(self) -> bool:
        return self.call.state in TERMINAL and len(self.mailbox) == 0 and self._speaking.silent

    async def _take_up(self) -> None:
        """What the end of the last process left open: a leg that is gone with it, sentences half spoken, a turn half answered."""
        if self.call.media_attached:
            begun = [sentence for _, sentence in self.call.speaking if sentence.state is SentenceState.STARTED]
            reports = [
                Report(EventType.PLAYBACK_CLEARED, each.key, each.played_ms, each.heard or "", "restart")
                for each in begun
            ]
            await self._keep([*map(self._report_event, reports), self._leg_detached()])
        turn = self.call.open_turn
        if turn is None:
            return
        if turn.steps:
            # Half an answer was committed; what the rest would have been is not known.
            self._answering.give_up(turn.id, "restart")
        else:
            self._begin(turn)

    async def _handle(self, message: Message) -> None:
        match message:
            case Arrived(event, at):
                await self._arrived(event, at)
            case Wrote():
                await self._take_answer()
            case Report():
                await self._keep([self._report_event(message)])
            case Media(player, ended):
                await self._media(player, ended=ended)
            case Stop():
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
            turn = deciding.interrupted_by(self.call, event) if event.type is EventType.SPEECH_STARTED else None
            if turn is not None and not turn.interrupted:
                await self._keep([self._interruption(turn, event.id)])
            self.call.apply(event)
            self._speaking.heard_out(event.id)
            await self._settle()

    def _gap(self, notice: GapSeen) -> None:
        logger.warning(
            "events are missing", extra={"call_id": notice.call_id, "source": notice.source, "detail": notice.detail}
        )
        self._env.observe(notice)

    def _interruption(self, turn: Turn, by: str) -> Event:
        return self._own(EventType.TURN_INTERRUPTED, turn.id, {"turn": turn.id, "by": by})

    async def _tick(self) -> None:
        """Let go of what waited long enough; then, if nothing is left to be heard first, let the timer fire that is due."""
        now = self._env.clock.monotonic()
        due = self._sequencer.due
        if due is not None and due <= now:
            await self._release(*self._sequencer.expire(now))
        if self._sequencer.due is not None or len(self.mailbox):
            return
        key = min(self._timers, key=self._timers.__getitem__, default=None)
        if key is not None and self._timers[key] <= now:
            await self._keep([self._own(EventType.TIMER_FIRED, key, {"timer": key})])

    def _patience(self) -> float | None:
        """Seconds until the next timer or the end of the reorder window."""
        held = self._sequencer.due
        dues = self._timers.values() if held is None else (held,)
        due = min(dues, default=None)
        return None if due is None else max(0.0, due - self._env.clock.monotonic())

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
        self.waiters.resolve()

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
            case deciding.Speak():
                self._speak(intent)
            case deciding.StopSpeaking(_, turn):
                return await self._clear(self._speaking.stop(turn))
            case deciding.Command():
                return await self._command(intent)
            case deciding.EndCall(_, reason):
                await self._keep([self._own(EventType.CALL_ENDED, "end", {"reason": reason})])
                return True
            case deciding.FailTransfer(_, transfer):
                payload: dict[str, Json] = {"key": transfer, "reason": "not confirmed"}
                await self._keep([self._own(EventType.TRANSFER_FAILED, transfer, payload)])
                return True
            case _:
                pass
        return False

    def _ask(self, intent: deciding.Ask) -> bool:
        self._cut_short(intent.turn)
        self._keeper.apply_now_keep_later(self._own(EventType.TURN_OPENED, intent.turn, opening(intent)))
        since = [self._since.pop(each, None) for each in intent.inputs]
        self._since[intent.turn] = next((at for at in reversed(since) if at is not None), self._env.clock.monotonic())
        self._begin(self.call.turns[intent.turn])
        return True

    def _cut_short(self, by: str) -> None:
        """An input during speech interrupts it; what was heard of it is in the history that the next answer builds on."""
        cut = {turn.id: turn for turn, _ in self.call.speaking}.values()
        reports = [report for turn in cut for report in self._speaking.stop(turn.id)]
        for report in [*reports, *self.mailbox.take_own(Report)]:
            self._keeper.apply_now_keep_later(self._report_event(report))
        for turn in cut:
            self._keeper.apply_now_keep_later(self._interruption(turn, by))

    def _begin(self, turn: Turn) -> None:
        tenant = self.call.tenant
        context = context_of(self.call, turn, self._env.zone(tenant))
        self._answering.begin(self._env.responder(tenant), context)

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
                self._timed(turn.id, Channel.ANSWER, self._env.clock.monotonic() - since)
        elif not turn.sentences:
            self._since.pop(turn.id, None)

    def _timed(self, turn: str, channel: Channel, seconds: float) -> None:
        self._env.observe(TurnTimed(self.call.id, self.call.tenant, turn, channel.value, seconds))

    # --- speech -------------------------------------------------------------------------------------------------------------

    def _speak(self, intent: deciding.Speak) -> None:
        first = intent.key.endswith("/0")
        if self._speaking.speak(intent, self._since.get(intent.turn) if first else None):
            self._since.pop(intent.turn, None)

    async def _clear(self, reports: Sequence[Report]) -> bool:
        """Report on sentences that will never be played; whether there were any."""
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
        self._speaking.control(order_message(intent.key, order))
        return True

    async def _media(self, player: Player, *, ended: bool) -> None:
        if not ended:
            self._speaking.attach(player)
            payload: dict[str, Json] = {"channel": Channel.MEDIA.value}
            await self._keep([self._own(EventType.LEG_ATTACHED, f"media/{self.call.count}", payload)])
        elif self._speaking.detach(player):
            await self._keep([self._leg_detached()])

    def _leg_detached(self) -> Event:
        return self._own(EventType.LEG_DETACHED, f"media/{self.call.count}", {})

    def _report_event(self, report: Report) -> Event:
        if report.latency_ms is not None:
            self._timed(report.key.rpartition("/")[0], Channel.MEDIA, report.latency_ms / 1000)
        return self._own(report.type, f"{report.key}/{report.played_ms}", report_payload(report))

    # --- telling ------------------------------------------------------------------------------------------------------------

    async def _tell_state(self) -> None:
        """Note in the list of calls, and tell, what changed: the state, or who calls."""
        state, call = self.call.state, self.call
        before, known = self._marked
        caller = known or (self._env.pseudonym(call.tenant, call.caller) if call.caller else "")
        if (state, caller) == self._marked:
            return
        self._marked = state, caller
        await self._keeper.mark(state, caller)
        if state is before:
            return
        self._env.observe(StateChanged(call.id, call.tenant, before, state, call.end_reason))
        if state in TERMINAL:
            await self._answering.cancel()
            await self._clear(self._speaking.stop_all("call over"))
            self._speaking.end({"type": "bye", "state": state.value, "reason": call.end_reason})
