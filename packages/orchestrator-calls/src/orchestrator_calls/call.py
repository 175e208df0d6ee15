"""A call, folded from its events.

`fold(events)` is a pure function of the set of events: duplicates count once, and the order they are given in does not matter. A `Call`
can also be continued event by event, which gives the same as folding all at once.

Events from outside are walked in canonical order through the transition table. The orchestrator's own events and the reports of
playback name what they belong to (a turn, a sentence), so their place in the order does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, cast

from orchestrator_calls._steps import from_json
from orchestrator_calls._walk import Walk, step
from orchestrator_calls.events import ORCHESTRATOR, OWN, TERMINAL, CallState, Event, EventType, text_of
from orchestrator_calls.ordering import CanonicalLog
from orchestrator_calls.responder import Collect, Exchange, HangUp, InputKind, Note, Remember, Say, Transfer
from orchestrator_kernel.ports import Json

__all__ = ["Call", "Channel", "Sentence", "SentenceState", "Turn", "TurnOutcome", "fold"]


class Channel(StrEnum):
    """How replies reach the caller: in the answer of the request that brought the input, or through the media socket."""

    ANSWER = "answer"
    MEDIA = "media"


class SentenceState(StrEnum):
    """How far a sentence came; each later state is final over the earlier ones."""

    COMMITTED = "committed"
    STARTED = "started"
    HANDED_OVER = "handed_over"
    FINISHED = "finished"
    CLEARED = "cleared"


_RANK: Final = {state: rank for rank, state in enumerate(SentenceState)}


class TurnOutcome(StrEnum):
    """How the answer of a turn ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(slots=True)
