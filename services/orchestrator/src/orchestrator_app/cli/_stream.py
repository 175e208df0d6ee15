"""Twilio's end of a media stream: a line on which the caller's audio goes out in real time, and ours is played and marked."""

from __future__ import annotations

import asyncio
import json
import secrets
from base64 import b64decode
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from orchestrator_app.cli._relay import TwilioClient
from orchestrator_calls.legs.twilio_media import media
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Clock, Json
from orchestrator_performance.audio_optimizer import G711, ComfortNoise

__all__ = ["FRAME_SECONDS", "Phone", "stream_session"]

FRAME_SECONDS: Final = 0.02
FRAME: Final = 160


@dataclass(slots=True)
class _Playing:
    """Audio that has come, and the marks in it: what is played when, in seconds of the clock."""

    ends: float = 0.0
    marks: deque[tuple[float, str]] = field(default_factory=deque[tuple[float, str]])
    heard: bytearray = field(default_factory=bytearray)


class Phone:
    """The caller's side.

    Args:
        socket: Open.
        clock: Paces the frames.
        stream: The stream's SID.
    """

    def __init__(self, socket: ClientConnection, clock: Clock, stream: str) -> None:
        self._socket = socket
        self._clock = clock
        self._stream = stream
        self._codec = G711("PCMU")
        self._noise = ComfortNoise(dbov=-62, seed=1)
        self._said: deque[bytes] = deque()
        self._playing = _Playing()
        self._opened = clock.monotonic()
        self._chunk = 0
        self._sequence = 1
        self.ended_at: float | None = None
        """When the last frame of the last utterance went out."""
        self.first_audio_at: float | None = None
        """When the first audio came since it was set to None."""
        self.clears = 0
        self.closed = asyncio.Event()

    # --- the caller ---------------------------------------------------------------------------------------------------------

    def say(self, frames: Sequence[bytes]) -> None:
        """Speak, in real time: mu-law frames of 20 ms."""
        self._said.extend(frames)
        self.ended_at = None

    async def press(self, digit: str) -> None:
        """Press a key."""
        await self._send({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": digit}})

    @property
    def speaking(self) -> bool:
        """Whether the caller is."""
        return bool(self._said)

    @property
    def hears(self) -> bool:
        """Whether something is being played to the caller."""
        return self.quiet_for < 0

    @property
    def quiet_for(self) -> float:
        """Seconds since something was played to the caller; less than nothing while something is."""
        return self._clock.monotonic() - self._playing.ends

    @property
    def heard(self) -> bytes:
        """All that was played to the caller, as mu-law, silences included."""
        return bytes(self._playing.heard)

    async def until(self, condition: Callable[[Phone], bool], limit: float, what: str) -> None:
        """Wait for something; TimeoutError names it."""
        deadline = self._clock.monotonic() + limit
        while not condition(self):
            if self._clock.monotonic() > deadline:
                raise TimeoutError(f"{what} within {limit:g} s")
            await self._clock.sleep(0.01)

    async def silence(self, seconds: float, limit: float, what: str) -> None:
        """Wait until nothing was played for so long."""
        await self.until(lambda each: each.quiet_for > seconds, limit, what)

    # --- the line -----------------------------------------------------------------------------------------------------------

    async def talk(self) -> None:
        """Send a frame every 20 ms: what the caller says, or the line's noise."""
        due = self._clock.monotonic()
        while not self.closed.is_set():
            frame = self._said.popleft() if self._said else self._codec.encode(self._noise.frame())
            last = self.ended_at is None and not self._said
            await self._frame(frame)
            if last:
                self.ended_at = self._clock.monotonic()
                self.first_audio_at = None
            await self._marks()
            due += FRAME_SECONDS
            await self._clock.sleep(max(0.0, due - self._clock.monotonic()))

    async def _frame(self, frame: bytes) -> None:
        self._chunk += 1
        message = json.loads(media(self._stream, frame))
        told = {"track": "inbound", "chunk": str(self._chunk), "timestamp": str((self._chunk - 1) * 20)}
        message["media"].update(told)
        await self._send(message)

    async def _send(self, message: Mapping[str, Json]) -> None:
        self._sequence += 1
        try:
            await self._socket.send(
                json.dumps({**message, "sequenceNumber": str(self._sequence), "streamSid": self._stream})
            )
        except ConnectionClosed:
            self.closed.set()

    async def _marks(self) -> None:
        now = self._clock.monotonic()
        while self._playing.marks and self._playing.marks[0][0] <= now:
            await self._send({"event": "mark", "mark": {"name": self._playing.marks.popleft()[1]}})

    async def listen(self) -> None:
        """Take messages until the socket is closed."""
        try:
            async for text in self._socket:
                self._take(json.loads(text))
        finally:
            self.closed.set()

    def _take(self, message: Mapping[str, Mapping[str, str]]) -> None:
        now, playing = self._clock.monotonic(), self._playing
        match str(message["event"]):
            case "media":
                if self.first_audio_at is None:
                    self.first_audio_at = now
                audio = b64decode(message["media"]["payload"])
                begins = max(now, playing.ends)
                # The recording is as long as the call was, so the silences are part of it.
                playing.heard.extend(b"\xff" * (round((begins - self._opened) * 8000) - len(playing.heard)))
                playing.heard += audio
                playing.ends = begins + len(audio) / 8000
            case "mark":
                playing.marks.append((max(now, playing.ends), message["mark"]["name"]))
            case "clear":
                self.clears += 1
                left = max(0, round((playing.ends - now) * 8000))
                del playing.heard[len(playing.heard) - left :]
                playing.ends = now
                playing.marks = deque((now, name) for _, name in playing.marks)
            case _:
                return


@asynccontextmanager
async def stream_session(
    url: str, client: TwilioClient, clock: Clock, parameters: Mapping[str, str]
) -> AsyncGenerator[Phone, None]:
    """A media stream with the socket at `url`, for as long as the context lasts.

    Raises:
        OrchestratorError: The service does not let us in.
    """
    try:
        connection = await connect(url, additional_headers={"x-twilio-signature": client.account.sign(url, {})})
    except (WebSocketException, OSError) as error:
        raise OrchestratorError(f"the stream's socket cannot be opened: {error}") from error
    stream = f"MZ{secrets.token_hex(16)}"
    async with connection as socket:
        await socket.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        await socket.send(json.dumps(_start(stream, client, parameters)))
        phone = Phone(socket, clock, stream)
        tasks = [asyncio.create_task(phone.listen()), asyncio.create_task(phone.talk())]
        try:
            yield phone
        finally:
            await cancel(*tasks)


def _start(stream: str, client: TwilioClient, parameters: Mapping[str, str]) -> dict[str, object]:
    return {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": stream,
        "start": {
            "streamSid": stream,
            "accountSid": client.account.sid,
            "callSid": client.sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(parameters),
        },
    }
