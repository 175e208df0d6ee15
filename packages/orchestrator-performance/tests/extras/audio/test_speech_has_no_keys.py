"""Ten minutes of synthesized speech, in several voices, in which nobody presses a key."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator_kernel.ports import SpeechRequest
from orchestrator_performance.audio_optimizer import DtmfDetector, resample
from orchestrator_utils.tts_client import EmbeddedVoice, EmbeddedVoiceConfig

VOICES = ("en", "en+f2", "en+m3", "en+f4", "de", "es", "fr", "it")
WORDS = [
    "hotel",
    "breakfast",
    "garden",
    "harbour",
    "seven",
    "eight",
    "nine",
    "seventeen",
    "forty",
    "guest",
    "evening",
    "window",
    "parking",
    "please",
    "number",
    "reservation",
    "checkout",
    "morning",
    "dinner",
    "table",
    "friday",
    "sunday",
    "monday",
    "pool",
    "towel",
    "pillow",
    "airport",
    "taxi",
    "credit",
    "invoice",
    "bicycle",
    "museum",
    "theatre",
    "music",
    "orchestra",
    "violin",
    "whistle",
    "beep",
    "telephone",
    "dialing",
    "signal",
    "operator",
]


async def speech(minutes: float) -> tuple[str, float]:
    """The keys that are found in so many minutes of speech, and how many seconds there were."""
    voice, found, seconds, turn = EmbeddedVoice(EmbeddedVoiceConfig(processes=1)), "", 0.0, 0
    try:
        while seconds < minutes * 60:
            text = ", ".join(WORDS[(turn * 7 + number * 5) % len(WORDS)] for number in range(12)) + "."
            pieces, rate = [], 0
            request = SpeechRequest(
                text=text, language="en-US", voice=VOICES[turn % len(VOICES)], speed=0.8 + turn % 5 * 0.15
            )
            async for chunk in voice.synthesize(request):
                pieces.append(chunk.pcm)
                rate = chunk.sample_rate
            pcm = await asyncio.to_thread(resample, b"".join(pieces), rate, 8000)
            detector = DtmfDetector()
            found += "".join(detector.feed(pcm[start : start + 320]) for start in range(0, len(pcm) - 319, 320))
            seconds += len(pcm) / 16000
            turn += 1
    finally:
        await voice.aclose()
    return found, seconds


@pytest.mark.slow
async def test_ten_minutes_of_speech_press_no_key():
    found, seconds = await speech(10)
    assert seconds >= 600
    assert found == ""
