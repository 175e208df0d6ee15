"""The embedded voice, with real child processes."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from orchestrator_kernel.contracts import SpeechContract
from orchestrator_kernel.ports import Speech, SpeechChunk, SpeechFailed, SpeechRequest, SpeechUnavailable
from orchestrator_utils._speech_languages import ESPEAK_VOICES
from orchestrator_utils.tts_client import (
    EmbeddedVoice,
    EmbeddedVoiceConfig,
    FailoverSpeech,
    SpeechLimits,
    SpeechRefused,
)

SENTENCE = "Good evening, this is the hotel at the lake. How may I help you today?"
LONG = "The quick brown fox jumps over the lazy dog and runs into the deep green forest. " * 50
"""Four minutes, which take a voice a good part of a second."""


def say(text: str = SENTENCE, language: str = "en-US", **more: object) -> SpeechRequest:
    return SpeechRequest(text=text, language=language, **more)  # type: ignore[arg-type]


async def heard(voice: Speech, request: SpeechRequest | None = None) -> list[SpeechChunk]:
    async with aclosing(voice.synthesize(request or say())) as stream:
        return [chunk async for chunk in stream]


def seconds(chunks: list[SpeechChunk]) -> float:
    return sum(len(chunk.pcm) for chunk in chunks) / 2 / chunks[0].sample_rate


def words(chunks: list[SpeechChunk]) -> list[str]:
    return [word.word for chunk in chunks for word in chunk.words]


def pids(voice: EmbeddedVoice) -> list[int]:
    return [process.pid for process in voice._processes]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def proc(pid: int, file: str) -> str:
    return Path(f"/proc/{pid}/{file}").read_text()


def exists(pid: int) -> bool:
    """Whether it runs or is a zombie."""
    return Path(f"/proc/{pid}").exists()


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def voice() -> AsyncIterator[EmbeddedVoice]:
    one = EmbeddedVoice(EmbeddedVoiceConfig(limits=SpeechLimits(max_audio_seconds=600)))
    yield one
    await one.aclose()


@pytest.fixture
async def single() -> AsyncIterator[EmbeddedVoice]:
    """One child, so that it is known who speaks."""
    limits = SpeechLimits(max_audio_seconds=600)
    one = EmbeddedVoice(EmbeddedVoiceConfig(processes=1, stall_timeout=0.5, limits=limits))
    yield one
    await one.aclose()


class TestContract(SpeechContract):
    @pytest.fixture(autouse=True)
    def _voice(self, voice: EmbeddedVoice) -> None:
        self.voice = voice

    def make(self) -> Speech:
        return self.voice


class TestSpeaking:
    async def test_every_language_of_the_table_is_spoken(self, voice: EmbeddedVoice) -> None:
        texts = {
            "ja": "こんにちは。",
            "zh": "你好。",
            "ru": "Привет",
            "uk": "Привіт",
            "el": "Γεια σας",
            "ar": "مرحبا",
            "he": "שלום",
        }
        for language in ESPEAK_VOICES:
            text = texts.get(language.partition("-")[0], "Hallo Anna")
            chunks = await heard(voice, say(text, language))
            assert seconds(chunks) > 0.2, language
            assert words(chunks) == text.split(), language

    async def test_the_audio_is_loud_enough_to_be_heard(self, voice: EmbeddedVoice) -> None:
        pcm = b"".join(chunk.pcm for chunk in await heard(voice))
        samples = memoryview(pcm).cast("h")
        assert max(samples) > 3000

    async def test_a_long_text_is_one_sentence_with_all_its_words_in_time(self, voice: EmbeddedVoice) -> None:
        chunks = await heard(voice, say(LONG))
        assert words(chunks) == LONG.split()
        starts = [word.start_ms for chunk in chunks for word in chunk.words]
        assert starts == sorted(starts)
        assert starts[-1] < seconds(chunks) * 1000

    async def test_speed_is_heard(self, voice: EmbeddedVoice) -> None:
        normal, slow, fast = [seconds(await heard(voice, say(speed=speed))) for speed in (1.0, 0.5, 2.0)]
        assert slow > 1.5 * normal
        assert fast < normal / 1.5

    async def test_a_voice_can_be_named(self, voice: EmbeddedVoice) -> None:
        assert await heard(voice, say(voice="en-us+f3"))
        with pytest.raises(SpeechFailed, match="no voice of that name") as caught:
            await heard(voice, say(voice="nobody"))
        assert not caught.value.retryable
        assert await heard(voice)

    @pytest.mark.parametrize("name", ["../../etc/passwd", "en+../../x", "en us", "", "x" * 300, "en\n"])
    async def test_a_path_is_no_name_of_a_voice(self, voice: EmbeddedVoice, name: str) -> None:
        if name:
            with pytest.raises(SpeechRefused, match="no name of a voice"):
                await heard(voice, say(voice=name))
        else:
            assert await heard(voice, say(voice=name)), "an empty name is the language's default"

    @pytest.mark.parametrize("text", ["...", "—", " -- "])
    async def test_a_sentence_without_a_word_is_an_error(self, voice: EmbeddedVoice, text: str) -> None:
        with pytest.raises(SpeechFailed):
            await heard(voice, say(text))

    async def test_an_unknown_language_is_named(self, voice: EmbeddedVoice) -> None:
        with pytest.raises(SpeechRefused, match="tlh"):
            await heard(voice, say(language="tlh"))

    @pytest.mark.parametrize(
        "text",
        [
            "a\0b \x01\x1b[2J c", "<speak>hi</speak> [[h@]] &amp;", "😀 👍🏽 ok", "one " * 1000, "a" * 4000, "\u202ehi\u202c you",
            "1234567890 3.14 €5.50 50% a@b.com http://x.y/z", "«Bonjour» „Hallo“ “Hi”",
        ],
    )  # fmt: skip
    async def test_strange_texts_come_back_word_by_word(self, voice: EmbeddedVoice, text: str) -> None:
        assert words(await heard(voice, say(text))) == text.split()

    async def test_more_audio_than_allowed_is_an_error(self) -> None:
        voice = EmbeddedVoice(EmbeddedVoiceConfig(limits=SpeechLimits(max_audio_seconds=2)))
        with pytest.raises(SpeechFailed, match="more than 2 s"):
            await heard(voice, say(LONG))
        assert await heard(voice, say("Short."))
        await voice.aclose()


class TestManySentences:
    async def test_fifty_at_once_are_all_spoken_in_full(self, voice: EmbeddedVoice) -> None:
        texts = [f"{SENTENCE} You are caller number {number}." for number in range(50)]
        spoken = await asyncio.gather(*(heard(voice, say(text)) for text in texts))
        assert [words(chunks) for chunks in spoken] == [text.split() for text in texts]
        assert len(pids(voice)) == 2

    async def test_a_short_sentence_does_not_wait_for_a_long_one(self, single: EmbeddedVoice) -> None:
        long = asyncio.create_task(heard(single, say(LONG)))
        await asyncio.sleep(0)
        assert await heard(single, say("Short."))
        assert not long.done()
        assert words(await long) == LONG.split()

    async def test_stopping_one_hurts_no_other(self, single: EmbeddedVoice) -> None:
        await single.warm()
        others = [asyncio.create_task(heard(single)) for _ in range(5)]
        async with aclosing(single.synthesize(say(LONG))) as stream:
            await anext(stream)
        assert {tuple(words(chunks)) for chunks in await asyncio.gather(*others)} == {tuple(SENTENCE.split())}

    async def test_stopping_ends_the_work_and_not_only_the_listening(self, single: EmbeddedVoice) -> None:
        endless = say("la" * 1500)  # one word, so one piece of work
        await heard(single, say("warm"))
        began = time.perf_counter()
        await heard(single, endless)
        whole = time.perf_counter() - began
        times: list[float] = []
        for _ in range(5):
            async with aclosing(single.synthesize(endless)) as stream:
                await anext(stream)
            began = time.perf_counter()
            async with aclosing(single.synthesize(say())) as stream:
                await anext(stream)
            times.append(time.perf_counter() - began)
        assert sorted(times)[2] < whole / 4

    async def test_too_many_are_refused(self) -> None:
        voice = EmbeddedVoice(EmbeddedVoiceConfig(processes=1, max_waiting=2))
        results = await asyncio.gather(*(heard(voice) for _ in range(5)), return_exceptions=True)
        refused = [result for result in results if isinstance(result, SpeechFailed)]
        assert {error.details["reason"] for error in refused} == {"overloaded"}
        assert 0 < len(refused) < 5
        assert all(error.retryable for error in refused)
        await voice.aclose()

    async def test_two_hundred_stops_at_random_leave_nothing_behind(self, voice: EmbeddedVoice) -> None:
        await voice.warm()
        children, before = set(pids(voice)), descriptors()
        dice = random.Random(1)

        async def caller() -> None:
            for _ in range(20):
                task = asyncio.create_task(heard(voice, say(dice.choice((SENTENCE, LONG)))))
                await asyncio.sleep(dice.choice((0, dice.uniform(0, 0.002), dice.uniform(0, 0.05))))
                task.cancel()
                await asyncio.wait([task])

        await asyncio.gather(*(caller() for _ in range(10)))
        assert words(await heard(voice)) == SENTENCE.split()
        assert set(pids(voice)) == children, "no child was lost"
        gc.collect()
        assert descriptors() == before


class TestProcesses:
    async def test_a_child_that_is_killed_fails_its_sentence_and_is_replaced(
        self, single: EmbeddedVoice, caplog: pytest.LogCaptureFixture
    ) -> None:
        await single.warm()
        (victim,) = pids(single)

        async def listen() -> None:
            async for _ in single.synthesize(say(LONG)):
                if alive(victim):
                    os.kill(victim, signal.SIGKILL)

        with pytest.raises(SpeechFailed, match="middle of a sentence") as caught:
            await listen()
        assert caught.value.retryable
        assert words(await heard(single)) == SENTENCE.split()
        assert pids(single) != [victim]
        assert not exists(victim), "it was buried"
        assert [(record.getMessage(), record.reason) for record in caplog.records] == [
            ("embedded voice lost a process", "died")
        ]

    async def test_a_child_that_is_killed_while_idle_costs_no_sentence(self, single: EmbeddedVoice) -> None:
        await heard(single)
        (victim,) = pids(single)
        os.kill(victim, signal.SIGKILL)
        await eventually(lambda: pids(single) == [])
        assert words(await heard(single)) == SENTENCE.split()

    async def test_a_child_that_hangs_is_replaced(self, single: EmbeddedVoice) -> None:
        await single.warm()
        (victim,) = pids(single)
        os.kill(victim, signal.SIGSTOP)
        with pytest.raises(SpeechFailed) as caught:
            await heard(single)
        assert caught.value.details["reason"] == "stalled"
        assert words(await heard(single)) == SENTENCE.split()
        assert not alive(victim)

    async def test_the_next_voice_speaks_when_a_child_hangs(self, single: EmbeddedVoice, voice: EmbeddedVoice) -> None:
        await asyncio.gather(single.warm(), voice.warm())
        os.kill(pids(single)[0], signal.SIGSTOP)
        speech = FailoverSpeech([single, voice], first_audio_timeout=0.4)
        assert words(await heard(speech)) == SENTENCE.split()

    async def test_closing_ends_the_children_and_what_they_speak(self, caplog: pytest.LogCaptureFixture) -> None:
        voice = EmbeddedVoice()
        await voice.warm()
        children = pids(voice)
        stream = voice.synthesize(say())
        await anext(stream)
        waiting = asyncio.create_task(heard(voice, say(LONG)))
        await asyncio.sleep(0)
        await voice.aclose()
        assert not any(map(exists, children))
        with pytest.raises(SpeechFailed):
            await waiting
        with pytest.raises(SpeechFailed, match="closed"):
            await heard(voice)
        await stream.aclose()
        await voice.aclose()
        assert caplog.records == [], "an end that was asked for is nothing to report"

    async def test_closing_while_children_start(self) -> None:
        voice = EmbeddedVoice()
        task = asyncio.create_task(heard(voice))
        await asyncio.sleep(0.01)
        await voice.aclose()
        with pytest.raises(SpeechFailed):
            await task
        assert pids(voice) == []

    async def test_warming_can_be_cancelled(self) -> None:
        voice = EmbeddedVoice()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await voice.warm()
        await voice.warm()
        assert len(pids(voice)) == 2
        await voice.aclose()

    def test_children_die_with_their_parent(self) -> None:
        code = (
            "import asyncio, os, signal\n"
            "from orchestrator_utils.tts_client import EmbeddedVoice\n"
            "async def main():\n"
            "    voice = EmbeddedVoice()\n"
            "    await voice.warm()\n"
            "    print(*(process.pid for process in voice._processes), flush=True)\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "asyncio.run(main())\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL
        children = [int(pid) for pid in done.stdout.split()]
        assert len(children) == 2
        until = time.monotonic() + 5
        while any(map(alive, children)) and time.monotonic() < until:
            time.sleep(0.01)
        assert not any(map(alive, children))

    async def test_a_child_is_told_no_secret_and_is_not_in_the_terminals_group(
        self, single: EmbeddedVoice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ORCHESTRATOR_KEY", "hunter2")
        await single.warm()
        (pid,) = pids(single)
        assert "hunter2" not in proc(pid, "environ")
        assert os.getpgid(pid) != os.getpgid(0)
        (core,) = [line for line in proc(pid, "limits").splitlines() if line.startswith("Max core file size")]
        assert core.split()[4:6] == ["0", "0"], "a core dump would hold what was said"

    async def test_a_broken_installation_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "espeakng_loader.py").write_text("def get_library_path(): return '/nowhere.so'\n")
        monkeypatch.syspath_prepend(tmp_path)
        voice = EmbeddedVoice()
        with pytest.raises(SpeechUnavailable, match=r"cannot be loaded \(OSError\).*orchestrator-utils\[voice\]"):
            await voice.warm()
        results = await asyncio.gather(*(heard(voice) for _ in range(5)), return_exceptions=True)
        assert [type(result) for result in results] == [SpeechUnavailable] * 5
        await eventually(lambda: not voice._lives)
        assert len(caplog.records) <= 6, "nobody waits any more, so nothing is started again"
        await voice.aclose()

    async def test_a_child_that_never_gets_ready_is_given_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "espeakng_loader.py").write_text("import time\ntime.sleep(60)\n")
        monkeypatch.syspath_prepend(tmp_path)
        voice = EmbeddedVoice(EmbeddedVoiceConfig(start_timeout=0.5))
        with pytest.raises(SpeechFailed, match="did not start"):
            await heard(voice)
        await voice.aclose()
        assert pids(voice) == []
