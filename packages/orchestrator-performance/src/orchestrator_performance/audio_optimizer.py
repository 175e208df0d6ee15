"""The audio of telephone calls, in memory: codecs, rates, frames, buffers, levels, keys.

PCM is mono, signed 16 bit, little endian, as `bytes`. What is wrong with audio is an `AudioError` that names the stream and the byte; the stream goes on with the
next piece. Nothing is written to disk but by `keep_recording`, sealed. The base install needs the standard library alone; `[resample]` brings libsoxr.

`CallAudio` is the kernel's `AudioPath`, the seam through which media legs get all of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator_kernel.ports.audio import AudioCodec, Resampler, ToneDetector
from orchestrator_performance._audio.buffers import AudioBudget, BudgetStats, BufferStats, FrameBuffer
from orchestrator_performance._audio.dtmf import DIGITS, DtmfDetector, dtmf
from orchestrator_performance._audio.errors import AudioBusy, AudioError, AudioExtraMissing
from orchestrator_performance._audio.framing import FRAME_MS, Framer, frame_bytes
from orchestrator_performance._audio.g711 import G711, LAWS, transcoding
from orchestrator_performance._audio.jitter import JitterBuffer, JitterStats
from orchestrator_performance._audio.levels import SILENCE, Level, SilenceMeter, level, measure
from orchestrator_performance._audio.linear import Linear16
from orchestrator_performance._audio.noise import ComfortNoise
from orchestrator_performance._audio.resample import RATES, Engine, make_resampler
from orchestrator_performance._audio.sealed import keep_recording, open_recording
from orchestrator_performance._audio.wav import Wav, load_wav, read_wav, write_wav

__all__ = [
    "DIGITS",
    "FRAME_MS",
    "G711",
    "RATES",
    "SILENCE",
    "AudioBudget",
    "AudioBusy",
    "AudioError",
    "AudioExtraMissing",
    "BudgetStats",
    "BufferStats",
    "CallAudio",
    "ComfortNoise",
    "DtmfDetector",
    "FrameBuffer",
    "Framer",
    "JitterBuffer",
    "JitterStats",
    "Level",
    "Linear16",
    "SilenceMeter",
    "Wav",
    "dtmf",
    "frame_bytes",
    "keep_recording",
    "level",
    "load_wav",
    "make_resampler",
    "measure",
    "open_recording",
    "read_wav",
    "resample",
    "transcoding",
    "write_wav",
]


def resample(pcm: bytes, source: int, target: int, *, engine: Engine = "filter") -> bytes:
    """A whole recording at another rate.

    Raises:
        AudioError: Half a sample, or a rate that is none of `RATES`.
    """
    resampler, piece = make_resampler(source, target, engine=engine), source * 2
    return b"".join(
        [*(resampler.feed(pcm[start : start + piece]) for start in range(0, len(pcm), piece)), resampler.flush()]
    )


class CallAudio:
    """The audio of all calls of a process: the kernel's `AudioPath`, and one budget for what waits.

    Args:
        budget: For the buffers of all streams.
        fast_ulaw: Encode mu-law by `audioop`, which is off by one code for 508 of 65,536 samples (see `G711`).
        engine: Of resampling: `filter`, or `soxr` with the extra `[resample]`.
    """

    def __init__(
        self, *, budget: AudioBudget | None = None, fast_ulaw: bool = False, engine: Engine = "filter"
    ) -> None:
        self.budget = budget or AudioBudget()
        self._engine: Engine = engine
        self._codecs: Mapping[str, AudioCodec] = {
            **{law: G711(law, fast=fast_ulaw) for law in LAWS},
            "L16": Linear16(),
        }

    def codec(self, name: str) -> AudioCodec:
        """As the port says; AudioError for an unknown name."""
        codec = self._codecs.get(name)
        if codec is None:
            raise AudioError(f"{name} is no codec of the telephone; there is {', '.join(self._codecs)}")
        return codec

    def resampler(self, source: int, target: int, *, stream: str = "") -> Resampler:
        """As the port says; `stream` is named in errors."""
        return make_resampler(source, target, engine=self._engine, stream=stream)

    def level(self, pcm: bytes) -> float:
        """As the port says."""
        return level(pcm)

    def tones(self, *, stream: str = "") -> ToneDetector:
        """As the port says; `stream` is named in errors."""
        return DtmfDetector(stream=stream)

    def open(self, stream: str, *, max_frames: int = 250) -> FrameBuffer:
        """As the port says, from the budget: AudioError or AudioBusy."""
        return self.budget.open(stream, max_frames=max_frames)
