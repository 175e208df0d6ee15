"""The audio of calls, and what recognizes speech in it, from the settings."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from orchestrator_app.composition.performance import Connect, connect_alone
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.settings import AppSettings, HearingSettings, TenantSettings
from orchestrator_calls.endpointing import EndpointingConfig
from orchestrator_calls.legs.media_ear import EarConfig
from orchestrator_calls.transcriber import (
    CommandTranscriber,
    CommandTranscriberConfig,
    OpenAITranscriber,
    OpenAITranscriberConfig,
)
from orchestrator_kernel.http import HttpClientConfig
from orchestrator_kernel.ports.audio import Transcriber, TranscriberUnavailable
from orchestrator_performance.audio_metrics import AudioMetrics
from orchestrator_performance.audio_optimizer import AudioBudget, CallAudio

__all__ = ["Hearing", "make_hearing"]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Hearing:
    """What listens on media streams.

    Attributes:
        audio: The audio path of all streams.
        transcriber: None where nothing recognizes speech.
        name: Of the recognizer; empty where there is none.
        missing: Why a recognizer that was asked for is not there.
        answered: Told how many seconds a caller waited for the first audio of an answer.
        settings: How patient it is, and what is listened for.
        endpointing: When an utterance begins and ends.
        warm, close: What the recognizer does before the first call and after the last.
    """

    audio: CallAudio
    transcriber: Transcriber | None
    name: str
    missing: str
    answered: Callable[[float], None]
    settings: HearingSettings
    endpointing: EndpointingConfig
    warm: Callable[[], Awaitable[None]] | None = None
    close: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        """Have the embedded recognizer load its model and try its list.

        Raises:
            ConfigurationError: A phrase of the list has words that it does not know.
        """
        if self.warm is not None:
            await self.warm()
        if self.missing:
            logger.warning("a recognizer is missing", extra={"reason": self.missing})

    async def stop(self) -> None:
        """End it."""
        if self.close is not None:
            await self.close()

    def ear(self, tenant: TenantSettings) -> EarConfig:
        """How a tenant's callers are listened to."""
        return EarConfig(
            endpointing=self.endpointing,
            # A pause that proves to be none costs a request; only the embedded recognizer is free.
            early=self.name == "commands",
            timeout=self.settings.timeout,
            language=tenant.languages[0],
            phrases=tenant.commands or self.settings.commands,
            keys=self.settings.keys,
        )


def make_hearing(
    settings: AppSettings, resilience: Resilience, registry: CollectorRegistry, *, connect: Connect = connect_alone
) -> Hearing:
    """The audio path and the recognizer that are configured and installed; what they do is counted in `registry`.

    Raises:
        ConfigurationError: What the audio path needs is not installed.
    """
    audio, hearing = settings.audio, settings.hearing
    path = CallAudio(
        budget=AudioBudget(audio.buffer_mb * 1_048_576, max_streams=audio.max_streams),
        fast_ulaw=audio.fast_ulaw,
        engine=audio.resampling,
    )
    # Makes the tables now, and not while the first caller waits.
    path.codec("PCMU").encode(bytes(320))
    path.resampler(8000, 16_000)
    metrics = AudioMetrics(registry, path.budget)
    endpointing = _endpointing(hearing)
    if hearing.backend == "commands":
        return _with_commands(settings, path, metrics, endpointing)
    if hearing.backend == "openai":
        key = hearing.openai_key.get_secret_value() if hearing.openai_key else ""
        config = HttpClientConfig(
            base_url=str(hearing.openai_url).rstrip("/"),
            headers={"authorization": f"Bearer {key}"},
            read_timeout=hearing.timeout,
        )
        client = connect("hearing.openai", config, resilience.around("asr_service"))
        transcriber = OpenAITranscriber(client, OpenAITranscriberConfig(model=hearing.openai_model))
        return Hearing(path, transcriber, "openai", "", metrics.answered, hearing, endpointing, close=client.aclose)
    return Hearing(path, None, "", "", metrics.answered, hearing, endpointing)


def _with_commands(
    settings: AppSettings, path: CallAudio, metrics: AudioMetrics, endpointing: EndpointingConfig
) -> Hearing:
    """With the embedded recognizer; without one, where it is not installed."""
    hearing = settings.hearing
    try:
        commands = CommandTranscriber(
            CommandTranscriberConfig(
                phrases=hearing.commands,
                processes=hearing.processes,
                timeout=hearing.timeout,
                max_seconds=hearing.longest + 5,
            )
        )
    except TranscriberUnavailable as error:
        return Hearing(path, None, "", error.message, metrics.answered, hearing, endpointing)
    lists = {tenant.commands for tenant in settings.tenants.values() if tenant.commands}
    return Hearing(
        path,
        commands,
        "commands",
        "",
        metrics.answered,
        hearing,
        endpointing,
        warm=lambda: commands.warm(*lists),
        close=commands.aclose,
    )


def _endpointing(hearing: HearingSettings) -> EndpointingConfig:
    return EndpointingConfig(
        pause_ms=hearing.pause * 1000,
        end_ms=hearing.end * 1000,
        barge_in_ms=hearing.barge_in * 1000,
        longest_ms=hearing.longest * 1000,
    )
