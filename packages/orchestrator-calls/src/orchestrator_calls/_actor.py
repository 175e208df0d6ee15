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
from orchestrator_calls._acting import Acted, Acting
from orchestrator_calls._answering import Answering
from orchestrator_calls._asking import context_of, opening, request_of
from orchestrator_calls._continuing import pending_orders
from orchestrator_calls._deeds import Deeds
from orchestrator_calls._environment import BUSY, GRAIN, Arrived, Environment, Media, Message, Permit, Stop, Wrote
from orchestrator_calls._keeper import Keeper
from orchestrator_calls._listing import Listing
from orchestrator_calls._mailbox import Mailbox
from orchestrator_calls._outcomes import MARGIN, awaited, told_with
from orchestrator_calls._sharing import Sharing, SnapshotTimes
from orchestrator_calls._snapshot import Counts, dump
from orchestrator_calls._speaking import Speaking, order_message
from orchestrator_calls._turn_times import TurnTimes
from orchestrator_calls._waiters import Waiters
from orchestrator_calls.call import Action, Call, SentenceState, Turn, TurnOutcome
from orchestrator_calls.events import ORCHESTRATOR, TERMINAL, Event, EventType
from orchestrator_calls.journal import CallRow, Lease, Snapshot
from orchestrator_calls.notices import ActionEnded, EventKept, GapSeen
from orchestrator_calls.ordering import Gap, Sequencer
from orchestrator_calls.phrases import Phrase
from orchestrator_calls.playback import LegPlayer, Report
from orchestrator_kernel.ports import Json

__all__ = ["Actor", "turn_key"]

logger = logging.getLogger(__name__)

URGENT: Final = frozenset({EventType.DTMF, EventType.SPEECH_STARTED, EventType.CALL_ENDED, EventType.HOLD})

ACTION_GRACE: Final = 2.0
"""Seconds that a process which ends gives the actions that are under way."""


