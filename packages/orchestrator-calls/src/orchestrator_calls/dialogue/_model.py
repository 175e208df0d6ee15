"""A script in memory: what was read from the file, checked and compiled. Nothing in it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum
from typing import Final, NamedTuple

from orchestrator_calls.dialogue._pattern import Pattern

__all__ = [
    "KEYS",
    "Command",
    "Form",
    "Hole",
    "Intent",
    "Menu",
    "Option",
    "Phrase",
    "Place",
    "Refused",
    "Sentence",
    "Settings",
    "Slot",
    "SlotType",
    "Text",
    "Value",
]


KEYS: Final = "0123456789*#"
"""The keys of a telephone."""


class SlotType(StrEnum):
    """What a slot holds, and so how it is heard, checked, spoken and kept."""

    TEXT = "text"
    NAME = "name"
    NUMBER = "number"
    PARTY_SIZE = "party_size"
    DATE = "date"
    TIME = "time"
    YES_NO = "yes_no"
    PHONE = "phone"
    ROOM = "room"
    CODE = "code"
    CHOICE = "choice"


class Command(StrEnum):
    """What a caller can ask of the dialogue itself."""

    CANCEL = "cancel"
    REPEAT = "repeat"
    HELP = "help"
    FINISH = "finish"
    WAIT = "wait"


class Place(NamedTuple):
    """A line of a file."""

    source: str
    line: int


class Hole(NamedTuple):
    """A place in a sentence for a value."""

    name: str


class Segment(NamedTuple):
    """A part of a sentence that is left out when one of its values is missing."""

    parts: tuple[str | Hole, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence to speak, with holes for values."""

    parts: tuple[str | Hole | Segment, ...]
    holes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Text:
    """Sentences per language, and where they stand."""

    place: Place
    sentences: Mapping[str, tuple[Sentence, ...]]
    lines: Mapping[str, int]

    @property
    def holes(self) -> frozenset[str]:
        """The names of all values it speaks."""
        return frozenset[str]().union(
            *(sentence.holes for sentences in self.sentences.values() for sentence in sentences)
        )


class Phrase(NamedTuple):
    """A pattern and where it stands."""

    place: Place
    pattern: Pattern


Phrases = Mapping[str, tuple[Phrase, ...]]
Value = str | int | time | Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value of a choice, or one way out of a menu."""

    name: str
    place: Place
    label: Text | None = None
    key: str | None = None
    patterns: Phrases = field(default_factory=dict[str, tuple[Phrase, ...]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One value that a form needs.

    Attributes:
        label: Its name in a sentence ("the date").
        retry: The question after it was not understood; `ask` where there is none.
        reason: What is said instead of the reason that the type gives when a value is refused.
        low: The least number, or the least length.
        high: The greatest.
        earliest: For a time: the first that is possible; `latest` the last.
        within_days: For a date: how far ahead it may be.
        after: For a date: the slot of the day it must follow; nights are counted from there.
        digits: How many keys make a value; 0 when it is not typed.
        sensitive: Never spoken; keys are hidden.
    """

    name: str
    type: SlotType
    place: Place
    label: Text
    ask: Text
    retry: Text | None = None
    help: Text | None = None
    reason: Text | None = None
    required: bool = True
    low: int = 0
    high: int = 0
    earliest: time | None = None
    latest: time | None = None
    within_days: int | None = None
    after: str | None = None
    options: tuple[Option, ...] = ()
    patterns: Phrases = field(default_factory=dict[str, tuple[Phrase, ...]])
    digits: int = 0
    sensitive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What is said when an action was refused for one reason; `change` is the slot that is asked for anew then."""

    place: Place
    say: Text
    change: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Values to ask for, to confirm, and to note or to have carried out.

    Attributes:
        done: Said when the form is only noted.
        action: What carries it out, where the tenant has an action of that name.
        results: What the action may answer, each with the type that it is spoken as; texts about the outcome know them.
        acted: Said when the action was done.
        refused: Said when it was refused for a reason that `refusals` does not know.
        refusals: By the reason.
    """

    name: str
    place: Place
    label: Text
    slots: Mapping[str, Slot]
    confirm: Text
    done: Text
    intro: Text | None = None
    action: str | None = None
    results: Mapping[str, SlotType] = field(default_factory=dict[str, SlotType])
    acted: Text | None = None
    refused: Text | None = None
    refusals: Mapping[str, Refused] = field(default_factory=dict[str, Refused])
    built_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Something a caller may want, how it is said, and what happens then.

    Attributes:
        reports: The intent of the `Note`.
        say: What is said first, or the whole answer.
        follow_up: Whether an answer ends with the question for more.
        offer: The intent that a "yes" to the answer starts.
        fallback: It counts only where no other intent was heard.
        courtesy: A pleasantry that yields to everything else that the sentence says.
        always: The transfer is tried outside of the opening hours too.
        unless: What outweighs patterns that name no more words ("already booked").
    """

    name: str
    place: Place
    reports: str
    patterns: Phrases
    say: Text | None = None
    follow_up: bool = True
    offer: str | None = None
    fallback: bool = False
    courtesy: bool = False
    always: bool = False
    form: str | None = None
    menu: str | None = None
    transfer: str | None = None
    hang_up: bool = False
    command: Command | None = None
    unless: Phrases = field(default_factory=dict[str, tuple[Phrase, ...]])
    built_in: bool = False

    @property
    def is_answer(self) -> bool:
        """Whether it says something and leads nowhere else."""
        elsewhere = self.form or self.menu or self.transfer or self.command or self.hang_up
        return self.say is not None and not elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """A choice that is spoken, with keys."""

    name: str
    place: Place
    say: Text
    options: Mapping[str, Option]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The head of a script.

    Attributes:
        languages: The first is the default.
        targets: Where callers can be transferred.
        handoff: The target for those who were not understood.
        misunderstandings: How many in a row lead there.
        silences: How many in a row end the call.
        confidence: Below this a recognizer's result counts as not understood.
    """

    name: str
    languages: tuple[str, ...]
    targets: tuple[str, ...]
    handoff: str
    misunderstandings: int = 3
    silences: int = 3
    confidence: float = 0.3
