"""Speaking on a stream of telephone audio: the player's frames become mu-law of 8 kHz, and marks tell what of them was played.

A mark follows every half second of a sentence and its end. What comes back is the other side's word on what the caller has heard; between two marks our clock goes on
from there. After a `clear` all marks come back at once, though nothing was played: they are of a sentence that is over then, and count for nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from orchestrator_calls.events import EventType
from orchestrator_calls.legs import twilio_media as wire
from orchestrator_calls.playback import FRAME_MS, MediaClosed
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.ports import Clock, Json, SpeechFailed
from orchestrator_kernel.ports.audio import AudioPath, Resampler

__all__ = ["Close", "MediaLine", "Reports"]

MARK_EVERY_MS: Final = 500

Close = Callable[[int, str], Awaitable[None]]
"""Ends the stream, with a code and a reason (RFC 6455)."""


class Reports(Protocol):
    """The player, as the line sees it."""

    def reported(self, kind: EventType, key: str, played_ms: int) -> None:
        """The leg told how far it played a sentence."""
        ...


class MediaLine:
    """A `playback.MediaSink` over a Twilio media stream.

    Args:
        stream: Its SID.
        send: Sends one text message; raises MediaClosed.
        close: Ends the stream.
        audio: Codecs and rates.
        clock: Goes on between two marks.
        transfers: Whether a transfer is carried out where the stream ends; otherwise somebody else does, and the stream goes on.
    """

    def __init__(
        self,
        stream: str,
        send: Callable[[str], Awaitable[None]],
        close: Close,
        audio: AudioPath,
        clock: Clock,
        *,
        transfers: bool = True,
    ) -> None:
        self._stream = stream
        self._send = send
        self._close = close
        self._audio = audio
        self._clock = clock
        self._transfers = transfers
        self._began: Callable[[], None] | None = None
        self._codec = audio.codec(wire.CODEC)
        self._resampler: Resampler | None = None
        self._key = ""
        self._sent_ms = 0
        self._marked_ms = 0
        self._played_ms = 0
        self._played_at: float | None = None
        self._player: Reports | None = None

    def attach(self, player: Reports, *, began: Callable[[], None] | None = None) -> None:
        """Whom to tell what was played; `began` is called when the first frame of a sentence was sent."""
        self._player, self._began = player, began

    @property
    def reports(self) -> bool:
        """The other side tells what it played, by marks."""
        return True

    # --- from the player ----------------------------------------------------------------------------------------------------

    async def audio(self, frame: bytes) -> None:
        """Send a frame of the sentence that was announced."""
        if self._resampler is None:
            raise SpeechFailed("a frame of no sentence")
        if pcm := self._resampler.feed(frame):
            await self._send(wire.media(self._stream, self._codec.encode(pcm)))
        if self._played_at is None:
            self._played_at = self._clock.monotonic()
            if self._began is not None:
                self._began()
        self._sent_ms += FRAME_MS
        if self._sent_ms - self._marked_ms >= MARK_EVERY_MS:
            await self._mark("p")

    async def control(self, message: Mapping[str, Json]) -> None:
        """Announce or end a sentence, drop what is not played, or end the stream."""
        match message.get("type"):
            case "speech":
                self._begin(str(message["key"]), int(str(message["sample_rate"])))
            case "end":
                if self._resampler is not None and (pcm := self._resampler.flush()):
                    await self._send(wire.media(self._stream, self._codec.encode(pcm)))
                await self._mark("e")
            case "clear":
                await self._clear(str(message["key"]))
            case "hang_up":
                await self._part(1000, "the call is to be hung up")
            case "transfer" if self._transfers:
                await self._part(1000, "the call is transferred")
            case "bye":
                restart = message.get("reason") == "restart"
                await self._part(*((1012, "connect again") if restart else (1000, "the call is over here")))
            case _:
                return

    def _begin(self, key: str, sample_rate: int) -> None:
        try:
            self._resampler = self._audio.resampler(sample_rate, wire.SAMPLE_RATE)
        except ValidationError as error:
            raise SpeechFailed(f"the voice speaks at {sample_rate} samples a second: {error.message}") from error
        self._key, self._sent_ms, self._marked_ms = key, 0, 0
        self._played_ms, self._played_at = 0, None

    async def _mark(self, kind: str) -> None:
        self._marked_ms = self._sent_ms
        await self._send(wire.mark(self._stream, f"{kind}|{self._sent_ms}|{self._key}"))

    async def _clear(self, key: str) -> None:
        await self._send(wire.clear(self._stream))
        if key != self._key or self._player is None:
            return
        played = self._played_ms
        if self._played_at is not None:
            played += round((self._clock.monotonic() - self._played_at) * 1000)
        self._key = ""
        self._player.reported(EventType.PLAYBACK_CLEARED, key, min(played, self._sent_ms))

    async def _part(self, code: int, reason: str) -> None:
        await self._close(code, reason)
        raise MediaClosed(reason)

    # --- from the other side ------------------------------------------------------------------------------------------------

    def marked(self, name: str) -> None:
        """A mark came back; one that is not ours is ignored."""
        kind, _, rest = name.partition("|")
        told, _, key = rest.partition("|")
        if kind not in {"p", "e"} or not told.isdecimal() or not key or self._player is None:
            return
        if key == self._key:
            self._played_ms, self._played_at = int(told), self._clock.monotonic()
            self._player.reported(
                EventType.PLAYBACK_FINISHED if kind == "e" else EventType.PLAYBACK_PROGRESS, key, int(told)
            )
        elif kind == "e":
            # The next sentence was announced before the last one was heard to its end.
            self._player.reported(EventType.PLAYBACK_FINISHED, key, int(told))
