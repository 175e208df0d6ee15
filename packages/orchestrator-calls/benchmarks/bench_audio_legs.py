"""A thousand media streams on one event loop: how late their frames are served.

Every leg is what serves a Twilio stream: `parse_message`, `MediaEar` and `MediaLine` over the real audio path. Fifty times a second it takes a message with 20 ms of its caller, and in
half of the time, while the caller listens, it sends 20 ms of a sentence; marks come back; utterances are kept, decoded and given to a recognizer; what is noticed becomes an event of
its `MediaSession`. On a hundred legs keys are looked for in the audio, too. The legs are spread over the 20 ms, and over the six seconds after which everybody begins again.

Not part of it are the sockets, the call's own runtime (its journal, its dialogue) and the recognizer's own work, which is another machine's here.

Measured is how long after it was due a frame has been served, in an open loop: whoever does not keep up is later each time. Where the same loop is late with nothing to do, a run with a
gate is void. Printed besides are the processor's seconds, and what follows from them by calculation for a core of its own.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from array import array
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from itertools import cycle

from orchestrator_calls.events import Event, EventType
from orchestrator_calls.legs import twilio_media as wire
from orchestrator_calls.legs.media_ear import EarConfig, MediaEar
from orchestrator_calls.legs.media_line import MediaLine
from orchestrator_calls.legs.media_session import MediaSession
from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_kernel.ports.audio import Transcript, Utterance
from orchestrator_performance.audio_optimizer import AudioBudget, CallAudio, dtmf, resample
from orchestrator_performance.benchmarking import Bench, Gate, LatencyHistogram, LatencyReport, open_loop

LEGS, WITH_KEYS, SECONDS = 1000, 100, 10.0
SLOTS = 20
CYCLE = 300
"""Frames after which a caller begins again: six seconds."""
SENTENCE, SPEAKS_AT = 150, 110
"""A sentence of ours takes three seconds, and begins when the caller's words and the pause after them are over."""


def caller(seed: int) -> list[str]:
    """Six seconds of a caller, as Twilio's messages: voice, a pause, a key, silence."""
    source, codec = random.Random(seed), CallAudio().codec(wire.CODEC)
    voice = array("h", (max(-32768, min(32767, round(source.gauss(0, 2500)))) for _ in range(12_000))).tobytes()
    key = dtmf("5")
    quiet = array("h", (round(source.gauss(0, 20)) for _ in range(48_000))).tobytes()
    pcm = voice + quiet[:16_000] + key + quiet
    pcm = pcm[: CYCLE * 320]
    return [
        json.dumps(
            {
                "event": "media",
                "sequenceNumber": str(number + 2),
                "media": {
                    "track": "inbound",
                    "chunk": str(number + 1),
                    "timestamp": str(number * 20),
                    "payload": b64encode(codec.encode(pcm[number * 320 : number * 320 + 320])).decode(),
                },
                "streamSid": "MZ" + "0" * 32,
            }
        )
        for number in range(CYCLE)
    ]


def sentence(rate: int) -> list[bytes]:
    """Three seconds of our voice at its own rate, in frames."""
    source = random.Random(1)
    pcm = array("h", (max(-32768, min(32767, round(source.gauss(0, 3000)))) for _ in range(SENTENCE * 160))).tobytes()
    pcm, size = resample(pcm, 8000, rate), rate // 50 * 2
    return [pcm[number * size : number * size + size] for number in range(SENTENCE)]


class Elsewhere:
    """A recognizer on another machine, at the rate of the line: it costs this one nothing but the utterance."""

    sample_rate = wire.SAMPLE_RATE

    async def transcribe(self, utterance: Utterance) -> Transcript:
        """What everybody says."""
        return Transcript(text="yes" if utterance.seconds > 1 else "")


class Leg:
    """One call's stream; begin and end it within a loop.

    Args:
        number: Which; it begins so many frames into its caller.
        audio: The audio path of all.
        heard: The caller, as messages.
        spoken: Our sentence, as frames.
        rate: Of the sentence.
        clock: Of the line and the events.
        keys: Look for keys in the audio.
    """

    def __init__(
        self,
        number: int,
        audio: CallAudio,
        heard: list[str],
        spoken: list[bytes],
        *,
        rate: int,
        clock: Clock,
        keys: bool,
    ) -> None:
        self.stream = f"MZ{number:032d}"
        self.events, self.reports = Counter[EventType](), Counter[EventType]()
        self.sent, self.listens = 0, keys
        self._session = MediaSession(f"stream:{self.stream}", f"CA{number:032d}", "hotel", self._submit, clock)
        self._ear = MediaEar(
            self.stream,
            audio=audio,
            codec=audio.codec(wire.CODEC),
            transcriber=Elsewhere(),
            tell=self._session.tell,
            speaking=lambda: SPEAKS_AT <= self._count % CYCLE < SPEAKS_AT + SENTENCE,
            clock=clock,
            config=EarConfig(keys=keys, early=False),
        )
        self._telling = asyncio.create_task(self._ear.run())
        self._line = MediaLine(self.stream, self._send, self._close, audio, clock)
        self._line.attach(self)
        self._heard, self._spoken, self._rate = heard, spoken, rate
        self._count, self._sentences = number % CYCLE, 0
        self._marks: list[str] = []

    async def tick(self) -> None:
        """20 ms of the stream: what Twilio sent, and what we send."""
        for mark in self._marks:
            await self._take(mark)
        self._marks.clear()
        await self._take(self._heard[self._count % CYCLE])
        number = self._count % CYCLE - SPEAKS_AT
        if 0 <= number < SENTENCE:
            await self._speak(number)
        self._count += 1

    async def close(self) -> None:
        """The stream is over."""
        self._telling.cancel()
        await asyncio.gather(self._telling, return_exceptions=True)

    async def _take(self, text: str) -> None:
        match wire.parse_message(text, stream=self.stream):
            case wire.Audio(payload):
                await self._ear.hear(payload)
            case wire.Mark(name):
                self._line.marked(name)
            case other:
                raise AssertionError(other)

    async def _speak(self, number: int) -> None:
        if number == 0 or not self._sentences:
            self._sentences += 1
            key = f"s-{self._sentences}"
            await self._line.control({"type": "speech", "key": key, "sample_rate": self._rate})
        await self._line.audio(self._spoken[number])
        if number == SENTENCE - 1:
            await self._line.control({"type": "end"})

    async def _send(self, text: str) -> None:
        # Twilio sends a mark back when what came before it is played.
        if text.startswith('{"event": "mark"'):
            self._marks.append(text)
        else:
            self.sent += 1

    async def _close(self, code: int, reason: str) -> None:
        raise AssertionError((code, reason))

    async def _submit(self, event: Event) -> None:
        self.events[event.type] += 1

    def reported(self, kind: EventType, key: str, played_ms: int) -> None:
        """What our line was told of its sentences."""
        del key, played_ms
        self.reports[kind] += 1


