"""What every `Speech` and `AudioCodec` promises."""

from __future__ import annotations

import array
import asyncio
from contextlib import aclosing

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.ports import AudioCodec, Speech, SpeechRequest

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
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [chunk async for chunk in voice.synthesize(self.request())]


class AudioCodecContract:
    """Subclass, and return a codec from `make`; `tolerance` is the largest difference of a decoded sample, of 32768."""

    tolerance = 1024

    def make(self) -> AudioCodec:
        raise AssertionError("return the codec under test")

    def test_what_is_decoded_is_near_what_was_encoded(self) -> None:
        codec = self.make()
        samples = array.array("h", range(-32768, 32768, 7))
        decoded = array.array("h", codec.decode(codec.encode(samples.tobytes())))
        assert len(decoded) == len(samples)
        assert max(abs(a - b) for a, b in zip(samples, decoded, strict=True)) <= self.tolerance

    def test_nothing_is_nothing(self) -> None:
        codec = self.make()
        assert codec.encode(b"") == codec.decode(b"") == b""

    def test_half_a_sample_is_refused(self) -> None:
        try:
            self.make().encode(b"\x00\x01\x02")
        except ValidationError:
            return
        raise AssertionError("encoded half a sample")
