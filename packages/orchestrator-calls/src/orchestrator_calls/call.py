"""A call, folded from its events.

`fold(events)` is a pure function of the set of events: duplicates count once, and the order they are given in does not matter. A `Call`
can also be continued event by event, which gives the same as folding all at once.

Events from outside are walked in canonical order through the transition table. The orchestrator's own events and the reports of
playback name what they belong to (a turn, a sentence), so their place in the order does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, cast

from orchestrator_calls._steps import from_json
from orchestrator_calls._turns import REPORTS, Action, Channel, Sentence, SentenceState, Turn, TurnOutcome
from orchestrator_calls._walk import Walk
from orchestrator_calls._walked import Walked
from orchestrator_calls.events import OWN, TERMINAL, CallState, Event, EventType, heard_at, text_of
from orchestrator_calls.responder import Act, Collect, Exchange, HangUp, InputKind, Note, Remember, Say, Transfer
from orchestrator_kernel.ports import Json

__all__ = ["Action", "Call", "Channel", "Sentence", "SentenceState", "Turn", "TurnOutcome", "fold"]

_ACTIVITY: Final = frozenset({EventType.TRANSCRIPTION, EventType.DTMF, EventType.SPEECH_STARTED, EventType.RESUME})
_CONFIRMED: Final = frozenset({TurnOutcome.ANSWERED, TurnOutcome.FAILED})


class Call:
    """A call as its events tell it. Read it; only `apply` changes it.

    Attributes:
        turns: By id, in the order they were opened.
        memory: What the responder remembered last.
        collecting: How the next keys are to be taken together; None when each key is an input.
        media_attached: Whether a media leg is there now.
        fired: The keys of the timers that fired.
        commands: The keys of the orders that were sent, and when.
        last_activity: When the caller was last heard: their last word, not the recognizer's; our clock.
        last_event: When anything was last heard of; our clock.
        quiet_since: When our last word was out; our clock.
        count: How many events it is made of.
        position: The last place of the journal that it has an event of.
        turn_count: How many turns were opened; `turns` may hold only the last ones.
        once: The turns that are opened once in a call and known for ever: the greeting, and what was told of transfers.
    """

    def __init__(self, call_id: str, tenant: str, language: str = "en-US") -> None:
        self.id = call_id
        self.tenant = tenant
        self._default_language = language
        self._walked = Walked()
        self._log = self._walked.log
        self._own: dict[str, int] = {}
        self._pending_reports: dict[str, list[Event]] = {}
        self._sentences: dict[str, Sentence] = {}
        self._acts: list[Action] = []
        self._has_media = False
        self.turns: dict[str, Turn] = {}
        self.memory: Mapping[str, Json] = {}
        self.collecting: Collect | None = None
        self.media_attached = False
        self.fired: set[str] = set()
        self.commands: dict[str, datetime] = {}
        self.last_activity: datetime | None = None
        self.last_event: datetime | None = None
        self.quiet_since: datetime | None = None
        self.count = 0
        self.position = 0
        self.turn_count = 0
        self.once: set[str] = set()

    # --- what the walk says -------------------------------------------------------------------------------------------------

    @property
    def _walk(self) -> Walk:
        return self._walked.walk

    @property
    def state(self) -> CallState:
        """Where the call stands; an order to hang up that was sent makes an open call `ending`."""
        state = self._walk.state
        if state not in TERMINAL and any(key.startswith("hang_up/") for key in self.commands):
            return CallState.ENDING
        return state

    @property
    def started_at(self) -> datetime | None:
        """When the call was answered, by our clock; None before."""
        return self._walk.started_at

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, by the clock of who said so."""
        return self._walk.ended_at

    @property
    def end_reason(self) -> str:
        """Why it ended or failed."""
        return self._walk.end_reason

    @property
    def language(self) -> str:
        """The language of the last answer; before that what the start of the call told, or the tenant's first."""
        return self.language_before("")

    def language_before(self, turn_id: str) -> str:
        """The language as it was before this turn said anything."""
        for turn in reversed(self.turns.values()):
            if turn.sentences and turn.id != turn_id:
                return turn.sentences[-1].language
        return self._walk.language or self._default_language

    @property
    def caller(self) -> str:
        """The caller's number, as the start of the call told it. Personal."""
        return self._walk.caller

    @property
    def dialed(self) -> str:
        """The number that was called."""
        return self._walk.dialed

    @property
    def channel(self) -> Channel:
        """The one way of replying: what a leg declared, or else what the provider presumes; the media socket once there is one."""
        declared = self._walk.channel or self._walk.presumed_channel
        return Channel.MEDIA if self._has_media or declared == Channel.MEDIA else Channel.ANSWER

    @property
    def held(self) -> timedelta:
        """How long it has been on hold in all, the present hold apart."""
        return self._walk.held

    @property
    def recorded_after_end(self) -> int:
        """How many events came after the end: recorded, not applied."""
        return self._walk.recorded_after_end

    @property
    def latest(self) -> datetime | None:
        """The time of the last event in canonical order: a decision made now belongs behind it, whatever our own clock says."""
        return self._log.latest

    # --- what waits ---------------------------------------------------------------------------------------------------------

    def waiting_inputs(self) -> list[Event]:
        """Inputs without a turn that may still get one, in canonical order."""
        return self._walked.in_time()

    def interrupted_after(self, event_id: str) -> bool:
        """Whether the caller began to speak again after this event and before the next input, in the order of the event's own source."""
        return self._walked.interrupted_after(event_id)

    @property
    def start(self) -> str:
        """The id of the event that told that the call was answered; empty before."""
        return self._walk.started_by

    def input(self, event_id: str) -> Event | None:
        """The walked event with this id."""
        return self._walked.event(event_id)

    def turn_of(self, event_id: str) -> Turn | None:
        """The turn that answers this event, or that has this id."""
        if event_id in self.turns:
            return self.turns[event_id]
        return next((turn for turn in reversed(self.turns.values()) if event_id in turn.inputs), None)

    def sentence(self, key: str) -> Sentence | None:
        """The sentence with this key."""
        return self._sentences.get(key)

    def history(self, before: str = "") -> tuple[Exchange, ...]:
        """The turns up to `before` (or all), as a responder sees them."""
        told = takewhile(lambda turn: turn.id != before, self.turns.values())
        return tuple(Exchange(each.text, each.answer) for each in told if each.outcome is not TurnOutcome.SUPERSEDED)

    @property
    def actions(self) -> list[Action]:
        """What the answers have done, in their order; of an answer that is still being written, nothing yet."""
        return [each for each in self._acts if self.turns[each.turn].outcome in _CONFIRMED]

    @property
    def failed_transfers(self) -> Mapping[str, str]:
        """The keys of the transfers that did not come about, and why."""
        return self._walk.failures

    @property
    def open_turn(self) -> Turn | None:
        """The turn whose answer is still being written."""
        return next((turn for turn in reversed(self.turns.values()) if turn.outcome is None), None)

    @property
    def speaking(self) -> list[tuple[Turn, Sentence]]:
        """The sentences that are not over, in the order they are to be spoken."""
        recent: list[tuple[Turn, Sentence]] = []
        for turn in reversed(self.turns.values()):
            left = [(turn, sentence) for sentence in turn.sentences if not sentence.over]
            if turn.outcome is not None and not left:
                break
            recent = left + recent
        return recent

    # --- forgetting ---------------------------------------------------------------------------------------------------------

    def compact(self, upto: int, *, turns: int = 64, events: int = 32) -> None:
        """Forget what is long over and behind us in the journal (at places up to `upto`), but for the last turns and events.

        Nothing that is still to be decided changes by it. An event that is ordered before all that is left comes first in it.
        """
        self._own = {event_id: position for event_id, position in self._own.items() if not 0 < position <= upto}
        greets = self.start and f"{self.id}/greeting" not in self.once
        self._walked.forget(upto, keep=events, needed=self.start if greets else "")
        for turn in list(self.turns.values())[: max(0, len(self.turns) - turns)]:
            if not turn.over:
                break
            self._forget(turn)
        self.fired = {key for key in self.fired if self._remembers(key)}

    def _forget(self, turn: Turn) -> None:
        del self.turns[turn.id]
        for sentence in turn.sentences:
            self._sentences.pop(sentence.key, None)
        self._walked.taken.difference_update(turn.inputs)
        self._acts = [action for action in self._acts if action.turn != turn.id]

    def _remembers(self, timer: str) -> bool:
        kind, _, what = timer.partition("/")
        if kind == "silence":
            return what == str(self.turn_count)
        if kind == "digits":
            return what in self._walked.waiting
        return kind != "filler" or what.rpartition("/")[0] in self.turns

    # --- taking events in ---------------------------------------------------------------------------------------------------

    def forgot(self, event: Event) -> bool:
        """Whether this event was taken in so long ago that nothing of it is left here."""
        behind = 0 < event.position <= self.position and event.id not in self
        return behind and self.turn_count > len(self.turns) and self.turn_of(event.id) is None

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._log or event_id in self._own

    def apply(self, event: Event) -> bool:
        """Take one event in; False when it was there already."""
        self.position = max(self.position, event.position)
        if event.id in self:
            if event.id in self._own:
                self._own[event.id] = event.position
            return False
        self.count += 1
        self.last_event = _latest(self.last_event, event.received_at)
        if event.type in _ACTIVITY:
            self.last_activity = _latest(self.last_activity, heard_at(event))
        if event.type in REPORTS:
            self._own[event.id] = event.position
            if not event.is_erased:
                self._report(event)
        elif event.type in OWN:
            self._own[event.id] = event.position
            if not event.is_erased:
                self._apply_own(event)
        else:
            self._walked.insert(event)
        return True

    # --- the orchestrator's own events --------------------------------------------------------------------------------------

    def _apply_own(self, event: Event) -> None:
        payload = event.payload
        match event.type:
            case EventType.TIMER_FIRED:
                self.fired.add(text_of(payload, "timer"))
            case EventType.COMMAND_SENT:
                self.commands[text_of(payload, "key")] = event.received_at
            case EventType.LEG_ATTACHED:
                self._has_media = self.media_attached = text_of(payload, "channel") == Channel.MEDIA
            case EventType.LEG_DETACHED:
                self.media_attached = False
            case EventType.ACTION_STARTED | EventType.ACTION_FINISHED:
                self._acted(event)
            case _:
                self._apply_to_turn(event)

    def _apply_to_turn(self, event: Event) -> None:
        match event.type:
            case EventType.TURN_OPENED:
                self._turn_opened(event)
            case EventType.TURN_ANSWERED:
                self._turn_answered(event)
            case EventType.TURN_CLOSED:
                self._turn_closed(event)
            case EventType.TURN_INTERRUPTED:
                self.turns[text_of(event.payload, "turn")].interrupted = True
            case EventType.TURN_FILLED:
                self._turn_filled(event)
            case EventType.SPEECH_CONTINUED:
                self._speech_continued(event)
            case _:  # SPEECH_INTENDED
                if (sentence := self._sentences.get(text_of(event.payload, "key"))) is not None:
                    sentence.advance(SentenceState.INTENDED)

    def _turn_opened(self, event: Event) -> None:
        turn = Turn.opened(event, self.memory)
        self.turns[turn.id] = turn
        self.turn_count += 1
        if turn.kind is InputKind.GREETING or turn.id.startswith("transfer/"):
            self.once.add(turn.id)
        self._walked.take(turn.inputs)
        if turn.kind not in {InputKind.SILENCE, InputKind.OUTCOME}:
            self.collecting = None

    def _turn_answered(self, event: Event) -> None:
        turn = self.turns[text_of(event.payload, "turn")]
        for data in cast("list[Mapping[str, Json]]", event.payload["steps"]):
            step = from_json(data)
            turn.steps.append(step)
            match step:
                case Say(text, language):
                    self._known(turn.say(text, language))
                case Act(name, arguments):
                    self._acts.append(turn.act(name, arguments))
                case Collect() as collect:
                    self.collecting = collect
                case Transfer() | HangUp() as command:
                    turn.command = command
                case Note() as note:
                    turn.note = note
                case Remember(memory):
                    self.memory = memory

    def _turn_filled(self, event: Event) -> None:
        turn, text = self.turns[text_of(event.payload, "turn")], text_of(event.payload, "text")
        filler = turn.say(text, text_of(event.payload, "language"), filler=True)
        self._known(filler)
        if not text:
            filler.advance(SentenceState.CLEARED)
        elif event.payload.get("handed_over") is True:
            filler.advance(SentenceState.HANDED_OVER)

    def _speech_continued(self, event: Event) -> None:
        """What is left of a sentence that was cut off is spoken in its place, under a key of its own."""
        before = self._sentences.get(text_of(event.payload, "key"))
        if before is None:
            return
        turn = self.turns[before.key.rpartition("/")[0]]
        lost = event.payload.get("lost") is True
        self._known(turn.go_on(before, text_of(event.payload, "text"), filler=lost))

    def _acted(self, event: Event) -> None:
        turn = self.turns.get(text_of(event.payload, "turn"))
        action = turn.action_with(text_of(event.payload, "key")) if turn else None
        if action is not None:
            action.report(event)

    def _known(self, sentence: Sentence) -> None:
        self._sentences[sentence.key] = sentence
        for report in self._pending_reports.pop(sentence.key, ()):
            self._report(report)

    def _turn_closed(self, event: Event) -> None:
        turn = self.turns[text_of(event.payload, "turn")]
        if turn.close(event):
            self.quiet_since = _latest(self.quiet_since, event.received_at)

    def _report(self, event: Event) -> None:
        key = text_of(event.payload, "key")
        sentence = self._sentences.get(key)
        if sentence is None:
            self._pending_reports.setdefault(key, []).append(event)
            return
        sentence.report(event)
        if event.type in {EventType.PLAYBACK_FINISHED, EventType.PLAYBACK_CLEARED}:
            self.quiet_since = _latest(self.quiet_since, event.received_at)
        if event.type is EventType.PLAYBACK_CLEARED and text_of(event.payload, "reason") in {"", "interrupted"}:
            # The leg may tell of the interruption before the event that caused it is in the journal.
            self.turns[key.rpartition("/")[0]].interrupted = True


def _latest(known: datetime | None, other: datetime) -> datetime:
    return other if known is None else max(known, other)


def fold(events: Iterable[Event], *, language: str = "en-US") -> Call:
    """The call that these events tell.

    The orchestrator's own events must be given in the order they were journalled (they build on each other); for all others the order
    does not matter, and neither do copies.

    Args:
        events: At least one; all of one call.
        language: What to speak when no event told a language, BCP 47.
    """
    given = list(events)
    call = Call(given[0].call_id, given[0].tenant, language)
    for event in given:
        if event.type not in OWN:
            call.apply(event)
    for event in sorted((each for each in given if each.type in OWN), key=lambda each: each.position):
        call.apply(event)
    return call
