"""The process that holds pocketsphinx: `python -m orchestrator_calls._drivers.recognizer_child PARENT_PID`.

It reads requests from standard input (two lengths of 4 bytes, phrases by line, PCM of 16 kHz) and writes answers to standard output (a length of 4 bytes, JSON). It ends
when its input ends or its parent dies.

A line that is silent between the words upsets the recognizer's idea of the channel: with a little noise it understands half as much again. So noise is added where
there is none.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import random
import struct
import sys
from array import array
from collections.abc import Sequence
from operator import mul
from typing import Final, Protocol, cast

from orchestrator_kernel.child_guard import end_with_parent

NOISE_DB: Final = 25.0
"""How far below the voice the noise is that is added."""

_LISTS: Final = 32
"""Lists of phrases that are kept ready."""


class _Hypothesis(Protocol):
    hypstr: str


class _Decoder(Protocol):
    """What we use of pocketsphinx, which has no types."""

    def add_jsgf_string(self, name: str, jsgf: str) -> None: ...

    def activate_search(self, name: str) -> None: ...

    def remove_search(self, name: str) -> None: ...

    def lookup_word(self, word: str) -> str | None: ...

    def start_utt(self) -> None: ...

    def process_raw(self, data: bytes, *, no_search: bool, full_utt: bool) -> int: ...

    def end_utt(self) -> None: ...

    def hyp(self) -> _Hypothesis | None: ...


class Recognizer:
    """pocketsphinx with its own English model, one utterance at a time."""

    def __init__(self) -> None:
        module = importlib.import_module("pocketsphinx")
        self._decoder = cast("_Decoder", module.Decoder(lm=None, loglevel="FATAL"))
        self._lists: dict[str, str] = {}
        self._count = 0
        source = random.Random(7)
        self._noise = array("h", (round(source.gauss(0, 1000)) for _ in range(16_000)))

    def heard(self, listed: str, pcm: bytes) -> dict[str, object]:
        """What was said, or which words of the list are unknown."""
        words = sorted({word for phrase in listed.split("\n") for word in phrase.split()})
        if unknown := [word for word in words if self._decoder.lookup_word(word) is None]:
            return {"unknown": unknown[:20]}
        self._decoder.activate_search(self._search(listed))
        self._decoder.start_utt()
        self._decoder.process_raw(self._on_a_line(pcm), no_search=False, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return {"text": "" if hypothesis is None else hypothesis.hypstr}

    def _search(self, listed: str) -> str:
        name = self._lists.get(listed)
        if name is None:
            if len(self._lists) >= _LISTS:
                self._decoder.remove_search(self._lists.pop(next(iter(self._lists))))
            self._count += 1
            name = self._lists[listed] = f"list{self._count}"
            phrases = " | ".join(f"({phrase})" for phrase in listed.split("\n"))
            self._decoder.add_jsgf_string(name, f"#JSGF V1.0; grammar {name}; public <said> = {phrases};")
        return name

    def _on_a_line(self, pcm: bytes) -> bytes:
        """With a quarter of a second of line around it, and noise where there is hardly any."""
        samples = array("h", bytes(8000) + pcm + bytes(8000))
        frames = sorted(_power(samples[start : start + 320]) for start in range(0, len(samples) - 319, 320))
        voice, floor = frames[-1 - len(frames) // 10], frames[len(frames) // 5]
        wanted = math.sqrt(voice * 10 ** (-NOISE_DB / 10))
        if wanted < 1 or math.sqrt(floor) >= wanted:
            return samples.tobytes()
        gain, noise, size = wanted / 1000, self._noise, len(self._noise)
        mixed = (sample + int(noise[place % size] * gain) for place, sample in enumerate(samples))
        return array("h", (max(-32768, min(32767, sample)) for sample in mixed)).tobytes()


def _power(samples: Sequence[int]) -> float:
    total: int = sum(map(mul, samples, samples))
    return total / len(samples)


def _read(size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            os._exit(0)
        data += piece
    return bytes(data)


def _write(descriptor: int, data: bytes) -> None:
    data = struct.pack(">I", len(data)) + data
    while data:
        data = data[os.write(descriptor, data) :]


def main() -> None:
    """Serve until the input ends."""
    # Standard output is for the answers alone: what native code prints goes nowhere.
    output, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    end_with_parent(int(sys.argv[1]))
    try:
        recognizer = Recognizer()
    except (ImportError, OSError, RuntimeError) as error:
        _write(output, type(error).__name__.encode())
        return
    _write(output, b"ready")
    while True:
        listed, samples = struct.unpack(">II", _read(8))
        answer = recognizer.heard(_read(listed).decode(), _read(samples))
        _write(output, json.dumps(answer).encode())


if __name__ == "__main__":
    main()
