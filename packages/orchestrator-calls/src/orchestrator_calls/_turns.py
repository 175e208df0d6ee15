"""What a call consists of: turns, and the sentences of their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, cast

from orchestrator_calls.actions import ActionOutcome, ActionStatus
from orchestrator_calls.events import ORCHESTRATOR, Event, EventType, text_of
from orchestrator_calls.responder import HangUp, InputKind, Note, Step, Transfer
from orchestrator_kernel.ports import Json

__all__ = ["REPORTS", "WANTED", "Action", "Channel", "Sentence", "SentenceState", "Turn", "TurnOutcome"]


class Channel(StrEnum):
    """How replies reach the caller: in the answer of the request that brought the input, or through the media socket."""

    ANSWER = "answer"
    MEDIA = "media"


class SentenceState(StrEnum):
    """How far a sentence came; each later state is final over the earlier ones."""

    COMMITTED = "committed"
    INTENDED = "intended"
    STARTED = "started"
    HANDED_OVER = "handed_over"
    FINISHED = "finished"
    CLEARED = "cleared"


_RANK: Final = {state: rank for rank, state in enumerate(SentenceState)}

REPORTS: Final = {
    EventType.PLAYBACK_STARTED: SentenceState.STARTED,
    EventType.PLAYBACK_PROGRESS: SentenceState.STARTED,
    EventType.PLAYBACK_FINISHED: SentenceState.FINISHED,
    EventType.PLAYBACK_CLEARED: SentenceState.CLEARED,
}
"""How far each report of playback says that a sentence came."""

WANTED: Final = frozenset({"", "interrupted", "call over"})
"""The reasons of speech that was ended because somebody wanted it to; any other broke off."""


class TurnOutcome(StrEnum):
    """How the answer of a turn ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(slots=True)
class Sentence:
    """One sentence of an answer, or the rest of one that was cut off; times in milliseconds.

    Attributes:
        heard: What the caller heard of it; None while nobody knows.
        filler: It is not the responder's: the runtime says it while the caller waits.
        broke: Why it broke off though nobody wanted it to end; empty otherwise.
    """

    key: str
    text: str
    language: str
    state: SentenceState = SentenceState.COMMITTED
    heard: str | None = None
    played_ms: int = 0
    latency_ms: float | None = None
    filler: bool = False
    broke: str = ""

    @property
    def is_rest(self) -> bool:
        """Whether it is what was left of another one, and no sentence of its own."""
        return self.key.endswith("+") and not self.filler

    @property
    def over(self) -> bool:
        """Whether nothing more of it will be heard."""
        return self.state in {SentenceState.HANDED_OVER, SentenceState.FINISHED, SentenceState.CLEARED}

    def advance(self, state: SentenceState) -> None:
        """Note how far it came; an earlier state than the present one is old news."""
        if _RANK[state] > _RANK[self.state]:
            self.state = state

    def report(self, event: Event) -> None:
        """Take a report of playback in. Reports may overtake each other: the order they come in does not matter."""
        self.advance(REPORTS[event.type])
        played, heard, latency = (event.payload.get(name) for name in ("played_ms", "heard", "latency_ms"))
        if isinstance(played, int | float):
            self.played_ms = max(self.played_ms, int(played))
        if event.type is EventType.PLAYBACK_FINISHED:
            self._grow(self.text)
        elif isinstance(heard, str):
            self._grow(heard)
        elif event.type is EventType.PLAYBACK_CLEARED:
            self._grow("")
        if event.type is EventType.PLAYBACK_CLEARED and (reason := text_of(event.payload, "reason")) not in WANTED:
            self.broke = max(self.broke, reason)
        if isinstance(latency, int | float) and event.source == ORCHESTRATOR:
            self.latency_ms = float(latency)

    def _grow(self, heard: str) -> None:
        """What was heard only grows; all of it is the most there is."""
        if self.heard is None or self._extent(heard) > self._extent(self.heard):
            self.heard = heard

    def _extent(self, heard: str) -> tuple[bool, int, str]:
        return heard == self.text, len(heard), heard


@dataclass(slots=True)
class Action:
    """What an answer has done in the world. `started_at` is None before, `outcome` is None until it is known."""

    key: str
    turn: str
    name: str
    arguments: Mapping[str, Json]
    language: str = ""
    started_at: datetime | None = None
    outcome: ActionOutcome | None = None

    def report(self, event: Event) -> None:
        """Take in that it has begun, or has ended; the first word counts."""
        if event.type is EventType.ACTION_STARTED:
            self.started_at = self.started_at or event.received_at
        elif self.outcome is None:
            self.outcome = _outcome(event.payload)


