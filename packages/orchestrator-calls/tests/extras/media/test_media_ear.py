"""What a media stream makes of a caller's voice: real speech, real levels, and events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from media_voices import frames_of, line_noise, said

from orchestrator_calls.endpointing import EndpointingConfig
from orchestrator_calls.events import EventType
from orchestrator_calls.legs.media_ear import EarConfig, MediaEar
from orchestrator_kernel.exceptions import RateLimitError
from orchestrator_kernel.ports import SystemClock
from orchestrator_kernel.ports.audio import Transcriber, Transcript, TranscriptionFailed, Utterance
from orchestrator_performance.audio_optimizer import AudioBudget, AudioError, CallAudio, dtmf


class Recognizer:
    """Remembers what it is asked, and answers as it is told to."""

    sample_rate = 16_000

    def __init__(self, text: str = "hello", *, seconds: float = 0.0, fails: bool = False) -> None:
        self.text, self.seconds, self.fails = text, seconds, fails
        self.asked: list[Utterance] = []

    async def transcribe(self, utterance: Utterance) -> Transcript:
        self.asked.append(utterance)
        await asyncio.sleep(self.seconds)
        if self.fails:
            raise TranscriptionFailed("the recognizer is away")
        return Transcript(text=self.text, confidence=0.9)


class Listening:
    """An ear, and what it told."""

    def __init__(self, ear: MediaEar, audio: CallAudio) -> None:
        self.ear = ear
        self.audio = audio
        self.told: list[tuple[str, dict[str, Any]]] = []

    async def hear(self, *pieces: bytes) -> None:
        for pcm in pieces:
            for frame in frames_of(pcm):
                await self.ear.hear(frame)
                await asyncio.sleep(0)

    async def until(self, kind: EventType) -> None:
        async with asyncio.timeout(5):
            while kind.value not in self.kinds:
                await asyncio.sleep(0.005)

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.told]


@asynccontextmanager
async def listening(
    recognizer: Transcriber | None, *, speaking: bool = False, **options: Any
) -> AsyncGenerator[Listening, None]:
    audio = CallAudio()
    told: list[tuple[str, dict[str, Any]]] = []

    async def tell(kind: EventType, /, **payload: Any) -> None:
        told.append((kind.value, payload))

    ear = MediaEar(
        "MZ1",
        audio=audio,
        codec=audio.codec("PCMU"),
        transcriber=recognizer,
        tell=tell,
        speaking=lambda: speaking,
        clock=SystemClock(),
        config=EarConfig(language="en-US", phrases=("hello",), **options),
    )
    stage = Listening(ear, audio)
    stage.told = told
    running = asyncio.create_task(ear.run())
    await asyncio.sleep(0)
    try:
        yield stage
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert audio.budget.stats().streams == 0, "its room is free again"


async def test_what_is_said_becomes_a_beginning_and_a_transcript():
    recognizer = Recognizer()
    async with listening(recognizer) as stage:
        await stage.hear(line_noise(0.6), await said("when is breakfast"), line_noise(0.6))
        await stage.until(EventType.TRANSCRIPTION)
        (_, began), (_, heard) = stage.told
        # From the last word on: the pause that ends an utterance is part of what a caller waits for.
        assert 250 < heard.pop("recognition_ms") < 2000
        assert stage.kinds == ["speech_started", "transcription"]
        assert began == {}
        assert heard == {"text": "hello", "final": True, "confidence": 0.9, "language": "en-US"}
        [utterance] = recognizer.asked
        spoken = len(await said("when is breakfast")) / 16000
        assert utterance.sample_rate == 16_000
        assert utterance.phrases == ("hello",)
        # Some of the line before it, and the pause after it that made it certain.
        assert spoken - 0.3 < utterance.seconds < spoken + 0.6


async def test_the_recognizer_is_asked_in_the_pause_and_again_when_the_caller_goes_on():
    recognizer = Recognizer()
    async with listening(recognizer) as stage:
        first, second = await said("when is breakfast"), await said("goodbye")
        await stage.hear(line_noise(0.6), first, line_noise(0.34), second, line_noise(0.6))
        await stage.until(EventType.TRANSCRIPTION)
        await stage.hear(line_noise(0.6))
        assert stage.kinds.count("transcription") == 1
        assert recognizer.asked[-1].seconds > len(first + second) / 16000


@pytest.mark.parametrize("options", [{"early": False}, {"endpointing": EndpointingConfig(longest_ms=900)}])
async def test_all_of_an_utterance_is_asked_for_where_no_pause_comes_first(options):
    """A recognizer that costs something is asked at the end alone; and who speaks for longer than may be is cut off without a pause."""
    recognizer = Recognizer()
    async with listening(recognizer, **options) as stage:
        words = await said("when is breakfast")
        await stage.hear(line_noise(0.6), words, line_noise(0.6))
        await stage.until(EventType.TRANSCRIPTION)
        first = recognizer.asked[0]
        least = min(len(words) / 16000, 0.9)
        assert least - 0.1 < first.seconds < least + 1.0
        assert stage.audio.level(first.pcm) > -35, "it is the voice, and not the pause after it"


async def test_nobody_speaks_on_a_quiet_line():
    recognizer = Recognizer()
    async with listening(recognizer) as stage:
        await stage.hear(line_noise(5))
        assert (stage.told, recognizer.asked) == ([], [])


async def test_words_that_nobody_understands_are_a_turn_and_a_failure_is_told():
    async with listening(Recognizer(text="")) as stage:
        await stage.hear(line_noise(0.6), await said("when is breakfast"), line_noise(0.6))
        await stage.until(EventType.TRANSCRIPTION)
        assert stage.told[-1][1]["text"] == ""
    for recognizer, code in (
        (Recognizer(fails=True), "the recognizer is away"),
        (Recognizer(seconds=5), "the recognizer took longer than 0.05 s"),
    ):
        async with listening(recognizer, timeout=0.05) as stage:
            await stage.hear(line_noise(0.6), await said("when is breakfast"), line_noise(0.6))
            await stage.until(EventType.TRANSCRIPTION)
            assert stage.kinds == ["speech_started", "error", "transcription"]
            assert stage.told[1][1]["message"] == code
            assert stage.told[1][1]["fatal"] is False


async def test_a_caller_who_speaks_long_is_not_silent():
    async with listening(Recognizer(), still_ms=500) as stage:
        await stage.hear(line_noise(0.6), *[await said("when is breakfast")] * 2, line_noise(0.6))
        await stage.until(EventType.TRANSCRIPTION)
        assert ("transcription", {"text": "", "final": False}) in stage.told


async def test_keys_are_heard_where_the_line_does_not_tell_them():
    async with listening(None, keys=True) as stage:
        await stage.hear(line_noise(0.2), dtmf("42"), line_noise(0.2))
        assert [payload for kind, payload in stage.told if kind == "dtmf"] == [{"digit": "4"}, {"digit": "2"}]


async def test_frames_of_odd_sizes_are_heard_too_and_a_line_has_a_bounded_memory():
    recognizer = Recognizer()
    async with listening(recognizer) as stage:
        pcm = line_noise(0.6) + await said("when is breakfast") + line_noise(0.6)
        codec = stage.audio.codec("PCMU")
        for start in range(0, len(pcm) - 666, 666):
            await stage.ear.hear(codec.encode(pcm[start : start + 666]))
            await asyncio.sleep(0)
            assert stage.audio.budget.stats().bytes <= 16 * 8000
        await stage.until(EventType.TRANSCRIPTION)
        assert stage.kinds == ["speech_started", "transcription"]


async def test_a_stream_without_room_is_refused():
    audio = CallAudio(budget=AudioBudget(max_streams=1))

    async def tell(kind: EventType, /, **payload: Any) -> None:
        raise AssertionError(kind)

    def make(stream: str) -> MediaEar:
        return MediaEar(
            stream,
            audio=audio,
            codec=audio.codec("PCMU"),
            transcriber=None,
            tell=tell,
            speaking=lambda: False,
            clock=SystemClock(),
        )

    make("MZ1")
    with pytest.raises(AudioError):
        make("MZ1")
    with pytest.raises(RateLimitError):
        make("MZ2")
