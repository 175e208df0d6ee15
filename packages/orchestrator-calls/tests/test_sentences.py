"""Sentences cut from text that is still being written, and events from bytes that are still coming."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls._sentences import LONGEST, SentenceCutter, spoken
from orchestrator_calls._sse import MAX_EVENT, EventStream, StreamBroken


def cut(text: str, language: str = "en-US") -> list[str]:
    cutter = SentenceCutter(language)
    return [*cutter.feed(text), *cutter.rest()]


@pytest.mark.parametrize(
    ("language", "text", "sentences"),
    [
        ("en-US", "Good evening. How may I help?", ["Good evening.", "How may I help?"]),
        ("en-US", "It costs 12.50 euros. Fine?", ["It costs 12.50 euros.", "Fine?"]),
        ("en-US", "Dr. Smith is here. Mr. J. Doe is not.", ["Dr. Smith is here.", "Mr. J. Doe is not."]),
        ("en-US", "Come at 7 p.m. The kitchen closes at 10 p.m. sharp.", ["Come at 7 p.m.", "The kitchen closes at 10 p.m. sharp."]),
        ("en-US", "See example.com. Then call.", ["See example.com.", "Then call."]),
        ("en-US", 'She said "Yes." He left.', ['She said "Yes."', "He left."]),
        ("en-US", "Really?! Yes!", ["Really?!", "Yes!"]),
        ("en-US", "Well... maybe. Sure.", ["Well... maybe.", "Sure."]),
        ("en-US", "Room 3. The next is 4.", ["Room 3.", "The next is 4."]),
        ("en-US", "The U.S. Embassy is near. Go.", ["The U.S. Embassy is near.", "Go."]),
        ("en-US", "First line\nSecond line", ["First line", "Second line"]),
        ("en-US", "No end at all", ["No end at all"]),
        ("en-US", "", []),
        ("en-US", " \n \n", []),
        ("de-DE", "Am 3. Mai um 19.30 Uhr. Passt das?", ["Am 3. Mai um 19.30 Uhr.", "Passt das?"]),
        ("de-DE", "Das ist z.B. Kaffee. Oder ca. 5 Tees.", ["Das ist z.B. Kaffee.", "Oder ca. 5 Tees."]),
        ("de-DE", "Am 1. und 2. Juni. Gut.", ["Am 1. und 2. Juni.", "Gut."]),
        ("de-DE", "Er sagte: „Ja.“ Dann ging er.", ["Er sagte: „Ja.“ Dann ging er."]),
        ("es-ES", "Hola, Sra. García. ¿Qué desea? ¡Gracias!", ["Hola, Sra. García.", "¿Qué desea?", "¡Gracias!"]),
        ("fr-FR", "Bonjour M. Dupont. Vous désirez ? Merci !", ["Bonjour M. Dupont.", "Vous désirez ?", "Merci !"]),
        ("ja-JP", "はい。お待ちください。", ["はい。", "お待ちください。"]),
    ],
)  # fmt: skip
def test_a_text_is_cut_where_a_speaker_would_breathe(language: str, text: str, sentences: list[str]) -> None:
    assert cut(text, language) == sentences


def test_the_first_sentence_is_there_as_soon_as_the_second_begins() -> None:
    cutter = SentenceCutter()
    assert list(cutter.feed("We have a table. W")) == ["We have a table."]


def test_a_text_without_an_end_is_cut_at_a_pause() -> None:
    text = "a table, " * 100
    sentences = cut(text)
    assert len(sentences) > 2
    assert all(len(each) <= LONGEST + 1 for each in sentences)
    assert all(each.endswith(",") for each in sentences)


@pytest.mark.parametrize("part", [".", '."', "\n", "-\n", "z.b. ", "。", " "])
def test_no_text_takes_long_to_cut(part: str) -> None:
    begun = time.monotonic()
    cut(part * (200_000 // len(part)))
    assert time.monotonic() - begun < 20


texts = st.text(st.sampled_from("abcABC ABC123....,,!?\n\"'()…。äß¿¡mrMR"), max_size=120)


@given(texts, st.sampled_from(["en-US", "de-DE", "es-ES", "fr-FR"]), st.lists(st.integers(0, 120), max_size=10))
def test_any_cutting_into_pieces_gives_the_same_sentences(text: str, language: str, places: list[int]) -> None:
    cutter = SentenceCutter(language)
    edges = [0, *sorted(min(each, len(text)) for each in places), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    sentences = [sentence for piece in pieces for sentence in cutter.feed(piece)]
    assert [*sentences, *cutter.rest()] == cut(text, language)


@given(texts)
def test_nothing_is_lost_and_no_sentence_is_empty(text: str) -> None:
    sentences = cut(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(each.strip() == each and each for each in sentences)


@given(st.integers(0, 9999), st.integers(0, 99))
def test_a_number_is_never_cut(whole: int, part: int) -> None:
    assert cut(f"It is {whole}.{part} in all. Good.") == [f"It is {whole}.{part} in all.", "Good."]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**Breakfast** is from `7` to 10.", "Breakfast is from 7 to 10."),
        ("- a room with a view", "a room with a view"),
        ("## Rooms", "Rooms"),
        ("See [our page](https://example.com/a?b=c).", "See our page."),
        ("Welcome 😀!", "Welcome !"),
        ("a\x00b\tc", "a b c"),
        ("---", ""),
        ("***", ""),
        ("3 * 4 is 12", "3 4 is 12"),
    ],
)
def test_what_cannot_be_spoken_is_left_out(written: str, said: str) -> None:
    assert spoken(written) == said


@given(st.text(max_size=80))
def test_what_is_spoken_is_one_printable_line(text: str) -> None:
    said = spoken(text)
    assert said.isprintable()
    assert said == said.strip()


# --- events -------------------------------------------------------------------------------------------------------------------


def events(*pieces: bytes) -> list[str]:
    stream = EventStream()
    return [data for piece in pieces for data in stream.feed(piece)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events_end_with_an_empty_line(end: bytes) -> None:
    text = [
        b"data: one",
        b"",
        b": a comment",
        b"event: message",
        b"id: 7",
        b"data:two",
        b"data: lines",
        b"",
        b"data: open",
    ]
    assert events(end.join(text) + end) == ["one", "two\nlines"]


def test_a_mark_of_the_byte_order_is_no_part_of_the_first_name() -> None:
    assert events(b"\xef\xbb\xbfdata: one\n\n") == ["one"]


def test_an_event_without_data_is_none() -> None:
    assert events(b"event: ping\n\n\n\ndata\n\n") == [""]


def test_an_event_that_does_not_end_is_refused() -> None:
    with pytest.raises(StreamBroken):
        events(b"data: " + b"a" * MAX_EVENT)
    with pytest.raises(StreamBroken):
        events(*[b"data: aaaaaaa\n"] * (MAX_EVENT // 8))


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 300), max_size=12),
)
def test_any_cutting_of_the_bytes_gives_the_same_events(values: list[str], end: str, places: list[int]) -> None:
    data = "".join(f"data: {value}{end}{end}" for value in values).encode()
    edges = [0, *sorted(min(each, len(data)) for each in places), len(data)]
    pieces = [data[start:stop] for start, stop in itertools.pairwise(edges)]
    assert events(*pieces) == values


@given(st.binary(max_size=300))
def test_no_bytes_break_the_stream(data: bytes) -> None:
    assert events(data) == events(*[data[place : place + 1] for place in range(len(data))])
