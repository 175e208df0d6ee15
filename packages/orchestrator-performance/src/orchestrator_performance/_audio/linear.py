"""PCM between machines: L16, and what else is done to samples."""

from __future__ import annotations

import sys
from array import array

from orchestrator_performance._audio.errors import AudioError, require_samples

__all__ = ["Linear16", "mixed_to_mono", "samples_of", "to_pcm"]


def samples_of(pcm: bytes) -> array[int]:
    """The samples, as numbers of this machine."""
    samples = array("h")
    samples.frombytes(pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def to_pcm(samples: array[int]) -> bytes:
    """Little-endian PCM of samples."""
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()


class Linear16:
    """L16 as RTP carries it: 16 bits in network byte order (RFC 3551, section 4.5.11)."""

    name = "L16"

    def encode(self, pcm: bytes) -> bytes:
        """The samples, most significant byte first.

        Raises:
            AudioError: Half a sample, or too much at once.
        """
        require_samples(pcm)
        swapped = bytearray(len(pcm))
        swapped[::2], swapped[1::2] = pcm[1::2], pcm[::2]
        return bytes(swapped)

    def decode(self, data: bytes) -> bytes:
        """As `encode`: the same the other way round."""
        return self.encode(data)


def mixed_to_mono(pcm: bytes, channels: int) -> bytes:
    """One channel: the mean of all.

    Raises:
        AudioError: A frame of samples is not whole.
    """
    if channels == 1:
        return pcm
    if len(pcm) % (2 * channels):
        raise AudioError(f"the last of {channels} channels is missing", offset=len(pcm) - len(pcm) % (2 * channels))
    samples = samples_of(pcm)
    lanes = [samples[number::channels] for number in range(channels)]
    return to_pcm(array("h", (sum(each) // channels for each in zip(*lanes, strict=True))))
