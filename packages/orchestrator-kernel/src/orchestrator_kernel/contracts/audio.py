"""What every `AudioCodec`, `AudioPath` and `Transcriber` promises."""

from __future__ import annotations

import array
import asyncio
import math

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.ports.audio import AudioCodec, AudioPath, Transcriber, Utterance


def _sine(hertz: float, seconds: float, sample_rate: int, amplitude: float = 8000.0) -> bytes:
    step = 2 * math.pi * hertz / sample_rate
    return array.array(
        "h", (round(amplitude * math.sin(step * number)) for number in range(round(seconds * sample_rate)))
    ).tobytes()


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


class AudioPathContract:
    """Subclass, and return the audio path from `make`."""

    def make(self) -> AudioPath:
        raise AssertionError("return the audio path under test")

    def test_it_has_the_codecs_of_the_telephone(self) -> None:
        path, pcm = self.make(), _sine(440, 0.02, 8000)
        assert [path.codec(name).name for name in ("PCMU", "PCMA", "L16")] == ["PCMU", "PCMA", "L16"]
        assert [len(path.codec(name).encode(pcm)) for name in ("PCMU", "PCMA", "L16")] == [160, 160, 320]
        try:
            path.codec("MP3")
        except ValidationError:
            return
        raise AssertionError("made a codec of no telephone line")

    def test_resampling_keeps_length_and_level_whatever_the_pieces(self) -> None:
        path = self.make()
        for source, target in ((22050, 8000), (8000, 16000), (16000, 8000), (24000, 8000), (48000, 8000), (8000, 8000)):
            pcm = _sine(440, 0.5, source)
            resampler = path.resampler(source, target)
            pieces = [resampler.feed(pcm[start : start + 882]) for start in range(0, len(pcm), 882)]
            out = b"".join(pieces) + resampler.flush()
            assert abs(len(out) / 2 - 0.5 * target) <= 2, f"{source} to {target} Hz: {len(out) // 2} samples"
            assert abs(path.level(out) - path.level(pcm)) < 0.5

    def test_levels_are_told_in_dbov(self) -> None:
        path = self.make()
        assert path.level(b"") == path.level(bytes(320)) == -96.0
        assert abs(path.level(_sine(1000, 0.1, 8000, 32767.0)) - -3.01) < 0.1
        assert path.level(array.array("h", [-32768, 32767] * 80).tobytes()) <= 0.0

    def test_a_key_is_told_once_and_speech_rate_noise_is_none(self) -> None:
        path = self.make()
        low, high = array.array("h", _sine(770, 0.1, 8000, 6000)), array.array("h", _sine(1336, 0.1, 8000, 6000))
        key = array.array("h", (a + b for a, b in zip(low, high, strict=True))).tobytes()
        detector = path.tones()
        audio = bytes(1600) + key + bytes(1600)
        assert "".join(detector.feed(audio[start : start + 320]) for start in range(0, len(audio), 320)) == "5"
        assert path.tones().feed(_sine(440, 0.2, 8000)) == ""

    def test_room_for_frames_is_bounded_and_given_back(self) -> None:
        path = self.make()
        store = path.open("call-1", max_frames=3)
        frames = [bytes([number]) * 160 for number in range(5)]
        assert sum(store.put(frame) for frame in frames) == 2
        assert store.waiting() == tuple(frames[2:])
        assert [store.take() for _ in range(4)] == [*frames[2:], None]
        store.put(frames[0])
        assert (len(store), store.clear(), len(store)) == (1, 1, 0)
        try:
            path.open("call-1", max_frames=3)
        except ValidationError:
            store.close()
            store.close()
            path.open("call-1", max_frames=3).close()
            return
        raise AssertionError("opened a stream twice")


class TranscriberContract:
    """Subclass, and return a recognizer from `make`; `spoken` gives an utterance of `words` at a rate of your choice.

    The recognizer is made anew for each test, and closed by `close`.
    """

    words = "yes"

    async def make(self) -> Transcriber:
        raise AssertionError("return the recognizer under test")

    async def close(self, transcriber: Transcriber) -> None:
        """Free what it holds."""

    async def spoken(self, sample_rate: int) -> bytes:  # noqa: ARG002 - for those who implement it
        raise AssertionError("return PCM in which somebody says `words`")

    async def test_it_hears_what_is_said(self) -> None:
        transcriber = await self.make()
        try:
            rate = transcriber.sample_rate
            utterance = Utterance(pcm=await self.spoken(rate), sample_rate=rate, language="en-US", phrases=[self.words])
            assert (await transcriber.transcribe(utterance)).text.lower().strip(" .!") == self.words
        finally:
            await self.close(transcriber)

    async def test_half_a_sample_is_refused(self) -> None:
        transcriber = await self.make()
        try:
            await transcriber.transcribe(Utterance(pcm=b"\0", sample_rate=transcriber.sample_rate))
        except ValidationError:
            return
        finally:
            await self.close(transcriber)
        raise AssertionError("took half a sample")

    async def test_cancelling_leaves_it_usable(self) -> None:
        transcriber = await self.make()
        try:
            rate = transcriber.sample_rate
            utterance = Utterance(pcm=await self.spoken(rate), sample_rate=rate, language="en-US", phrases=[self.words])
            task = asyncio.create_task(transcriber.transcribe(utterance))
            await asyncio.sleep(0)
            await cancel(task)
            assert (await transcriber.transcribe(utterance)).text
        finally:
            await self.close(transcriber)
