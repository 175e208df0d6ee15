"""Reading a WAV file (RIFF, Microsoft and IBM 1991) of 16-bit mono PCM. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["WavBroken", "read_wav"]

_PCM = 1
_EXTENSIBLE = 0xFFFE
# Written by encoders that do not know the length when they start; the data then runs to the end.
_UNKNOWN_SIZE = 0xFFFFFFFF


class WavBroken(ValueError):
    """Not a WAV file of 16-bit mono PCM; the message says what is wrong with it."""


def read_wav(data: bytes) -> tuple[bytes, int]:
    """The samples (signed 16 bit, little endian, mono) and their rate in Hz.

    Raises:
        WavBroken: The file is something else, or shorter than it says.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise WavBroken("it has no RIFF/WAVE header")
    rate: int | None = None
    for name, size, body in _chunks(data):
        if name == b"fmt ":
            rate = _rate(body)
        elif name == b"data":
            if rate is None:
                raise WavBroken("its samples come before their format")
            if size not in {len(body), _UNKNOWN_SIZE}:
                raise WavBroken(f"it states {size} bytes of samples and holds {len(body)}")
            if len(body) % 2:
                raise WavBroken("it ends within a sample")
            return body, rate
    raise WavBroken("it holds no samples")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        yield name, size, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _rate(body: bytes) -> int:
    if len(body) < 16:
        raise WavBroken("its format is cut off")
    tag: int
    rate: int
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    if (tag, channels, bits) != (_PCM, 1, 16):
        raise WavBroken(f"it is not 16-bit mono PCM (format {tag}, {channels} channels, {bits} bits)")
    if not 4_000 <= rate <= 192_000:
        raise WavBroken(f"its rate of {rate} Hz makes no sense")
    return rate
