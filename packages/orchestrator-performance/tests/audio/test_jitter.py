"""Frames that come as networks bring them leave in order, each once."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance.audio_optimizer import AudioError, JitterBuffer


def frame(number: int) -> bytes:
    return number.to_bytes(4, "big") * 40


def number_of(data: bytes) -> int:
    return int.from_bytes(data[:4], "big")


def test_an_even_stream_is_passed_on_with_one_frame_of_delay():
    buffer = JitterBuffer()
    out = []
    for number in range(100):
        buffer.put(number, frame(number), number * 0.02)
        out.append(buffer.get())
    assert [number_of(each) for each in out if each] == list(range(100))
    assert buffer.stats().concealed == 0
    assert buffer.stats().target == 1


def test_an_uneven_network_is_waited_for_and_a_calm_one_is_not():
    source, buffer = random.Random(1), JitterBuffer(max_depth=20)
    arrivals = sorted((number * 0.02 + source.uniform(0, 0.06), number) for number in range(1000))
    played, silent, clock = [], 0, 0.0
    for tick in range(1010):
        clock = tick * 0.02
        while arrivals and arrivals[0][0] <= clock:
            at, number = arrivals.pop(0)
            buffer.put(number, frame(number), at)
        got = buffer.get()
        played += [number_of(got)] if got else []
        silent += got is None
    stats = buffer.stats()
    assert played == sorted(set(played))
    assert len(played) >= 980, stats
    assert 10 <= stats.jitter_ms <= 30
    assert 2 <= stats.target <= 5


def test_a_lost_frame_is_concealed_and_those_behind_it_follow():
    buffer = JitterBuffer()
    for number in (0, 1, 3, 4):
        buffer.put(number, frame(number), number * 0.02)
    out = [buffer.get() for _ in range(5)]
    assert [number_of(each) if each else None for each in out] == [0, 1, None, 3, 4]


def test_late_and_double_frames_change_nothing():
    buffer = JitterBuffer()
    for number in (0, 0, 1):
        buffer.put(number, frame(number), 0.0)
    assert [number_of(buffer.get()) for _ in range(2)] == [0, 1]
    buffer.put(0, frame(0), 0.1)
    assert buffer.get() is None
    stats = buffer.stats()
    assert (stats.received, stats.duplicate, stats.late, stats.played) == (4, 1, 1, 2)


def test_the_sequence_begins_anew_after_its_end():
    buffer, out = JitterBuffer(modulus=65536), []
    for number in range(65_530, 65_550):
        buffer.put(number % 65536, frame(number), number * 0.02)
        got = buffer.get()
        out += [number_of(got)] if got else []
    assert out == list(range(65_530, 65_550))


def test_a_burst_does_not_become_a_delay_for_ever():
    buffer = JitterBuffer(max_depth=20)
    for number in range(15):
        buffer.put(number, frame(number), 0.3)
    clock, depth = 0.3, 0
    for number in range(15, 1500):
        clock += 0.02
        buffer.put(number, frame(number), clock)
        buffer.get()
        depth = buffer.stats().depth
    assert depth <= buffer.stats().target + 2
    assert buffer.stats().skipped > 0


def test_what_is_no_sequence_number_is_told_with_its_stream():
    buffer = JitterBuffer(stream="MZ1")
    for wrong in (-1, 65536):
        with pytest.raises(AudioError, match=f"stream MZ1: {wrong} is no sequence number"):
            buffer.put(wrong, frame(0), 0.0)
    with pytest.raises(ConfigurationError):
        JitterBuffer(max_depth=1)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), max_size=80),
    st.integers(2, 12),
)
def test_whatever_comes_leaves_in_order_once_and_the_books_are_right(steps: list[tuple[int, int]], depth: int):
    buffer, out, clock = JitterBuffer(max_depth=depth), [], 0.0
    for number, gets in steps:
        clock += 0.01
        buffer.put(number, frame(number), clock)
        for _ in range(gets):
            got = buffer.get()
            out += [number_of(got)] if got else []
        assert buffer.stats().depth <= depth
    assert out == sorted(set(out))
    stats = buffer.stats()
    assert stats.received == len(steps)
    assert stats.received == stats.played + stats.late + stats.duplicate + stats.overflow + stats.skipped + stats.depth
