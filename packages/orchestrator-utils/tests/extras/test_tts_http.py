"""The voices behind HTTP, against a real server on loopback that speaks their protocols."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from orchestrator_kernel.contracts import SpeechContract
from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_kernel.ports import Speech, SpeechChunk, SpeechFailed, SpeechRequest
from orchestrator_utils.tts_client import (
    FailoverSpeech,
    OpenAISpeech,
    OpenAISpeechConfig,
    RouterSpeech,
    RouterSpeechConfig,
    SpeechLimits,
    SpeechRefused,
)

REQUEST = SpeechRequest(text="a secret sentence", language="en-US")
SECOND = bytes(range(256)) * 187 + bytes(128)
"""A second of audio at 24 kHz."""


def wav(pcm: bytes, rate: int = 24_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(pcm)
    return file.getvalue()


def routed(audio: bytes, **fields: object) -> bytes:
    return json.dumps({"audio_data": base64.b64encode(audio).decode(), **fields}).encode()


@dataclass
class SpeechServer:
    """Answers every request in the way that `answer` says; `stopped` counts answers that were cut off by the listener."""

    url: str = ""
    status: int = 200
    content_type: str = "audio/pcm"
    pieces: list[bytes | float] = field(default_factory=list)
    length: int | None = None
    ends: bool = True
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    stopped: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                lengths = [int(line.split(":")[1]) for line in head if line.lower().startswith("content-length:")]
                body = await reader.readexactly(lengths[0]) if lengths else b"{}"
                self.asked.append((head[0].rsplit(" ", 1)[0], json.loads(body)))
                if not await self.answer(reader, writer):
                    return
        except asyncio.IncompleteReadError:
            return
        except ConnectionError:
            self.stopped += 1
        finally:
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        framing = "transfer-encoding: chunked" if self.length is None else f"content-length: {self.length}"
        writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-type: {self.content_type}\r\n{framing}\r\n\r\n".encode())
        for piece in self.pieces:
            if isinstance(piece, float):
                # Silence, unless the listener hangs up.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(piece):
                        if not await reader.read(1):
                            raise ConnectionResetError
            else:
                writer.write(piece if self.length is not None else b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
        if self.ends and self.length is None:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return self.ends


@pytest.fixture
async def server() -> AsyncIterator[SpeechServer]:
    one = SpeechServer()
    listening = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield one
    listening.close()


@pytest.fixture
async def client(server: SpeechServer) -> AsyncIterator[httpx.AsyncClient]:
    config = HttpClientConfig(base_url=server.url, read_timeout=0.3, max_connections=2)
    async with create_client(config) as one:
        yield one


async def heard(voice: Speech, request: SpeechRequest = REQUEST) -> list[SpeechChunk]:
    async with aclosing(voice.synthesize(request)) as stream:
        return [chunk async for chunk in stream]


async def failure(voice: Speech, request: SpeechRequest = REQUEST) -> SpeechFailed:
    with pytest.raises(SpeechFailed) as caught:
        await heard(voice, request)
    assert "secret" not in repr(caught.value)
    return caught.value


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def openai(client: httpx.AsyncClient, **settings: Any) -> OpenAISpeech:
    return OpenAISpeech(client, OpenAISpeechConfig(model="tts-1", voice="alloy", **settings))


class TestOpenAIContract(SpeechContract):
    has_word_timings = False

    @pytest.fixture(autouse=True)
    def _voice(self, client: httpx.AsyncClient, server: SpeechServer) -> None:
        server.pieces = [SECOND[:5001], 0.002, SECOND[5001:], SECOND]
        self.voice = openai(client)

    def make(self) -> Speech:
        return self.voice


class TestOpenAI:
    async def test_asks_as_documented_and_passes_audio_on_as_it_comes(
        self, client: httpx.AsyncClient, server: SpeechServer
    ) -> None:
        server.pieces = [b"\1\2\3", 0.1, b"\4\5\6"]
        request = SpeechRequest(text="Grüße", language="de-AT", speed=1.5)
        chunks: list[bytes] = []
        async for chunk in openai(client, voices={"DE": "onyx"}).synthesize(request):
            assert chunk.sample_rate == 24_000
            chunks.append(chunk.pcm)
            assert server.asked == [
                (
                    "POST /v1/audio/speech",
                    {"model": "tts-1", "input": "Grüße", "voice": "onyx", "response_format": "pcm", "speed": 1.5},
                )
            ]
        assert chunks == [b"\1\2", b"\3\4\5\6"], "the first piece is heard before the second is made"

    @pytest.mark.parametrize(
        ("request_voice", "language", "voice"),
        [(None, "en-US", "alloy"), ("nova", "de", "nova"), (None, "fr-CA", "fr-ca's"), (None, "fr-FR", "fr's")],
    )
    async def test_the_voice_is_the_requests_or_the_languages_or_the_default(
        self, client: httpx.AsyncClient, server: SpeechServer, request_voice: str | None, language: str, voice: str
    ) -> None:
        server.pieces = [SECOND]
        speech = openai(client, voices={"fr": "fr's", "fr-CA": "fr-ca's"})
        await heard(speech, SpeechRequest(text="x", language=language, voice=request_voice))
        assert server.asked[0][1]["voice"] == voice

    async def test_the_content_type_may_state_another_rate(
        self, client: httpx.AsyncClient, server: SpeechServer
    ) -> None:
        server.pieces, server.content_type = [SECOND], "audio/pcm; rate=16000"
        assert {chunk.sample_rate for chunk in await heard(openai(client))} == {16_000}

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({"pieces": []}, "audio_empty"),
            ({"pieces": [], "length": 0}, "audio_empty"),
            ({"pieces": [SECOND, b"\1"]}, "audio_truncated"),
            ({"pieces": [SECOND], "length": 60_000, "ends": False}, "answer_broken"),
            ({"pieces": [SECOND], "ends": False}, "answer_broken"),
            ({"pieces": [SECOND, 5.0, SECOND]}, "read_timeout"),
            ({"pieces": [5.0, SECOND]}, "read_timeout"),
            ({"pieces": [SECOND, SECOND, SECOND, b"\1\2"]}, "audio_too_long"),
            ({"pieces": [b'{"error": "secret"}'], "content_type": "application/json"}, "answer_not_pcm"),
            ({"pieces": [b"<html>secret"], "content_type": "text/html; charset=utf-8"}, "answer_not_pcm"),
            ({"pieces": [SECOND], "content_type": "audio/mpeg"}, "answer_not_pcm"),
            ({"pieces": [SECOND], "content_type": "audio/L16; rate=24000"}, "answer_not_pcm"),
            ({"pieces": [wav(SECOND)], "content_type": "application/octet-stream"}, "answer_not_pcm"),
        ],
    )
    async def test_what_is_no_whole_answer_is_an_error(
        self, client: httpx.AsyncClient, server: SpeechServer, settings: dict[str, Any], reason: str
    ) -> None:
        for name, value in settings.items():
            setattr(server, name, value)
        error = await failure(openai(client, limits=SpeechLimits(max_audio_seconds=3)))
        assert error.details["reason"] == reason
        assert error.details["service"] == "speech endpoint"

    @pytest.mark.parametrize(
        ("status", "retryable"), [(400, False), (401, False), (429, True), (500, True), (503, True)]
    )
    async def test_a_refusal_is_an_error(
        self, client: httpx.AsyncClient, server: SpeechServer, *, status: int, retryable: bool
    ) -> None:
        server.status, server.pieces, server.content_type = status, [b'{"error": "secret"}'], "application/json"
        error = await failure(openai(client))
        assert (error.details["upstream_status"], error.retryable) == (status, retryable)
        assert len(server.asked) == 1, "a caller on the phone cannot wait for a second try"

    async def test_nothing_is_asked_for_a_sentence_that_cannot_be_spoken(
        self, client: httpx.AsyncClient, server: SpeechServer
    ) -> None:
        for request in (
            SpeechRequest(text=" ", language="en"),
            SpeechRequest(text="x" * 4097, language="en"),
            SpeechRequest(text="x", language="en", speed=2.5),
        ):
            with pytest.raises(SpeechRefused):
                await heard(openai(client), request)
        assert server.asked == []

    async def test_stopping_hangs_up(self, client: httpx.AsyncClient, server: SpeechServer) -> None:
        server.pieces = [SECOND, 30.0]
        voice = openai(client)
        for _ in range(5):
            async with aclosing(voice.synthesize(REQUEST)) as stream:
                await anext(stream)
        await eventually(lambda: server.stopped == 5)

    async def test_a_barge_in_in_every_sentence_costs_no_connection(
        self, client: httpx.AsyncClient, server: SpeechServer
    ) -> None:
        server.pieces = [SECOND, 0.02, SECOND]
        voice = openai(client)
        for step in range(60):
            task = asyncio.create_task(heard(voice))
            await asyncio.sleep(step * 0.0005)
            task.cancel()
            await asyncio.wait([task])
        results = await asyncio.gather(*(heard(voice) for _ in range(10)))
        assert all(sum(len(chunk.pcm) for chunk in chunks) == 96_000 for chunks in results)


class TestRouterContract(SpeechContract):
    has_word_timings = False

    @pytest.fixture(autouse=True)
    def _voice(self, client: httpx.AsyncClient, server: SpeechServer) -> None:
        server.pieces, server.content_type = [routed(wav(SECOND * 2), duration_ms=2000)], "application/json"
        self.voice = RouterSpeech(client)

    def make(self) -> Speech:
        return self.voice


class TestRouter:
    async def test_asks_as_documented(self, client: httpx.AsyncClient, server: SpeechServer) -> None:
        answer = routed(wav(SECOND), duration_ms=1000, engine_used="piper", voice_used="de-1", cached=True)
        server.pieces = [answer]
        config = RouterSpeechConfig(engine="piper", emotion="calm")
        request = SpeechRequest(text="Grüße", language="de-DE", voice="de-1", speed=0.5)
        chunks = await heard(RouterSpeech(client, config), request)
        assert [(chunk.pcm, chunk.sample_rate, chunk.words) for chunk in chunks] == [(SECOND, 24_000, ())]
        expected = {
            "text": "Grüße", "language": "de-DE", "voice_id": "de-1", "engine": "piper", "speed": 0.5,
            "emotion": "calm", "format": "wav", "sample_rate": 24_000,
        }  # fmt: skip
        assert server.asked == [("POST /synthesize", expected)]

    async def test_what_is_not_set_is_not_sent(self, client: httpx.AsyncClient, server: SpeechServer) -> None:
        server.pieces = [routed(SECOND)]
        await heard(RouterSpeech(client, RouterSpeechConfig(format="pcm")))
        assert set(server.asked[0][1]) == {"text", "language", "speed", "format", "sample_rate"}

    async def test_a_long_answer_is_decoded_as_well(self, client: httpx.AsyncClient, server: SpeechServer) -> None:
        server.pieces = [routed(wav(SECOND * 30), duration_ms=30_000)]
        assert sum(len(chunk.pcm) for chunk in await heard(RouterSpeech(client))) == 30 * 48_000

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({"pieces": [routed(b"", duration_ms=1000)]}, "audio_empty"),
            ({"pieces": [routed(wav(b""), duration_ms=1000)]}, "audio_empty"),
            ({"pieces": [routed(wav(SECOND), duration_ms=2000)]}, "audio_truncated"),
            ({"pieces": [routed(wav(SECOND)[:-100])]}, "answer_not_wav"),
            ({"pieces": [routed(wav(SECOND))[:-1000]]}, "answer_not_json"),
            ({"pieces": [routed(wav(SECOND))], "length": 10**9, "ends": False}, "answer_too_large"),
            ({"pieces": [b" " * 700_000]}, "answer_too_large"),
            ({"pieces": [routed(wav(SECOND))], "length": 70_000, "ends": False}, "answer_broken"),
            ({"pieces": [5.0]}, "read_timeout"),
            ({"pieces": [b" ", 0.2] * 5}, "deadline"),
            ({"pieces": [routed(wav(SECOND * 4))]}, "audio_too_long"),
            ({"pieces": [b"secret"], "status": 500}, "status"),
            ({"pieces": [b"secret"], "status": 404}, "status"),
        ],
    )
    async def test_what_is_no_whole_answer_is_an_error(
        self, client: httpx.AsyncClient, server: SpeechServer, settings: dict[str, Any], reason: str
    ) -> None:
        for name, value in settings.items():
            setattr(server, name, value)
        config = RouterSpeechConfig(limits=SpeechLimits(max_audio_seconds=3), time_limit=0.7)
        assert (await failure(RouterSpeech(client, config))).details["reason"] == reason

    async def test_a_router_that_is_not_there_is_an_error(self) -> None:
        async with create_client(HttpClientConfig(base_url="http://127.0.0.1:1")) as nowhere:
            assert (await failure(RouterSpeech(nowhere))).details["reason"] == "connect_failed"
            with pytest.raises(SpeechFailed):
                await RouterSpeech(nowhere).check()

    async def test_a_sick_router_is_not_healthy(self, client: httpx.AsyncClient, server: SpeechServer) -> None:
        server.pieces = [b'{"status": "ok"}']
        await RouterSpeech(client).check()
        server.status = 503
        with pytest.raises(SpeechFailed, match="503"):
            await RouterSpeech(client).check()
        assert [asked[0] for asked in server.asked] == ["GET /health", "GET /health"]


class TestFailoverOverHttp:
    async def test_a_router_that_is_down_slow_or_wrong_is_replaced_within_the_turn(
        self, client: httpx.AsyncClient, server: SpeechServer
    ) -> None:
        server.pieces = [SECOND]
        async with create_client(HttpClientConfig(base_url="http://127.0.0.1:1")) as nowhere:
            speech = FailoverSpeech([RouterSpeech(nowhere), openai(client)])
            assert sum(len(chunk.pcm) for chunk in await heard(speech)) == 48_000
        speech = FailoverSpeech([RouterSpeech(client), openai(client)])
        assert sum(len(chunk.pcm) for chunk in await heard(speech)) == 48_000

    async def test_an_answer_that_is_cut_off_while_it_is_heard_is_an_error(
        self, client: httpx.AsyncClient, server: SpeechServer
    ) -> None:
        server.pieces, server.ends = [SECOND], False
        chunks: list[bytes] = []

        async def listen() -> None:
            async for chunk in FailoverSpeech([openai(client), openai(client)]).synthesize(REQUEST):
                chunks.append(chunk.pcm)  # noqa: PERF401 - what came before the error counts

        with pytest.raises(SpeechFailed):
            await listen()
        assert b"".join(chunks) == SECOND
        assert len(server.asked) == 1
