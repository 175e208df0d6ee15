"""The key of a sentence: a function of what is heard, and of nothing else."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.ports import SpeechRequest
from orchestrator_utils.tts_client import speech_cache_key

texts = st.text(alphabet=st.characters(), max_size=12)
requests = st.builds(
    SpeechRequest,
    text=texts,
    language=st.sampled_from(["en", "en-us", "en-US", "de"]),
    voice=st.one_of(st.none(), texts),
    speed=st.sampled_from([0.5, 1, 1.0, 1.25]),
)
backends = st.one_of(st.sampled_from(["espeak:1.52", "openai:tts-1:24000"]), texts)


def heard(request: SpeechRequest, backend: str) -> object:
    return backend, request.text, request.language.lower(), request.voice, float(request.speed)


@given(requests, requests, backends, backends)
def test_two_sentences_share_a_key_exactly_when_they_sound_the_same(
    first: SpeechRequest, second: SpeechRequest, one: str, other: str
) -> None:
    same = heard(first, one) == heard(second, other)
    assert (speech_cache_key(first, one) == speech_cache_key(second, other)) is same


def test_fields_cannot_pass_for_each_other() -> None:
    keys = {
        speech_cache_key(SpeechRequest(text="b", language="en", voice="a"), "x"),
        speech_cache_key(SpeechRequest(text="ab", language="en", voice=""), "x"),
        speech_cache_key(SpeechRequest(text="ab", language="en", voice=None), "x"),
        speech_cache_key(SpeechRequest(text="ab", language="en", voice="-"), "x"),
    }
    assert len(keys) == 4


def test_the_key_tells_nothing_of_the_text_and_is_a_file_name() -> None:
    key = speech_cache_key(SpeechRequest(text="a secret", language="en"), "x")
    assert len(key) == 64
    assert set(key) <= set("0123456789abcdef")


def test_the_key_is_the_same_in_another_process() -> None:
    code = (
        "from orchestrator_kernel.ports import SpeechRequest; from orchestrator_utils.tts_client import speech_cache_key;"
        "print(speech_cache_key(SpeechRequest(text='Grüße', language='de-DE', voice='a', speed=1.1), 'espeak:1.52'))"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    here = speech_cache_key(SpeechRequest(text="Grüße", language="de-DE", voice="a", speed=1.1), "espeak:1.52")
    assert there == here
