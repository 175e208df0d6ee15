"""How fast a call falls silent when the caller begins to speak, and whether the transcript keeps the words that were heard."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from bench_calls import clock, event, journal

from orchestrator_calls.events import EventType
from orchestrator_calls.notices import EventKept, Notice
from orchestrator_calls.responder import Say, Step, TurnContext
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.ports import Json, SpeechRequest, WordTiming
from orchestrator_performance.benchmarking import Bench, Gate, LatencyReport, trials
from orchestrator_utils.tts_client import EmbeddedVoice

SENTENCE: Final = "Breakfast is served from seven to half past ten in the winter garden."
EVERY_MS: Final = 10
TOGETHER: Final = 20
FRAME: Final = 0.020


class Recites:
    """Says the sentence and nothing else."""

    async def respond(self, context: TurnContext) -> AsyncGenerator[Step, None]:
        if not context.input.text:
            yield Say(SENTENCE, "en-US")


class Ear:
    """A media leg that notes when frames came, and when it was told to drop what it has."""

    reports = False

    def __init__(self) -> None:
        self.began: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.last = self.cleared = 0.0

    async def audio(self, frame: bytes) -> None:
        self.last = clock.monotonic()
        if frame and not self.began.done():
            self.began.set_result(self.last)

    async def control(self, message: Mapping[str, Json]) -> None:
        if message["type"] == "clear":
            self.cleared = clock.monotonic()


class Callers:
    """Calls that are interrupted, each at its own moment of the sentence; `TOGETHER` of them at once."""

    def __init__(self, words: tuple[WordTiming, ...], moments: Iterable[int]) -> None:
        self.runtime: CallRuntime
        self.words = words
        self.moments = list(moments)
        self.cleared: dict[str, asyncio.Future[Mapping[str, Json]]] = {}
        self.results: dict[int, asyncio.Task[float]] = {}
        self.places = asyncio.Semaphore(TOGETHER)

    async def silenced(self, moment: int) -> float:
        """Seconds from the event to silence: the last frame is out, and the leg was told to drop those it got ahead of time."""
        if not self.results:
            self.results = {each: asyncio.create_task(self.interrupt(each)) for each in self.moments}
        return await self.results[moment]

    async def interrupt(self, moment: int) -> float:
        async with self.places:
            call, ear = f"call-{moment}", Ear()
            self.cleared[call] = asyncio.get_running_loop().create_future()
            started = event(EventType.CALL_STARTED, call, 1, reply_channel="media", language="en-US")
            await self.runtime.submit(started)
            async with self.runtime.media(call, ear):
                began = await ear.began
                await asyncio.sleep(max(0.0, began + moment / 1000 - clock.monotonic()))
                at = clock.monotonic()
                await self.runtime.submit(event(EventType.SPEECH_STARTED, call, 2))
                report = await asyncio.wait_for(self.cleared[call], 5)
                await asyncio.sleep(0.1)
                self.check_words(str(report["heard"]), at - began, ear.last - began + FRAME)
                await self.runtime.submit(event(EventType.CALL_ENDED, call, 3, reason="measured"))
            assert ear.cleared
            return max(ear.last, ear.cleared) - at

    def check_words(self, heard: str, fully: float, sent: float) -> None:
        """The words kept are those that were fully played when the event came, give or take the frame that was on its way."""
        kept = len(heard.split())
        least = sum(word.end_ms <= (fully - FRAME) * 1000 for word in self.words)
        most = sum(word.end_ms <= (min(fully, sent) + 2 * FRAME) * 1000 for word in self.words)
        if not least <= kept <= most:
            raise AssertionError(
                f"{kept} words kept, {least} to {most} were played after {fully * 1000:.0f} ms: {heard}"
            )

    def observe(self, notice: Notice) -> None:
        if isinstance(notice, EventKept) and notice.event.type is EventType.PLAYBACK_CLEARED:
            future = self.cleared.get(notice.event.call_id)
            if future is not None and not future.done():
                future.set_result(notice.event.payload)


async def barge_in() -> LatencyReport:
    """Barge-in at every 10 ms of a sentence: event in to last frame out and the rest dropped; embedded voice, real time, durable journal."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            kept = await stack.enter_async_context(journal(Path(folder), "barge"))
            voice = EmbeddedVoice()
            stack.push_async_callback(voice.aclose)
            await voice.warm()
            chunks = [each async for each in voice.synthesize(SpeechRequest(text=SENTENCE, language="en-US"))]
            words = tuple(itertools.chain.from_iterable(chunk.words for chunk in chunks))
            moments = range(EVERY_MS, words[-1].end_ms - 2 * EVERY_MS, EVERY_MS)
            callers, responder = Callers(words, moments), Recites()
            runtime = CallRuntime(
                journal=kept,
                responder=lambda _: responder,
                speech=voice,
                observe=callers.observe,
            )
            callers.runtime = await stack.enter_async_context(runtime)
            return await trials(
                f"barge-in at every {EVERY_MS} ms of a sentence ({len(moments)} calls): event in to silence",
                callers.silenced,
                moments,
                gates=Gate(at_most_ms=20, percentile=99),
            )


def benches() -> Iterable[Bench]:
    return [barge_in]
