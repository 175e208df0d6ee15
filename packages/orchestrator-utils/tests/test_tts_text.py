"""Cutting sentences, finding words in the audio, and the frames between the voice and its child."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.ports import SpeechFailed
from orchestrator_utils._speech_frames import (
    Frame,
    FrameBroken,
    FrameReader,
    Kind,
    encode,
    pack_done,
    pack_say,
    pack_words,
    unpack_done,
    unpack_say,
    unpack_words,
)
from orchestrator_utils._speech_sentence import Sentence
from orchestrator_utils._speech_text import WordTracker, segments
from orchestrator_utils.tts_client import SpeechLimits

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=400) | st.text("ab. ,!?-\n", max_size=400)


class TestSegments:
    @given(TEXTS)
    def test_no_word_is_lost_or_changed(self, text: str) -> None:
        assert [word for segment in segments(text) for word in segment.words] == text.split()

    @given(TEXTS)
    def test_no_piece_is_long_unless_one_word_is(self, text: str) -> None:
        for segment in segments(text, shortest=10, longest=40):
            assert len(segment.text) <= 40 or len(segment.words) == 1

    @given(TEXTS)
    def test_the_last_piece_has_no_silence_after_it(self, text: str) -> None:
        assert all(segment.pause_ms == 0 for segment in segments(text)[-1:])

    @given(TEXTS)
    def test_no_control_character_reaches_the_engine(self, text: str) -> None:
        for segment in segments(text):
            assert len(segment.text) == len(" ".join(segment.words))
            assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in segment.text)

    def test_cuts_where_a_speaker_breathes(self) -> None:
        text = (
            'Your table is reserved for Dr. Smith at 7 p.m., on the 3. floor: enjoy! "See you tomorrow evening." Bye.'
        )
        assert [(segment.text, segment.pause_ms) for segment in segments(text)] == [
            ("Your table is reserved for Dr. Smith at 7 p.m.,", 140),
            ("on the 3. floor:", 220),
            ('enjoy! "See you tomorrow evening."', 290),
            ("Bye.", 0),
        ]


class TestWords:
    @given(
        words=st.lists(st.text("abc-", min_size=1, max_size=8), min_size=1, max_size=12),
        places=st.lists(st.tuples(st.integers(-5, 150), st.integers(0, 50_000))),
        offset=st.integers(0, 100_000),
    )
    def test_every_word_gets_one_time_in_order_whatever_the_engine_says(
        self, words: list[str], places: list[tuple[int, int]], offset: int
    ) -> None:
        tracker = WordTracker(tuple(words), 22050, offset)
        samples = max([sample for _, sample in places], default=0)
        timings = [timing for place in places for timing in tracker.reach(*place)]
        timings += tracker.finish(samples)
        assert [timing.word for timing in timings] == words
        edges = [edge for timing in timings for edge in (timing.start_ms, timing.end_ms)]
        assert edges == sorted(edges)
        assert edges[0] >= offset * 1000 // 22050
        assert edges[-1] <= (offset + samples) * 1000 / 22050

    def test_a_word_lasts_until_the_next_one(self) -> None:
        tracker = WordTracker(("one", "2024", "-", "end"), 1000)
        told = [*tracker.reach(0, 0), *tracker.reach(4, 100)]
        assert [(timing.word, timing.start_ms, timing.end_ms) for timing in told] == [("one", 0, 100)]
        # The engine speaks a number as several words, and the dash not at all.
        told = [*tracker.reach(5, 200), *tracker.reach(5, 300), *tracker.reach(11, 600), *tracker.finish(900)]
        assert [(timing.word, timing.start_ms, timing.end_ms) for timing in told] == [
            ("2024", 100, 500),
            ("-", 500, 600),
            ("end", 600, 900),
        ]


class TestFrames:
    @given(st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=50))), st.data())
    def test_frames_arrive_as_they_were_sent_however_they_are_cut(
        self, sent: list[tuple[Kind, int, bytes]], data: st.DataObject
    ) -> None:
        stream = b"".join(encode(*frame) for frame in sent)
        reader = FrameReader()
        received: list[Frame] = []
        while stream:
            cut = data.draw(st.integers(1, len(stream)))
            received += reader.feed(stream[:cut])
            stream = stream[cut:]
        assert [(frame.kind, frame.job, frame.payload) for frame in received] == sent

    @given(st.binary(min_size=9, max_size=100))
    def test_nonsense_is_noticed_or_waited_for(self, data: bytes) -> None:
        try:
            list(FrameReader().feed(data))
        except FrameBroken as error:
            assert "is no frame" in str(error)  # noqa: PT017 - the property is that nothing else is raised

    @pytest.mark.parametrize("data", [b"\x00" * 9, b"\x11\0\0\0\1\xff\xff\xff\xff"])
    def test_an_unknown_kind_and_a_huge_payload_are_broken(self, data: bytes) -> None:
        with pytest.raises(FrameBroken):
            list(FrameReader().feed(data))

    def test_half_a_pair_is_broken(self) -> None:
        with pytest.raises(FrameBroken):
            unpack_words(bytes(12))

    @given(st.text("abc+-", max_size=20), st.integers(0, 500), st.text(st.characters(exclude_categories=["Cs"])))
    def test_payloads_are_read_as_written(self, voice: str, rate: int, text: str) -> None:
        assert unpack_say(pack_say(voice, rate, text)) == (voice, rate, text)
        assert unpack_words(pack_words([(rate, rate)])) == [(rate, rate)]
        assert unpack_done(pack_done(rate, text.encode())) == (rate, text.encode())


class TestSentence:
    def sentence(self, text: str = "one two", seconds: float = 1.0, speed: float = 1.0) -> Sentence:
        return Sentence("en-us", speed, text, SpeechLimits(max_audio_seconds=seconds))

    def test_pieces_pauses_and_words_make_one_sentence(self) -> None:
        sentence = self.sentence("A first clause of some length, then the second.", speed=2.0)
        voice, words_per_minute, text = unpack_say(sentence.payload(1000))
        assert (voice, words_per_minute, text) == ("en-us", 350, "A first clause of some length,")
        sentence.take(Frame(Kind.WORDS, 1, pack_words([(0, 0), (2, 10)])))
        first = sentence.take(Frame(Kind.AUDIO, 1, bytes(100)))
        assert first is not None
        assert [word.word for word in first.words] == ["A"]
        last = sentence.take(Frame(Kind.DONE, 1, pack_done(60, bytes(20))))
        assert last is not None
        assert len(last.pcm) == 20 + 2 * 70
        assert last.words[-1].end_ms == 60
        assert not sentence.finished
        assert unpack_say(sentence.payload(1000))[2] == "then the second."
        end = sentence.take(Frame(Kind.DONE, 2, pack_done(30, bytes(60))))
        assert end is not None
        assert [word.word for word in end.words] == ["then", "the", "second."]
        assert (end.words[0].start_ms, end.words[-1].end_ms) == (130, 160)
        assert sentence.finished

    def test_audio_that_got_lost_is_an_error(self) -> None:
        sentence = self.sentence()
        sentence.payload(1000)
        sentence.take(Frame(Kind.AUDIO, 1, bytes(100)))
        with pytest.raises(SpeechFailed, match="lost a part"):
            sentence.take(Frame(Kind.DONE, 1, pack_done(60, b"")))

    def test_a_sentence_without_a_word_is_an_error(self) -> None:
        sentence = self.sentence("...")
        sentence.payload(1000)
        with pytest.raises(SpeechFailed, match="nothing to speak"):
            sentence.take(Frame(Kind.DONE, 1, pack_done(1, bytes(2))))

    def test_audio_beyond_the_limit_is_an_error(self) -> None:
        sentence = self.sentence(seconds=0.1)
        sentence.payload(1000)
        sentence.take(Frame(Kind.AUDIO, 1, bytes(200)))
        with pytest.raises(SpeechFailed, match=r"more than 0\.1 s"):
            sentence.take(Frame(Kind.AUDIO, 1, bytes(2)))

    def test_a_childs_complaint_is_an_error(self) -> None:
        sentence = self.sentence()
        sentence.payload(1000)
        with pytest.raises(SpeechFailed, match="no voice of that name") as caught:
            sentence.take(Frame(Kind.FAILED, 1, b"unknown_voice"))
        assert not caught.value.retryable
