"""G.711: mu-law (PCMU) and A-law (PCMA), exact to the tables of the recommendation.

Source: ITU-T G.711 (11/88), tables 1 and 2; a value on a decision boundary falls as in the reference software (ITU-T G.191): magnitudes are those
of the one's complement. `audioop` takes the two's complement for mu-law, which is another code for 508 of 65,536 samples.

Without `audioop`, decoding is two byte translations that are interleaved, and encoding one look-up per sample in a table of 65,536 codes, made at first use.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from operator import itemgetter
from struct import Struct
from typing import Final

from orchestrator_performance._audio.errors import MAX_CHUNK, AudioError, AudioExtraMissing, require_samples
from orchestrator_performance._audio.native import Audioop, audioop

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


def _table_encoder(name: str) -> Callable[[bytes], bytes]:
    """One look-up per sample."""

    def encode(pcm: bytes) -> bytes:
        size = len(pcm)
        if size & 1 or size > MAX_CHUNK:
            require_samples(pcm)
        codes, samples = _codes(name), _unpacking(size // 2)(pcm)
        return bytes(itemgetter(*samples)(codes)) if size > 2 else bytes(codes[sample] for sample in samples)

    return encode


_NEGATIVE: Final = bytes(4 if high & 0x80 else 0 for high in range(256))
"""By the high byte of a sample: 4, the step of a 14-bit magnitude, if it is negative."""

_OF_NEGATIVE: Final = bytes(range(0x80))
"""The mu-law codes of negative samples."""

_ZERO: Final = 0xFF
"""The code of 0 to 3; that of -4 to -1 is the same without its sign."""


def _exact_ulaw(native: Audioop) -> Callable[[bytes], bytes]:
    """The C code with what it does differently put right: it takes magnitudes of negative samples one step too large, and has no code for -0."""
    table, add, ulaw = _table_encoder("PCMU"), native.add, native.lin2ulaw

    def encode(pcm: bytes) -> bytes:
        size = len(pcm)
        if size & 1 or size > MAX_CHUNK:
            require_samples(pcm)
        negative = pcm[1::2].translate(_NEGATIVE)
        step = bytearray(size)
        step[::2] = negative
        codes = ulaw(add(pcm, step, 2), 2)
        lost = len(codes.translate(None, _OF_NEGATIVE)) - negative.count(0)
        if not lost:
            return codes
        # So many of -4 to -1 have become 0 to 3.
        if lost > 16:
            return table(pcm)
        signed, place = bytearray(codes), -1
        while lost:
            place = codes.index(_ZERO, place + 1)
            if negative[place]:
                signed[place] ^= 0x80
                lost -= 1
        return bytes(signed)

    return encode


def _plain_decoder(name: str) -> Callable[[bytes], bytes]:
    low, high = _halves(name)

    def decode(data: bytes) -> bytes:
        pcm = bytearray(2 * len(data))
        pcm[::2] = data.translate(low)
        pcm[1::2] = data.translate(high)
        return bytes(pcm)

    return decode


def _native_encoder(convert: Callable[[bytes, int], bytes], refusal: type[Exception]) -> Callable[[bytes], bytes]:
    def encode(pcm: bytes) -> bytes:
        try:
            return convert(pcm, 2)
        except refusal:
            require_samples(pcm)
            raise

    return encode


def _native_decoder(convert: Callable[[bytes, int], bytes]) -> Callable[[bytes], bytes]:
    def decode(data: bytes) -> bytes:
        return convert(data, 2)

    return decode


class G711:
    """A `kernel.ports.audio.AudioCodec` for one law.

    Args:
        name: `PCMU` or `PCMA`.
        fast: Leave all of it to `audioop`: about as fast as it gets, but a mu-law code is off by one for 508 of the 65,536 samples (all
            negative, all on a decision boundary; the error is one step of the quantizer). A-law is exact either way.

    Attributes:
        encode: One code per sample; AudioError on half a sample.
        decode: One sample per code; every byte is a code.

    Raises:
        AudioError: There is no such law.
        AudioExtraMissing: `fast` on a Python without `audioop`.
    """

    def __init__(self, name: str, *, fast: bool = False) -> None:
        if name not in LAWS:
            raise AudioError(f"{name} is no law of G.711; there is {', '.join(LAWS)}")
        self.name: Final = name
        # Functions and no methods: on a frame of 20 ms a call more is a tenth of the time.
        self.encode: Callable[[bytes], bytes]
        self.decode: Callable[[bytes], bytes]
        native, ulaw = audioop(), name == "PCMU"
        if native is None:
            if fast:
                raise AudioExtraMissing("this Python has no audioop: install orchestrator-performance[audioop]")
            self.encode, self.decode = _table_encoder(name), _plain_decoder(name)
            return
        # What it does exactly it may always do.
        self.decode = _native_decoder(native.ulaw2lin if ulaw else native.alaw2lin)
        if ulaw and not fast:
            self.encode = _exact_ulaw(native)
        else:
            self.encode = _native_encoder(native.lin2ulaw if ulaw else native.lin2alaw, native.error)
