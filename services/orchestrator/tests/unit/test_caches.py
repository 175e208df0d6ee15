"""Sentences that are spoken once for all who want them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
from app_support import settings
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.composition.caches import CachedSpeech, SpeechCache, _packed, _unpacked, make_speech_cache
from orchestrator_kernel.contracts.speech import SpeechContract
from orchestrator_kernel.ports import (
    Speech,
    SpeechChunk,
    SpeechFailed,
    SpeechRequest,
    SystemClock,
    WordTiming,
)
from orchestrator_utils.tts_client import EmbeddedVoice, EmbeddedVoiceConfig

GREETING = SpeechRequest(text="Good evening.", language="en-US")


class Voice:
    """Speaks three pieces, and can break or hang."""

    def __init__(self, *, breaks: bool = False, hangs: bool = False) -> None:
        self.asked: list[str] = []
        self.closed = 0
        self.breaks, self.hangs = breaks, hangs

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        self.asked.append(request.text)
        try:
            for piece in range(3):
                await asyncio.sleep(0.01)
                if piece == 1 and self.breaks:
                    raise SpeechFailed("broke")
                if piece == 1 and self.hangs:
                    await asyncio.sleep(60)
                yield SpeechChunk(bytes([piece, 0]) * 100, 8000, (WordTiming("word", piece * 10, piece * 10 + 5),))
        finally:
            self.closed += 1


def cached(voice: Speech, tmp_path: Path, **options: object) -> Speech:
    cache = make_speech_cache(settings(tmp_path, performance=options), SystemClock())
    assert isinstance(cache, SpeechCache)
    return cache.around(voice, "test")


async def spoken(speech: Speech, request: SpeechRequest = GREETING) -> list[SpeechChunk]:
    return [chunk async for chunk in speech.synthesize(request)]


async def test_a_sentence_is_made_once_and_sounds_the_same_again(tmp_path: Path) -> None:
    voice = Voice()
    speech = cached(voice, tmp_path)
    first = await spoken(speech)
    assert await spoken(speech) == first
    assert len(first) == 3
    assert voice.asked == ["Good evening."]


async def test_those_who_come_while_it_is_made_hear_it_along(tmp_path: Path) -> None:
    voice = Voice()
    speech = cached(voice, tmp_path)

    async def late(seconds: float) -> list[SpeechChunk]:
        await asyncio.sleep(seconds)
        return await spoken(speech)

    heard = await asyncio.gather(*[late(0.002 * number) for number in range(20)])
    assert all(each == heard[0] for each in heard)
    assert len(heard[0]) == 3
    assert voice.asked == ["Good evening."]


async def test_the_first_listener_who_goes_takes_nobody_along(tmp_path: Path) -> None:
    voice = Voice()
    speech = cached(voice, tmp_path)
    first = asyncio.ensure_future(spoken(speech))
    await asyncio.sleep(0.005)
    second = asyncio.ensure_future(spoken(speech))
    await asyncio.sleep(0.01)
    first.cancel()
    assert len(await second) == 3
    assert voice.asked == ["Good evening."]


async def test_when_the_last_listener_goes_the_voice_stops_and_half_a_sentence_is_not_kept(tmp_path: Path) -> None:
    voice = Voice(hangs=True)
    speech = cached(voice, tmp_path)
    async with aclosing(speech.synthesize(GREETING)) as stream:
        await anext(stream)
    assert voice.closed == 1
    voice.hangs = False
    assert len(await spoken(speech)) == 3
    assert voice.asked == ["Good evening."] * 2


async def test_a_failure_is_told_to_all_listeners_and_not_kept(tmp_path: Path) -> None:
    voice = Voice(breaks=True)
    speech = cached(voice, tmp_path)
    heard = await asyncio.gather(*[spoken(speech) for _ in range(3)], return_exceptions=True)
    assert all(isinstance(each, SpeechFailed) for each in heard)
    voice.breaks = False
    assert len(await spoken(speech)) == 3


async def test_what_sounds_otherwise_is_another_sentence(tmp_path: Path) -> None:
    voice = Voice()
    cache = make_speech_cache(settings(tmp_path), SystemClock())
    assert cache is not None
    one, other = cache.around(voice, "model-1"), cache.around(voice, "model-2")
    await spoken(one)
    await spoken(other)
    await spoken(one, SpeechRequest(text="Good evening.", language="de-DE"))
    await spoken(one, SpeechRequest(text="Good evening.", language="en-US", speed=1.5))
    assert len(voice.asked) == 4


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    assert make_speech_cache(settings(tmp_path, performance={"speech_cache": False}), SystemClock()) is None


chunks = st.lists(
    st.builds(
        SpeechChunk,
        st.binary(max_size=50).map(lambda data: data + data),
        st.sampled_from([8000, 16000, 24000]),
        st.lists(st.builds(WordTiming, st.text(), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=3).map(tuple),
    ),
    max_size=5,
)


@given(chunks)
def test_what_is_packed_comes_back(made: list[SpeechChunk]) -> None:
    assert list(_unpacked(_packed(made))) == made


class TestCachedSpeech(SpeechContract):
    """It is a voice like any other, in front of the embedded one."""

    @pytest.fixture(autouse=True)
    async def _with_voice(self, tmp_path: Path) -> AsyncGenerator[None, None]:
        embedded = EmbeddedVoice(EmbeddedVoiceConfig())
        self._speech = cached(embedded, tmp_path)
        yield
        await embedded.aclose()

    def make(self) -> Speech:
        assert isinstance(self._speech, CachedSpeech)
        return self._speech
