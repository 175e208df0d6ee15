"""File names, headers, log lines."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator_security.input_validation import (
    NameRefused,
    content_disposition,
    header_value,
    log_text,
    safe_file_name,
)


@given(st.text(max_size=300))
@example("..")
@example("a/b")
@example("a\x00b")
@example("\ud800")
def test_a_file_name_that_passes_stays_where_it_is_put(name: str) -> None:
    try:
        safe = safe_file_name(name)
    except NameRefused:
        return
    assert safe == unicodedata.normalize("NFC", name)
    assert not set(safe) & set('/\\\x00:*?"<>|\n\r')
    assert safe not in {".", ".."}
    assert len(safe.encode()) <= 255


@pytest.mark.parametrize("name", ["greeting.wav", "Grüße aus Köln (2).txt", "señal_1+2@3.mp3", "日本.wav", "e\u0301"])
def test_names_that_people_give_pass(name: str) -> None:
    assert safe_file_name(name)


@pytest.mark.parametrize(
    "name", ["", ".env", "-rf", "a.", "a ", "CON", "nul.txt", "com1.log", "a:b", "a\u202ecod", "x" * 256]
)
def test_names_that_do_harm_somewhere_do_not(name: str) -> None:
    with pytest.raises(NameRefused):
        safe_file_name(name)


@given(st.text(max_size=80))
@example("a\r\nSet-Cookie: x=1")
def test_a_header_value_is_one_line(text: str) -> None:
    try:
        value = header_value(text)
    except NameRefused:
        return
    assert value == text
    assert value.isascii()
    assert not re.search(r"[\r\n\x00]", value)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("call.wav", 'attachment; filename="call.wav"'),
        ("Grüße.txt", "attachment; filename=\"Grue.txt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt"),
        ("日本", "attachment; filename=\"download\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
    ],
)
def test_downloads_keep_their_name(name: str, header: str) -> None:
    assert content_disposition(name) == header


@given(st.text(max_size=600))
@example("ok\nERROR forged line")
@example("\x1b[2J\x9b31m")
@example("\u202eabc\u2066")
def test_a_log_line_stays_one_and_shows_what_was_there(text: str) -> None:
    line = log_text(text)
    assert len(line.splitlines()) <= 1
    assert all(unicodedata.category(letter) not in {"Cc", "Zl", "Zp", "Cs"} for letter in line)
    assert not set(line) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


@given(st.text(max_size=100), st.text(max_size=100))
def test_two_different_texts_never_look_the_same(one: str, other: str) -> None:
    assert (log_text(one) == log_text(other)) == (one == other)
