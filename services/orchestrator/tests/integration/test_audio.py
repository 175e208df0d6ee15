"""Calls from real audio over Twilio's media streams: the embedded voice speaks, the embedded recognizer hears, all of it on a real server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import pytest_asyncio
from app_peers import Asked, hangs, head, provider
from app_support import SHORT, TENANT, Client, listening, settings
from app_twilio import ACCOUNT, CALLER, DESK, DIALED, OTHER, TOKENS, post, ring, signature
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from orchestrator_app.cli._recording import cut
from orchestrator_app.cli._relay import TwilioAccount, TwilioClient
from orchestrator_app.cli._stream import Phone, stream_session
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.ports import SpeechRequest, SystemClock
from orchestrator_performance.audio_optimizer import CallAudio, level, read_wav, resample
from orchestrator_performance.benchmarking import LatencyHistogram, idle_lag
from orchestrator_utils.tts_client import EmbeddedVoice, EmbeddedVoiceConfig

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

COMMANDS = ("when is breakfast", "talk to a person", "goodbye", "yes", "no", "thank you")


def answering(folder: Path, **hearing: Any) -> AppSettings:
    """The settings of a service that speaks and hears by itself on streams."""
    twilio = {
        "account_sid": ACCOUNT,
        "auth_token": TOKENS[ACCOUNT],
        "more_accounts": {OTHER: TOKENS[OTHER]},
        "tenant": TENANT,
    }
    tenants = {TENANT: {**SHORT[TENANT], "transfers": {"desk": DESK}, "line": "stream"}}
    return settings(
        folder,
        tenants=tenants,
        twilio=twilio,
        calls={"silence": 60},
        speech={"backends": ("embedded",)},
        hearing=hearing,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(module_data: Path) -> AsyncGenerator[Client, None]:
    async with listening(answering(module_data, backend="commands", commands=COMMANDS)) as client:
        yield client


_SPOKEN: dict[str, Sequence[bytes]] = {}


async def spoken(text: str) -> Sequence[bytes]:
    """Somebody says `text`, as frames of the telephone."""
    if text not in _SPOKEN:
        voice, pieces, rate = EmbeddedVoice(EmbeddedVoiceConfig(processes=1)), [], 0
        async for chunk in voice.synthesize(SpeechRequest(text=text, language="en-US")):
            pieces.append(chunk.pcm)
            rate = chunk.sample_rate
        await voice.aclose()
        [said] = cut(resample(b"".join(pieces), rate, 8000))
        _SPOKEN[text] = said.frames
    return _SPOKEN[text]


class Call:
    """A call of the tenant, and its phone."""

    def __init__(self, service: Client, twilio: TwilioClient, connect_verb: ET.Element) -> None:
        self.service = service
        self.twilio = twilio
        self.verb = connect_verb

    @property
    def sid(self) -> str:
        return self.twilio.sid

    @asynccontextmanager
    async def phone(self) -> AsyncGenerator[Phone, None]:
        stream = self.verb.find("Stream")
        assert stream is not None
        parameters = {str(each.get("name")): str(each.get("value")) for each in stream.iter("Parameter")}
        async with stream_session(str(stream.get("url")), self.twilio, SystemClock(), parameters) as phone:
            await phone.until(lambda each: each.first_audio_at is not None, 10, "the greeting")
            yield phone

    async def asks(self, phone: Phone, text: str, *, over: bool = False) -> float:
        """Speak when the desk is silent, or over its voice; milliseconds from the last word to the first audio."""
        if not over:
            await phone.silence(0.3, 20, "the desk's silence")
        phone.say(await spoken(text))
        await phone.until(lambda each: each.ended_at is not None, 10, "the end of the utterance")
        ended = phone.ended_at
        await phone.until(lambda each: each.first_audio_at is not None, 10, f"the answer to {text}")
        assert ended is not None
        assert phone.first_audio_at is not None
        return (phone.first_audio_at - ended) * 1000

    async def ended(self, **form: str) -> ET.Element:
        """Twilio asks the action URL."""
        answer = await post(self.service, str(self.verb.get("action")), self.sid, CallStatus="in-progress", **form)
        assert answer.status_code == 200, answer.text
        return ET.fromstring(answer.text)

    async def events(self, kind: str) -> list[dict[str, Any]]:
        from orchestrator_calls.runtime import CallRuntime

        events = await self.service.app.registry.get(CallRuntime).events(self.sid)
        return [dict(each.payload) for each in events if each.type.value == kind]


async def call_of(service: Client) -> Call:
    account = TwilioAccount(ACCOUNT, TOKENS[ACCOUNT])
    twilio = TwilioClient(service.http, service.url, account, CALLER, DIALED)
    root = await ring(service, twilio.sid)
    verb = root.find("Connect")
    assert verb is not None
    return Call(service, twilio, verb)


async def test_a_call_is_heard_decided_and_spoken_by_ourselves(service: Client) -> None:
    call = await call_of(service)
    async with call.phone() as phone:
        await call.asks(phone, "when is breakfast")
        await phone.until(lambda each: not each.hears, 20, "the end of the answer")
        await call.asks(phone, "goodbye")
        await phone.until(lambda each: each.closed.is_set(), 20, "the order to hang up")
    assert (await call.ended()).find("Hangup") is not None
    view = await service.until(call.sid, "ended")
    assert [(turn["kind"], turn["caller"]) for turn in view["turns"]] == [
        ("greeting", ""),
        ("speech", "when is breakfast"),
        ("speech", "goodbye"),
    ]
    assert "Breakfast is from 7 to 10." in view["turns"][1]["spoken"]
    assert view["turns"][1]["heard"].startswith("Breakfast is from 7 to 10.")
    [started] = await call.events("call_started")
    assert started["caller"] == CALLER
    assert started["dialed"] == DIALED
    # Recognition is a stage of a turn, as the answer and the voice are.
    stages = {
        each.labels["stage"]
        for each in service.app.registry.get(Metrics).counted.read()
        if each.name == "orchestrator_turn_stage_seconds_count" and each.value
    }
    assert stages == {"recognition", "answer", "voice"}


async def test_a_recognizer_elsewhere_is_sent_all_of_what_was_said(data: Path) -> None:
    """It is asked at the end of an utterance alone, where there is no pause before that it could be asked in."""
    text = "when is breakfast"

    async def told(_: Asked, writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"text": text}).encode()
        writer.write(head(200, "application/json", len(body)) + body)

    async with provider(lambda _: told) as elsewhere:
        hearing = {"backend": "openai", "openai_url": elsewhere.url, "openai_key": "key"}
        async with listening(answering(data, **hearing)) as service:
            call = await call_of(service)
            async with call.phone() as phone:
                await call.asks(phone, text)
                await phone.until(lambda each: not each.hears, 20, "the end of the answer")
            view = await service.view(call.sid)
    assert view["turns"][1]["caller"] == text
    [asked] = elsewhere.asked
    assert asked.path == "/v1/audio/transcriptions"
    sent = read_wav(asked.body[asked.body.index(b"RIFF") :].rpartition(b"\r\n--")[0])
    frames = await spoken(text)
    seconds = len(sent.pcm) / 2 / sent.sample_rate
    # A quarter of a second before it, and half a second of silence after it.
    assert len(frames) * 0.02 - 0.1 < seconds < len(frames) * 0.02 + 1.0
    assert level(sent.pcm) > level(CallAudio().codec("PCMU").decode(b"".join(frames))) - 6


@pytest.mark.parametrize("kind", ["hangs", "fails", "says nothing"])
async def test_a_recognizer_that_does_not_answer_leaves_nobody_in_silence(data: Path, kind: str) -> None:
    async def silent(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, "application/json", 11) + b'{"text":""}')

    async def failing(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head(500, "text/plain", 0))

    answer = {"hangs": hangs, "fails": failing, "says nothing": silent}[kind]
    async with provider(lambda _: answer) as elsewhere:
        hearing = {"backend": "openai", "openai_url": elsewhere.url, "openai_key": "key"}
        async with listening(answering(data, **hearing)) as service:
            call = await call_of(service)
            async with call.phone() as phone:
                assert await call.asks(phone, "when is breakfast") < 3_000
                await phone.until(lambda each: not each.hears, 20, "the end of the answer")
            view = await service.view(call.sid)
            told = [each["code"] for each in await call.events("error")]
    assert (view["turns"][1]["caller"], view["state"]) == ("", "active")
    assert view["turns"][1]["spoken"], "the caller is asked again"
    assert (len(told) == 1) == (kind != "says nothing")


async def test_a_voice_over_ours_stops_it(service: Client) -> None:
    call = await call_of(service)
    async with call.phone() as phone:
        await call.asks(phone, "when is breakfast")
        await asyncio.sleep(0.6)
        assert phone.hears
        phone.say(await spoken("goodbye"))
        await phone.until(lambda each: each.clears == 1, 2, "the order to fall silent")
        await phone.until(lambda each: each.closed.is_set(), 20, "the order to hang up")
    await call.ended()
    view = await service.until(call.sid, "ended")
    assert view["turns"][1]["interrupted"]
    assert len(view["turns"][1]["heard"]) < len(" ".join(view["turns"][1]["spoken"]))


async def test_words_that_are_on_no_list_are_asked_for_again(service: Client) -> None:
    call = await call_of(service)
    async with call.phone() as phone:
        await call.asks(phone, "my grandmother grows tomatoes")
        await phone.until(lambda each: not each.hears, 20, "the end of the answer")
    view = await service.view(call.sid)
    assert view["turns"][1]["caller"] == ""
    assert view["turns"][1]["spoken"]
    assert view["state"] == "active"


async def test_a_person_is_dialled_where_the_stream_ends(service: Client) -> None:
    call = await call_of(service)
    async with call.phone() as phone:
        await call.asks(phone, "talk to a person")
        await phone.until(lambda each: each.closed.is_set(), 20, "the order to transfer")
    dial = (await call.ended()).find("Dial")
    assert dial is not None
    number = dial.find("Number")
    assert number is not None
    assert number.text == DESK
    back = await post(service, str(dial.get("action")), call.sid, CallStatus="in-progress", DialCallStatus="no-answer")
    verb = ET.fromstring(back.text).find("Connect")
    assert verb is not None
    assert verb.find("Stream") is not None, "the caller comes back to us"


async def test_a_stream_that_breaks_is_connected_again_and_given_up_at_last(service: Client) -> None:
    call = await call_of(service)
    async with call.phone():
        pass
    for attempt in range(2, 6):
        verb = (await call.ended()).find("Connect")
        assert verb is not None
        assert f"attempt={attempt}" in str(verb.get("action"))
        call.verb = verb
    async with call.phone() as phone:
        await call.asks(phone, "when is breakfast")
    assert (await call.ended()).find("Hangup") is not None
    assert (await service.until(call.sid, "ended"))["end_reason"] == "stream lost"


@asynccontextmanager
async def raw(service: Client, *, account: str = ACCOUNT) -> AsyncGenerator[Any, None]:
    url = f"{service.url.replace('http', 'ws', 1)}/v1/twilio/stream"
    headers = {"x-twilio-signature": signature(url, {}, TOKENS[account])}
    async with connect(url, additional_headers=headers, proxy=None) as socket:
        yield socket


def start(call: str, **change: Any) -> str:
    members = {
        "accountSid": ACCOUNT,
        "callSid": call,
        "streamSid": "MZ" + call[2:],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"called": DIALED, "caller": CALLER},
        **change,
    }
    return json.dumps({"event": "start", "streamSid": members["streamSid"], "start": members})


async def close_of(socket: Any) -> tuple[int, str]:
    async with asyncio.timeout(15):
        await socket.wait_closed()
    return socket.close_code, socket.close_reason


async def test_broken_audio_is_told_once_and_the_call_goes_on(service: Client) -> None:
    call = await call_of(service)
    async with raw(service) as socket:
        await socket.send(start(call.sid))
        for broken in ("{", '{"event": "media", "media": {"chunk": "7", "payload": "???"}}', '{"event": "dtmf"}'):
            await socket.send(broken)
        await socket.send(json.dumps({"event": "dtmf", "dtmf": {"digit": "5"}}))
        async with asyncio.timeout(10):
            while not await call.events("dtmf"):
                await asyncio.sleep(0.02)
        assert await call.events("dtmf") == [{"digit": "5"}]
        [error] = await call.events("error")
        assert error["message"] == f"stream MZ{call.sid[2:]}: a message that is no JSON"
        assert (await service.view(call.sid))["state"] == "active"
        for _ in range(100):
            await socket.send("{")
        code, reason = await close_of(socket)
        assert code == 1008
        assert "100 broken messages" in reason


async def test_who_may_open_a_stream(service: Client) -> None:
    url = f"{service.url.replace('http', 'ws', 1)}/v1/twilio/stream"
    for headers in ({}, {"x-twilio-signature": signature(url, {}, "another token")}):
        with pytest.raises(InvalidStatus) as refusal:
            async with connect(url, additional_headers=headers, proxy=None):
                pass
        assert refusal.value.response.status_code == 401
    call = await call_of(service)
    for account, first, code in (
        (OTHER, start(call.sid), 4403),
        (ACCOUNT, start(call.sid, mediaFormat={"encoding": "audio/x-mulaw", "sampleRate": 16000, "channels": 1}), 1008),
        (ACCOUNT, json.dumps({"event": "stop"}), 1008),
    ):
        async with raw(service, account=account) as socket:
            await socket.send(first)
            assert (await close_of(socket))[0] == code
    await post(service, "status", call.sid, CallStatus="completed")
    async with raw(service) as socket:
        await socket.send(start(call.sid))
        assert (await close_of(socket))[0] == 1000


async def test_the_first_audio_comes_within_800_ms_of_the_last_word(
    service: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    waited: list[float] = []
    idle = await idle_lag(2.0, SystemClock())
    for _ in range(3):
        call = await call_of(service)
        async with call.phone() as phone:
            for number in range(4):
                # After the first one, the caller speaks over the answer.
                waited.append(await call.asks(phone, "when is breakfast", over=number > 0))
                await asyncio.sleep(0.8)
            assert phone.clears == 3
        await post(service, "status", call.sid, CallStatus="completed")
    waits = LatencyHistogram.of([each / 1000 for each in waited])
    median, p95 = (waits.percentile(percent) * 1000 for percent in (50, 95))
    with capsys.disabled():
        sys.stdout.write(
            f"\nend of speech to first audio byte, {len(waited)} utterances: median {median:.0f} ms,"
            f" p95 {p95:.0f} ms, most {max(waited):.0f} ms; idle lag of the loop p99 {idle.percentile(99) * 1000:.0f} ms\n"
        )
    assert p95 <= 800
    scraped = (await service.get("/metrics")).text
    [told] = [line for line in scraped.splitlines() if line.startswith("orchestrator_audio_answer_seconds_count")]
    assert float(told.split()[-1]) >= len(waited)


async def test_operators_see_what_the_streams_keep(service: Client) -> None:
    call = await call_of(service)
    async with call.phone() as phone:
        phone.say(await spoken("when is breakfast"))
        await phone.until(lambda each: each.ended_at is not None, 10, "the end of the utterance")
        told = (await service.get("/performance/audio-optimizer")).json()
        assert told["streams"] == 1
        assert told["waiting_frames_by_size"][0] > 10
        assert 0 < told["waiting_bytes"] <= told["most_waiting_bytes"] <= told["limit_bytes"]
        assert (told["status"], told["recognizer"], told["exact_ulaw"]) == ("healthy", "commands", True)
        scraped = (await service.get("/metrics")).text
        assert "orchestrator_audio_streams 1.0" in scraped
    async with asyncio.timeout(5):
        while (told := (await service.get("/performance/audio-optimizer")).json())["streams"]:
            await asyncio.sleep(0.02)
    assert told["waiting_bytes"] == 0
    assert told["frames_put"] == told["frames_taken"] + told["frames_dropped"]
