"""What every recognizer asks of an utterance."""

from __future__ import annotations

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.ports.audio import Utterance

__all__ = ["check_utterance"]


def check_utterance(utterance: Utterance, *, sample_rate: int | None, max_seconds: float) -> None:
    """Refuse what no recognizer can take.

    Raises:
        ValidationError: Half a sample, another rate than `sample_rate`, or longer than `max_seconds`.
    """
    if len(utterance.pcm) % 2:
        raise ValidationError(f"the utterance ends with half a sample at byte {len(utterance.pcm) - 1}")
    if not 8000 <= utterance.sample_rate <= 48_000:
        raise ValidationError(f"the utterance has {utterance.sample_rate} samples a second; 8000 to 48000 are taken")
    if sample_rate is not None and utterance.sample_rate != sample_rate:
        raise ValidationError(
            f"the utterance has {utterance.sample_rate} samples a second; the recognizer takes {sample_rate}"
        )
    if utterance.seconds > max_seconds:
        raise ValidationError(f"the utterance lasts {utterance.seconds:.1f} s; {max_seconds:g} s are the most")
