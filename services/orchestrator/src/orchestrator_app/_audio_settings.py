"""The audio of calls whose voice and ear we are ourselves, and what recognizes speech in it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from orchestrator_app._setting_types import Seconds
from orchestrator_config import Settings

__all__ = ["AudioSettings", "HearingSettings"]

COMMANDS = (
    "what time is breakfast",
    "when is breakfast",
    "when is check in",
    "when is check out",
    "is there parking",
    "where can I park",
    "do you have wifi",
    "I want to book a table",
    "I want to book a room",
    "cancel my booking",
    "talk to a person",
    "repeat that",
    "yes",
    "no",
    "thank you",
    "goodbye",
)
"""What the receptionist's callers may say to the embedded recognizer."""


class AudioSettings(Settings):
    """Telephone audio in the memory of the process."""

    buffer_mb: int = Field(
        default=64, ge=1, description="MiB of audio that may wait over all calls; the fullest loses its oldest then."
    )
    max_streams: int = Field(default=2000, ge=1, description="Media streams at once.")
    fast_ulaw: bool = Field(
        default=False, description="Encode by audioop: faster, and off by one step for 508 of 65,536 samples."
    )
    resampling: Literal["filter", "soxr"] = Field(
        default="filter",
        description="soxr costs a tenth of the time and holds back 30 ms; it needs the extra [resample].",
    )


class HearingSettings(Settings):
    """What recognizes speech on media streams; times in seconds."""

    backend: Literal["none", "commands", "openai"] = Field(
        default="none",
        description="commands: the embedded recognizer, English phrases of a list (extra [asr]); openai: any /v1/audio/transcriptions.",
    )
    commands: tuple[str, ...] = Field(
        default=COMMANDS, description="The list, for tenants that have none of their own."
    )
    processes: int = Field(default=1, ge=1, le=64, description="Of the embedded recognizer.")
    openai_url: AnyHttpUrl = AnyHttpUrl("https://api.openai.com")
    openai_key: SecretStr | None = None
    openai_model: str = "gpt-4o-mini-transcribe"
    timeout: Seconds = Field(
        default=2.2, description="For an utterance; then the caller is asked again. With `end`, they wait for so long."
    )
    pause: Seconds = Field(
        default=0.24, description="Silence after which the recognizer is asked, in case it is the end."
    )
    end: Seconds = Field(default=0.5, description="Silence after which the caller has ended.")
    barge_in: Seconds = Field(default=0.16, description="Voice for so long stops our speech.")
    longest: Seconds = Field(default=15.0, description="An utterance ends after this, whatever is heard.")
    keys: bool = Field(default=False, description="Find keys in the audio too, where the provider does not tell them.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.pause > self.end:
            raise ValueError("pause must not be longer than end")
        if self.backend == "openai" and self.openai_key is None:
            raise ValueError("openai_key is needed for the backend openai")
        if self.backend == "commands" and not self.commands:
            raise ValueError("commands must not be empty for the backend commands")
        return self
