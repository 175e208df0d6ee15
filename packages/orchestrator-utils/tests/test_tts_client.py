"""The speech client as a whole: what importing it costs, its examples, and fail-over between voices."""

from __future__ import annotations

import asyncio
import doctest
import logging
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from orchestrator_kernel import virtual_time
from orchestrator_kernel.contracts import SpeechContract
from orchestrator_kernel.exceptions import CircuitBreakerOpenError, ConfigurationError
from orchestrator_kernel.ports import (
    Speech,
    SpeechChunk,
    SpeechFailed,
    SpeechRequest,
    SpeechUnavailable,
    WordTiming,
)
from orchestrator_utils import tts_client
from orchestrator_utils.tts_client import EmbeddedVoice, FailoverSpeech, SpeechOutcome, SpeechRefused

REQUEST = SpeechRequest(text="a secret sentence", language="en-US", voice="first's own")
RATE = 8000
TONE = b"\0\x20" * (RATE // 2)
QUIET = b"\x31\0\xcf\xff" * (RATE // 4)
"""Half a second of noise that nobody hears: 49 and -49 of 32768."""


class ScriptedVoice:
    """Speaks by a script: seconds to wait, pieces of audio, an error to raise."""

    def __init__(self, *script: float | bytes | SpeechChunk | Exception) -> None:
        self.script = script
        self.asked: list[SpeechRequest] = []
        self.open = 0

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        self.asked.append(request)
        self.open += 1
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step if isinstance(step, SpeechChunk) else SpeechChunk(step, RATE)
        finally:
            self.open -= 1


async def heard(speech: FailoverSpeech, request: SpeechRequest) -> None:
    async for _ in speech.synthesize(request):
        pass


async def spoken(speech: Speech) -> list[SpeechChunk]:
    async with aclosing(speech.synthesize(REQUEST)) as stream:
        return [chunk async for chunk in stream]


class TestContract(SpeechContract):
    def make(self) -> Speech:
        words = tuple(
            WordTiming(word, index * 100, index * 100 + 100) for index, word in enumerate(self.request().text.split())
        )
        talking = ScriptedVoice(SpeechChunk(TONE, RATE, words), 0.001, TONE)
        return FailoverSpeech([ScriptedVoice(SpeechFailed("down")), talking])


class TestFailover:
    @pytest.mark.parametrize(
        "script",
        [
            (SpeechFailed("down"),),
            (SpeechUnavailable("install it"),),
            (CircuitBreakerOpenError("open"),),
            (RuntimeError("a bug"),),
            (TimeoutError("its own"),),
            (),
            (b"",),
            (SpeechChunk(b"", RATE, (WordTiming("a", 0, 1),)),),
            (SpeechChunk(b"", RATE, (WordTiming("a", 0, 1),)), SpeechFailed("down")),
            (2.1, b"late"),
            (b"", 2.1, b"late"),
        ],
    )
    def test_the_next_voice_speaks_when_one_fails_before_its_audio(
        self, script: tuple[float | bytes | SpeechChunk | Exception, ...]
    ) -> None:
        first, second = ScriptedVoice(*script), ScriptedVoice(b"ab", b"cd")
        chunks = virtual_time.run(spoken(FailoverSpeech([first, second])))
        assert [chunk.pcm for chunk in chunks] == [b"ab", b"cd"]
        assert (first.open, second.open) == (0, 0)

    @pytest.mark.parametrize(
        "script",
        [
            (bytes(2 * RATE), TONE),
            (QUIET, QUIET, TONE),
            (QUIET,),
            (bytes(2),),
            (b"", QUIET, b"", bytes(RATE), TONE),
            (bytes(RATE), 2.1, TONE),
        ],
    )
    def test_a_voice_that_sends_silence_is_replaced(self, script: tuple[float | bytes, ...]) -> None:
        first, second, outcomes = ScriptedVoice(*script), ScriptedVoice(TONE), list[SpeechOutcome]()
        speech = FailoverSpeech([first, second], names=["first", "second"], observe=outcomes.append)
        assert [chunk.pcm for chunk in virtual_time.run(spoken(speech))] == [TONE]
        assert [outcome.result for outcome in outcomes] == ["failed", "spoken"]
        assert outcomes[0].code == ("speech_late" if 2.1 in script else "answer_silent")
        assert outcomes[0].first_audio is None

    @pytest.mark.parametrize("sample", [50, -50, 32767, -32768])
    def test_a_breath_before_the_sentence_is_no_silence(self, sample: int) -> None:
        audible = sample.to_bytes(2, "little", signed=True)
        voice, other = ScriptedVoice(bytes(RATE), QUIET[2:], audible, bytes(4 * RATE)), ScriptedVoice(TONE)
        chunks = virtual_time.run(spoken(FailoverSpeech([voice, other])))
        assert b"".join(chunk.pcm for chunk in chunks) == bytes(RATE) + QUIET[2:] + audible + bytes(4 * RATE)
        assert other.asked == []

    def test_a_voice_that_answers_in_time_is_not_hurried_afterwards(self) -> None:
        first, second = ScriptedVoice(1.9, b"ab", 60.0, b"cd"), ScriptedVoice(b"xx")
        chunks = virtual_time.run(spoken(FailoverSpeech([first, second])))
        assert [chunk.pcm for chunk in chunks] == [b"ab", b"cd"]
        assert second.asked == []

    def test_words_told_before_the_audio_are_kept_in_order(self) -> None:
        words = (WordTiming("a", 0, 1),)
        voice = ScriptedVoice(SpeechChunk(b"", RATE, words), b"ab", SpeechChunk(b"", RATE, words))
        chunks = virtual_time.run(spoken(FailoverSpeech([voice])))
        assert [(chunk.pcm, chunk.words) for chunk in chunks] == [(b"", words), (b"ab", ()), (b"", words)]

    @pytest.mark.parametrize("error", [SpeechFailed("cut"), CircuitBreakerOpenError("open"), RuntimeError("a bug")])
    def test_once_heard_a_failure_is_told_and_nothing_is_said_twice(self, error: Exception) -> None:
        first, second = ScriptedVoice(b"ab", error), ScriptedVoice(b"xx")
        heard: list[bytes] = []

        async def listen() -> None:
            async for chunk in FailoverSpeech([first, second]).synthesize(REQUEST):
                heard.append(chunk.pcm)  # noqa: PERF401 - what came before the error counts

        with pytest.raises(SpeechFailed):
            virtual_time.run(listen())
        assert heard == [b"ab"]
        assert second.asked == []

    def test_when_nobody_can_speak_every_reason_is_told(self) -> None:
        voices = [
            ScriptedVoice(SpeechFailed("the line is cut")),
            ScriptedVoice(5.0),
            ScriptedVoice(RuntimeError("secret")),
        ]
        with pytest.raises(SpeechFailed) as caught:
            virtual_time.run(spoken(FailoverSpeech(voices, names=["a", "b", "c"])))
        error = caught.value
        assert error.message == (
            "no voice could speak (a: the line is cut; b: no audio within 2 s; c: broke with RuntimeError)"
        )
        assert error.details["voices"] == ["a", "b", "c"]
        assert error.details["codes"] == ["speech_failed", "speech_late", "speech_failed"]
        assert error.retryable
        assert "secret" not in repr(error)

    @pytest.mark.parametrize("kind", [SpeechUnavailable, SpeechRefused])
    def test_what_all_voices_say_is_what_is_said(self, kind: type[SpeechFailed]) -> None:
        voices = [ScriptedVoice(kind("one")), ScriptedVoice(kind("two"))]
        with pytest.raises(kind) as caught:
            virtual_time.run(spoken(FailoverSpeech(voices)))
        assert (caught.value.code, caught.value.retryable) == (kind.default_code, False)

    def test_a_bug_in_a_voice_is_logged_with_its_traceback(self, caplog: pytest.LogCaptureFixture) -> None:
        virtual_time.run(spoken(FailoverSpeech([ScriptedVoice(RuntimeError("a bug")), ScriptedVoice(b"ab")])))
        broken = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert len(broken) == 1
        assert broken[0].exc_info is not None

    def test_a_voices_name_is_for_the_first_alone(self) -> None:
        first, second = ScriptedVoice(SpeechFailed("down")), ScriptedVoice(b"ab")
        virtual_time.run(spoken(FailoverSpeech([first, second])))
        assert first.asked[0].voice == "first's own"
        assert second.asked[0].voice is None
        assert second.asked[0].text == REQUEST.text

    def test_outcomes_are_told_once_for_each_voice(self) -> None:
        outcomes: list[SpeechOutcome] = []
        voices = [ScriptedVoice(3.0), ScriptedVoice(SpeechUnavailable("x")), ScriptedVoice(0.5, b"ab", 1.0)]

        async def listen() -> None:
            clock = asyncio.get_running_loop().time
            speech = FailoverSpeech(voices, names=["a", "b", "c"], observe=outcomes.append, monotonic=clock)
            await spoken(speech)
            async with aclosing(FailoverSpeech([voices[2]], observe=outcomes.append).synthesize(REQUEST)) as stream:
                await anext(stream)

        virtual_time.run(listen())
        assert outcomes[:3] == [
            SpeechOutcome(voice="a", result="failed", code="speech_late"),
            SpeechOutcome(voice="b", result="failed", code="speech_unavailable"),
            SpeechOutcome(voice="c", result="spoken", first_audio=0.5),
        ]
        assert [(outcome.voice, outcome.result) for outcome in outcomes[3:]] == [("ScriptedVoice", "stopped")]

    def test_being_cancelled_is_no_failure_and_asks_nobody_else(self) -> None:
        first, second = ScriptedVoice(1.0, b"ab"), ScriptedVoice(b"xx")
        outcomes: list[SpeechOutcome] = []

        async def interrupt() -> None:
            task = asyncio.create_task(spoken(FailoverSpeech([first, second], observe=outcomes.append)))
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        virtual_time.run(interrupt())
        assert (first.open, second.asked) == (0, [])
        assert [outcome.result for outcome in outcomes] == ["stopped"]

    def test_a_voice_that_breaks_in_every_sentence_rests_and_comes_back(self) -> None:
        first, second = ScriptedVoice(TONE, SpeechFailed("cut")), ScriptedVoice(TONE)

        async def talk() -> None:
            clock = asyncio.get_running_loop().time
            speech = FailoverSpeech([first, second], monotonic=clock, rest_after=3, rest_seconds=30)
            for _ in range(3):
                with pytest.raises(SpeechFailed):
                    await spoken(speech)
            for _ in range(5):
                assert len(await spoken(speech)) == 1
            assert (len(first.asked), len(second.asked)) == (3, 5)
            await asyncio.sleep(30.1)
            with pytest.raises(SpeechFailed):
                await spoken(speech)
            await spoken(speech)
            assert len(first.asked) == 4
            first.script = (TONE,)
            await asyncio.sleep(30.1)
            for _ in range(3):
                await spoken(speech)
            assert (len(first.asked), len(second.asked)) == (7, 6)
            assert first.asked[-1].voice == "first's own"

        virtual_time.run(talk())

    def test_each_voice_of_a_backend_rests_by_itself(self) -> None:
        first, second = ScriptedVoice(TONE, SpeechFailed("cut")), ScriptedVoice(TONE)

        async def talk() -> None:
            clock = asyncio.get_running_loop().time
            speech = FailoverSpeech([first, second], monotonic=clock, rest_after=2, rest_seconds=30)
            broken, other = (replace(REQUEST, voice=name) for name in ("broken", "other"))
            for _ in range(2):
                with pytest.raises(SpeechFailed):
                    await heard(speech, broken)
            await heard(speech, broken)
            assert len(second.asked) == 1
            first.script = (TONE,)
            await heard(speech, other)
            assert len(second.asked) == 1
            assert first.asked[-1].voice == "other"

        virtual_time.run(talk())

    def test_a_late_voice_rests_too_and_is_still_the_last_resort(self) -> None:
        first, second = ScriptedVoice(2.1, TONE), ScriptedVoice(TONE)

        async def talk() -> None:
            clock = asyncio.get_running_loop().time
            speech = FailoverSpeech([first, second], monotonic=clock, rest_after=2, rest_seconds=30)
            for _ in range(2):
                await spoken(speech)
            began = clock()
            await spoken(speech)
            assert clock() == began
            second.script = (SpeechFailed("down"),)
            first.script = (TONE,)
            assert [chunk.pcm for chunk in await spoken(speech)] == [TONE]
            assert first.asked[-1].voice == "first's own"

        virtual_time.run(talk())

    def test_one_sentence_at_a_time_is_the_probe_and_an_interrupted_one_proves_nothing(self) -> None:
        first, second = ScriptedVoice(TONE, SpeechFailed("cut")), ScriptedVoice(TONE)

        async def talk() -> None:
            clock = asyncio.get_running_loop().time
            speech = FailoverSpeech([first, second], monotonic=clock, rest_after=1, rest_seconds=30)
            with pytest.raises(SpeechFailed):
                await spoken(speech)
            await asyncio.sleep(30.1)
            first.script = (TONE, 1.0, TONE)
            probe = asyncio.create_task(spoken(speech))
            await asyncio.sleep(0.5)
            await asyncio.gather(*[spoken(speech) for _ in range(10)])
            assert (len(first.asked), len(second.asked)) == (2, 10)
            probe.cancel()
            await asyncio.wait({probe})
            await spoken(speech)
            await spoken(speech)
            assert (len(first.asked), len(second.asked)) == (4, 10)

        virtual_time.run(talk())

    @pytest.mark.parametrize("error", [SpeechRefused("no such language"), CircuitBreakerOpenError("open")])
    def test_a_failure_that_costs_the_listener_nothing_begins_no_rest(self, error: Exception) -> None:
        first, second = ScriptedVoice(error), ScriptedVoice(TONE)
        speech = FailoverSpeech([first, second], rest_after=1)
        for _ in range(5):
            virtual_time.run(spoken(speech))
        assert len(first.asked) == 5

    def test_one_voice_alone_never_rests(self) -> None:
        voice = ScriptedVoice(TONE, SpeechFailed("cut"))
        speech = FailoverSpeech([voice], rest_after=1)
        for _ in range(3):
            with pytest.raises(SpeechFailed, match="cut"):
                virtual_time.run(spoken(speech))

    def test_nonsense_is_refused(self) -> None:
        for arguments in ({"voices": []}, {"voices": [ScriptedVoice()], "names": ["a", "b"]}):
            with pytest.raises(ConfigurationError):
                FailoverSpeech(**arguments)  # type: ignore[arg-type]
        for limit in (0.0, -1.0, float("nan")):
            for name in ("first_audio_timeout", "rest_seconds", "rest_after"):
                with pytest.raises(ConfigurationError, match=name):
                    FailoverSpeech([ScriptedVoice()], **{name: limit})  # type: ignore[arg-type]


class TestModule:
    def test_importing_it_loads_no_extra(self) -> None:
        code = (
            "import sys, orchestrator_utils.tts_client; "
            "print({'httpx', 'httpcore', 'anyio', 'espeakng_loader', 'ctypes'} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "set()"

    def test_the_example_runs(self) -> None:
        assert doctest.testmod(tts_client).failed == 0
        assert doctest.testmod(tts_client).attempted > 5

    def test_without_the_extra_its_name_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "espeakng_loader", None)
        with pytest.raises(SpeechUnavailable, match=r"orchestrator-utils\[voice\]"):
            EmbeddedVoice()
