"""The voices, from the settings, in their order of preference."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from orchestrator_app.settings import AppSettings, SpeechSettings
from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_kernel.ports import Speech, SpeechUnavailable
from orchestrator_utils.tts_client import (
    EmbeddedVoice,
    EmbeddedVoiceConfig,
    FailoverSpeech,
    OpenAISpeech,
    OpenAISpeechConfig,
    RouterSpeech,
    SpeechOutcome,
)

__all__ = ["Voices", "make_voices"]

logger = logging.getLogger(__name__)

Close = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Voices:
    """What speaks.

    Attributes:
        speech: None when nothing can speak.
        names: The voices in their order of preference.
        missing: Why a voice that was asked for is not there; empty when all are.
    """

    speech: Speech | None
    names: tuple[str, ...]
    missing: str
    _embedded: EmbeddedVoice | None
    _closes: list[Close]
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        """Make the embedded voice ready, so that the first caller need not wait for it."""
        if self._embedded is not None:
            await self._embedded.warm()
        if self.missing:
            logger.warning("a voice is missing", extra={"reason": self.missing})

    async def stop(self) -> None:
        """End the voices; one that fails does not keep the others."""
        for close in self._closes:
            self._stack.push_async_callback(close)
        await self._stack.aclose()


def make_voices(settings: AppSettings, *, observe: Callable[[SpeechOutcome], None] | None = None) -> Voices:
    """The voices that are configured and installed; `observe` is told how each sentence went."""
    voices: list[Speech] = []
    names: list[str] = []
    closes: list[Close] = []
    missing = ""
    embedded: EmbeddedVoice | None = None
    for name in settings.speech.backends:
        if name == "embedded":
            try:
                embedded = EmbeddedVoice(EmbeddedVoiceConfig(processes=settings.speech.embedded_processes))
            except SpeechUnavailable as error:
                missing = error.message
                continue
            voices.append(embedded)
            closes.append(embedded.aclose)
        else:
            voice, close = _remote(name, settings.speech)
            voices.append(voice)
            closes.append(close)
        names.append(name)
    speech: Speech | None = None
    if voices:
        speech = FailoverSpeech(
            voices, names=names, first_audio_timeout=settings.speech.first_audio_seconds, observe=observe
        )
    return Voices(speech, tuple(names), missing, embedded, closes)


def _remote(name: str, settings: SpeechSettings) -> tuple[Speech, Close]:
    if name == "router":
        client = create_client(HttpClientConfig(base_url=str(settings.router_url).rstrip("/")))
        return RouterSpeech(client), client.aclose
    key = settings.openai_key.get_secret_value() if settings.openai_key else ""
    headers = {"authorization": f"Bearer {key}"}
    client = create_client(HttpClientConfig(base_url=str(settings.openai_url).rstrip("/"), headers=headers))
    config = OpenAISpeechConfig(model=settings.openai_model, voice=settings.openai_voice)
    return OpenAISpeech(client, config), client.aclose
