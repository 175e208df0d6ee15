"""A voice behind the `/v1/audio/speech` endpoint that OpenAI defined and many servers offer."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator_kernel.http import check_status, http_errors
from orchestrator_kernel.ports import SpeechChunk, SpeechFailed, SpeechRequest
from orchestrator_utils._speech_checks import PcmStream, SpeechLimits, check_request
from orchestrator_utils._speech_voices import by_tag, chosen

if TYPE_CHECKING:
    import httpx

__all__ = ["OpenAISpeech", "OpenAISpeechConfig"]

# What a raw stream of little-endian samples is sent as; `audio/L16` is big endian by RFC 2586 and often little endian in fact.
_RAW_TYPES = frozenset({"", "audio/pcm", "audio/x-pcm", "audio/raw", "application/octet-stream", "binary/octet-stream"})
_RATE = re.compile(r";\s*rate=\"?(\d{4,6})\"?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAISpeechConfig:
    """What to ask the endpoint for. Where it is, its key and its time limits are the client's.

    Attributes:
        model: The endpoint's name of a model.
        voice: The voice for a request that names none.
        voices: Other voices for some languages, by BCP 47 tag, or by its first part alone.
        path: Of the endpoint, below the client's base URL.
        sample_rate: Hz of the answer, unless its content type states another.
        limits: Of text and audio.
        name: In errors and logs.
    """

    model: str
    voice: str
    voices: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    path: str = "/v1/audio/speech"
    sample_rate: int = 24_000
    limits: SpeechLimits = field(default_factory=SpeechLimits)
    name: str = "speech endpoint"

    def __post_init__(self) -> None:
        object.__setattr__(self, "voices", by_tag(self.voices))

    def voice_for(self, request: SpeechRequest) -> str:
        """The request's own voice, else that of its language, else the default."""
        return chosen(request, self.voice, self.voices)


class OpenAISpeech:
    """Asks for raw PCM and passes it on as it arrives; tells no times of words, because the endpoint does not.

    Args:
        client: From `orchestrator_kernel.http.create_client`, with the endpoint's base URL and key. It stays the caller's.
        config: What to ask for.
    """

    def __init__(self, client: httpx.AsyncClient, config: OpenAISpeechConfig) -> None:
        self._client = client
        self._config = config

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        """Speak; pieces as they come from the network."""
        config = self._config
        check_request(request, config.limits, config.name)
        asked = {
            "model": config.model,
            "input": request.text,
            "voice": config.voice_for(request),
            "response_format": "pcm",
            "speed": request.speed,
        }
        with http_errors(config.name, kind=SpeechFailed):
            async with self._client.stream("POST", config.path, json=asked) as response:
                check_status(response, config.name, kind=SpeechFailed)
                rate = self._sample_rate(response)
                samples = PcmStream(config.name, rate, config.limits)
                async for piece in response.aiter_raw():
                    if pcm := samples.feed(piece):
                        yield SpeechChunk(pcm, rate)
                samples.finish()

    def _sample_rate(self, response: httpx.Response) -> int:
        """Hz of the answer.

        Raises:
            SpeechFailed: It is no raw audio at all, like a web page, or a file.
        """
        stated = response.headers.get("content-type", "")
        kind = stated.partition(";")[0].strip().lower()
        encoding = response.headers.get("content-encoding", "identity").lower()
        if kind not in _RAW_TYPES or encoding != "identity":
            raise SpeechFailed(
                f"{self._config.name} sent something else than raw samples",
                details={"service": self._config.name, "reason": "answer_not_pcm"},
            )
        rate = _RATE.search(stated)
        return int(rate[1]) if rate else self._config.sample_rate
