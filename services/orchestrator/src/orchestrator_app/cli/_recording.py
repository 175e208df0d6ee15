"""A recording of a caller, cut into what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_performance.audio_optimizer import G711, Wav, level, load_wav, resample

__all__ = ["Said", "cut", "load_caller"]

FRAME: Final = 320
PAUSE_FRAMES: Final = 30
"""Silence of 0.6 s parts two utterances."""

_BELOW_VOICE: Final = 30.0
"""dB under the loudest frame: what is fainter is silence."""

_FAINTEST: Final = -50.0


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance.

    Attributes:
        frames: Mu-law, 20 ms each; from its first to its last audible frame.
        after: Seconds of silence before it.
    """

    frames: Sequence[bytes]
    after: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.frames) * 0.02


def load_caller(path: Path) -> tuple[Wav, list[Said]]:
    """The recording at `path`, at whatever rate, and what is said in it.

    Raises:
        ValidationError: It is no WAV file, or nobody says anything in it.
    """
    wav = load_wav(path)
    pcm = wav.pcm if wav.sample_rate == 8000 else resample(wav.pcm, wav.sample_rate, 8000)
    utterances = cut(pcm)
    if not utterances:
        raise ValidationError(f"nobody says anything in {path}")
    return wav, utterances


def cut(pcm: bytes) -> list[Said]:
    """The utterances in telephone PCM of 8 kHz."""
    frames = [pcm[start : start + FRAME] for start in range(0, len(pcm) - FRAME + 1, FRAME)]
    levels = [level(frame) for frame in frames]
    least = max(_FAINTEST, max(levels, default=0.0) - _BELOW_VOICE)
    loud = [number for number, each in enumerate(levels) if each >= least]
    codec, found, before = G711("PCMU"), list[Said](), 0
    while loud:
        end = next((place for place in range(1, len(loud)) if loud[place] - loud[place - 1] > PAUSE_FRAMES), len(loud))
        first, last = loud[0], loud[end - 1]
        spoken = [codec.encode(frame) for frame in frames[first : last + 1]]
        # A click is no utterance.
        if len(spoken) >= 5:
            found.append(Said(spoken, (first - before) * 0.02))
            before = last + 1
        loud = loud[end:]
    return found
