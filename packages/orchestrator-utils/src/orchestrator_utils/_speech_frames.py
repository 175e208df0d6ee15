"""The frames between the embedded voice and its child processes. Pure, and all that both sides share.

A frame is a kind (1 byte), the number of the job it belongs to (4 bytes), the length of its payload (4 bytes, big endian like
all numbers here) and the payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "Frame",
    "FrameBroken",
    "FrameReader",
    "Kind",
    "encode",
    "pack_say",
    "pack_words",
    "unpack_say",
    "unpack_words",
]

_HEADER = struct.Struct(">BII")
_SAY = struct.Struct(">HB")
_WORD = struct.Struct(">II")

MAX_PAYLOAD = 1 << 20
"""Bytes; more is a sign that the stream is out of step."""


class Kind(IntEnum):
    """What a frame says."""

    SAY = 1  # to the child: a voice, words per minute, a text
    STOP = 2  # to the child: no more of this job
    READY = 16  # from the child: it has loaded; the sample rate
    AUDIO = 17  # samples
    WORDS = 18  # where the voice is: pairs of character and sample
    DONE = 19  # the job has ended; how many samples it had in all, and the last of them
    FAILED = 20  # the job, or loading, failed; a reason


class FrameBroken(ValueError):
    """What was read is not a frame: the other side is broken."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    kind: Kind
    job: int
    payload: bytes = b""


def encode(kind: Kind, job: int, payload: bytes = b"") -> bytes:
    """The bytes of a frame."""
    return _HEADER.pack(kind, job, len(payload)) + payload


class FrameReader:
    """Finds the frames in a stream of bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now. To be iterated to its end before the next call.

        Raises:
            FrameBroken: The stream makes no sense; nothing that follows can be trusted.
        """
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            kind, job, length = _HEADER.unpack_from(self._buffer)
            if length > MAX_PAYLOAD or kind not in _KINDS:
                raise FrameBroken(f"kind {kind} with {length} bytes is no frame")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            yield Frame(Kind(kind), job, payload)


_KINDS = frozenset(Kind)


def pack_say(voice: str, words_per_minute: int, text: str) -> bytes:
    """The payload of `SAY`; the name of a voice has at most 255 bytes."""
    name = voice.encode()
    return _SAY.pack(words_per_minute, len(name)) + name + text.encode()


def unpack_say(payload: bytes) -> tuple[str, int, str]:
    """Voice, words per minute, text."""
    words_per_minute, length = _SAY.unpack_from(payload)
    at = _SAY.size + length
    return payload[_SAY.size : at].decode(), words_per_minute, payload[at:].decode()


def pack_words(places: list[tuple[int, int]]) -> bytes:
    """The payload of `WORDS`."""
    return b"".join(_WORD.pack(*place) for place in places)


def unpack_words(payload: bytes) -> list[tuple[int, int]]:
    """Pairs of character (from 0) and sample (from 0).

    Raises:
        FrameBroken: There is half a pair.
    """
    if len(payload) % _WORD.size:
        raise FrameBroken(f"{len(payload)} bytes are no pairs")
    return list(_WORD.iter_unpack(payload))


def pack_done(samples: int, rest: bytes) -> bytes:
    """The payload of `DONE`."""
    return samples.to_bytes(4, "big") + rest


def unpack_done(payload: bytes) -> tuple[int, bytes]:
    """How many samples the job had, and the audio that was not sent yet."""
    return int.from_bytes(payload[:4], "big"), payload[4:]
