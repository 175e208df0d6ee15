"""Make the recording of a caller that `orchestrator demo --audio` plays: spoken by the embedded voice, with a little noise of a line.

    python -m scripts.caller_wav docs/audio/caller.wav

The same words and noise every time; the embedded voice itself differs from run to run in some samples.
"""

from __future__ import annotations

import asyncio
import random
import sys
from array import array
from pathlib import Path

from orchestrator_kernel.ports import SpeechRequest
from orchestrator_performance.audio_optimizer import resample, write_wav
from orchestrator_utils.tts_client import EmbeddedVoice, EmbeddedVoiceConfig

SAID = (
    (1.0, "What time is breakfast?"),
    (2.0, "Is there parking?"),
    # So short a pause means that it is spoken over the answer.
    (1.0, "Do you have wifi?"),
    (2.0, "Goodbye."),
)
"""Seconds of silence before each utterance."""


async def caller() -> bytes:
    """The recording as a WAV file of mu-law at 8 kHz."""
    voice, pcm = EmbeddedVoice(EmbeddedVoiceConfig(processes=1)), bytearray()
    for pause, text in SAID:
        pieces, rate = list[bytes](), 22_050
        async for chunk in voice.synthesize(SpeechRequest(text=text, language="en-US")):
            pieces.append(chunk.pcm)
            rate = chunk.sample_rate
        pcm += bytes(round(pause * 8000) * 2) + resample(b"".join(pieces), rate, 8000)
    await voice.aclose()
    pcm += bytes(8000)
    source = random.Random(5)
    noisy = (max(-32768, min(32767, sample + round(source.gauss(0, 30)))) for sample in array("h", bytes(pcm)))
    return write_wav(array("h", noisy).tobytes(), 8000, encoding="PCMU")


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(asyncio.run(caller()))
