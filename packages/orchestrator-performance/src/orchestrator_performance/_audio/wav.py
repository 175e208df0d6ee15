"""WAV files: read with every way they can be broken told by its byte, and written.

Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0" (RIFF), and `WAVEFORMATEXTENSIBLE`.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator_performance._audio.errors import AudioError
from orchestrator_performance._audio.g711 import G711
from orchestrator_performance._audio.linear import mixed_to_mono, to_pcm

__all__ = ["MAX_WAV", "Wav", "load_wav", "read_wav", "write_wav"]

MAX_WAV: Final = 67_108_864
"""Bytes of a file that is read: more than an hour at 8 kHz."""

_PCM, _ALAW, _ULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
_UNKNOWN_SIZES: Final = (0, 0xFFFF_FFFF)
"""What a program writes that cannot go back to the header."""


@dataclass(frozen=True, slots=True)
class Wav:
    """What is in a file.

    Attributes:
        pcm: Mono, signed 16 bit, little endian; several channels are mixed.
        sample_rate: Hz.
        encoding: How it was kept: `PCMU`, `PCMA`, or `PCM` and the bits of a sample.
        channels: How many there were.
    """

    pcm: bytes
    sample_rate: int
    encoding: str
    channels: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pcm) / 2 / self.sample_rate


@dataclass(frozen=True, slots=True)
class _Format:
    tag: int
    channels: int
    sample_rate: int
    bits: int

    @property
    def frame(self) -> int:
        return self.channels * self.bits // 8

    @property
    def encoding(self) -> str:
        return {_ALAW: "PCMA", _ULAW: "PCMU"}.get(self.tag, f"PCM{self.bits}")


def load_wav(path: Path, *, max_bytes: int = MAX_WAV) -> Wav:
    """The file at `path`; blocks, so not for an event loop.

    Raises:
        AudioError: It cannot be opened, or is no WAV file; names the file and the byte.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise AudioError(f"cannot be opened: {error.strerror}", stream=str(path)) from None
    return read_wav(data, stream=str(path), max_bytes=max_bytes)


def read_wav(data: bytes, *, stream: str = "wav", max_bytes: int = MAX_WAV) -> Wav:
    """The audio in the bytes of a WAV file: PCM of 8, 16, 24 or 32 bits, mu-law or A-law.

    Raises:
        AudioError: It is none, is cut off, or holds another kind of audio; names the stream and the byte.
    """
    if len(data) > max_bytes:
        raise AudioError(f"larger than {max_bytes} bytes", stream=stream, offset=max_bytes)
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise AudioError("no RIFF header of a WAV file", stream=stream, offset=0)
    found, place = None, 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        start = place + 8
        if name == b"fmt ":
            found = _format(data[start : start + size], size, stream, start)
        elif name == b"data":
            if found is None:
                raise AudioError("its samples come before their format", stream=stream, offset=place)
            end = len(data) if size in _UNKNOWN_SIZES else start + size
            if end > len(data):
                message = f"cut off: {size} bytes of samples are told, {len(data) - start} are there"
                raise AudioError(message, stream=stream, offset=len(data))
            return _decoded(data[start:end], found, stream, start)
        place = start + size + (size & 1)
    raise AudioError("no samples in it", stream=stream, offset=min(place, len(data)))


def _format(chunk: bytes, size: int, stream: str, offset: int) -> _Format:
    if size < 16 or len(chunk) < 16:
        raise AudioError("its format is cut off", stream=stream, offset=offset + len(chunk))
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        tag = struct.unpack_from("<H", chunk, 24)[0]
    if tag not in {_PCM, _ALAW, _ULAW}:
        raise AudioError(f"its format {tag:#06x} is neither PCM nor G.711", stream=stream, offset=offset)
    if bits not in ((8, 16, 24, 32) if tag == _PCM else (8,)):
        raise AudioError(f"samples of {bits} bits", stream=stream, offset=offset + 14)
    if not 1 <= channels <= 16:
        raise AudioError(f"{channels} channels", stream=stream, offset=offset + 2)
    if not 4000 <= rate <= 384_000:
        raise AudioError(f"{rate} samples a second", stream=stream, offset=offset + 4)
    return _Format(tag, channels, rate, bits)


def _decoded(samples: bytes, kind: _Format, stream: str, offset: int) -> Wav:
    odd = len(samples) % kind.frame
    if odd:
        raise AudioError("the last sample is cut off", stream=stream, offset=offset + len(samples) - odd)
    pcm = _pcm(samples, kind)
    return Wav(mixed_to_mono(pcm, kind.channels), kind.sample_rate, kind.encoding, kind.channels)


def _pcm(samples: bytes, kind: _Format) -> bytes:
    if kind.tag != _PCM:
        return G711(kind.encoding).decode(samples)
    if kind.bits == 16:
        return samples
    if kind.bits == 8:
        return to_pcm(array("h", ((sample - 128) << 8 for sample in samples)))
    # The two most significant bytes of each.
    width = kind.bits // 8
    pcm = bytearray(2 * (len(samples) // width))
    pcm[::2], pcm[1::2] = samples[width - 2 :: width], samples[width - 1 :: width]
    return bytes(pcm)


def write_wav(pcm: bytes, sample_rate: int, *, encoding: str = "PCM16") -> bytes:
    """A WAV file of mono PCM, kept as `PCM16`, `PCMU` or `PCMA`.

    Raises:
        AudioError: Half a sample, or an encoding that is none of these.
    """
    if len(pcm) & 1:
        raise AudioError("half a 16-bit sample", offset=len(pcm) - 1)
    if encoding == "PCM16":
        tag, width, data = _PCM, 2, pcm
    elif encoding in {"PCMU", "PCMA"}:
        codec = G711(encoding)
        tag, width = (_ULAW if encoding == "PCMU" else _ALAW), 1
        data = b"".join(codec.encode(pcm[start : start + 2048]) for start in range(0, len(pcm), 2048))
    else:
        raise AudioError(f"a WAV file is not written as {encoding}; there is PCM16, PCMU, PCMA")
    form = struct.pack("<HHIIHH", tag, 1, sample_rate, sample_rate * width, width, 8 * width)
    # What is not PCM says how much more its format has, and how many samples there are.
    more = b"" if tag == _PCM else struct.pack("<H", 0)
    fact = b"" if tag == _PCM else b"fact" + struct.pack("<II", 4, len(data))
    chunks = b"fmt " + struct.pack("<I", len(form) + len(more)) + form + more + fact
    chunks += b"data" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
