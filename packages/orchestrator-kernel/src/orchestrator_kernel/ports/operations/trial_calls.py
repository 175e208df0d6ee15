"""Test calls: a person plays the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from orchestrator_kernel.exceptions import ValidationError


class UnknownTrialCall(ValidationError):
    """There is no such test call, or it is over."""

    default_code = "unknown_test_call"
    default_status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLine:
    """Whom one can call.

    Attributes:
        tenant: Its id.
        title: Its name.
        languages: BCP 47, the first one first.
    """

    tenant: str
    title: str
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCall:
    """A test call.

    Attributes:
        voiced: Whether its replies can be heard; otherwise they can only be read.
    """

    id: str
    tenant: str
    voiced: bool


@dataclass(frozen=True, slots=True)
class SpeechStarts:
    """A sentence begins; its sound is mono PCM, signed 16 bit, little endian, at `sample_rate` Hz."""

    key: str
    text: str
    sample_rate: int


@dataclass(frozen=True, slots=True)
class SpeechSound:
    """More of the sentence that began last."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class SpeechEnds:
    """All of the sentence was sent."""

    key: str


@dataclass(frozen=True, slots=True)
class SpeechCut:
    """What of the sentence has not been heard yet is not to be heard any more."""

    key: str


@dataclass(frozen=True, slots=True)
class LineClosed:
    """Nothing more comes; why, in words."""

    reason: str


LineEvent: TypeAlias = SpeechStarts | SpeechSound | SpeechEnds | SpeechCut | LineClosed


class TrialCalls(Protocol):
    """Places calls for people who want to try the service; they are calls like any other, and marked as tests."""

    async def lines(self) -> Sequence[TrialLine]:
        """Whom one can call."""
        ...

    async def place(self, tenant: str, language: str, *, by: str) -> TrialCall:
        """Begin a call; it is answered once somebody listens, or at once if it has no voice.

        Raises:
            ValidationError: No such tenant, or it does not speak this language.
            OrchestratorError: No call can be taken now.
        """
        ...

    async def find(self, call_id: str) -> TrialCall:
        """A test call that is not over.

        Raises:
            UnknownTrialCall: There is none.
        """
        ...

    async def say(self, call_id: str, text: str) -> None:
        """The caller says `text`; what is being spoken stops. Raises as `find` and `place`."""
        ...

    async def press(self, call_id: str, keys: str) -> None:
        """The caller presses `keys`: 0 to 9, `*` and `#`. Raises as `find` and `place`."""
        ...

    async def hang_up(self, call_id: str) -> None:
        """The caller hangs up; nothing happens if the call is over."""
        ...

    def listen(self, call_id: str) -> AsyncGenerator[LineEvent, None]:
        """What the caller hears, in real time, until `LineClosed`; a later listener takes the place of an earlier one.

        Raises:
            UnknownTrialCall: There is none.
        """
        ...
