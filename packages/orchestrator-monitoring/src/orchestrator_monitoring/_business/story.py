"""What is remembered of a call that runs, to tell what its next event means. Numbers and ids alone: nothing that was said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from orchestrator_monitoring._business.facts import CallOutcome, CallStage

__all__ = ["SpokenSentence", "Story", "TurnStory"]

_BEFORE_ANSWER = frozenset({"initializing", "connecting"})
_CALLERS = frozenset({"speech", "digits"})


@dataclass(slots=True)
class SpokenSentence:
    """How long a sentence is, and how much of it was heard; None while nobody has said."""

    words: int
    characters: int
    heard: int | None = None
    intended_at: datetime | None = None
    started: bool = False


@dataclass(slots=True)
class TurnStory:
    """One turn of a call; `after_handoff` where the caller spoke to us again because nobody had taken over."""

    kind: str
    opened_at: datetime
    written: bool = False
    after_handoff: bool = False
    sentences: dict[str, SpokenSentence] = field(default_factory=dict[str, SpokenSentence])
    numbered: int = 0


@dataclass(slots=True)
class Story:
    """One call, as far as this process has seen it.

    Attributes:
        whole: Whether it was seen from its beginning.
        served: Whether anything that the caller said was answered.
        handed_back: Whether the caller was to be handed to a person, nobody took over, and nothing they said was answered since.
        handoffs: What was told of handing the caller over, by key.
        converted: Whether it has reached a goal.
        actions: What runs, and since when.
    """

    tenant: str
    channel: str
    last: datetime
    whole: bool = False
    answered_at: datetime | None = None
    served: bool = False
    transferred: bool = False
    handed_back: bool = False
    handoffs: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    hung_up: bool = False
    converted: bool = False
    turns: dict[str, TurnStory] = field(default_factory=dict[str, TurnStory])
    actions: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def stage(self, state: str) -> CallStage:
        """Where it stands while it is in `state`."""
        if state in _BEFORE_ANSWER:
            return "connecting"
        if state in {"on_hold", "transferring"}:
            return "hold" if state == "on_hold" else "transfer"
        if self.handed_back:
            return "transfer"
        if self.actions or any(not turn.written and turn.kind in _CALLERS for turn in self.turns.values()):
            return "waiting"
        return "dialogue" if self.served or not self.whole else "greeting"

    def outcome(self, before: str, after: str) -> CallOutcome:
        """How it ended: who hangs up while being served, or after, has not abandoned it; whom nobody took over was not served."""
        if after == "failed":
            return "failed"
        if self.transferred:
            return "transferred"
        stage = self.stage(before)
        if stage == "dialogue" or (self.hung_up and stage != "transfer"):
            return "completed"
        return "abandoned"
