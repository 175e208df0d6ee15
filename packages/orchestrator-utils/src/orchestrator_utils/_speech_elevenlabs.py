"""A voice behind the streaming endpoint with character times that ElevenLabs defined: JSON lines with base64 audio and alignment."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.http import check_status, http_errors
from orchestrator_kernel.ports import SpeechChunk, SpeechFailed, SpeechRequest
from orchestrator_utils._json_lines import BrokenLines, JsonLines
from orchestrator_utils._speech_alignment import Alignment, AlignmentBroken, read_alignment
from orchestrator_utils._speech_checks import PcmStream, SpeechLimits, SpeechRefused, check_request
from orchestrator_utils._speech_voices import by_tag, chosen

if TYPE_CHECKING:
    import httpx

__all__ = ["ElevenLabsSpeech", "ElevenLabsSpeechConfig"]

_RATES: Final = frozenset({8_000, 16_000, 22_050, 24_000, 44_100, 48_000})
"""The rates of raw PCM that the endpoint makes."""
_SLOWEST, _FASTEST = 0.7, 1.2
"""The speeds that the endpoint takes."""
_LONGEST_LINE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ElevenLabsSpeechConfig:
    """What to ask the endpoint for. Where it is, its key (`xi-api-key`) and its time limits are the client's.

    Attributes:
        voice: The id of the voice for a request that names none.
        voices: Other voices for some languages, by BCP 47 tag, or by its first part alone.
        model: The endpoint's name of a model.
        enforce_language: Tell the endpoint the language; models that cannot be told answer with an error.
        sample_rate: Hz of the answer.
        stability: From 0 (lively) to 1 (even); None for the voice's own.
        similarity_boost: From 0 to 1; None for the voice's own.
        path: Of the endpoint, below the client's base URL; `{voice}` is the voice's id.
        limits: Of text and audio.
        name: In errors and logs.

    Raises:
        ConfigurationError: A rate that the endpoint does not make, or a path without `{voice}`.
    """

    voice: str
    voices: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    model: str = "eleven_flash_v2_5"
    enforce_language: bool = True
    sample_rate: int = 24_000
    stability: float | None = None
    similarity_boost: float | None = None
    path: str = "/v1/text-to-speech/{voice}/stream/with-timestamps"
    limits: SpeechLimits = field(default_factory=SpeechLimits)
    name: str = "ElevenLabs endpoint"

    def __post_init__(self) -> None:
        if self.sample_rate not in _RATES:
            raise ConfigurationError(
                f"sample_rate must be one of {', '.join(map(str, sorted(_RATES)))}", details={"setting": "sample_rate"}
            )
        if "{voice}" not in self.path:
            raise ConfigurationError("path must hold {voice}", details={"setting": "path"})
        object.__setattr__(self, "voices", by_tag(self.voices))

    def voice_for(self, request: SpeechRequest) -> str:
        """The request's own voice, else that of its language, else the default."""
        return chosen(request, self.voice, self.voices)


class ElevenLabsSpeech:
    """Asks for raw PCM and passes it on as it arrives, with the times of words from those of their characters.

    Args:
        client: From `orchestrator_kernel.http.create_client`, with the endpoint's base URL and key. It stays the caller's.
        config: What to ask for.
    """

    def __init__(self, client: httpx.AsyncClient, config: ElevenLabsSpeechConfig) -> None:
        self._client = client
        self._config = config

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        """Speak; pieces as they come from the network."""
        config = self._config
        check_request(request, config.limits, config.name)
        if not _SLOWEST <= request.speed <= _FASTEST:
            raise SpeechRefused(
                f"{config.name}: the speed must be from {_SLOWEST} to {_FASTEST}", details={"service": config.name}
            )
        answer = _Answer(config, request.text)
        with http_errors(config.name, kind=SpeechFailed):
            async with self._client.stream(
                "POST",
                config.path.replace("{voice}", quote(config.voice_for(request), safe="")),
                params={"output_format": f"pcm_{config.sample_rate}"},
                json=_asked(request, config),
                headers={"accept": "application/json", "accept-encoding": "identity"},
            ) as response:
                check_status(response, config.name, kind=SpeechFailed)
                async for piece in response.aiter_raw():
                    for chunk in answer.feed(piece):
                        yield chunk
                for chunk in answer.finish():
                    yield chunk


def _asked(request: SpeechRequest, config: ElevenLabsSpeechConfig) -> dict[str, object]:
    settings = {"speed": request.speed, "stability": config.stability, "similarity_boost": config.similarity_boost}
    asked: dict[str, object] = {
        "text": request.text,
        "model_id": config.model,
        "voice_settings": {name: value for name, value in settings.items() if value is not None},
    }
    if config.enforce_language:
        asked["language_code"] = request.language.partition("-")[0].lower()
    return asked


class _Answer:
    """The lines of one answer as pieces of speech."""

    def __init__(self, config: ElevenLabsSpeechConfig, text: str) -> None:
        self._name = config.name
        self._rate = config.sample_rate
        self._lines = JsonLines(_LONGEST_LINE)
        self._samples = PcmStream(config.name, config.sample_rate, config.limits)
        self._alignment = Alignment(text)
        self._aligned = False
        self._taken = 0

    def feed(self, data: bytes) -> Iterator[SpeechChunk]:
        try:
            for line in self._lines.feed(data):
                yield from self._take(line)
        except BrokenLines as error:
            raise self._failure(str(error), "answer_not_json") from None

    def finish(self) -> Iterator[SpeechChunk]:
        try:
            for line in self._lines.finish():
                yield from self._take(line)
        except BrokenLines as error:
            raise self._failure(str(error), "answer_not_json") from None
        self._samples.finish()
        words = self._alignment.finish(self._seconds) if self._aligned else ()
        if words:
            yield SpeechChunk(b"", self._rate, words)

    @property
    def _seconds(self) -> float:
        return self._taken / 2 / self._rate

    def _take(self, line: dict[str, object]) -> Iterator[SpeechChunk]:
        encoded = line.get("audio_base64")
        if not isinstance(encoded, str):
            # An error in the middle of the stream has no status of its own any more.
            raise self._failure("sent a line without audio_base64", "answer_malformed")
        try:
            audio = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise self._failure("sent audio_base64 that is not base64", "answer_not_base64") from None
        try:
            characters = read_alignment(line.get("alignment"))
        except AlignmentBroken:
            raise self._failure("sent times that do not fit its characters", "answer_malformed") from None
        pcm = self._samples.feed(audio) if audio else b""
        words = self._alignment.take(characters, self._seconds) if characters is not None else ()
        self._aligned = self._aligned or characters is not None
        self._taken += len(audio)
        if pcm or words:
            yield SpeechChunk(pcm, self._rate, words)

    def _failure(self, what: str, reason: str) -> SpeechFailed:
        return SpeechFailed(f"{self._name} {what}", details={"service": self._name, "reason": reason})
