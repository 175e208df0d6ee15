"""What the audio path of a call costs: codecs against audioop, and the rest of it against the codec."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable

from orchestrator_performance._audio.g711 import _plain_decoder, _table_encoder
from orchestrator_performance._audio.native import audioop
from orchestrator_performance.audio_optimizer import (
    G711,
    AudioBudget,
    ComfortNoise,
    DtmfDetector,
    JitterBuffer,
    level,
    make_resampler,
)
from orchestrator_performance.benchmarking import Bench, BenchmarkError, Contender, Gate, Report, compare

MISSED = "exact, without audioop (misses 6)"
SOURCE = random.Random(1)
VOICE = array("h", (max(-32768, min(32767, round(SOURCE.gauss(0, 3000)))) for _ in range(160))).tobytes()


def g711(law: str) -> Report:
    """One frame of 20 ms there and back: what Python's C code takes, what is exact, and the opt-in.

    Without `audioop` the aim is 6, too, and Python alone does not reach it: its gate only keeps it from getting worse, and its name says so in the table.
    """
    native = audioop()
    if native is None:
        raise BenchmarkError("the baseline is audioop: install orchestrator-performance[audioop]")
    encode = native.lin2ulaw if law == "PCMU" else native.lin2alaw
    decode = native.ulaw2lin if law == "PCMU" else native.alaw2lin
    codes = encode(VOICE, 2)
    exact, fast, tables = G711(law), G711(law, fast=True), G711(law)
    tables.encode, tables.decode = _table_encoder(law), _plain_decoder(law)

    def by_audioop() -> None:
        encode(VOICE, 2)
        decode(codes, 2)

    def there_and_back(codec: G711) -> Contender:
        def run() -> None:
            codec.encode(VOICE)
            codec.decode(codes)

        name = {id(exact): "exact", id(fast): "fast=True"}.get(id(codec), MISSED)
        return Contender(name, run)

    return compare(
        f"G.711 {law}, a frame encoded and decoded",
        baseline=Contender("audioop", by_audioop),
        contenders=[there_and_back(each) for each in (exact, tables, fast)],
        gates={"exact": Gate(at_most=6.0), "fast=True": Gate(at_most=1.2), MISSED: Gate(at_most=11.0)},
        seconds=3,
    )


def ulaw() -> Report:
    """Mu-law."""
    return g711("PCMU")


def alaw() -> Report:
    """A-law."""
    return g711("PCMA")


def path() -> Report:
    """What else a frame meets, against its codec."""
    codec, noise = G711("PCMU"), ComfortNoise(seed=1)
    up, down = make_resampler(8000, 16_000), make_resampler(22_050, 8000)
    step = 2 * math.pi * 440 / 22_050
    spoken = array("h", (round(8000 * math.sin(step * number)) for number in range(441))).tobytes()
    buffer, jitter, detector = AudioBudget().open("bench"), JitterBuffer(modulus=None), DtmfDetector()
    clock = iter(range(10**12))

    def through_jitter() -> None:
        number = next(clock)
        jitter.put(number, VOICE, number * 0.02)
        jitter.get()

    def through_buffer() -> None:
        buffer.put(VOICE)
        buffer.take()

    return compare(
        "a frame of 20 ms",
        baseline=Contender("codec, both ways", lambda: codec.decode(codec.encode(VOICE))),
        contenders=[
            Contender("level", lambda: level(VOICE)),
            Contender("buffer, in and out", through_buffer),
            Contender("jitter buffer", through_jitter),
            Contender("comfort noise", noise.frame),
            Contender("keys", lambda: detector.feed(VOICE)),
            Contender("8 to 16 kHz", lambda: up.feed(VOICE)),
            Contender("22.05 to 8 kHz", lambda: down.feed(spoken)),
        ],
        seconds=3,
    )


def benches() -> Iterable[Bench]:
    yield ulaw
    yield alaw
    yield path
