"""What every voice checks, and how answers are read."""

from __future__ import annotations

import base64
import io
import itertools
import json
import math
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import SpeechFailed, SpeechRequest
from orchestrator_utils._speech_checks import PcmStream, check_request
from orchestrator_utils._speech_router import read_answer
from orchestrator_utils._speech_wav import WavBroken, read_wav
from orchestrator_utils.tts_client import RouterSpeechConfig, SpeechLimits, SpeechRefused, espeak_voice

LIMITS = SpeechLimits(max_text_chars=10, max_audio_seconds=1.0)


def wav(pcm: bytes, rate: int = 8000, channels: int = 1, width: int = 2) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(pcm)
    return file.getvalue()


class TestRequests:
    @pytest.mark.parametrize(
        ("text", "speed", "why"),
        [
            ("", 1.0, "nothing to say"),
            (" \n\t", 1.0, "nothing to say"),
            ("secretsecret", 1.0, "12 characters"),
            ("secret\ud800", 1.0, "half a character"),
            ("secret", 0.49, "speed"),
            ("secret", 2.01, "speed"),
            ("secret", math.nan, "speed"),
            ("secret", math.inf, "speed"),
        ],
    )
    def test_what_no_voice_can_speak_is_refused_without_repeating_it(self, text: str, speed: float, why: str) -> None:
        with pytest.raises(SpeechRefused, match=why) as caught:
            check_request(SpeechRequest(text=text, language="en", speed=speed), LIMITS, "voice")
        assert "secret" not in repr(caught.value)
        assert not caught.value.retryable
        assert caught.value.__context__ is None

    @pytest.mark.parametrize("speed", [0.5, 1, 2.0])
    def test_what_is_within_the_limits_passes(self, speed: float) -> None:
        check_request(SpeechRequest(text="0123456789", language="en", speed=speed), LIMITS, "voice")


