"""The voices as the settings ask for them, and what is measured of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from app_support import settings
from prometheus_client import generate_latest

from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.resilience import make_resilience
from orchestrator_app.composition.speech import make_voices, pronounced
from orchestrator_app.settings import TenantSettings
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import SpeechChunk, SpeechFailed, SpeechRequest, SystemClock
from orchestrator_utils.tts_client import SpeechOutcome

REMOTE = {
    "backends": ("elevenlabs", "openai"),
    "elevenlabs_url": "http://127.0.0.1:1",
    "elevenlabs_key": "key",
    "elevenlabs_voice": "voice",
    "openai_url": "http://127.0.0.1:1",
    "openai_key": "key",
}


class Voice:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        self.asked.append(request.text)
        yield SpeechChunk(bytes(2), 8000)


def test_sentences_are_counted_by_voice_and_by_how_they_went() -> None:
    metrics = Metrics()
    for voice, result in (("elevenlabs", "failed"), ("embedded", "spoken"), ("embedded", "spoken")):
        metrics.spoken(SpeechOutcome(voice=voice, result=result))  # type: ignore[arg-type]
    metrics.spoken(SpeechOutcome(voice="openai", result="spoken", first_audio=0.15))
    text = generate_latest(metrics.registry).decode()
    assert 'orchestrator_speech_first_audio_seconds_bucket{le="0.1",voice="openai"} 0.0' in text
    assert 'orchestrator_speech_first_audio_seconds_bucket{le="0.2",voice="openai"} 1.0' in text
    assert 'orchestrator_speech_sentences_total{result="failed",voice="elevenlabs"} 1.0' in text
    assert 'orchestrator_speech_sentences_total{result="spoken",voice="embedded"} 2.0' in text


async def test_the_voices_are_tried_in_the_order_of_the_settings(tmp_path: Path) -> None:
    configured = settings(tmp_path, speech=REMOTE)
    told: list[SpeechOutcome] = []
    voices = make_voices(configured, make_resilience(configured, SystemClock()), observe=told.append)
    assert voices.names == ("elevenlabs", "openai")
    assert voices.speech is not None
    with pytest.raises(SpeechFailed):
        async for _ in voices.speech.synthesize(SpeechRequest(text="Good evening.", language="en-US")):
            pass
    assert [(outcome.voice, outcome.result) for outcome in told] == [("elevenlabs", "failed"), ("openai", "failed")]
    await voices.stop()


async def test_each_tenant_has_its_own_names_said_as_it_wishes() -> None:
    voice = Voice()
    tenants = {
        "lake": TenantSettings(pronunciations={"Szczęsny": "Schtschensni"}),
        "garden": TenantSettings(),
    }
    voice_of = pronounced(voice, tenants)
    for name in tenants:
        speech = voice_of(name)
        assert speech is not None
        async for _ in speech.synthesize(SpeechRequest(text="Mr Szczęsny", language="en")):
            pass
    assert voice.asked == ["Mr Schtschensni", "Mr Szczęsny"]
    assert pronounced(None, tenants)("lake") is None


def test_a_table_that_cannot_be_used_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="pronunciation of 'x'"):
        pronounced(Voice(), {"lake": TenantSettings(pronunciations={"x": " "})})
