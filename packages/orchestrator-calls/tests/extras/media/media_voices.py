"""Speech of the embedded voice, as it comes over a telephone line."""

from __future__ import annotations

import functools
import random
from array import array

from orchestrator_kernel.ports import SpeechRequest
from orchestrator_performance.audio_optimizer import G711, CallAudio, resample
from orchestrator_utils.tts_client import EmbeddedVoice, EmbeddedVoiceConfig

_KEPT: dict[str, bytes] = {}


async def said(text: str) -> bytes:
    """Telephone PCM at 8 kHz of somebody who says `text`, a little noise under it."""
    if text not in _KEPT:
        voice, pieces, rate = EmbeddedVoice(EmbeddedVoiceConfig(processes=1)), [], 0
        async for chunk in voice.synthesize(SpeechRequest(text=text, language="en-US")):
            pieces.append(chunk.pcm)
            rate = chunk.sample_rate
        await voice.aclose()
        _KEPT[text] = on_the_line(resample(b"".join(pieces), rate, 8000))
    return _KEPT[text]


@functools.cache
def line_noise(seconds: float, deviation: float = 40.0) -> bytes:
    source = random.Random(3)
    return array("h", (round(source.gauss(0, deviation)) for _ in range(round(seconds * 8000)))).tobytes()


def on_the_line(pcm: bytes, deviation: float = 40.0) -> bytes:
    noise = array("h", line_noise(len(pcm) / 16000 + 0.01, deviation))
    mixed = (max(-32768, min(32767, a + b)) for a, b in zip(array("h", pcm), noise, strict=False))
    codec, noisy = G711("PCMU"), array("h", mixed).tobytes()
    return b"".join(codec.decode(codec.encode(noisy[start : start + 320])) for start in range(0, len(noisy), 320))


async def said_at(text: str, sample_rate: int) -> bytes:
    return resample(await said(text), 8000, sample_rate)


def frames_of(pcm: bytes) -> list[bytes]:
    """Mu-law frames of 20 ms."""
    codec = CallAudio().codec("PCMU")
    return [codec.encode(pcm[start : start + 320]) for start in range(0, len(pcm) - 319, 320)]
