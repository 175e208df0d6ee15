"""What can be counted about calls: the vocabulary between whoever knows and the metrics. Holds nothing personal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ActionDone",
    "BargedIn",
    "CallAnswered",
    "CallEnded",
    "CallFact",
    "CallOutcome",
    "CallStage",
    "CallStarted",
    "GoalReached",
    "HandedOff",
    "HandoffOutcome",
    "KeyPressed",
    "Misunderstood",
    "Rated",
    "SpeechUsed",
    "StageTimed",
    "TokensUsed",
    "TurnClosed",
    "TurnHeard",
    "Understood",
    "WordsSpoken",
]

CallOutcome = Literal["completed", "transferred", "abandoned", "failed"]
HandoffOutcome = Literal["requested", "completed", "failed"]
CallStage = Literal["connecting", "greeting", "waiting", "dialogue", "hold", "transfer"]


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call began; `channel` is the kind of source that told of it first."""

    tenant: str
    channel: str


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The caller and the orchestrator can hear each other."""

    tenant: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over.

    Attributes:
        stage: Where it stood before: `connecting`, `greeting` (nothing the caller said was answered yet), `waiting` (the caller waited for an
            answer or an action), `dialogue`, `hold` or `transfer` (they were being handed over, or nobody had taken over).
        reason: Of a failure, as a word; anything but letters, `_` and spaces is counted as `other`.
        seconds: Since it was answered; None if it was not, or another process did it.
        converted: Whether it had reached a goal of the tenant's, as far as this process has seen it.
    """

    tenant: str
    outcome: CallOutcome
    stage: CallStage
    reason: str = ""
    seconds: float | None = None
    converted: bool = False


@dataclass(frozen=True, slots=True)
class TurnClosed:
    """An answer is at its end: `answered`, `failed` or `superseded`."""

    tenant: str
    outcome: str


@dataclass(frozen=True, slots=True)
class StageTimed:
    """A part of a turn took so long, in seconds.

    Attributes:
        stage: `recognition` from the caller's last word to what was understood of it, `answer` from there until the first words were written,
            `voice` from there to the first audio.
    """

    stage: Literal["recognition", "answer", "voice"]
    seconds: float


@dataclass(frozen=True, slots=True)
class BargedIn:
    """The caller cut an answer short."""

    tenant: str


@dataclass(frozen=True, slots=True)
class WordsSpoken:
    """Of a sentence that was played, so many words were heard."""

    tenant: str
    words: int
    heard: int


@dataclass(frozen=True, slots=True)
class TurnHeard:
    """How much of an answer's words were heard, 0 to 1."""

    ratio: float


@dataclass(frozen=True, slots=True)
class Misunderstood:
    """A turn led nowhere: what was said was `not_understood`, or the caller said nothing (`silence`)."""

    tenant: str
    kind: Literal["not_understood", "silence"]


@dataclass(frozen=True, slots=True)
class Understood:
    """What the caller wants, and how sure the recognizer was, 0 to 1."""

    tenant: str
    intent: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class HandedOff:
    """The caller is handed to a person."""

    tenant: str
    outcome: HandoffOutcome


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key of the telephone; which digit it was is nobody's business."""

    kind: Literal["digit", "star", "hash"]


@dataclass(frozen=True, slots=True)
class ActionDone:
    """An action of a call ended `done`, `refused` or `unconfirmed`; seconds since its start where that is known."""

    tenant: str
    action: str
    status: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class GoalReached:
    """An action brought what the tenant wants calls to bring, and what it is worth in a currency (ISO 4217)."""

    tenant: str
    goal: str
    value: float = 0.0
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Rated:
    """The caller said how content they are, 1 to 5."""

    tenant: str
    score: float


@dataclass(frozen=True, slots=True)
class SpeechUsed:
    """So many characters were handed to a voice."""

    tenant: str
    characters: int


@dataclass(frozen=True, slots=True)
class TokensUsed:
    """A language model counted so many tokens."""

    tenant: str
    kind: Literal["prompt", "completion"]
    tokens: int


CallFact = (
    CallStarted
    | CallAnswered
    | CallEnded
    | TurnClosed
    | StageTimed
    | BargedIn
    | WordsSpoken
    | TurnHeard
    | Misunderstood
    | Understood
    | HandedOff
    | KeyPressed
    | ActionDone
    | GoalReached
    | Rated
    | SpeechUsed
    | TokensUsed
)
