"""The media socket: what goes over `WS /v1/calls/{id}/media`.

To the client: binary messages are 20 ms frames of mono PCM, signed 16 bit, little endian; text messages are JSON: `speech` (a sentence
begins: key, text, language, sample_rate), `end` (its last frame was sent), `clear` (drop what is not played yet, at once), `transfer` and
`hang_up` (carry out and report as an event), `bye` (the call is over). From the client: JSON reports of playback,
`{"type": "playback_progress", "key": "…", "played_ms": 480}`; types `playback_started`, `playback_progress`, `playback_finished`,
`playback_cleared` (after a `clear`, with what was played of it). A client that reports says so first: `{"type": "hello", "reports": true}`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, TypeAdapter
from pydantic import ValidationError as PydanticError

from orchestrator_calls.events import EventType
from orchestrator_kernel.exceptions import ValidationError

__all__ = ["MAX_MESSAGE", "Hello", "MediaProtocolError", "PlaybackReport", "parse_message"]

MAX_MESSAGE: Final = 4096
"""Bytes of one message from the client."""


class MediaProtocolError(ValidationError):
    """The client sent something that the media socket does not know."""

    default_code = "media_protocol_error"


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: whether the client will report what it played."""

    reports: bool


@dataclass(frozen=True, slots=True)
class PlaybackReport:
    """How far the client played a sentence, in milliseconds."""

    type: EventType
    key: str
    played_ms: int


class _Hello(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    type: Literal["hello"]
    reports: StrictBool = False


class _Report(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    type: Literal["playback_started", "playback_progress", "playback_finished", "playback_cleared"]
    key: Annotated[str, Field(min_length=1, max_length=300)]
    played_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 0


_MESSAGE: Final = TypeAdapter[_Hello | _Report](Annotated[_Hello | _Report, Field(discriminator="type")], config=None)


def parse_message(text: str | bytes) -> Hello | PlaybackReport:
    """The message in a text frame.

    Raises:
        MediaProtocolError: It is too long, no JSON, or not of the protocol; naming what is wrong, never a value.
    """
    if len(text) > MAX_MESSAGE:
        raise MediaProtocolError(f"a message may have {MAX_MESSAGE} bytes")
    try:
        message = _MESSAGE.validate_json(text)
    except PydanticError as error:
        fields = [
            ".".join(str(part) for part in each["loc"]) or "message" for each in error.errors(include_input=False)
        ]
        raise MediaProtocolError(f"no message of the media socket: check {', '.join(fields)}") from None
    if isinstance(message, _Hello):
        return Hello(message.reports)
    return PlaybackReport(EventType(message.type), message.key, message.played_ms)
