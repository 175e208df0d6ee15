"""Recognizers: the embedded one on real speech, and the one over HTTP against a server that speaks the documented protocol."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from array import array
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from media_voices import said_at

from orchestrator_calls.transcriber import (
    CommandTranscriber,
    CommandTranscriberConfig,
    OpenAITranscriber,
    OpenAITranscriberConfig,
    UnknownWords,
)
from orchestrator_kernel.contracts import TranscriberContract
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_kernel.ports.audio import Transcriber, TranscriberUnavailable, TranscriptionFailed, Utterance

COMMANDS = (
    "what time is breakfast",
    "when is check out",
    "when is check in",
    "I want to book a table",
    "I want to book a room",
    "cancel my booking",
    "talk to a person",
    "yes",
    "no",
    "goodbye",
    "is there parking",
    "do you have wifi",
    "thank you",
)


class TestCommandTranscriber(TranscriberContract):
    async def make(self) -> Transcriber:
        return CommandTranscriber(CommandTranscriberConfig(phrases=COMMANDS))

    async def close(self, transcriber: Transcriber) -> None:
        assert isinstance(transcriber, CommandTranscriber)
        await transcriber.aclose()
        await transcriber.aclose()

    async def spoken(self, sample_rate: int) -> bytes:
        return await said_at("yes", sample_rate)


@asynccontextmanager
async def commands(**options: Any) -> AsyncGenerator[CommandTranscriber, None]:
    transcriber = CommandTranscriber(CommandTranscriberConfig(phrases=COMMANDS, **options))
    try:
        yield transcriber
    finally:
        await transcriber.aclose()


async def utterance(text: str, **options: Any) -> Utterance:
    return Utterance(pcm=await said_at(text, 16_000), sample_rate=16_000, language="en-US", **options)


async def test_spoken_commands_are_told_apart_and_what_is_none_is_nothing():
    async with commands() as transcriber:
        await transcriber.warm()
        heard = [(await transcriber.transcribe(await utterance(text))).text for text in COMMANDS]
        right = sum(a == b for a, b in zip(heard, COMMANDS, strict=True))
        assert right >= 12, heard
        for text in ("the weather in paris is lovely today", "my grandmother grows tomatoes"):
            assert (await transcriber.transcribe(await utterance(text))).text == ""
        silence = Utterance(pcm=bytes(32_000), sample_rate=16_000)
        assert (await transcriber.transcribe(silence)).text == ""
        assert (await transcriber.transcribe(Utterance(pcm=b"", sample_rate=16_000))).text == ""


async def test_it_leaves_the_loop_alone():
    async with commands() as transcriber:
        await transcriber.warm()
        spoken, began = await utterance("what time is breakfast"), time.process_time()
        await asyncio.gather(*(transcriber.transcribe(spoken) for _ in range(5)))
        spent = time.process_time() - began
        assert spent < 0.1, "recognizing is done in another process"


async def test_words_that_the_dictionary_does_not_know_are_named():
    async with commands() as transcriber:
        with pytest.raises(UnknownWords, match="does not know: frobnicate, xyzzy"):
            await transcriber.transcribe(await utterance("yes", phrases=("xyzzy the frobnicate", "yes")))
        assert (await transcriber.transcribe(await utterance("yes"))).text == "yes"


async def test_a_recognizer_that_dies_fails_its_utterance_and_is_replaced():
    async with commands() as transcriber:
        await transcriber.warm()
        [child] = transcriber._children
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(TranscriptionFailed, match="died"):
            await transcriber.transcribe(await utterance("yes"))
        assert (await transcriber.transcribe(await utterance("yes"))).text == "yes"


async def test_a_recognizer_that_hangs_is_given_up():
    async with commands(timeout=0.3) as transcriber:
        await transcriber.warm()
        [child] = transcriber._children
        os.kill(child.pid, signal.SIGSTOP)
        with pytest.raises(TranscriptionFailed, match="took too long"):
            await transcriber.transcribe(await utterance("yes"))
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)


async def test_what_cannot_be_taken_is_refused():
    async with commands(max_phrases=20) as transcriber:
        for pcm, rate, message in ((bytes(640_002), 16_000, "lasts 20.0 s"), (bytes(160), 8000, "takes 16000")):
            with pytest.raises(ValidationError, match=message):
                await transcriber.transcribe(Utterance(pcm=pcm, sample_rate=rate))
        words = [f"yes {'no ' * number}" for number in range(21)]
        with pytest.raises(ConfigurationError, match="21 phrases"):
            await transcriber.transcribe(Utterance(pcm=bytes(320), sample_rate=16_000, phrases=words))
    with pytest.raises(TranscriberUnavailable, match="closed"):
        await transcriber.transcribe(await utterance("yes"))
    with pytest.raises(ConfigurationError):
        CommandTranscriberConfig(processes=0)


# --- over HTTP ----------------------------------------------------------------------------------------------------------------

Answer = Callable[[dict[str, bytes]], tuple[int, bytes]]


class Server:
    """Speaks the protocol of `/v1/audio/transcriptions`: reads the form, and answers."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.forms: list[dict[str, bytes]] = []
        self.heads: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        body = b""
        if "content-length" in fields:
            body = await reader.readexactly(int(fields["content-length"]))
        else:
            while (size := int(await reader.readline(), 16)) > 0:
                body += await reader.readexactly(size)
                await reader.readline()
        form = self.form(body, fields["content-type"].partition("boundary=")[2].encode())
        self.forms.append(form)
        status, answer = self.answer(form)
        writer.write(
            f"HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n".encode()
        )
        writer.write(answer)
        await writer.drain()
        writer.close()

    @staticmethod
    def form(body: bytes, boundary: bytes) -> dict[str, bytes]:
        parts = {}
        for part in body.split(b"--" + boundary)[1:-1]:
            head, _, value = part.partition(b"\r\n\r\n")
            name = head.split(b'name="')[1].split(b'"')[0].decode()
            parts[name] = value[:-2]
        return parts


