"""G.711: mu-law (PCMU) and A-law (PCMA), exact to the tables of the recommendation.

Source: ITU-T G.711 (11/88), tables 1 and 2; a value on a decision boundary falls as in the reference software (ITU-T G.191): magnitudes are those
of the one's complement. `audioop` takes the two's complement for mu-law, which is another code for 508 of 65,536 samples.

Decoding is two byte translations that are interleaved; encoding is one look-up per sample in a table of 65,536 codes, made at first use.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from operator import itemgetter
from struct import Struct
from typing import Final

from orchestrator_performance._audio.errors import AudioError, AudioExtraMissing, require_samples
from orchestrator_performance._audio.native import audioop

__all__ = ["G711", "LAWS", "alaw_decoded", "alaw_encoding", "transcoding", "ulaw_decoded", "ulaw_encoding"]

LAWS: Final = {"PCMU": "mu-law", "PCMA": "A-law"}


def ulaw_decoded() -> list[int]:
    """The sample of each mu-law code."""
    samples: list[int] = []
    for code in range(256):
        exponent, mantissa = (~code >> 4) & 7, ~code & 15
        magnitude = (((2 * mantissa + 33) << exponent) - 33) * 4
        samples.append(magnitude if code & 0x80 else -magnitude)
    return samples


def alaw_decoded() -> list[int]:
    """The sample of each A-law code."""
    samples: list[int] = []
    for code in range(256):
        exponent, mantissa = ((code ^ 0x55) >> 4) & 7, (code ^ 0x55) & 15
        magnitude = (2 * mantissa + (33 if exponent else 1)) << max(0, exponent - 1)
        samples.append(magnitude * 8 if code & 0x80 else -magnitude * 8)
    return samples


def ulaw_encoding() -> bytes:
    """The mu-law code of each sample, at the sample's place as an unsigned 16-bit number."""
    magnitudes = bytearray()
    for exponent in range(8):
        for mantissa in range(16):
            # The intervals of 14-bit magnitudes are a bias of 33 below powers of two; the last one takes all that is louder.
            ends = ((17 + mantissa) << (exponent + 1)) - 33
            count = (8192 if (exponent, mantissa) == (7, 15) else ends) - len(magnitudes)
            magnitudes += bytes((exponent << 4 | mantissa,)) * count
    return _both_signs(magnitudes, shift=2, invert=0xFF)


def alaw_encoding() -> bytes:
    """The A-law code of each sample, as `ulaw_encoding`."""
    magnitudes = bytearray(range(32))
    for exponent in range(2, 8):
        for mantissa in range(16):
            magnitudes += bytes((exponent << 4 | mantissa,)) * (1 << (exponent - 1))
    return _both_signs(magnitudes, shift=4, invert=0xD5)


def _both_signs(magnitudes: bytearray, *, shift: int, invert: int) -> bytes:
    codes = bytes(code ^ invert for code in magnitudes for _ in range(1 << shift))
    return codes + bytes(code ^ 0x80 for code in reversed(codes))


@cache
def _halves(name: str) -> tuple[bytes, bytes]:
    """Of each code's sample: the low bytes, and the high ones."""
    samples = ulaw_decoded() if name == "PCMU" else alaw_decoded()
    return bytes(sample & 0xFF for sample in samples), bytes(sample >> 8 & 0xFF for sample in samples)


@cache
def _codes(name: str) -> tuple[int, ...]:
    return tuple(ulaw_encoding() if name == "PCMU" else alaw_encoding())


@cache
def transcoding(source: str, target: str) -> bytes:
    """A table for `bytes.translate` from one law to the other, through PCM."""
    codes, (low, high) = _codes(target), _halves(source)
    return bytes(codes[first | second << 8] for first, second in zip(low, high, strict=True))


@lru_cache(maxsize=64)
def _unpacking(samples: int) -> Callable[[bytes], tuple[int, ...]]:
    return Struct(f"<{samples}H").unpack


class G711:
    """A `kernel.ports.audio.AudioCodec` for one law.

    Args:
        name: `PCMU` or `PCMA`.
        fast: Leave all of it to `audioop`: about as fast as it gets, but a mu-law code is off by one for 508 of the 65,536 samples (all
            negative, all on a decision boundary; the error is one step of the quantizer). A-law is exact either way.
    """

    def __init__(self, name: str, *, fast: bool = False) -> None:
        if name not in LAWS:
            raise AudioError(f"{name} is no law of G.711; there is {', '.join(LAWS)}")
        native = audioop()
        if fast and native is None:
            raise AudioExtraMissing("this Python has no audioop: install orchestrator-performance[audioop]")
        self._name = name
        self._low, self._high = _halves(name)
        self._native = native
        ulaw = name == "PCMU"
        self._encoder = None
        # What it does exactly it may always do.
        self._decoder = None
        if native is not None:
            self._decoder = native.ulaw2lin if ulaw else native.alaw2lin
            if fast or not ulaw:
                self._encoder = native.lin2ulaw if ulaw else native.lin2alaw

    @property
    def name(self) -> str:
        """`PCMU` or `PCMA`."""
        return self._name

    def encode(self, pcm: bytes) -> bytes:
        """One code per sample.

        Raises:
            AudioError: Half a sample, or too much at once.
        """
        size = len(pcm)
        if size & 1 or size > 2048:
            require_samples(pcm)
        if self._encoder is not None:
            return self._encoder(pcm, 2)
        if size < 4:
            codes = _codes(self._name)
            return bytes(codes[sample] for sample in _unpacking(size // 2)(pcm))
        return bytes(itemgetter(*_unpacking(size // 2)(pcm))(_codes(self._name)))

    def decode(self, data: bytes) -> bytes:
        """One sample per code; every byte is a code."""
        if self._decoder is not None:
            return self._decoder(data, 2)
        pcm = bytearray(2 * len(data))
        pcm[::2] = data.translate(self._low)
        pcm[1::2] = data.translate(self._high)
        return bytes(pcm)