class Actor:
    """Runs one call until it is over or `stop` is called."""

    def __init__(self, row: CallRow, call: Call, environment: Environment, lease: Lease | None = None) -> None:
        self.lease = lease
        self.sharing = Sharing()
        self.fenced = False
        self.gone = asyncio.Event()
        self.call = call
        self.mailbox: Mailbox[Message] = Mailbox(environment.places)
        self.waiters = Waiters(call)
        self._env = environment
        self._sequencer = Sequencer(environment.policy.reorder_window)
        self._keeper = Keeper(call, environment.journal, environment.clock, environment.observe, lease)
        self._own, self._keep = self._keeper.own, self._keeper.keep
        self._deeds = Deeds(call, self._own, environment.phrase)
        self._answering = Answering(lambda: self.mailbox.post(Wrote()), environment.answer_timeout)
        self._speaking = Speaking(call, environment.voice)
        self._acting = Acting(self.mailbox.post)
        self._keeping = SnapshotTimes()
        self._times = TurnTimes(call, environment.clock, environment.observe)
        self._listing = Listing(call, row, environment, self._keeper)
        self._timers: dict[str, float] = {}
        self._stopped: float | None = None

    # --- from the runtime ---------------------------------------------------------------------------------------------------

    def barge_in(self, event: Event) -> None:
        """Fall silent at once for this beginning of the caller's speech, before it is even durable."""
        self._speaking.hush(event)

    def not_kept(self, event: Event) -> None:
        """The event that `barge_in` told of will not be delivered."""
        self._speaking.heard_out(event.id)

    def deliver(self, event: Event, at: float) -> None:
        """Hand over a journalled event that came in at `at` (monotonic), into the place reserved for it."""
        if self.sharing.take(event):
            self.mailbox.deliver(Arrived(event, at), urgent=event.type in URGENT)
        else:
            self.mailbox.release()
            self.not_kept(event)

    def receive(self, events: Sequence[Event], at: float, sender: str) -> None:
        """Take in what other processes appended; `sender` is one of them, where it told."""
        if sender:
            self.sharing.senders.add(sender)
        for event in events:
            if self.sharing.take(event):
                if event.type is EventType.SPEECH_STARTED:
                    self.barge_in(event)
                self.sharing.asked(event, turn_key(event), sender)
                self.mailbox.admit()
                self.mailbox.deliver(Arrived(event, at), urgent=event.type in URGENT)
            self.sharing.seen(event.position)
        if self.mailbox.over and self.lease is not None:
            for each in {sender} if sender else self.sharing.senders:
                self._env.journal.hint(each, self.call.id, f"{BUSY}{self.lease.owner}")

    def resume(self, events: Sequence[Event], counts: Counts) -> None:
        """Continue from the journal: the past is folded, inputs that were never answered are answered now.

        `counts` is how far the sources have counted in what the call has of a snapshot; `events` are all that came behind it.
        """
        self._sequencer.take_up(counts)
        self.sharing.seen(self.call.position)
        self._keeping.begin(self.call.count)
        for event in sorted(events, key=lambda each: each.position):
            self.call.apply(event)
            self.sharing.seen(event.position)
            if event.source != ORCHESTRATOR:
                self._sequencer.offer(event, float("-inf"))

    def attach(self, player: LegPlayer) -> None:
        """From now on speak through this player."""
        self.mailbox.post(Media(player))

    def detach(self, player: LegPlayer) -> None:
        """The player's leg is gone."""
        self.mailbox.post(Media(player, ended=True))

    def report(self, report: Report) -> None:
        """Take a report of playback in."""
        self.mailbox.post(report)

    async def outcomes(self, turn: Turn) -> tuple[Turn, ...]:
        """The turns that tell of actions and go to the caller with the answer of `turn`; its own are waited for, but not beyond patience."""
        patience = self._env.policy.patience
        if turn.closed_at is not None:
            left = patience + MARGIN - (self._env.clock.now() - turn.closed_at).total_seconds()
            deadline = self._env.clock.monotonic() + left
            for key in awaited(self.call, turn):
                await self.waiters.answered(key, max(0.0, deadline - self._env.clock.monotonic()))
        return told_with(self.call, turn, patience)

    async def permit(self, key: str) -> bool:
        """Whether a leg may begin this sentence; true once the intent is kept."""
        asked = Permit(key, asyncio.get_running_loop().create_future())
        self.mailbox.post(asked)
        return await asked.granted

    def leave(self) -> None:
        """Tell the leg to attach again elsewhere; what was heard until now is reported."""
        self._speaking.end({"type": "bye", "state": self.call.state.value, "reason": "restart"})

    def lose(self) -> None:
        """Another process owns the call: nothing more is done here, and the leg is told to attach again."""
        self.fenced = True
        self.mailbox.post(Stop())

    def stop(self) -> None:
        """End the actor, not the call: the call can be resumed from its journal."""
        self.mailbox.post(Stop())

    # --- the loop -----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take messages until the call is over and nothing is left to do."""
        try:
            await self._take_up()
            await self._settle()
            while not (self._leaves or self._over):
                message = self.mailbox.take()
                if message is None:
                    await self.mailbox.wait(self._patience())
                else:
                    await self._handle(message)
                await self._tick()
                await self._settle()
        finally:
            await self._answering.cancel()
            await self._acting.cancel()
            self.waiters.give_up()
            self.leave()

    @property
    def _leaves(self) -> bool:
        if self._stopped is None:
            return False
        return self.fenced or not self._acting.busy or self._env.clock.monotonic() >= self._stopped + ACTION_GRACE

    @property
    def _over(self) -> bool:
        at_rest = len(self.mailbox) == 0 and self._speaking.silent and not self._acting.busy
        return self.call.state in TERMINAL and at_rest

    async def _take_up(self) -> None:
        """What the end of the last process left open: a leg that is gone with it, sentences half spoken, a turn half answered."""
        if self.call.state in TERMINAL:
            return
        events, turn = self._deeds.loose_ends(), self.call.open_turn
        if events:
            await self._keep(events)
        if turn is not None and turn.outcome is None:
            self._begin(turn)

    async def _handle(self, message: Message) -> None:
        match message:
            case Arrived(event, at):
                await self._arrived(event, at)
            case Wrote():
                await self._take_answer()
            case Acted():
                await self._acted(message)
            case Permit(key, granted):
                await self._permit(key, granted)
            case Report():
                self._times.reported(message)
                await self._keep(self._deeds.reported(message))
                self._speaking.reported(message)
            case Media(player, ended):
                await self._media(player, ended=ended)
            case Stop():
                self._stopped = self._env.clock.monotonic()

    async def _arrived(self, event: Event, at: float) -> None:
        self._env.observe(EventKept(event))
        if event.is_input:
            self._times.came(event.id, at)
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
                await self._keep([self._deeds.interruption(turn, event.id)])
            self.call.apply(event)
            self.sharing.applied(event)
            self._speaking.heard_out(event.id)
            await self._settle()

    def _gap(self, notice: GapSeen) -> None:
        logger.warning(
            "events are missing", extra={"call_id": notice.call_id, "source": notice.source, "detail": notice.detail}
        )
        self._env.observe(notice)

    async def _tick(self) -> None:
        """Let go of what waited long enough; then, if nothing is left to be heard first, let the timer fire that is due."""
        # Waiting for a difference that is none would wait for ever where time stands still.
        now = self._env.clock.monotonic() + GRAIN
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
        dues = list(self._timers.values() if held is None else (held,))
        if self._stopped is not None:
            dues.append(self._stopped + ACTION_GRACE)
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
        self._speaking.settled()
        if await self._listing.update(busy=self._acting.busy):
            await self._fall_silent()
        self.waiters.resolve()
        if self.lease is not None:
            await self._tell_peers(self.lease)
        await self._shorten()

    async def _shorten(self) -> None:
        """Now and then keep a snapshot, and forget what is long over."""
        upto = self._keeping.due(self.call, self.sharing, self._env.clock.monotonic(), shared=self.lease is not None)
        if upto is None or self._sequencer.due is not None:
            return
        self.call.compact(upto)
        self.sharing.forget(upto)
        self._keeping.begin(self.call.count)
        await self._keeper.save(Snapshot(upto, dump(self.call, self._sequencer.counts)))

    async def _tell_peers(self, lease: Lease) -> None:
        """Those who wait elsewhere look into the journal; what opens no turn is told there by how far all is taken in."""
        told, taken = self.sharing.settled(self.waiters)
        if taken is not None:
            await self._keeper.took(lease, taken)
        for sender in told:
            self._env.journal.hint(sender, self.call.id, lease.owner)

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
                return await self._keep([self._deeds.closing(turn, TurnOutcome.SUPERSEDED)])
            case deciding.Speak():
                self._speak(intent)
            case deciding.Fill(_, turn, count):
                return await self._keep([self._deeds.filler(self.call.turns[turn], Phrase.WAITING, count)])
            case deciding.Run(_, action) if action.key not in self._acting:
                await self._run(action)
            case deciding.StopSpeaking(_, turn):
                return await self._clear(self._speaking.stop(turn))
            case deciding.Command():
                return await self._command(intent)
            case deciding.EndCall(_, reason):
                return await self._keep([self._own(EventType.CALL_ENDED, "end", {"reason": reason})])
            case deciding.FailTransfer(_, transfer):
                payload: dict[str, Json] = {"key": transfer, "reason": deciding.NOT_CONFIRMED}
                return await self._keep([self._own(EventType.TRANSFER_FAILED, transfer, payload)])
            case _:
                pass
        return False

    def _ask(self, intent: deciding.Ask) -> bool:
        self._cut_short(intent.turn)
        self._keeper.apply_now_keep_later(self._own(EventType.TURN_OPENED, intent.turn, opening(intent)))
        self._times.opened(intent.turn, intent.inputs)
        self._begin(self.call.turns[intent.turn])
        return True

    def _cut_short(self, by: str) -> None:
        """An input during speech interrupts it; what was heard of it is in the history that the next answer builds on."""
        cut = {turn.id: turn for turn, _ in self.call.speaking}.values()
        reports = [report for turn in cut for report in self._speaking.stop(turn.id)]
        for report in [*reports, *self.mailbox.take_own(Report)]:
            self._keeper.apply_now_keep_later(self._report(report))
        for turn in cut:
            self._keeper.apply_now_keep_later(self._deeds.interruption(turn, by))

    def _begin(self, turn: Turn) -> None:
        tenant = self.call.tenant
        context = context_of(self.call, turn, self._env.zone(tenant))
        self._answering.begin(self._env.responder(tenant), context, turn.steps)

    async def _take_answer(self) -> None:
        """Commit all that the responder has written by now with one write."""
        written = self._answering.take()
        if written is None:
            return
        begins = self._speaking.ready and not self.call.speaking
        await self._keep(self._deeds.written(written, begins=begins))
        if written.outcome is not None:
            self._times.closed(self.call.turns[written.turn])

    # --- actions ------------------------------------------------------------------------------------------------------------

    async def _run(self, action: Action) -> None:
        """The intent first; an action whose intent was there before may have been carried out already."""
        again = action.started_at is not None
        if not again:
            await self._keep([self._deeds.acting(action)])
        actions = self._env.actions(self.call.tenant)
        self._acting.begin(action.key, request_of(self.call, action), actions, again=again)

    async def _acted(self, acted: Acted) -> None:
        action = next(each for each in self.call.actions if each.key == acted.key)
        await self._keep([self._deeds.acted(action, acted.outcome)])
        self._acting.taken(action.key)
        started = action.started_at or self._env.clock.now()
        seconds = (self._env.clock.now() - started).total_seconds()
        self._env.observe(ActionEnded(self.call.id, self.call.tenant, action.name, acted.outcome.status.value, seconds))

    # --- speech -------------------------------------------------------------------------------------------------------------

    def _speak(self, intent: deciding.Speak) -> None:
        first = intent.key.endswith("/0")
        if self._speaking.speak(intent, self._times.since(intent.turn) if first else None):
            self._times.given(intent.turn)

    async def _permit(self, key: str, granted: asyncio.Future[bool]) -> None:
        sentence = self.call.sentence(key)
        wanted = sentence is not None and not sentence.over
        if sentence is not None and sentence.state is SentenceState.COMMITTED:
            await self._keep([self._deeds.intent(key)])
        if not granted.done():
            granted.set_result(wanted)

    async def _clear(self, reports: Sequence[Report]) -> bool:
        """Report on sentences that will never be played; whether there were any."""
        if reports:
            await self._keep([self._report(report) for report in reports])
        return bool(reports)

    async def _fall_silent(self) -> None:
        """The call is over: nothing more is answered or said."""
        await self._answering.cancel()
        await self._clear(self._speaking.stop_all("call over"))
        self._speaking.end({"type": "bye", "state": self.call.state.value, "reason": self.call.end_reason})

    async def _command(self, intent: deciding.Command) -> bool:
        await self._keep(self._deeds.ordered(intent))
        self._speaking.control(order_message(intent.key, intent.order))
        return True

    async def _media(self, player: LegPlayer, *, ended: bool) -> None:
        if not ended:
            self._speaking.attach(player)
            await self._keep([self._deeds.attached()])
            for key, order in pending_orders(self.call):
                # Whether an earlier leg was told is not known; under the same key it is the same order.
                self._speaking.control(order_message(key, order))
        elif self._speaking.detach(player):
            await self._keep([self._deeds.detached()])

    def _report(self, report: Report) -> Event:
        self._times.reported(report)
        return self._deeds.report(report)


def turn_key(event: Event) -> str:
    """Under which id the turn of an event is found: the start of a call has the greeting."""
    return f"{event.call_id}/greeting" if event.type is EventType.CALL_STARTED else event.id
