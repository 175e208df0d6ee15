"""Our own voice on a Twilio stream: what Twilio gets, and what it tells of what was heard. On virtual time, with the real audio path."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from calls_support import CALL, Metronome, Stage, virtual, working

from orchestrator_calls.events import EventType
from orchestrator_calls.legs.media_line import MediaLine
from orchestrator_calls.legs.media_session import MediaSession
from orchestrator_calls.playback import MediaClosed
from orchestrator_kernel.ports import Speech, SpeechChunk, SpeechRequest
from orchestrator_kernel.virtual_time import LoopClock
from orchestrator_performance.audio_optimizer import G711, CallAudio, level

STREAM = "MZ" + "1" * 32
sleep = asyncio.sleep


class Voice(Metronome):
    """As the Metronome, at a voice's own rate, and audible."""

    rate = 22_050

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        async for chunk in super().synthesize(request):
            wave = b"\x00\x10" * 10 + b"\x00\xf0" * 10
            yield SpeechChunk((wave * (len(chunk.pcm) // 40 + 1))[: len(chunk.pcm)], self.rate, chunk.words)


class Twilio:
    """Twilio's end: plays what it gets in real time, tells the marks, drops what it is told to."""

    def __init__(self, *, tells: bool = True, delay: float = 0.03) -> None:
        self.tells = tells
        self.delay = delay
        self.line: MediaLine | None = None
        self.messages: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self._ends = 0.0
        self._waiting: list[tuple[float, str]] = []

    async def send(self, text: str) -> None:
        if self.closed:
            raise MediaClosed
        message, now = json.loads(text), asyncio.get_running_loop().time()
        self.messages.append(message)
        assert message["streamSid"] == STREAM
        if message["event"] == "media":
            self._ends = max(self._ends, now + self.delay) + len(b64decode(message["media"]["payload"])) / 8000
        elif message["event"] == "mark":
            self._waiting.append((self._ends, message["mark"]["name"]))
        else:
            # All marks come back at once.
            self._ends = now
            self._waiting = [(now, name) for _, name in self._waiting]

    async def close(self, code: int, reason: str) -> None:
        self.closed = code, reason

    async def run(self) -> None:
        while True:
            now = asyncio.get_running_loop().time()
            due = [each for each in self._waiting if each[0] + self.delay <= now]
            self._waiting = [each for each in self._waiting if each not in due]
            for _, name in due:
                if self.tells and self.line is not None:
                    self.line.marked(name)
            await sleep(0.01)

    @property
    def audio(self) -> bytes:
        return b"".join(b64decode(each["media"]["payload"]) for each in self.messages if each["event"] == "media")

    def count(self, event: str) -> int:
        return sum(each["event"] == event for each in self.messages)


@asynccontextmanager
async def on_stream(twilio: Twilio, voice: Speech | None = None, **options: Any) -> AsyncGenerator[Stage, None]:
    async with working(voice=voice or Voice(), **options) as stage:
        line = twilio.line = MediaLine(STREAM, twilio.send, twilio.close, CallAudio(), LoopClock())
        await stage.tell("call_started", sequence=1, reply_channel="media")
        playing = asyncio.create_task(twilio.run())
        async with stage.runtime.media(CALL, line) as player:
            line.attach(player)
            try:
                yield stage
            finally:
                playing.cancel()


@virtual
async def test_a_sentence_is_heard_as_mu_law_of_8_khz_and_finished_by_its_mark():
    twilio = Twilio()
    async with on_stream(twilio) as stage:
        await sleep(3)
        turn = next(iter((await stage.call()).turns.values()))
        assert [sentence.state.value for sentence in turn.sentences] == ["finished"]
        # Six words of 200 ms.
        assert len(twilio.audio) == pytest.approx(1.2 * 8000, abs=170)
        assert level(G711("PCMU").decode(twilio.audio)) > -24
        assert twilio.count("mark") == 3, "two in the sentence, one at its end"


@virtual
async def test_speech_stops_at_once_and_only_what_was_played_counts_as_heard():
    twilio = Twilio()
    async with on_stream(twilio) as stage:
        await stage.tell("transcription", sequence=2, text="tell me")
        await sleep(3.5)
        sent = len(twilio.audio)
        await stage.tell("transcription", sequence=3, text="another long question of mine")
        await sleep(1.0)
        await stage.tell("speech_started", sequence=4)
        before = twilio.count("media")
        await sleep(0.5)
        assert len(twilio.audio) > sent
        assert twilio.count("clear") == 1
        assert twilio.count("media") == before, "not a frame after it"
        turns = list((await stage.call()).turns.values())
        assert turns[-1].interrupted
        heard = turns[-1].sentences[0].heard
        assert heard is not None
        assert heard.split() == turns[-1].sentences[0].text.split()[: len(heard.split())]
        assert 3 <= len(heard.split()) <= 5, heard


@virtual
async def test_without_marks_our_clock_tells():
    twilio = Twilio(tells=False)
    async with on_stream(twilio) as stage:
        await sleep(4)
        turn = next(iter((await stage.call()).turns.values()))
        assert [sentence.state.value for sentence in turn.sentences] == ["finished"]


@virtual
async def test_an_order_to_hang_up_ends_the_stream_after_the_last_word():
    twilio = Twilio()
    async with on_stream(twilio) as stage:
        await sleep(2)
        await stage.tell("transcription", sequence=2, text="goodbye")
        await sleep(3)
        assert twilio.closed == (1000, "the call is to be hung up")
        assert "command_sent" in await stage.kept()


@virtual
async def test_a_restart_asks_to_connect_again():
    twilio = Twilio()
    async with on_stream(twilio) as stage:
        await sleep(0.3)
        await stage.runtime.stop()
        assert twilio.closed == (1012, "connect again")


@virtual
async def test_a_voice_of_a_rate_that_nobody_can_change_fails_its_sentence_and_not_the_call():
    class Odd(Voice):
        rate = 12_345

    twilio = Twilio()
    async with on_stream(twilio, Odd()) as stage:
        await sleep(2)
        turn = next(iter((await stage.call()).turns.values()))
        assert [sentence.state.value for sentence in turn.sentences] == ["cleared"]
        assert [each.payload.get("reason") for each in await stage.journal.read(CALL)][-1] == "speech_failed"
        assert twilio.closed is None
        assert (await stage.call()).state.value == "active"


@virtual
async def test_events_of_a_stream_are_counted_and_sent_again_while_there_is_no_room():
    async with working() as stage:
        session = MediaSession("stream:MZ1", CALL, "t1", stage.runtime.submit, LoopClock())
        stage.journal.away = True
        telling = asyncio.create_task(session.tell(EventType.CALL_STARTED, reply_channel="media"))
        await sleep(0.5)
        stage.journal.away = False
        await telling
        await asyncio.gather(*(session.tell(EventType.DTMF, digit=digit) for digit in "12"))
        events = [each for each in await stage.journal.read(CALL) if each.source == "stream:MZ1"]
        assert [each.sequence for each in events] == [1, 2, 3]
        assert session.count == 3
