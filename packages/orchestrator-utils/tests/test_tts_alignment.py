"""From lines and times of characters to times of words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.ports import WordTiming
from orchestrator_utils._json_lines import BrokenLines, JsonLines
from orchestrator_utils._speech_alignment import Alignment, AlignmentBroken, Characters, read_alignment

sentences = st.lists(st.text(alphabet="abcé.,-", min_size=1, max_size=6), min_size=1, max_size=8).map(" ".join)


def characters(text: str, start: float = 0.0, each: float = 0.1) -> Characters:
    starts = tuple(start + each * at for at in range(len(text)))
    return Characters(tuple(text), starts, tuple(begin + each for begin in starts))


@given(text=sentences, cuts=st.lists(st.integers(0, 60), max_size=5), own_times=st.booleans())
def test_words_come_once_in_order_however_the_characters_are_cut(text: str, cuts: list[int], own_times: bool) -> None:
    alignment, found, at = Alignment(text), [], 0
    for cut in sorted({*(cut for cut in cuts if 0 < cut < len(text)), len(text)}):
        begin = at * 0.3
        piece = text[at:cut]
        found += alignment.take(characters(piece, 0.0 if own_times else begin, 0.3), begin)
        at = cut
    found += alignment.finish(len(text) * 0.3)
    assert [word.word for word in found] == text.split()
    for word, begin in zip(found, starts_of(text), strict=True):
        assert abs(word.start_ms - begin * 300) <= 1
        assert abs(word.end_ms - (begin + len(word.word)) * 300) <= 1


def starts_of(text: str) -> list[int]:
    at, found = 0, []
    for word in text.split(" "):
        found.append(at)
        at += len(word) + 1
    return found


def test_words_that_were_never_told_share_what_is_left_of_the_audio() -> None:
    alignment = Alignment("one two three")
    assert alignment.take(characters("one "), 0.0) == (WordTiming("one", 0, 300),)
    assert alignment.finish(1.1) == (WordTiming("two", 300, 600), WordTiming("three", 600, 1100))


def test_times_never_go_back() -> None:
    alignment = Alignment("a b")
    words = alignment.take(Characters(("a", " ", "b"), (0.2, 0.2, 0.1), (0.1, 0.2, 0.05)), 0.0) + alignment.finish(0.3)
    assert [word.start_ms for word in words] == [200, 200]
    assert all(word.start_ms <= word.end_ms for word in words)


def test_no_alignment_is_none() -> None:
    assert read_alignment(None) is None


@pytest.mark.parametrize(
    "found",
    [
        [],
        {},
        {"characters": "a", "character_start_times_seconds": [0], "character_end_times_seconds": [1]},
        {"characters": ["a"], "character_start_times_seconds": [], "character_end_times_seconds": [1]},
        {"characters": [1], "character_start_times_seconds": [0], "character_end_times_seconds": [1]},
        {"characters": ["a"], "character_start_times_seconds": ["0"], "character_end_times_seconds": [1]},
        {"characters": ["a"], "character_start_times_seconds": [True], "character_end_times_seconds": [1]},
        {"characters": ["a"], "character_start_times_seconds": [float("nan")], "character_end_times_seconds": [1]},
        {"characters": ["a"], "character_start_times_seconds": [-1], "character_end_times_seconds": [1]},
    ],
)
def test_malformed_alignments_are_refused(found: object) -> None:
    with pytest.raises(AlignmentBroken):
        read_alignment(found)


objects = st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3), max_size=5)


@given(objects=objects, sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5), ends=st.booleans())
def test_lines_come_whole_out_of_pieces_of_any_size(
    objects: list[dict[str, object]], sizes: list[int], ends: bool
) -> None:
    data = "\n".join(map(json.dumps, objects)).encode() + (b"\n" if ends else b"")
    lines, found, at = JsonLines(10_000), [], 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        found += lines.feed(data[at : at + size])
        at += size
    assert [*found, *lines.finish()] == objects


def test_events_and_empty_lines_are_taken_too() -> None:
    lines = JsonLines(100)
    assert list(lines.feed(b'\r\n: hello\nevent: audio\ndata: {"a": 1}\r\n\n{"b": 2}')) == [{"a": 1}]
    assert list(lines.finish()) == [{"b": 2}]


@pytest.mark.parametrize("data", [b"x" * 101, b"[1]\n", b'{"a":\n', b"\xff\n", b"1" * 101 + b"\n", b"[" * 90 + b"\n"])
def test_what_is_no_line_is_refused_without_showing_it(data: bytes) -> None:
    with pytest.raises(BrokenLines) as caught:
        list(JsonLines(100).feed(data))
    assert "xxx" not in str(caught.value)
