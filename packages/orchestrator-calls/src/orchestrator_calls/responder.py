"""Deciding what to say: the seam between the call and its dialogue.

The runtime asks a `Responder` once per turn and plays what it yields, sentence by sentence, while the rest is being written. A responder
keeps nothing between turns: what it must remember it yields as `Remember`, the journal keeps it, and the next turn brings it back. So a
call resumes anywhere, and the same journal gives the same dialogue.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from orchestrator_calls.actions import ActionOutcome
from orchestrator_kernel.ports import Json

__all__ = [
    "Act",
    "Collect",
    "Exchange",
    "HangUp",
    "InputKind",
    "Note",
    "Remember",
    "Responder",
    "Say",
    "Step",
    "Transfer",
    "TurnContext",
    "TurnInput",
]


class InputKind(StrEnum):
    """What a turn answers."""

    GREETING = "greeting"
    SPEECH = "speech"
    DIGITS = "digits"
    SILENCE = "silence"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnInput:
    """What the caller did.

    Attributes:
        kind: Greeting is the start of the call; silence means that the caller said nothing for the time the policy gives; outcome that an
            action which an earlier turn asked for has ended.
        text: The words, or the digits; empty for greeting and silence.
        language: The language the recognizer heard, BCP 47, where it told one.
        confidence: The recognizer's, 0 to 1, where it told one.
        repeats: For silence: the how-manieth in a row, from 1.
        action: For outcome: the action's name.
        outcome: For outcome: how it ended.
    """

    kind: InputKind
    text: str = ""
    language: str | None = None
    confidence: float | None = None
    repeats: int = 0
    action: str = ""
    outcome: ActionOutcome | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One earlier turn: what the caller said, and what of the answer was heard."""

    caller: str
    heard: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnContext:
    """All that a responder may know about the turn.

    Attributes:
        language: The language of the call so far.
        memory: What the last `Remember` of this call said; empty at first.
        history: The earlier turns, oldest first; interrupted answers are cut to what was heard.
        now: The wall clock of the place that the call is about, aware, read once for the turn; "tomorrow" counts from its date.
        said: When a process takes up an answer that another one left half written: the sentences of it that are kept already. Steps that
            equal what is kept, one by one from the first, are not taken a second time; what differs goes on after it.
    """

    call_id: str
    tenant: str
    turn: str
    language: str
    input: TurnInput
    memory: Mapping[str, Json] = field(default_factory=dict[str, Json])
    history: Sequence[Exchange] = ()
    now: datetime | None = None
    said: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Say:
    """Speak one sentence. `language` is BCP 47."""

    text: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """Take the next keys together as one input instead of one turn per key.

    Attributes:
        digits: How many at most.
        terminator: A key that ends the input early and is not part of it; empty for none.
        timeout: Seconds without a key after which what there is counts.
        sensitive: The digits are shown nowhere, only their number.
    """

    digits: int
    terminator: str = "#"
    timeout: float = 4.0
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller to `target` (a name or number of the tenant) once what was said before is spoken."""

    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class Act:
    """Carry out the tenant's action `name` with what the caller confirmed; its outcome opens a turn of its own."""

    name: str
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call once what was said before is spoken."""

    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """How the input was understood, for transcript and metrics; `intent` is empty when it was not.

    `detail` says what is worth knowing about the answer, for example that the script gave it because a model failed; nothing personal.
    """

    intent: str
    understood: bool
    confidence: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Remember:
    """Replace the memory of the call. At most once per turn; the last thing a turn yields."""

    memory: Mapping[str, Json]


Step = Say | Collect | Act | Transfer | HangUp | Note | Remember


class Responder(Protocol):
    """Writes the answer of one turn."""

    def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        """Yield the steps of the answer in order; closing the generator stops the work.

        The answer depends on `context` alone. Raises `ExternalServiceError` when the answer cannot be had; what was
        yielded before stands.
        """
        ...
