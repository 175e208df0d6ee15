"""When a caller speaks: certain soon, and not for every sound."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls import transcriber_commands
from orchestrator_calls.endpointing import Endpointer, EndpointingConfig, Signal
from orchestrator_kernel.exceptions import ConfigurationError

QUIET, VOICE = -65.0, -22.0


def signals(endpointer: Endpointer, *parts: tuple[float, float], speaking: bool = False) -> list[tuple[str, float]]:
    """Signals with their times in ms, for parts of a level and so many ms."""
    out, clock = [], 0.0
    for level, milliseconds in parts:
        for _ in range(round(milliseconds / 20)):
            clock += 20
            if (signal := endpointer.feed(level, 20, speaking=speaking)) is not None:
                out.append((signal.value, clock))
    return out


def test_an_utterance_with_a_pause_in_it():
    assert signals(Endpointer(), (QUIET, 1000), (VOICE, 800), (QUIET, 300), (VOICE, 400), (QUIET, 800)) == [
        ("started", 1080),
        ("paused", 2040),
        ("resumed", 2120),
        ("paused", 2740),
        ("ended", 3000),
    ]


def test_a_click_is_no_beginning():
    assert signals(Endpointer(), *[(QUIET, 200), (VOICE, 40)] * 10) == []


def test_while_we_speak_it_takes_longer_and_louder():
    echo = QUIET + 15
    assert signals(Endpointer(), (QUIET, 1000), (echo, 1000), speaking=True) == []
    assert signals(Endpointer(), (QUIET, 1000), (VOICE, 400), speaking=True)[0] == ("started", 1160)


def test_the_noise_of_a_loud_line_is_learned():
    endpointer = Endpointer()
    loud = -42.0
    assert signals(endpointer, (loud, 3000)) == []
    assert endpointer.noise == pytest.approx(loud, abs=3)
    assert [name for name, _ in signals(endpointer, (VOICE, 500), (loud, 800))] == ["started", "paused", "ended"]


def test_somebody_who_never_stops_is_cut_off():
    told = signals(Endpointer(EndpointingConfig(longest_ms=3000)), (QUIET, 1000), (VOICE, 3500))
    assert told[:2] == [("started", 1080), ("ended", 4000)]


def test_times_that_make_no_sense_are_refused():
    for wrong in ({"end_ms": 0}, {"onset_ms": -1}, {"pause_ms": 900}, {"longest_ms": float("inf")}):
        with pytest.raises(ConfigurationError):
            EndpointingConfig(**wrong)


@given(st.lists(st.tuples(st.floats(-96, 0), st.floats(1, 60), st.booleans()), max_size=300))
def test_signals_come_in_their_order_whatever_the_line(pieces: list[tuple[float, float, bool]]):
    endpointer, before = Endpointer(), Signal.ENDED
    after = {
        Signal.ENDED: {Signal.STARTED},
        Signal.STARTED: {Signal.PAUSED, Signal.ENDED},
        Signal.PAUSED: {Signal.RESUMED, Signal.ENDED},
        Signal.RESUMED: {Signal.PAUSED, Signal.ENDED},
    }
    for level, milliseconds, speaking in pieces:
        signal = endpointer.feed(level, milliseconds, speaking=speaking)
        if signal is not None:
            assert signal in after[before]
            before = signal
        assert endpointer.talking == (before is not Signal.ENDED)
        assert -75 <= endpointer.noise <= -30


def test_phrases_are_written_as_the_recognizer_writes_them():
    assert doctest.testmod(transcriber_commands).failed == 0
    assert transcriber_commands.normalized("I'd like 2 rooms, please!") == "i'd like rooms please"