class Sentence:
    """One sentence of an answer. `heard` is what the caller heard of it, None while nobody knows; times in milliseconds."""

    key: str
    text: str
    language: str
    state: SentenceState = SentenceState.COMMITTED
    heard: str | None = None
    played_ms: int = 0
    latency_ms: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more of it will be heard."""
        return self.state in {SentenceState.HANDED_OVER, SentenceState.FINISHED, SentenceState.CLEARED}


@dataclass(slots=True)
class Turn:
    """One input of the caller, or the greeting, or a silence, and the answer to it."""

    id: str
    kind: InputKind
    opened_at: datetime
    inputs: tuple[str, ...] = ()
    text: str = ""
    language: str | None = None
    confidence: float | None = None
    repeats: int = 0
    sensitive: bool = False
    sentences: list[Sentence] = field(default_factory=list[Sentence])
    note: Note | None = None
    command: Transfer | HangUp | None = None
    outcome: TurnOutcome | None = None
    reason: str = ""
    interrupted: bool = False

    @property
    def heard(self) -> str:
        """What the caller heard of the answer; what nobody reported on counts as heard."""
        parts = [
            each.text if each.heard is None and not self.interrupted else each.heard or "" for each in self.sentences
        ]
        return " ".join(part for part in parts if part)

    @property
    def shown(self) -> str:
        """The input as it may be shown: sensitive digits only by their number."""
        return f"[{len(self.text)} digits]" if self.sensitive else self.text


_REPORTS: Final = {
    EventType.PLAYBACK_STARTED: SentenceState.STARTED,
    EventType.PLAYBACK_PROGRESS: SentenceState.STARTED,
    EventType.PLAYBACK_FINISHED: SentenceState.FINISHED,
    EventType.PLAYBACK_CLEARED: SentenceState.CLEARED,
}
_ACTIVITY: Final = frozenset({EventType.TRANSCRIPTION, EventType.DTMF, EventType.SPEECH_STARTED, EventType.RESUME})
_LISTENING: Final = frozenset({CallState.INITIALIZING, CallState.CONNECTING, CallState.ACTIVE})


class Call:
    """A call as its events tell it. Read it; only `apply` changes it."""

    def __init__(self, call_id: str, tenant: str, language: str = "en-US") -> None:
        self.id = call_id
        self.tenant = tenant
        self._default_language = language
        self._log = CanonicalLog()
        self._walks: list[Walk] = []
        self._own: set[str] = set()
        self._waiting: dict[str, Event] = {}
        self._interruptions: list[str] = []
        self._settled_transfers: set[str] = set()
        self._opened: dict[str, int] = {}
        self._pending_reports: dict[str, list[Event]] = {}
        self._sentences: dict[str, Sentence] = {}
        self.turns: dict[str, Turn] = {}
        self.memory: Mapping[str, Json] = {}
        self.collecting: Collect | None = None
        self.media_attached = False
        self._has_media = False
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
        """The one way of replying: what a leg declared; the media socket once there is one."""
        return Channel.MEDIA if self._has_media or self._walk.channel == Channel.MEDIA else Channel.ANSWER

    @property
    def held(self) -> timedelta:
        """How long it has been on hold in all, the present hold apart."""
        return self._walk.held

    @property
    def recorded_after_end(self) -> int:
        """How many events came after the end: recorded, not applied."""
        return self._walk.recorded_after_end

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

    def interrupted_after(self, event: Event) -> bool:
        """Whether the caller began to speak again after this input and before the next one, by the source's own count."""
        index = self._log.index(event.id)
        for place in range(index + 1, len(self._log)):
            later = self._log.at(place)
            if later.is_input:
                return False
            if later.type is EventType.SPEECH_STARTED and later.source == event.source:
                return True
        return False

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
        if event.payload.get("erased") is True:
            self._own.add(event.id)
        elif event.type in _REPORTS:
            self._own.add(event.id)
            self._report(event)
        elif event.type in OWN:
            self._own.add(event.id)
            self._apply_own(event)
        else:
            if event.type in {EventType.TRANSFER_COMPLETED, EventType.TRANSFER_FAILED} and (
                key := text_of(event.payload, "key")
            ):
                self._settled_transfers.add(key)
            if event.is_input:
                self._waiting[event.id] = event
            self._rewalk(self._log.insert(event))
        return True

    def _rewalk(self, start: int) -> None:
        del self._walks[start:]
        for index in range(start, len(self._log)):
            before = self._walks[-1] if self._walks else Walk()
            self._walks.append(step(before, self._log.at(index), self._settled_transfers))

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
            taken = self._waiting.pop(input_id, None) or self.input(input_id)
            if taken is not None and taken.sequence is not None:
                self._opened[taken.source] = max(self._opened.get(taken.source, 0), taken.sequence)
        if turn.kind is not InputKind.SILENCE:
            self.collecting = None

    def _turn_answered(self, event: Event) -> None:
        turn = self.turns[text_of(event.payload, "turn")]
        for data in cast("list[Mapping[str, Json]]", event.payload["steps"]):
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
                self._advance(sentence.key, SentenceState.HANDED_OVER)

    # --- what was heard -----------------------------------------------------------------------------------------------------

    def _report(self, event: Event) -> None:
        key = text_of(event.payload, "key")
        if key not in self._sentences:
            self._pending_reports.setdefault(key, []).append(event)
            return
        sentence = self._advance(key, _REPORTS[event.type])
        if sentence.over:
            self.quiet_since = _latest(self.quiet_since, event.received_at)
        played = event.payload.get("played_ms")
        if isinstance(played, int | float):
            sentence.played_ms = max(sentence.played_ms, int(played))
        heard = event.payload.get("heard")
        if event.type is EventType.PLAYBACK_FINISHED:
            sentence.heard = sentence.text
        elif isinstance(heard, str) and sentence.state is not SentenceState.FINISHED:
            # Reports may overtake each other; what was heard only grows.
            sentence.heard = max(sentence.heard or "", heard, key=len)
        elif event.type is EventType.PLAYBACK_CLEARED and sentence.heard is None:
            sentence.heard = ""
        if event.type is EventType.PLAYBACK_CLEARED and text_of(event.payload, "reason") in {"", "interrupted"}:
            # The leg may tell of the interruption before the event that caused it is in the journal.
            self.turns[key.rpartition("/")[0]].interrupted = True
        latency = event.payload.get("latency_ms")
        if isinstance(latency, int | float) and event.source == ORCHESTRATOR:
            sentence.latency_ms = float(latency)

    def _advance(self, key: str, state: SentenceState) -> Sentence:
        sentence = self._sentences[key]
        if _RANK[state] > _RANK[sentence.state]:
            sentence.state = state
        return sentence


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
