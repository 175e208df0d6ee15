"""A voice that breaks in the middle of a sentence: what was not heard is said after it, nothing twice, and the transcript says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from calls_support import CALL, Leg, Metronome, Stage, virtual, working

from orchestrator_calls.responder import Say, Step, TurnContext
from orchestrator_calls.transcript import as_json, as_text
from orchestrator_kernel.ports import SpeechChunk, SpeechFailed, SpeechRequest

TEXT = "Breakfast is served from seven to ten."


class Desk:
    """Says a sentence, as often as it is to."""

    def __init__(self, times: int = 1) -> None:
        self.times = times

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        for _ in range(self.times):
            yield Say(TEXT, "en-US")


class Breaking(Metronome):
    """Breaks after some words of each sentence, as often as it is to.

    Args:
        after: Words until it breaks.
        times: How many sentences it breaks in.
        timed: Whether it tells when its words are heard.
    """

    def __init__(self, after: int, times: int = 1, *, timed: bool = True) -> None:
        self.after = after
        self.times = times
        self.timed = timed
        self.asked: list[str] = []

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        self.asked.append(request.text)
        breaks, self.times = self.times > 0, self.times - 1
        count = 0
        async for chunk in super().synthesize(request):
            if breaks and count == self.after:
                raise SpeechFailed("the voice broke")
            count += 1
            yield chunk if self.timed else SpeechChunk(chunk.pcm, chunk.sample_rate)


@asynccontextmanager
async def greeted(voice: Breaking, sentences: int = 1) -> AsyncIterator[tuple[Stage, Leg]]:
    async with working(Desk(sentences), voice=voice) as stage:
        await stage.tell("call_started", sequence=1, reply_channel="media")
        leg = Leg()
        async with stage.runtime.media(CALL, leg):
            await asyncio.sleep(6)
            yield stage, leg


@virtual
async def test_the_rest_of_the_sentence_is_said_after_the_words_that_were_heard() -> None:
    voice = Breaking(after=4)
    async with greeted(voice) as (stage, leg):
        assert leg.texts() == [TEXT, "seven to ten."]
        [turn] = (await stage.call()).turns.values()
        assert turn.heard == "Breakfast is served from seven to ten."
        told = as_json(await stage.call())["turns"]
        assert isinstance(told, list)
        assert isinstance(told[0], dict)
        assert told[0]["broken"] == ["speech_failed"]
        assert told[0]["spoken"] == [TEXT]
        assert "Breakfast is served from — (speech_failed)" in as_text(await stage.call())


@virtual
async def test_a_voice_that_breaks_again_and_again_comes_to_an_end() -> None:
    voice = Breaking(after=2, times=100)
    async with greeted(voice) as (stage, leg):
        assert leg.texts() == [TEXT, "served from seven to ten.", "seven to ten.", "ten."]
        assert (await stage.call()).speaking == []


@virtual
async def test_where_nobody_knows_what_was_heard_the_caller_is_told_once() -> None:
    voice = Breaking(after=3, times=100, timed=False)
    async with greeted(voice) as (stage, leg):
        assert len(leg.texts()) == 2
        assert "Please ask if you missed something" in leg.texts()[1]
        assert (await stage.call()).speaking == []


@virtual
async def test_in_an_answer_of_several_broken_sentences_nobody_apologises_twice() -> None:
    voice = Breaking(after=3, times=100, timed=False)
    async with greeted(voice, sentences=3) as (stage, leg):
        apologies = [text for text in leg.texts() if "Please ask if you missed something" in text]
        assert len(apologies) == 1
        assert leg.texts().count(TEXT) == 3
        assert (await stage.call()).speaking == []


@virtual
async def test_a_voice_that_never_began_is_not_asked_again() -> None:
    voice = Breaking(after=0, times=100)
    async with greeted(voice) as (stage, _):
        assert voice.asked[:1] == [TEXT]
        assert len(voice.asked) <= 2
        assert (await stage.call()).speaking == []