class TestPcmStream:
    @given(st.binary(max_size=64), st.lists(st.integers(0, 64)))
    def test_the_samples_are_the_bytes_however_they_arrive(self, rest: bytes, cuts: list[int]) -> None:
        data = b"\0" + rest  # never the beginning of a file
        stream = PcmStream("voice", 8000, LIMITS)
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        pieces = [stream.feed(data[start:end]) for start, end in itertools.pairwise(edges)]
        assert all(len(piece) % 2 == 0 for piece in pieces)
        assert b"".join(pieces) == data[: len(data) // 2 * 2]
        if len(data) % 2:
            with pytest.raises(SpeechFailed, match="within a sample"):
                stream.finish()
        else:
            stream.finish()

    def test_nothing_is_not_an_answer(self) -> None:
        with pytest.raises(SpeechFailed, match="no audio"):
            PcmStream("voice", 8000, LIMITS).finish()

    def test_too_much_is_refused_at_the_byte_that_is_too_much(self) -> None:
        stream = PcmStream("voice", 8000, LIMITS)
        assert len(stream.feed(bytes(16000))) == 16000
        with pytest.raises(SpeechFailed, match="more than 1 s"):
            stream.feed(b"\0")

    @pytest.mark.parametrize("start", [b"RIFF\0\0\0\0WAVE", b"ID3\x04\0\0", b"OggS\0\2", b"fLaC\0\0"])
    def test_a_file_is_not_raw_audio(self, start: bytes) -> None:
        with pytest.raises(SpeechFailed, match="file instead of raw"):
            PcmStream("voice", 8000, LIMITS).feed(start)


class TestWav:
    @given(st.binary(max_size=100), st.integers(4000, 192000))
    def test_reads_what_the_standard_library_writes(self, samples: bytes, rate: int) -> None:
        pcm = samples[: len(samples) // 2 * 2]
        assert read_wav(wav(pcm, rate)) == (pcm, rate)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, data: bytes) -> None:
        for attempt in (data, b"RIFF\0\0\0\0WAVE" + data):
            try:
                read_wav(attempt)
            except WavBroken:
                continue

    @given(st.integers(1, 2000))
    def test_a_file_that_was_cut_off_is_refused(self, missing: int) -> None:
        whole = wav(bytes(2000))
        with pytest.raises(WavBroken):
            read_wav(whole[: len(whole) - missing])

    def test_a_streamed_header_runs_to_the_end(self) -> None:
        file = bytearray(wav(b"\1\2\3\4"))
        file[40:44] = b"\xff\xff\xff\xff"
        assert read_wav(bytes(file)) == (b"\1\2\3\4", 8000)

    def test_other_chunks_and_the_extensible_form_are_read(self) -> None:
        plain = wav(b"\1\2\3\4")
        extensible = b"fmt \x28\0\0\0\xfe\xff" + plain[22:36] + b"\x16\0\x10\0\0\0\0\0\1\0" + bytes(14)
        file = plain[:12] + b"LIST\3\0\0\0abc\0" + extensible + plain[36:]
        assert read_wav(file) == (b"\1\2\3\4", 8000)

    @pytest.mark.parametrize(("channels", "width"), [(2, 2), (1, 1), (1, 3)])
    def test_another_shape_is_refused_by_name(self, channels: int, width: int) -> None:
        with pytest.raises(WavBroken, match=f"{channels} channels, {width * 8} bits"):
            read_wav(wav(bytes(12), channels=channels, width=width))


class TestRouterAnswers:
    def answer(self, audio: bytes, **fields: object) -> bytes:
        return json.dumps({"audio_data": base64.b64encode(audio).decode(), "cached": False, **fields}).encode()

    def test_wav_states_its_own_rate(self) -> None:
        chunk = read_answer(self.answer(wav(bytes(1600), 8000), duration_ms=100), RouterSpeechConfig())
        assert (len(chunk.pcm), chunk.sample_rate, chunk.words) == (1600, 8000, ())

    def test_pcm_has_the_rate_that_was_asked_for(self) -> None:
        config = RouterSpeechConfig(format="pcm", sample_rate=16000)
        assert read_answer(self.answer(b"\1\2"), config).sample_rate == 16000

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"", "answer_not_json"),
            (b"<html>secret</html>", "answer_not_json"),
            (b"[" * 100_000, "answer_not_json"),
            (b"[]", "audio_empty"),
            (b"{}", "audio_empty"),
            (b'{"audio_data": null}', "audio_empty"),
            (b'{"audio_data": ""}', "audio_empty"),
            (b'{"audio_data": "secret!"}', "answer_not_base64"),
            (b'{"audio_data": "c2VjcmV0"}', "answer_not_wav"),
        ],
    )
    def test_an_answer_without_audio_is_an_error(self, body: bytes, reason: str) -> None:
        with pytest.raises(SpeechFailed) as caught:
            read_answer(body, RouterSpeechConfig())
        assert caught.value.details["reason"] == reason
        assert "secret" not in repr(caught.value)
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize("stated", [1000, 0, -1, 349, 651])
    def test_a_duration_that_is_not_the_audios_is_an_error(self, stated: int) -> None:
        with pytest.raises(SpeechFailed, match="stated"):
            read_answer(self.answer(wav(bytes(8000), 8000), duration_ms=stated), RouterSpeechConfig())

    @pytest.mark.parametrize("stated", ["500", True, float("inf"), [500]])
    def test_a_duration_that_is_no_number_is_an_error(self, stated: object) -> None:
        with pytest.raises(SpeechFailed, match="no number"):
            read_answer(self.answer(wav(bytes(8000), 8000), duration_ms=stated), RouterSpeechConfig())

    @pytest.mark.parametrize("stated", [500, 499.6, 590, None])
    def test_rounding_and_padding_are_forgiven(self, stated: float | None) -> None:
        assert read_answer(self.answer(wav(bytes(8000), 8000), duration_ms=stated), RouterSpeechConfig()).pcm

    def test_half_a_sample_empty_and_too_long_are_errors(self) -> None:
        config = RouterSpeechConfig(format="pcm", sample_rate=8000, limits=LIMITS)
        for audio, why in ((b"\1", "within a sample"), (bytes(16002), "more than 1 s")):
            with pytest.raises(SpeechFailed, match=why):
                read_answer(self.answer(audio), config)
        with pytest.raises(SpeechFailed, match="no audio"):
            read_answer(self.answer(wav(b"")), RouterSpeechConfig())

    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
    def test_any_json_is_read_or_refused(self, value: object) -> None:
        for body in (value, {"audio_data": value}, {"audio_data": "AAAA", "duration_ms": value}):
            try:
                read_answer(json.dumps(body).encode(), RouterSpeechConfig(format="pcm"))
            except SpeechFailed:
                continue

    def test_mp3_is_not_offered(self) -> None:
        with pytest.raises(ConfigurationError, match="mp3"):
            RouterSpeechConfig(format="mp3")  # type: ignore[arg-type]


class TestLanguages:
    @pytest.mark.parametrize(
        ("language", "voice"),
        [
            ("en-US", "en-us"), ("en", "en-us"), ("en-GB", "en"), ("en-CA", "en-us"), ("de", "de"), ("de-AT", "de"),
            ("es-ES", "es"), ("es-MX", "es-419"), ("fr-FR", "fr"), ("it-IT", "it"), ("nl-NL", "nl"), ("pt-PT", "pt"),
            ("pt_BR", "pt-br"), ("pl", "pl"), ("ru-RU", "ru"), ("ja-JP", "ja"), ("zh-CN", "cmn"), ("zh-Hans-CN", "cmn"),
            ("zh", "cmn"), ("no", "nb"),
        ],
    )  # fmt: skip
    def test_a_tag_finds_its_voice(self, language: str, voice: str) -> None:
        assert espeak_voice(language) == voice

    def test_a_language_nobody_speaks_is_named(self) -> None:
        with pytest.raises(SpeechRefused, match="tlh-Latn"):
            espeak_voice("tlh-Latn")

    @pytest.mark.parametrize("language", ["", "e", "en us", "../en", "x" * 50, "en\n"])
    def test_what_is_no_tag_is_refused_without_repeating_it(self, language: str) -> None:
        with pytest.raises(SpeechRefused, match="not a BCP 47 tag"):
            espeak_voice(language)
