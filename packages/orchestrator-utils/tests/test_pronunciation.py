"""Pronunciation tables: what the voice is given, and that the times come back in the sentence's own words."""

from __future__ import annotations

import doctest
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import SpeechChunk, SpeechFailed, SpeechRequest, WordTiming
from orchestrator_utils import pronunciation
from orchestrator_utils.pronunciation import PronouncedSpeech, Pronunciations

TABLE = Pronunciations(
    {
        "wifi": "why fie",
        "IT": "eye tee",
        "St. Moritz": "Sankt Moritz",
        "Moritz": "Morits",
        "C++": "see plus plus",
        "new york": "Nuyork",
        "é": "eh",
    }
)


class Loud:
    """A voice that takes 100 ms for each word that it is given, one piece per word, and keeps what it was asked."""

    def __init__(self, *, together: bool = False, fails: bool = False) -> None:
        self.asked: list[str] = []
        self.closed = False
        self._together = together
        self._fails = fails

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        self.asked.append(request.text)
        words = [WordTiming(word, 100 * at, 100 * at + 100) for at, word in enumerate(request.text.split())]
        try:
            if self._together:
                yield SpeechChunk(bytes(1600 * len(words)), 8000)
                yield SpeechChunk(b"", 8000, tuple(words))
                return
            for word in words:
                yield SpeechChunk(bytes(1600), 8000, (word,))
                if self._fails:
                    raise SpeechFailed("broke")
        finally:
            self.closed = True


async def told(voice: Loud, text: str, table: Pronunciations = TABLE) -> list[WordTiming]:
    speech = PronouncedSpeech(voice, table)
    return [word async for chunk in speech.synthesize(SpeechRequest(text=text, language="en")) for word in chunk.words]


@pytest.mark.parametrize(
    ("text", "given_to_the_voice"),
    [
        ("The WIFI is free.", "The why fie is free."),
        ("Ask IT, it knows.", "Ask eye tee, it knows."),
        ("St. Moritz, not St.  Moritz's Moritz", "Sankt Moritz, not Sankt Moritz's Morits"),
        ("wifipassword, my-wifi, (wifi)", "wifipassword, my-why fie, (why fie)"),
        ("We write C++.", "We write see plus plus."),
        ("Café", "Café"),
        ("", ""),
        ("nothing here", "nothing here"),
    ],
)
def test_whole_words_are_replaced_in_their_case(text: str, given_to_the_voice: str) -> None:
    assert TABLE.apply(text).text == given_to_the_voice


def test_what_was_put_in_is_not_replaced_again() -> None:
    assert Pronunciations({"a": "b", "b": "a"}).apply("a b a").text == "b a b"


@pytest.mark.parametrize(
    "entries",
    [{"": "x"}, {"  ": "x"}, {"x": " "}, {"x" * 121: "y"}, {"x": "y" * 121}, {str(n): "x" for n in range(2001)}],
)
def test_entries_that_cannot_be_meant_are_refused(entries: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="pronunciation"):
        Pronunciations(entries)


def test_the_same_entry_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="stands there twice"):
        Pronunciations({"new  york": "a", "new york": "b"})


def test_an_empty_table_changes_nothing() -> None:
    assert len(Pronunciations({})) == 0
    assert Pronunciations({}).apply("as it is").text == "as it is"


async def test_the_voice_is_given_the_spelling_and_the_words_come_back_as_they_were_written() -> None:
    voice = Loud()
    words = await told(voice, "The WiFi in St. Moritz, IT says.")
    assert voice.asked == ["The why fie in Sankt Moritz, eye tee says."]
    assert words == [
        WordTiming("The", 0, 100),
        WordTiming("WiFi", 100, 300),
        WordTiming("in", 300, 400),
        WordTiming("St.", 400, 460),
        WordTiming("Moritz,", 460, 600),
        WordTiming("IT", 600, 800),
        WordTiming("says.", 800, 900),
    ]


async def test_words_that_become_one_share_its_time_by_their_length() -> None:
    assert await told(Loud(), "in new york now") == [
        WordTiming("in", 0, 100),
        WordTiming("new", 100, 142),
        WordTiming("york", 142, 200),
        WordTiming("now", 200, 300),
    ]


async def test_times_that_come_late_and_all_at_once_are_as_good() -> None:
    text = "The WiFi in St. Moritz"
    assert await told(Loud(together=True), text) == await told(Loud(), text)


async def test_a_voice_without_times_stays_without() -> None:
    class Silent:
        async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
            yield SpeechChunk(bytes(2 * len(request.text)), 8000)

    request = SpeechRequest(text="wifi", language="en")
    chunks = [chunk async for chunk in PronouncedSpeech(Silent(), TABLE).synthesize(request)]
    assert chunks == [SpeechChunk(bytes(14), 8000)]


async def test_leaving_early_and_failing_reach_the_voice() -> None:
    voice = Loud(fails=True)
    with pytest.raises(SpeechFailed):
        await told(voice, "wifi wifi")
    assert voice.closed


pieces = st.sampled_from(
    [
        "wifi",
        "WIFI",
        "it",
        "IT",
        "St. Moritz",
        "Moritz",
        "C++",
        "new york",
        "é",
        "x",
        "-",
        "(",
        ")",
        ",",
        " ",
        "\n",
        "ok",
    ]
)


@given(st.lists(pieces, max_size=12).map("".join))
async def test_every_word_comes_back_once_in_order_and_within_the_time(text: str) -> None:
    words = await told(Loud(), text) if text.strip() else []
    assert [word.word for word in words] == text.split()
    assert all(word.start_ms <= word.end_ms for word in words)
    assert [word.start_ms for word in words] == sorted(word.start_ms for word in words)
    assert words == [] or words[-1].end_ms == 100 * len(TABLE.apply(text).text.split())


def test_the_examples_run() -> None:
    assert doctest.testmod(pronunciation).failed == 0
    assert doctest.testmod(pronunciation).attempted >= 3