@dataclass(slots=True)
class Turn:
    """One input of the caller, or the greeting, or a silence, or the outcome of an action, and the answer to it.

    Attributes:
        inputs: The ids of the events it answers; several for keys that were collected.
        text: The words or the keys.
        confidence: The recognizer's, 0 to 1, where it told one.
        repeats: For a silence: the how-manieth in a row.
        sensitive: The keys are shown nowhere.
        action: For an outcome: what has ended, and `result` how.
        steps: The steps of the answer that are in the journal.
        numbered: How many sentences have a number of their own.
        memory: What the responder remembered before the turn.
        command: The order that is carried out once the last word is out.
        outcome: None while the answer is being written.
        closed_at: When it came to its end; our clock.
        interrupted: The answer was cut short: the caller began to speak, pressed a key, or was put on hold or transferred.
    """

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
    action: str = ""
    result: ActionOutcome | None = None
    memory: Mapping[str, Json] = field(default_factory=dict[str, Json])
    steps: list[Step] = field(default_factory=list[Step])
    numbered: int = 0
    actions: list[Action] = field(default_factory=list[Action])
    note: Note | None = None
    command: Transfer | HangUp | None = None
    outcome: TurnOutcome | None = None
    closed_at: datetime | None = None
    reason: str = ""
    interrupted: bool = False

    @classmethod
    def opened(cls, event: Event, memory: Mapping[str, Json]) -> Turn:
        """The turn that `event` opens, with what the responder remembers by then."""
        payload = event.payload
        return cls(
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
            action=text_of(payload, "action"),
            result=_outcome(payload["result"]) if payload.get("result") else None,
            memory=memory,
        )

    def say(self, text: str, language: str, *, filler: bool = False) -> Sentence:
        """Add a sentence to the answer, under the next number."""
        sentence = Sentence(f"{self.id}/{self.numbered}", text, language, filler=filler)
        self.numbered += 1
        self.sentences.append(sentence)
        return sentence

    def go_on(self, before: Sentence, text: str, *, filler: bool) -> Sentence:
        """Add what is left of a sentence that was cut off behind it, under a key of its own."""
        rest = Sentence(f"{before.key}+", text, before.language, filler=filler)
        self.sentences.insert(self.sentences.index(before) + 1, rest)
        return rest

    def act(self, name: str, arguments: Mapping[str, Json]) -> Action:
        """Add an action to the answer; it speaks as the answer did last."""
        language = self.sentences[-1].language if self.sentences else ""
        action = Action(f"{self.id}/act{len(self.actions)}", self.id, name, arguments, language)
        self.actions.append(action)
        return action

    def action_with(self, key: str) -> Action | None:
        """The action with this key."""
        return next((each for each in self.actions if each.key == key), None)

    def close(self, event: Event) -> bool:
        """Take in how the answer ended; false when that was known already."""
        ends = self.outcome is None
        if ends:
            self.outcome = TurnOutcome(text_of(event.payload, "outcome"))
            self.closed_at = event.received_at
            self.reason = text_of(event.payload, "reason")
            self.steps = []
        if event.payload.get("handed_over") is True:
            for sentence in self.sentences:
                sentence.advance(SentenceState.HANDED_OVER)
        return ends

    @property
    def over(self) -> bool:
        """Whether nothing of it is left to be written, said or done."""
        if self.outcome is None or any(action.outcome is None for action in self.actions):
            return False
        return all(sentence.over for sentence in self.sentences)

    @property
    def heard(self) -> str:
        """What the caller heard of the answer, as far as it was told; what was handed over to the leg counts as heard until it tells otherwise."""
        return " ".join(part for part in map(_heard, self.sentences) if part)

    @property
    def answer(self) -> str:
        """As `heard`, without what only filled the time."""
        return " ".join(part for part in (_heard(each) for each in self.sentences if not each.filler) if part)

    @property
    def fillers(self) -> int:
        """How often the caller was asked for patience."""
        return sum(each.filler for each in self.sentences)

    @property
    def shown(self) -> str:
        """The input as it may be shown: sensitive digits only by their number."""
        return f"[{len(self.text)} digits]" if self.sensitive else self.text


def _heard(sentence: Sentence) -> str:
    if sentence.heard is None and sentence.state is SentenceState.HANDED_OVER:
        return sentence.text
    return sentence.heard or ""


def _outcome(payload: object) -> ActionOutcome:
    told = cast("Mapping[str, Json]", payload)
    data = cast("Mapping[str, Json]", told.get("data") or {})
    return ActionOutcome(status=ActionStatus(text_of(told, "status")), reason=text_of(told, "reason"), data=data)
