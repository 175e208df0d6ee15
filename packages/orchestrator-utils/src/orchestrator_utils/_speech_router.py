"""A voice behind the text-to-speech router: JSON in, JSON with base64 audio out."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import math
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.http import check_status, deadline, http_errors, read_limited
from orchestrator_kernel.ports import SpeechChunk, SpeechFailed, SpeechRequest
from orchestrator_utils._speech_checks import PcmStream, SpeechLimits, check_request
from orchestrator_utils._speech_wav import WavBroken, read_wav

if TYPE_CHECKING:
    import httpx

__all__ = ["RouterSpeech", "RouterSpeechConfig", "read_answer"]

# Fields around the audio: engine, voice, flags.
_ENVELOPE_BYTES = 64 * 1024
# Highest rate a WAV answer may have, for the size of the whole answer.
_HIGHEST_RATE = 48_000
# Decoding more than this takes over a millisecond, so it leaves the event loop.
_DECODE_ASIDE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSpeechConfig:
    """What to ask the router for. Where it is, its key and its time limits are the client's.

    Attributes:
        engine: The router's name of an engine; None lets it choose.
        emotion: The router's name of an emotion; None for its default.
        format: `wav` states its own rate; `pcm` has the rate that was asked for.
        sample_rate: Hz.
        time_limit: Seconds for the whole answer, which comes at once and not as it is made.
        path: Of the endpoint, below the client's base URL.
        limits: Of text and audio.
        name: In errors and logs.
    """

    engine: str | None = None
    emotion: str | None = None
    format: Literal["wav", "pcm"] = "wav"
    sample_rate: int = 24_000
    time_limit: float = 10.0
    path: str = "/synthesize"
    limits: SpeechLimits = field(default_factory=SpeechLimits)
    name: str = "speech router"

    def __post_init__(self) -> None:
        if self.format not in {"wav", "pcm"}:
            raise ConfigurationError(
                "format must be wav or pcm: mp3 cannot be decoded here", details={"setting": "format"}
            )


class RouterSpeech:
    """Asks the router for a sentence; the audio comes in one piece, without times of words.

    Args:
        client: From `orchestrator_kernel.http.create_client`, with the router's base URL. It stays the caller's.
        config: What to ask for.
    """

    def __init__(self, client: httpx.AsyncClient, config: RouterSpeechConfig | None = None) -> None:
        self._client = client
        self._config = config or RouterSpeechConfig()

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        """Speak; one piece, when the router has made all of it."""
        check_request(request, self._config.limits, self._config.name)
        body = await self._ask(request)
        if len(body) > _DECODE_ASIDE_BYTES:
            yield await asyncio.to_thread(read_answer, body, self._config)
        else:
            yield read_answer(body, self._config)

    async def check(self) -> None:
        """Ask the router whether it is well.

        Raises:
            SpeechFailed: It is not, or cannot be reached.
        """
        name = self._config.name
        async with deadline(self._config.time_limit, name, kind=SpeechFailed):
            with http_errors(name, kind=SpeechFailed):
                async with self._client.stream("GET", "/health") as response:
                    check_status(response, name, kind=SpeechFailed)

    async def _ask(self, request: SpeechRequest) -> bytes:
        config = self._config
        asked = {
            "text": request.text,
            "language": request.language,
            "voice_id": request.voice,
            "engine": config.engine,
            "speed": request.speed,
            "emotion": config.emotion,
            "format": config.format,
            "sample_rate": config.sample_rate,
        }
        asked = {key: value for key, value in asked.items() if value is not None}
        most = config.limits.max_audio_bytes(_HIGHEST_RATE) * 4 // 3 + _ENVELOPE_BYTES
        async with deadline(config.time_limit, config.name, kind=SpeechFailed):
            with http_errors(config.name, kind=SpeechFailed):
                async with self._client.stream("POST", config.path, json=asked) as response:
                    check_status(response, config.name, kind=SpeechFailed)
                    return await read_limited(response, most, config.name, kind=SpeechFailed)


def read_answer(body: bytes, config: RouterSpeechConfig) -> SpeechChunk:
    """The audio of a router's answer. Pure.

    Raises:
        SpeechFailed: Not JSON, no audio, not the format that was asked for, longer than allowed, or not as long as it states.
    """

    def failure(what: str, reason: str) -> SpeechFailed:
        return SpeechFailed(f"{config.name} {what}", details={"service": config.name, "reason": reason})

    # The causes below would show what was sent, so the chain ends here.
    try:
        answer = cast("object", json.loads(body))
    except (ValueError, RecursionError):
        raise failure("sent something else than JSON", "answer_not_json") from None
    fields = cast("dict[str, object]", answer) if isinstance(answer, dict) else {}
    encoded = fields.get("audio_data")
    if not isinstance(encoded, str):
        raise failure("sent no audio_data", "audio_empty")
    try:
        audio = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise failure("sent audio_data that is not base64", "answer_not_base64") from None
    pcm, rate = audio, config.sample_rate
    if config.format == "wav" and audio:
        try:
            pcm, rate = read_wav(audio)
        except WavBroken as error:
            raise failure(f"sent a WAV file that cannot be used: {error}", "answer_not_wav") from None
    samples = PcmStream(config.name, rate, config.limits)
    samples.feed(pcm)
    samples.finish()
    _check_duration(fields.get("duration_ms"), len(pcm) / 2 / rate * 1000, failure)
    return SpeechChunk(pcm, rate)


def _check_duration(stated: object, actual: float, failure: Callable[[str, str], SpeechFailed]) -> None:
    """A statement that is missing is no lie; one that is off by more than rounding and padding is."""
    if stated is None:
        return
    if isinstance(stated, bool) or not isinstance(stated, (int, float)) or not math.isfinite(stated):
        raise failure("stated a duration that is no number", "answer_malformed")
    if abs(stated - actual) > max(100.0, actual * 0.05):
        raise failure(f"stated {stated:g} ms of audio and sent {actual:g} ms", "audio_truncated")