def make_legs(count: int, with_keys: int, *, rate: int, clock: Clock) -> tuple[CallAudio, list[Leg]]:
    """So many legs of one audio path, keys looked for on `with_keys` of them."""
    audio = CallAudio(budget=AudioBudget(max_streams=count))
    callers, spoken = [caller(seed) for seed in range(8)], sentence(rate)
    every = count // with_keys
    return audio, [
        Leg(number, audio, voice, spoken, rate=rate, clock=clock, keys=number % every == 0)
        for number, voice in zip(range(count), cycle(callers))
    ]


class Line:
    """All legs, a twentieth of them each millisecond; and the processor's seconds that each time took."""

    def __init__(self, legs: list[Leg]) -> None:
        self.legs = legs
        self.spent: list[float] = []
        self._slots = cycle([legs[slot::SLOTS] for slot in range(SLOTS)])

    async def next(self) -> None:
        """Whose turn it is: 20 ms of each."""
        before = time.thread_time()
        for leg in next(self._slots):
            await leg.tick()
        self.spent.append(time.thread_time() - before)

    def on_its_own(self) -> LatencyHistogram:
        """When each would be done on a core that nobody shares, if it took what it took and the ones before it, too."""
        done, behind = LatencyHistogram(), 0.0
        for seconds in self.spent:
            behind += seconds
            done.record(behind)
            behind = max(0.0, behind - 0.02 / SLOTS)
        return done

    def told(self) -> str:
        """What the legs did, and what it took.

        Raises:
            AssertionError: They did not do what they had to.
        """
        count = len(self.legs)
        events = sum((leg.events for leg in self.legs), Counter[EventType]())
        reports = sum((leg.reports for leg in self.legs), Counter[EventType]())
        if not events[EventType.DTMF] or min(events[EventType.SPEECH_STARTED], events[EventType.TRANSCRIPTION]) < count:
            raise AssertionError(f"the ears heard {dict(events)}")
        if reports[EventType.PLAYBACK_FINISHED] < count:
            raise AssertionError(f"the lines were told {dict(reports)}")
        frames, done = len(self.spent) * count / SLOTS, self.on_its_own()
        return (
            f"{frames:.0f} frames heard, {sum(leg.sent for leg in self.legs)} sent, {events.total()} events; processor:"
            f" {sum(self.spent) / frames * 1e6:.1f} us for 20 ms of a leg, {sum(self.spent) / len(self.spent) / 0.02 * SLOTS:.2f} of a core."
            f" Calculated from it, on a core of its own: p99 {done.percentile(99) * 1000:.2f} ms, most {done.maximum * 1000:.2f} ms"
        )


async def loaded(count: int, with_keys: int, rate: int, *, gated: bool) -> LatencyReport:
    """How long after it was due the frame of each leg is served: what the loop is late, and what serving it takes."""
    audio, legs = make_legs(count, with_keys, rate=rate, clock=SystemClock())
    line = Line(legs)
    report = await open_loop(
        f"a frame of each of {count} media legs, a voice of {rate} Hz, keys on {with_keys}",
        arrive=line.next,
        rate=50 * SLOTS,
        seconds=SECONDS,
        warmup=2.0,
        gates=[Gate(at_most_ms=5, percentile=99)] if gated else [],
    )
    print(line.told())
    for leg in legs:
        await leg.close()
    if audio.budget.stats().streams:
        raise AssertionError("a leg left its room behind")
    return report


def bench(count: int, with_keys: int, rate: int, *, gated: bool) -> Bench:
    """A bench of its own name."""

    async def media_legs() -> LatencyReport:
        return await loaded(count, with_keys, rate, gated=gated)

    media_legs.__name__ = f"media_legs_{count}_{rate}"
    return media_legs


def benches() -> Iterable[Bench]:
    yield bench(LEGS, WITH_KEYS, 8000, gated=True)
    yield bench(LEGS // 2, WITH_KEYS // 2, 8000, gated=True)
    yield bench(LEGS // 5, WITH_KEYS // 5, 22_050, gated=False)
