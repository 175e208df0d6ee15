"""A recognizer behind the protocol of OpenAI's `POST /v1/audio/transcriptions`, which many servers speak (extra `[http]`).

What the user types:

    async with create_client(HttpClientConfig(base_url="https://api.openai.com", headers={"authorization": f"Bearer {key}"})) as client:
        transcriber = OpenAITranscriber(client, OpenAITranscriberConfig(model="gpt-4o-mini-transcribe"))
        transcript = await transcriber.transcribe(Utterance(pcm=pcm, sample_rate=16_000, language="en-US"))

Source: OpenAI, API reference, "Create transcription": a form with `file`, `model`, `language` (ISO 639-1), `prompt` and `response_format`; JSON with `text` in return.
"""

from __future__ import annotations

import io
import json
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from orchestrator_calls._transcriber_checks import check_utterance
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports.audio import Transcript, TranscriptionFailed, Utterance

if TYPE_CHECKING:
    import httpx

__all__ = ["OpenAITranscriber", "OpenAITranscriberConfig"]

MAX_ANSWER: Final = 262_144
"""Bytes of an answer."""

PROMPT: Final = 800
"""Characters of a prompt: about the 224 tokens that a model reads of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAITranscriberConfig:
    """What is asked for.

    Attributes:
        model: The server's name of a model.
        path: Of the endpoint, below the client's base URL.
        sample_rate: Hz of the audio that is sent.
        max_seconds: Of an utterance.
        max_text: Characters of an answer that are taken; a longer one is nonsense.
        prompt: Tell the server what is expected to be said.
        name: In errors and logs.
    """

    model: str
    path: str = "/v1/audio/transcriptions"
    sample_rate: int = 16_000
    max_seconds: float = 60.0
    max_text: int = 4000
    prompt: bool = True
    name: str = "transcription endpoint"

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigurationError("model must not be empty", details={"setting": "model"})


class OpenAITranscriber:
    """Sends each utterance as a WAV file in memory and takes the text.

    Args:
        client: From `orchestrator_kernel.http.create_client`, with the server's base URL and key. It stays the caller's.
        config: What to ask for.
    """

    def __init__(self, client: httpx.AsyncClient, config: OpenAITranscriberConfig) -> None:
        self._client = client
        self._config = config

    @property
    def sample_rate(self) -> int:
        """Hz of the audio that is sent."""
        return self._config.sample_rate

    async def transcribe(self, utterance: Utterance) -> Transcript:
        """As the port says."""
        from orchestrator_kernel.http import check_status, http_errors  # noqa: PLC0415 - the extra

        config = self._config
        check_utterance(utterance, sample_rate=None, max_seconds=config.max_seconds)
        form = {"model": config.model, "response_format": "json", "temperature": "0"}
        if language := utterance.language.partition("-")[0].lower():
            form["language"] = language
        if config.prompt and utterance.phrases:
            form["prompt"] = ", ".join(utterance.phrases)[:PROMPT]
        file = ("utterance.wav", _wav(utterance), "audio/wav")
        with http_errors(config.name, kind=TranscriptionFailed):
            async with self._client.stream("POST", config.path, data=form, files={"file": file}) as response:
                check_status(response, config.name, kind=TranscriptionFailed)
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER:
                        raise self._nonsense("answer_too_long")
        return self._transcript(bytes(body))

    def _transcript(self, body: bytes) -> Transcript:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise self._nonsense("answer_not_json") from None
        members = cast("dict[str, object]", answer) if isinstance(answer, dict) else {}
        text, language = members.get("text"), members.get("language")
        if not isinstance(text, str) or len(text) > self._config.max_text:
            raise self._nonsense("answer_without_text")
        known = isinstance(language, str) and language.isascii() and len(language) < 36
        # Halves of characters pass for JSON, and what holds one can be told to nobody.
        text = text.encode(errors="replace").decode().strip()
        return Transcript(text=text, language=str(language) if known else "")

    def _nonsense(self, reason: str) -> TranscriptionFailed:
        name = self._config.name
        return TranscriptionFailed(f"{name} answered nonsense", details={"service": name, "reason": reason})


def _wav(utterance: Utterance) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(utterance.sample_rate)
        writer.writeframes(utterance.pcm)
    return file.getvalue()