@asynccontextmanager
async def serving(answer: Answer, **options: Any) -> AsyncGenerator[tuple[Server, OpenAITranscriber], None]:
    server = Server(answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    config = HttpClientConfig(base_url=server.url, headers={"authorization": "Bearer key"}, read_timeout=2)
    async with listener, create_client(config) as client:
        yield server, OpenAITranscriber(client, OpenAITranscriberConfig(model="whisper-1", **options))


def text_of(text: object) -> Answer:
    return lambda _form: (200, json.dumps({"text": text}).encode())


class TestOpenAITranscriber(TranscriberContract):
    async def make(self) -> Transcriber:
        self._stack = serving(text_of("Yes."))
        _, transcriber = await self._stack.__aenter__()
        return transcriber

    async def close(self, transcriber: Transcriber) -> None:
        await self._stack.__aexit__(None, None, None)

    async def spoken(self, sample_rate: int) -> bytes:
        return await said_at("yes", sample_rate)


async def test_halves_of_characters_are_heard_as_something_that_can_be_told():
    answer = json.dumps({"text": "when is \ud800 breakfast", "language": "\ud800"}).encode()
    async with serving(lambda _form: (200, answer)) as (_, transcriber):
        heard = await transcriber.transcribe(await utterance("yes"))
    assert (heard.text, heard.language) == ("when is ? breakfast", "")


async def test_the_request_is_the_documented_one():
    async with serving(text_of(" When is breakfast? ")) as (server, transcriber):
        transcript = await transcriber.transcribe(await utterance("when is breakfast", phrases=("breakfast", "spa")))
        assert transcript.text == "When is breakfast?"
        [form] = server.forms
        assert "POST /v1/audio/transcriptions HTTP/1.1" in server.heads[0]
        assert "Bearer key" in server.heads[0]
        assert (form["model"], form["language"], form["response_format"]) == (b"whisper-1", b"en", b"json")
        assert form["prompt"] == b"breakfast, spa"
        assert form["file"][:4] == b"RIFF"
        assert len(form["file"]) == 44 + len(await said_at("when is breakfast", 16_000))
        assert array("h", form["file"][44:]).tobytes() == await said_at("when is breakfast", 16_000)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _form: (200, b"<html>"), "answer_not_json"),
        (lambda _form: (200, b"[]"), "answer_without_text"),
        (lambda _form: (200, b'{"text": 5}'), "answer_without_text"),
        (text_of("x" * 5000), "answer_without_text"),
        (lambda _form: (200, b" " * 300_000), "answer_too_long"),
        (lambda _form: (401, b'{"error": {"message": "key"}}'), None),
        (lambda _form: (500, b""), None),
    ],
)
async def test_nonsense_and_refusals_are_failures(answer: Answer, reason: str | None):
    async with serving(answer) as (_, transcriber):
        with pytest.raises(TranscriptionFailed) as failure:
            await transcriber.transcribe(await utterance("yes"))
        assert reason is None or failure.value.details["reason"] == reason


async def test_a_server_that_is_away_is_a_failure():
    async with create_client(HttpClientConfig(base_url="http://127.0.0.1:9", connect_timeout=1)) as client:
        transcriber = OpenAITranscriber(client, OpenAITranscriberConfig(model="m"))
        with pytest.raises(TranscriptionFailed):
            await transcriber.transcribe(await utterance("yes"))
    with pytest.raises(ConfigurationError):
        OpenAITranscriberConfig(model="")
