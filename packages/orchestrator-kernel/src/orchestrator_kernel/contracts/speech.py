"""What every `Speech` promises."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports import Speech, SpeechRequest

SENTENCE = "The quick brown fox jumps over the lazy dog."


class SpeechContract:
    """Subclass, and return a voice for `language` from `make`. Set `has_word_timings` to False where the backend tells none."""

    language = "en-US"
    has_word_timings = True

    def make(self) -> Speech:
        raise AssertionError("return the voice under test")

    def request(self) -> SpeechRequest:
        return SpeechRequest(text=SENTENCE, language=self.language)

    async def test_speaks_whole_samples_at_one_rate(self) -> None:
        chunks = [chunk async for chunk in self.make().synthesize(self.request())]
        audio = b"".join(chunk.pcm for chunk in chunks)
        assert all(len(chunk.pcm) % 2 == 0 for chunk in chunks)
        assert len({chunk.sample_rate for chunk in chunks}) == 1
        seconds = len(audio) / 2 / chunks[0].sample_rate
        assert 0.5 < seconds < 20, "a nine-word sentence takes a few seconds"

    async def test_words_come_in_order_and_lie_within_the_audio(self) -> None:
        chunks = [chunk async for chunk in self.make().synthesize(self.request())]
        words = [word for chunk in chunks for word in chunk.words]
        if not self.has_word_timings:
            assert words == []
            return
        length_ms = sum(len(chunk.pcm) for chunk in chunks) / 2 / chunks[0].sample_rate * 1000
        assert [word.word for word in words] == SENTENCE.split()
        assert all(word.start_ms <= word.end_ms for word in words)
        assert [word.start_ms for word in words] == sorted(word.start_ms for word in words)
        assert words[-1].end_ms <= length_ms + 1

    async def test_stopping_early_leaves_the_voice_usable(self) -> None:
        voice = self.make()
        for _ in range(3):
            async with aclosing(voice.synthesize(self.request())) as stream:
                await anext(stream)
        assert [chunk async for chunk in voice.synthesize(self.request())]

    async def test_cancelling_leaves_the_voice_usable(self) -> None:
        voice = self.make()

        async def speak() -> None:
            async for _ in voice.synthesize(self.request()):
                await asyncio.sleep(0.001)

        task = asyncio.create_task(speak())
        await asyncio.sleep(0.005)
        await cancel(task)
        assert [chunk async for chunk in voice.synthesize(self.request())]
