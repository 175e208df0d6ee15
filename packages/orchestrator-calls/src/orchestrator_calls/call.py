"""A call, folded from its events.

`fold(events)` is a pure function of the set of events: duplicates count once, and the order they are given in does not matter. A `Call`
can also be continued event by event, which gives the same as folding all at once.

Events from outside are walked in canonical order through the transition table. The orchestrator's own events and the reports of
playback name what they belong to (a turn, a sentence), so their place in the order does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, cast

from orchestrator_calls._steps import from_json
from orchestrator_calls._turns import REPORTS, Channel, Sentence, SentenceState, Turn, TurnOutcome
from orchestrator_calls._walk import Walk, step
from orchestrator_calls.events import OWN, TERMINAL, CallState, Event, EventType, text_of
from orchestrator_calls.ordering import CanonicalLog
from orchestrator_calls.responder import Collect, Exchange, HangUp, InputKind, Note, Remember, Say, Transfer
from orchestrator_kernel.ports import Json

__all__ = ["Call", "Channel", "Sentence", "SentenceState", "Turn", "TurnOutcome", "fold"]

_ACTIVITY: Final = frozenset({EventType.TRANSCRIPTION, EventType.DTMF, EventType.SPEECH_STARTED, EventType.RESUME})
_LISTENING: Final = frozenset({CallState.INITIALIZING, CallState.CONNECTING, CallState.ACTIVE})


class Call:
    """A call as its events tell it. Read it; only `apply` changes it.

    Attributes:
        turns: By id, in the order they were opened.
        memory: What the responder remembered last.
        collecting: How the next keys are to be taken together; None when each key is an input.
        media_attached: Whether a media leg is there now.
        fired: The keys of the timers that fired.
        commands: The keys of the orders that were sent, and when.
        last_activity: When the caller was last heard of; our clock.
        last_event: When anything was last heard of; our clock.
        quiet_since: When our last word was out; our clock.
        count: How many events it is made of.
    """

    def __init__(self, call_id: str, tenant: str, language: str = "en-US") -> None:
        self.id = call_id
        self.tenant = tenant
        self._default_language = language
        self._log = CanonicalLog()
        self._walks: list[Walk] = []
        self._own: set[str] = set()
        self._waiting: dict[str, Event] = {}
        self._taken: set[str] = set()
        self._opened: dict[str, int] = {}
        self._pending_reports: dict[str, list[Event]] = {}
        self._sentences: dict[str, Sentence] = {}
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

    # --- what the walk says -------------------------------------------------------------------------------------------------

    @property
    def _walk(self) -> Walk:
        return self._walks[-1] if self._walks else Walk()

    @property
    def state(self) -> CallState:
        """Where the call stands; an order to hang up that was sent makes an open call `ending`."""
        state = self._walk.state
        if state in TERMINAL or state is CallState.ENDING:
            return state
        if any(key.startswith("hang_up/") for key in self.commands):
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
        for turn in reversed(self.turns.values()):
            if turn.sentences:
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
        inputs = [event for event in self._waiting.values() if self._listened_to(event) and not self._late(event)]
        return sorted(inputs, key=lambda event: self._log.index(event.id))

    def _listened_to(self, event: Event) -> bool:
        index = self._log.index(event.id)
        return index == 0 or self._walks[index - 1].state in _LISTENING

    def _late(self, event: Event) -> bool:
        """A later input of the same source was taken already: answering now would go back in the conversation."""
        return event.sequence is not None and event.sequence < self._opened.get(event.source, 0)

    def interrupted_after(self, event_id: str) -> bool:
        """Whether the caller began to speak again after this event and before the next input, in the order of the event's own source."""
        if event_id not in self._log:
            return False
        index = self._log.index(event_id)
        source = self._log.at(index).source
        for place in range(index + 1, len(self._log)):
            later = self._log.at(place)
            if later.source == source and (later.is_input or later.type is EventType.SPEECH_STARTED):
                return later.type is EventType.SPEECH_STARTED
        return False

    @property
    def start(self) -> str:
        """The id of the event that told that the call was answered; empty before."""
        return self._walk.started_by

    def input(self, event_id: str) -> Event | None:
        """The walked event with this id."""
        return self._log.at(self._log.index(event_id)) if event_id in self._log else None

    def sentence(self, key: str) -> Sentence | None:
        """The sentence with this key."""
        return self._sentences.get(key)

    def history(self, before: str = "") -> tuple[Exchange, ...]:
        """The turns up to `before` (or all), as a responder sees them."""
        exchanges: list[Exchange] = []
        for turn in self.turns.values():
            if turn.id == before:
                break
            if turn.outcome is not TurnOutcome.SUPERSEDED:
                exchanges.append(Exchange(turn.text, turn.heard))
        return tuple(exchanges)

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

    # --- taking events in ---------------------------------------------------------------------------------------------------

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._log or event_id in self._own

    def apply(self, event: Event) -> bool:
        """Take one event in; False when it was there already."""
        if event.id in self:
            return False
        self.count += 1
        self.last_event = _latest(self.last_event, event.received_at)
        if event.type in _ACTIVITY:
            self.last_activity = _latest(self.last_activity, event.received_at)
        if event.type in REPORTS:
            self._own.add(event.id)
            if not event.is_erased:
                self._report(event)
        elif event.type in OWN:
            self._own.add(event.id)
            if not event.is_erased:
                self._apply_own(event)
        else:
            if event.id in self._taken:
                self._take(event)
            elif event.is_input:
                self._waiting[event.id] = event
            self._rewalk(self._log.insert(event))
        return True

    def _rewalk(self, start: int) -> None:
        del self._walks[start:]
        for index in range(start, len(self._log)):
            self._walks.append(step(self._walk, self._log.at(index)))

    # --- the orchestrator's own events --------------------------------------------------------------------------------------

    def _apply_own(self, event: Event) -> None:
        payload = event.payload
        match event.type:
            case EventType.TURN_OPENED:
                self._turn_opened(event)
            case EventType.TURN_ANSWERED:
                self._turn_answered(event)
            case EventType.TURN_CLOSED:
                self._turn_closed(event)
            case EventType.TURN_INTERRUPTED:
                self.turns[text_of(payload, "turn")].interrupted = True
            case EventType.TIMER_FIRED:
                self.fired.add(text_of(payload, "timer"))
            case EventType.COMMAND_SENT:
                self.commands[text_of(payload, "key")] = event.received_at
            case EventType.LEG_ATTACHED:
                self._has_media = self.media_attached = text_of(payload, "channel") == Channel.MEDIA
            case _:  # LEG_DETACHED
                self.media_attached = False

    def _turn_opened(self, event: Event) -> None:
        payload = event.payload
        turn = Turn(
            id=text_of(payload, "turn"),
            kind=InputKind(text_of(payload, "kind")),
            opened_at=event.received_at,
            inputs=tuple(str(each) for each in cast("list[str]", payload.get("inputs") or ())),
            text=text_of(payload, "text"),
            language=text_of(payload, "language") or None,
            confidence=cast("float | None", payload.get("confidence")),
            repeats=cast("int", payload.get("repeats") or 0),
            sensitive=payload.get("sensitive") is True,
            interrupted=payload.get("interrupted") is True,
        )
        self.turns[turn.id] = turn
        for input_id in turn.inputs:
            self._taken.add(input_id)
            taken = self._waiting.pop(input_id, None) or self.input(input_id)
            if taken is not None:
                self._take(taken)
        if turn.kind is not InputKind.SILENCE:
            self.collecting = None

    def _take(self, event: Event) -> None:
        """This input has its turn: earlier ones of its source are late from now on."""
        if event.sequence is not None:
            self._opened[event.source] = max(self._opened.get(event.source, 0), event.sequence)

    def _turn_answered(self, event: Event) -> None:
        turn = self.turns[text_of(event.payload, "turn")]
        for data in cast("list[Mapping[str, Json]]", event.payload["steps"]):
            turn.steps += 1
            match from_json(data):
                case Say(text, language):
                    self._say(turn, Sentence(f"{turn.id}/{len(turn.sentences)}", text, language))
                case Collect() as collect:
                    self.collecting = collect
                case Transfer() | HangUp() as command:
                    turn.command = command
                case Note() as note:
                    turn.note = note
                case Remember(memory):
                    self.memory = memory

    def _say(self, turn: Turn, sentence: Sentence) -> None:
        turn.sentences.append(sentence)
        self._sentences[sentence.key] = sentence
        for report in self._pending_reports.pop(sentence.key, ()):
            self._report(report)

    def _turn_closed(self, event: Event) -> None:
        turn = self.turns[text_of(event.payload, "turn")]
        if turn.outcome is None:
            turn.outcome = TurnOutcome(text_of(event.payload, "outcome"))
            turn.reason = text_of(event.payload, "reason")
            self.quiet_since = _latest(self.quiet_since, event.received_at)
        if event.payload.get("handed_over") is True:
            for sentence in turn.sentences:
                sentence.advance(SentenceState.HANDED_OVER)

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
