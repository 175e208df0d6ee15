"""The voice behind ElevenLabs' streaming endpoint, against a real server on loopback that speaks its protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from orchestrator_kernel.contracts import SpeechContract
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_kernel.ports import Speech, SpeechChunk, SpeechFailed, SpeechRequest, WordTiming
from orchestrator_utils.pronunciation import PronouncedSpeech, Pronunciations
from orchestrator_utils.tts_client import (
    ElevenLabsSpeech,
    ElevenLabsSpeechConfig,
    FailoverSpeech,
    SpeechLimits,
    SpeechRefused,
)

RATE = 24_000
REQUEST = SpeechRequest(text="a secret sentence", language="en-US")


def line(text: str, start: float, each: float = 0.05, *, audio: bytes | None = None) -> bytes:
    """A line of the answer: the audio of some characters, and when each is heard."""
    pcm = bytes(round(len(text) * each * RATE) * 2) if audio is None else audio
    starts = [round(start + each * at, 3) for at in range(len(text))]
    alignment = {
        "characters": list(text),
        "character_start_times_seconds": starts,
        "character_end_times_seconds": [round(begin + each, 3) for begin in starts],
    }
    body = {"audio_base64": base64.b64encode(pcm).decode(), "alignment": alignment, "normalized_alignment": alignment}
    return json.dumps(body).encode() + b"\n"


def said(text: str) -> list[bytes]:
    """The lines of an answer that speaks `text` in pieces of seven characters."""
    return [line(text[at : at + 7], at * 0.05) for at in range(0, len(text), 7)]


@dataclass
class Server:
    """Speaks what it is asked to, or answers in the way that `pieces` says; `stopped` counts answers that the listener cut off."""

    url: str = ""
    status: int = 200
    pieces: list[bytes | float] | None = None
    ends: bool = True
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    stopped: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in head[1:])}
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                self.asked.append((head[0].rsplit(" ", 1)[0], headers, body))
                writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-type: application/json\r\n".encode())
                writer.write(b"transfer-encoding: chunked\r\n\r\n")
                for piece in said(body["text"]) if self.pieces is None else self.pieces:
                    await self._write(piece, reader, writer)
                if not self.ends:
                    return
                writer.write(b"0\r\n\r\n")
                await writer.drain()
        except asyncio.IncompleteReadError:
            return
        except ConnectionError:
            self.stopped += 1
        finally:
            writer.close()

    async def _write(self, piece: bytes | float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(piece, bytes):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            return
        # Silence, unless the listener hangs up.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(piece):
                if not await reader.read(1):
                    raise ConnectionResetError


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    one = Server()
    listening = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield one
    listening.close()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    config = HttpClientConfig(base_url=server.url, read_timeout=0.3, headers={"xi-api-key": "key"}, max_connections=2)
    async with create_client(config) as one:
        yield one


def voice(client: httpx.AsyncClient, **settings: Any) -> ElevenLabsSpeech:
    return ElevenLabsSpeech(client, ElevenLabsSpeechConfig(voice="v1", **settings))


async def heard(speech: Speech, request: SpeechRequest = REQUEST) -> list[SpeechChunk]:
    async with aclosing(speech.synthesize(request)) as stream:
        return [chunk async for chunk in stream]


async def failure(speech: Speech) -> SpeechFailed:
    with pytest.raises(SpeechFailed) as caught:
        await heard(speech)
    assert "secret" not in repr(caught.value)
    return caught.value


class TestContract(SpeechContract):
    @pytest.fixture(autouse=True)
    def _voice(self, client: httpx.AsyncClient) -> None:
        self.voice = voice(client)

    def make(self) -> Speech:
        return self.voice


class TestContractWithPronunciations(SpeechContract):
    @pytest.fixture(autouse=True)
    def _voice(self, client: httpx.AsyncClient) -> None:
        self.voice = PronouncedSpeech(voice(client), Pronunciations({"quick brown": "kwik  brawn", "dog": "d o g"}))

    def make(self) -> Speech:
        return self.voice


async def test_asks_as_documented(client: httpx.AsyncClient, server: Server) -> None:
    request = SpeechRequest(text="Grüße aus Wien", language="de-AT", speed=1.1)
    await heard(voice(client, voices={"DE": "v/2?x"}, stability=0.4), request)
    [(line_, headers, body)] = server.asked
    assert line_ == "POST /v1/text-to-speech/v%2F2%3Fx/stream/with-timestamps?output_format=pcm_24000"
    assert headers["xi-api-key"] == "key"
    assert body == {
        "text": "Grüße aus Wien",
        "model_id": "eleven_flash_v2_5",
        "language_code": "de",
        "voice_settings": {"speed": 1.1, "stability": 0.4},
    }


async def test_a_model_that_cannot_be_told_the_language_is_not_told(client: httpx.AsyncClient, server: Server) -> None:
    await heard(voice(client, enforce_language=False, model="eleven_multilingual_v2", sample_rate=8000))
    [(line_, _, body)] = server.asked
    assert line_.endswith("output_format=pcm_8000")
    assert "language_code" not in body


async def test_audio_and_words_come_as_they_are_made(client: httpx.AsyncClient, server: Server) -> None:
    server.pieces = [line("Good e", 0.0), 0.1, line("vening", 0.3)]
    chunks: list[SpeechChunk] = []
    async for chunk in voice(client).synthesize(SpeechRequest(text="Good evening", language="en")):
        chunks.append(chunk)  # noqa: PERF401 - each is looked at when it comes
    assert [chunk.words for chunk in chunks] == [(WordTiming("Good", 0, 200),), (), (WordTiming("evening", 250, 600),)]
    assert [len(chunk.pcm) for chunk in chunks] == [14_400, 14_400, 0]


async def test_times_that_begin_anew_with_each_piece_are_understood(client: httpx.AsyncClient, server: Server) -> None:
    server.pieces = [line("Good e", 0.0, 0.1), line("vening", 0.0, 0.1)]
    chunks = await heard(voice(client), SpeechRequest(text="Good evening", language="en"))
    assert [word for chunk in chunks for word in chunk.words] == [
        WordTiming("Good", 0, 400),
        WordTiming("evening", 500, 1200),
    ]


async def test_without_alignment_there_is_speech_without_words(client: httpx.AsyncClient, server: Server) -> None:
    server.pieces = [json.dumps({"audio_base64": base64.b64encode(bytes(480)).decode(), "alignment": None}).encode()]
    assert await heard(voice(client)) == [SpeechChunk(bytes(480), RATE)]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"pieces": []}, "audio_empty"),
        ({"pieces": [line("", 0.0, audio=b"")]}, "audio_empty"),
        ({"pieces": [line("a", 0.0, audio=b"\1\2\3")]}, "audio_truncated"),
        ({"pieces": [line("a", 0.0)], "ends": False}, "answer_broken"),
        ({"pieces": [line("a", 0.0)[:40]]}, "answer_not_json"),
        ({"pieces": [line("a", 0.0), 5.0]}, "read_timeout"),
        ({"pieces": [5.0]}, "read_timeout"),
        ({"pieces": [line("a" * 80, 0.0)]}, "audio_too_long"),
        ({"pieces": [b'{"detail": {"message": "secret"}}\n']}, "answer_malformed"),
        ({"pieces": [b'{"audio_base64": "?secret?"}\n']}, "answer_not_base64"),
        ({"pieces": [b'{"audio_base64": "AAAA", "alignment": {"characters": ["secret"]}}\n']}, "answer_malformed"),
        ({"pieces": [b"<html>secret</html>\n"]}, "answer_not_json"),
        ({"pieces": [line("a", 0.0, audio=b"ID3\x04secret")]}, "answer_not_pcm"),
    ],
)
async def test_what_is_no_whole_answer_is_an_error(
    client: httpx.AsyncClient, server: Server, settings: dict[str, Any], reason: str
) -> None:
    for name, value in settings.items():
        setattr(server, name, value)
    error = await failure(voice(client, limits=SpeechLimits(max_audio_seconds=3)))
    assert error.details["reason"] == reason
    assert error.details["service"] == "ElevenLabs endpoint"


@pytest.mark.parametrize(("status", "retryable"), [(401, False), (422, False), (429, True), (500, True)])
async def test_a_refusal_is_an_error(
    client: httpx.AsyncClient, server: Server, *, status: int, retryable: bool
) -> None:
    server.status, server.pieces = status, [b'{"detail": "secret"}']
    error = await failure(voice(client))
    assert (error.details["upstream_status"], error.retryable) == (status, retryable)
    assert len(server.asked) == 1


async def test_nothing_is_asked_for_what_cannot_be_spoken(client: httpx.AsyncClient, server: Server) -> None:
    for request in (SpeechRequest(text=" ", language="en"), SpeechRequest(text="x", language="en", speed=1.5)):
        with pytest.raises(SpeechRefused):
            await heard(voice(client), request)
    assert server.asked == []


@pytest.mark.parametrize("settings", [{"sample_rate": 11_025}, {"path": "/v1/text-to-speech"}])
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ElevenLabsSpeechConfig(voice="v1", **settings)


async def test_stopping_hangs_up(client: httpx.AsyncClient, server: Server) -> None:
    server.pieces = [line("Good evening", 0.0), 30.0]
    for _ in range(3):
        async with aclosing(voice(client).synthesize(REQUEST)) as stream:
            await anext(stream)
    async with asyncio.timeout(5):
        while server.stopped < 3:
            await asyncio.sleep(0.005)


async def test_when_it_fails_the_next_voice_speaks(client: httpx.AsyncClient, server: Server) -> None:
    server.pieces = [b'{"detail": "quota"}\n']

    class Beep:
        async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
            yield SpeechChunk(b"\0\x20" * len(request.text), 8000)

    assert await heard(FailoverSpeech([voice(client), Beep()])) == [SpeechChunk(b"\0\x20" * 17, 8000)]
