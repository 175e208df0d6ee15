"""What the runtime and a media leg are to each other: what speaks on a leg, where its frames go, and what it tells of a sentence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from orchestrator_calls.events import EventType
from orchestrator_kernel.ports import Json, SpeechRequest

__all__ = ["LegPlayer", "MediaClosed", "MediaSink", "Permit", "Report"]

Permit: TypeAlias = Callable[[str], Awaitable[bool]]
"""Asked before the first frame of a sentence goes out: true once the intent is kept, false if it is to stay silent."""


class MediaClosed(Exception):
    """The other side of the media leg is gone."""


class MediaSink(Protocol):
    """Where frames and control messages of one media leg go, in the order they are sent."""

    @property
    def reports(self) -> bool:
        """Whether the other side tells what it played; otherwise the player's own clock tells."""
        ...

    async def audio(self, frame: bytes) -> None:
        """Send one frame. Raises MediaClosed."""
        ...

    async def control(self, message: Mapping[str, Json]) -> None:
        """Send one control message. Raises MediaClosed."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a sentence; `heard` is None where the sentence's words tell it."""

    type: EventType
    key: str
    played_ms: int = 0
    heard: str | None = None
    reason: str = ""
    latency_ms: float | None = None


class LegPlayer(Protocol):
    """What speaks on a leg: `Player` with a voice of ours, or a leg with a voice of its own."""

    @property
    def silent(self) -> bool:
        """Whether nothing is played, and nothing is left to be reported."""
        ...

    @property
    def begun(self) -> frozenset[str]:
        """The sentences that began, and whose end is not reported yet."""
        ...

    def speak(self, key: str, request: SpeechRequest, since: float | None = None) -> None:
        """Speak a sentence after the ones before it; `since` is when its turn began (monotonic), for the latency."""
        ...

    def through(self, turn: str) -> None:
        """No further sentence of this turn comes."""
        ...

    def stop(self, keys: Collection[str] | None = None, *, reason: str = "interrupted") -> None:
        """These sentences (all) are not to be spoken any more; what was heard of each is reported."""
        ...

    def control(self, message: Mapping[str, Json]) -> None:
        """Tell the leg something as soon as possible."""
        ...

    def end(self, message: Mapping[str, Json]) -> None:
        """Tell the leg a last thing and speak nothing more; `run` returns then."""
        ...

    async def run(self) -> None:
        """Speak until cancelled, until the last thing is told, or until the other side is gone (MediaClosed)."""
        ...
