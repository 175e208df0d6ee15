"""The voices, from the settings, in their order of preference."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
from pydantic import AnyHttpUrl

from orchestrator_app.composition.caches import SpeechCache
from orchestrator_app.composition.performance import Connect, connect_alone
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.composition.tenants import per_tenant
from orchestrator_app.settings import AppSettings, SpeechSettings, TenantSettings
from orchestrator_kernel.http import HttpClientConfig
from orchestrator_kernel.ports import Speech, SpeechUnavailable
from orchestrator_utils.pronunciation import PronouncedSpeech, Pronunciations
from orchestrator_utils.tts_client import (
    ElevenLabsSpeech,
    ElevenLabsSpeechConfig,
    EmbeddedVoice,
    EmbeddedVoiceConfig,
    FailoverSpeech,
    OpenAISpeech,
    OpenAISpeechConfig,
    RouterSpeech,
    SpeechOutcome,
)

__all__ = ["Voices", "make_voices", "pronounced"]

logger = logging.getLogger(__name__)

Close = Callable[[], Awaitable[None]]
Wrap = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]


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


def make_voices(
    settings: AppSettings,
    resilience: Resilience,
    *,
    observe: Callable[[SpeechOutcome], None] | None = None,
    connect: Connect = connect_alone,
    cache: SpeechCache | None = None,
) -> Voices:
    """The voices that are configured and installed, remote ones behind their policies; `observe` is told how each sentence went."""
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
            voice: Speech = embedded
            closes.append(embedded.aclose)
        else:
            voice, close = _remote(name, settings.speech, resilience.around("tts_service"), connect)
            closes.append(close)
        voices.append(voice if cache is None else cache.around(voice, _identity(name, settings.speech)))
        names.append(name)
    speech: Speech | None = None
    if voices:
        speech = FailoverSpeech(
            voices, names=names, first_audio_timeout=settings.speech.first_audio_seconds, observe=observe
        )
    return Voices(speech, tuple(names), missing, embedded, closes)


def _remote(name: str, settings: SpeechSettings, wrap: Wrap, connect: Connect) -> tuple[Speech, Close]:
    if name == "router":
        client = connect("speech.router", _http(settings, settings.router_url), wrap)
        return RouterSpeech(client), client.aclose
    if name == "elevenlabs":
        headers = {"xi-api-key": settings.elevenlabs_key.get_secret_value() if settings.elevenlabs_key else ""}
        client = connect("speech.elevenlabs", _http(settings, settings.elevenlabs_url, headers), wrap)
        voice = ElevenLabsSpeechConfig(
            voice=settings.elevenlabs_voice,
            model=settings.elevenlabs_model,
            enforce_language=settings.elevenlabs_language,
        )
        return ElevenLabsSpeech(client, voice), client.aclose
    key = settings.openai_key.get_secret_value() if settings.openai_key else ""
    headers = {"authorization": f"Bearer {key}"}
    client = connect("speech.openai", _http(settings, settings.openai_url, headers), wrap)
    config = OpenAISpeechConfig(model=settings.openai_model, voice=settings.openai_voice)
    return OpenAISpeech(client, config), client.aclose


def _identity(name: str, settings: SpeechSettings) -> str:
    """All that shapes how a voice sounds besides the request."""
    shapes = {
        "router": (_base(settings.router_url),),
        "elevenlabs": (settings.elevenlabs_voice, settings.elevenlabs_model, str(settings.elevenlabs_language)),
        "openai": (_base(settings.openai_url), settings.openai_model, settings.openai_voice),
    }
    return ":".join((name, *shapes.get(name, ())))


def _http(
    settings: SpeechSettings, url: AnyHttpUrl | None, headers: Mapping[str, str] | None = None
) -> HttpClientConfig:
    """A voice that stops in the middle of a sentence is waited for no longer than one that does not begin."""
    return HttpClientConfig(base_url=_base(url), headers=headers or {}, read_timeout=settings.first_audio_seconds)


def _base(url: AnyHttpUrl | None) -> str:
    return str(url).rstrip("/")


def pronounced(speech: Speech | None, tenants: Mapping[str, TenantSettings]) -> Callable[[str], Speech | None]:
    """The voice of each tenant: the one voice, with the tenant's table of how names are said.

    Raises:
        ConfigurationError: A table cannot be used; names the entry.
    """

    def voice(_name: str, tenant: TenantSettings) -> Speech | None:
        if speech is None or not tenant.pronunciations:
            return speech
        return PronouncedSpeech(speech, Pronunciations(tenant.pronunciations))

    return per_tenant(tenants, voice).__getitem__
