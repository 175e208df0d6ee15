"""A thousand media legs on one core: how late the event loop becomes.

Every leg has a frame of 20 ms each way, fifty times a second: base64 and mu-law in, level, jitter buffer and bounded buffer, mu-law and base64 out; on a hundred legs keys
are looked for besides. The legs are evenly spread over the 20 ms, a few in each millisecond, as the packets of calls are that began at different times. The sockets
themselves are not part of it.

On a machine that others use the verdict is void. What can be told then is the CPU time of each tick, and how late ticks would be by it on a core of their own.
"""

from __future__ import annotations

import asyncio
import random
import time
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable

from orchestrator_performance.audio_optimizer import CallAudio, DtmfDetector, JitterBuffer, dtmf, level
from orchestrator_performance.benchmarking import Bench, Gate, LatencyHistogram, LatencyReport, open_loop

LEGS, WITH_KEYS, SECONDS = 1000, 100, 10.0
SLOTS = 20


def line(seed: int) -> list[str]:
    """A second and a half of a caller: voice, silence and a key, as the wire carries it."""
    source, codec = random.Random(seed), CallAudio().codec("PCMU")
    voice = array("h", (max(-32768, min(32767, round(source.gauss(0, 2500)))) for _ in range(6400)))
    quiet = array("h", (round(source.gauss(0, 20)) for _ in range(4000)))
    pcm = voice.tobytes() + quiet.tobytes() + dtmf("5", pause_ms=100)
    return [b64encode(codec.encode(pcm[start : start + 320])).decode() for start in range(0, len(pcm) - 319, 320)]


class Leg:
    """One call's audio, frame by frame."""

    def __init__(self, audio: CallAudio, number: int, wire: list[str]) -> None:
        self.codec = audio.codec("PCMU")
        self.jitter = JitterBuffer(modulus=None)
        self.buffer = audio.open(f"leg-{number}", max_frames=50)
        self.keys = DtmfDetector() if number % (LEGS // WITH_KEYS) == 0 else None
        self.wire = wire
        self.count = number
        self.loudest = -96.0
        self.found = 0

    def tick(self, now: float) -> str:
        """A frame in and a frame out."""
        self.count += 1
        pcm = self.codec.decode(b64decode(self.wire[self.count % len(self.wire)]))
        self.loudest = max(self.loudest, level(pcm))
        if self.keys is not None:
            self.found += len(self.keys.feed(pcm))
        self.jitter.put(self.count, pcm, now)
        if (frame := self.jitter.get()) is not None:
            self.buffer.put(frame)
        out = self.buffer.take()
        return "" if out is None else b64encode(self.codec.encode(out)).decode()


async def run(legs: list[list[Leg]], seconds: float) -> list[float]:
    """Give every leg its frames; the CPU seconds that each tick took."""
    loop, spent = asyncio.get_running_loop(), list[float]()
    begin = loop.time()
    for number in range(round(seconds * 50) * SLOTS):
        due = begin + number * 0.02 / SLOTS
        await asyncio.sleep(max(0.0, due - loop.time()))
        now, before = loop.time(), time.thread_time()
        for leg in legs[number % SLOTS]:
            leg.tick(now)
        spent.append(time.thread_time() - before)
    return spent


def own_core(spent: list[float]) -> LatencyHistogram:
    """How late each tick would begin on a core that nobody shares: what the ticks before it left undone."""
    lag, behind = LatencyHistogram(), 0.0
    for seconds in spent:
        lag.record(behind)
        behind = max(0.0, behind + seconds - 0.02 / SLOTS)
    return lag


async def thousand_legs() -> LatencyReport:
    """The lag of the loop while a thousand legs run on it."""
    audio, wires = CallAudio(), [line(seed) for seed in range(8)]
    legs = [Leg(audio, number, wires[number % 8]) for number in range(LEGS)]
    slots = [legs[slot::SLOTS] for slot in range(SLOTS)]
    running: list[asyncio.Task[list[float]]] = []

    async def arrive() -> None:
        # With the first arrival, so that the idle control before it is idle.
        if not running:
            running.append(asyncio.create_task(run(slots, SECONDS + 1)))

    report = await open_loop(
        f"loop lag under {LEGS} media legs, keys on {WITH_KEYS}",
        arrive=arrive,
        rate=200,
        seconds=SECONDS,
        warmup=1.0,
        gates=Gate(at_most_ms=5, percentile=99),
    )
    spent = await running[0]
    lag, found = own_core(spent), sum(leg.found for leg in legs)
    print(
        f"{audio.budget.stats().put} frames each way, {found} keys found; CPU {sum(spent) / (SECONDS + 1):.2f} of a core,"
        f" {sum(spent) / len(spent) / (LEGS / SLOTS) * 1e6:.1f} us a frame; by it, the lag on a core of its own:"
        f" p50 {lag.percentile(50) * 1000:.2f} ms, p99 {lag.percentile(99) * 1000:.2f} ms, most {lag.maximum * 1000:.2f} ms"
    )
    return report


def benches() -> Iterable[Bench]:
    yield thousand_legs
