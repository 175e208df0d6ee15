"""The caller's side of the media socket: plays frames in real time as a phone would, reports what was played, and keeps it."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator_kernel.ports import Clock, Json

__all__ = ["Ear", "Heard"]

REPORT_SECONDS: Final = 0.25


@dataclass(slots=True)
class Heard:
    """One sentence as the caller hears it; times in seconds since the ear was opened."""

    key: str
    text: str
    rate: int
    start: float
    pcm: bytearray = field(default_factory=bytearray)
    complete: bool = False
    cleared: bool = False
    over: bool = False

    @property
    def seconds(self) -> float:
        """The length of what has arrived."""
        return len(self.pcm) / 2 / self.rate

    def played_ms(self, now: float) -> int:
        """How much of it has been played."""
        return round(max(0.0, min(self.seconds, now - self.start)) * 1000)


class Ear:
    """Hears one call.

    Args:
        clock: Tells how far playing is.
        send: Sends a report to the media socket.
        notice: Told of each sentence: `begin` with its first frame, `end`, `cut`, `lost` when the line died.
    """

    def __init__(
        self,
        clock: Clock,
        send: Callable[[Mapping[str, Json]], Awaitable[None]],
        notice: Callable[[str, Heard], None],
    ) -> None:
        self._clock = clock
        self._send = send
        self._notice = notice
        self._opened = clock.monotonic()
        self._begun = False
        self.sentences: list[Heard] = []
        self.orders: list[Mapping[str, Json]] = []
        self.changed = asyncio.Event()

    @property
    def now(self) -> float:
        """Seconds since the ear was opened."""
        return self._clock.monotonic() - self._opened

    def audio(self, frame: bytes) -> None:
        """A frame arrived; it belongs to the sentence that was announced last."""
        sentence = self.sentences[-1]
        if not sentence.pcm:
            before = self.sentences[-2] if len(self.sentences) > 1 else None
            free = before.start + before.seconds if before and not before.cleared else 0.0
            sentence.start = max(self.now, free)
            self._notice("begin", sentence)
        if not sentence.cleared:
            sentence.pcm += frame
        self._tell()

    async def control(self, message: Mapping[str, Json]) -> None:
        """A control message arrived."""
        match message["type"]:
            case "speech":
                self.sentences.append(
                    Heard(str(message["key"]), str(message["text"]), int(str(message["sample_rate"])), self.now)
                )
            case "end":
                self._find(message).complete = True
            case "clear":
                await self._clear(message)
            case _:
                self.orders.append(message)
        self._tell()

    def _find(self, message: Mapping[str, Json]) -> Heard:
        return next(each for each in reversed(self.sentences) if each.key == message["key"])

    async def _clear(self, message: Mapping[str, Json]) -> None:
        sentence = next((each for each in self.sentences if each.key == message["key"]), None)
        if sentence is None or sentence.over:
            return
        played = sentence.played_ms(self.now)
        del sentence.pcm[played * sentence.rate // 1000 * 2 :]
        sentence.cleared = sentence.over = True
        self._notice("cut", sentence)
        await self._send({"type": "playback_cleared", "key": sentence.key, "played_ms": played})

    def lost(self) -> None:
        """The line is dead: nothing more of what is being played will come."""
        for sentence in self.sentences:
            if not sentence.over:
                del sentence.pcm[sentence.played_ms(self.now) * sentence.rate // 1000 * 2 :]
                sentence.cleared = sentence.over = True
                self._notice("lost", sentence)
        self._tell()

    async def report(self) -> None:
        """Report what is being played until cancelled."""
        while True:
            await self._clock.sleep(REPORT_SECONDS / 5)
            for sentence in self.sentences:
                if not sentence.over:
                    await self._report(sentence)

    async def _report(self, sentence: Heard) -> None:
        played = sentence.played_ms(self.now)
        if sentence.complete and self.now >= sentence.start + sentence.seconds:
            sentence.over = True
            self._notice("end", sentence)
            await self._send({"type": "playback_finished", "key": sentence.key, "played_ms": played})
            self._tell()
        elif played and round(self.now * 1000) % round(REPORT_SECONDS * 1000) < REPORT_SECONDS * 200:
            await self._send({"type": "playback_progress", "key": sentence.key, "played_ms": played})

    def _tell(self) -> None:
        self.changed.set()

    async def until(self, condition: Callable[[Ear], bool], limit: float, what: str) -> None:
        """Return when `condition` holds.

        Raises:
            TimeoutError: It did not within `limit` seconds; says what was waited for.
        """
        try:
            async with asyncio.timeout(limit):
                while not condition(self):
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise TimeoutError(f"waited {limit:g} s for {what}") from None

    def write(self, path: Path) -> float:
        """Keep all that was heard as a WAV file, with pauses as long as they were; its length in seconds."""
        rate = self.sentences[0].rate if self.sentences else 22_050
        samples = bytearray()
        for sentence in self.sentences:
            if sentence.pcm:
                samples.extend(bytes(max(0, int(sentence.start * rate) * 2 - len(samples))))
                samples.extend(sentence.pcm)
        samples.extend(bytes(max(0, int(self.now * rate) * 2 - len(samples))))
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(bytes(samples))
        return len(samples) / 2 / rate
