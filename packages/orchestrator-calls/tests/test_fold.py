"""A call is a function of the set of its events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from calls_journals import answered, closed, journals, opened, own, told
from calls_support import CALL, TENANT, event
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.call import Call, SentenceState, fold
from orchestrator_calls.events import OWN, CallState
from orchestrator_calls.responder import Say, Transfer


@given(journals().filter(bool), st.randoms())
def test_the_order_of_outside_events_and_copies_do_not_matter(journal, random):
    shuffled = [each for each in journal if each.type not in OWN]
    random.shuffle(shuffled)
    ours = [each for each in journal if each.type in OWN]
    copies = [random.choice(journal) for _ in range(3)]
    assert told(fold([*shuffled, *ours, *copies])) == told(fold(journal))


@given(journals().filter(bool))
def test_event_by_event_is_the_same_as_all_at_once(journal):
    call = Call(CALL, TENANT)
    for each in journal:
        assert call.apply(each)
        assert not call.apply(each)
        assert each.id in call
    assert told(call) == told(fold(journal))


def test_what_comes_after_the_end_is_recorded_and_not_applied():
    call = fold(
        [event("call_started", 0), event("call_ended", 5), event("hold", 6), event("transcription", 7, text="x")]
    )
    assert (call.state, call.recorded_after_end, call.waiting_inputs()) == (CallState.ENDED, 2, [])


def test_what_was_said_on_hold_is_not_answered_later():
    held = [
        event("call_started", 0),
        event("hold", 1),
        event("transcription", 2, id="aside", text="psst"),
        event("resume", 3),
    ]
    call = fold([*held, event("transcription", 4, id="meant", text="hello")])
    assert [each.id for each in call.waiting_inputs()] == ["meant"]


def test_what_was_said_during_a_transfer_that_failed_is_not_answered_later_whenever_it_is_folded():
    events = [
        event("call_started", 0),
        event("transfer_requested", 1, key="transfer/t"),
        event("transcription", 2, id="aside", text="hello?"),
        event("transfer_failed", 3, key="transfer/t"),
    ]
    for order in (events, events[::-1]):
        assert fold(order).waiting_inputs() == []


def test_an_input_that_comes_after_a_later_one_was_taken_is_not_answered():
    call = fold(
        [
            event("call_started", 0, sequence=1),
            event("transcription", 2, id="b", sequence=3, text="second"),
            opened("b", inputs=("b",)),
            event("transcription", 1, id="a", sequence=2, text="first"),
        ]
    )
    assert call.waiting_inputs() == []


def test_inputs_before_the_start_wait_for_it_in_their_order():
    call = fold(
        [event("dtmf", 2, id="b", sequence=2, digit="1"), event("transcription", 1, id="a", sequence=1, text="x")]
    )
    assert (call.state, [each.id for each in call.waiting_inputs()]) == (CallState.INITIALIZING, ["a", "b"])


@pytest.mark.parametrize("order", [1, -1])
def test_reports_may_overtake_each_other_and_the_sentence(order):
    reports = [
        event("playback_started", 1, id="r1", key="t/0"),
        event("playback_progress", 2, id="r2", key="t/0", heard="good", played_ms=300),
        event("playback_cleared", 3, id="r3", key="t/0", heard="good day", played_ms=700, reason="leg lost"),
    ][::order]
    spoken = [opened("t"), answered("t", Say("good day to you", "en-US"))]
    for events in ([*reports, *spoken], [*spoken, *reports]):
        sentence = fold([replace(each, position=place) for place, each in enumerate(events)]).sentence("t/0")
        assert sentence is not None
        assert (sentence.state, sentence.heard, sentence.played_ms) == (SentenceState.CLEARED, "good day", 700)


def test_a_finished_sentence_was_heard_whole_and_a_cleared_one_as_far_as_it_was_told():
    turn = fold(
        [
            opened("t"),
            answered("t", Say("one", "en-US"), Say("two", "en-US"), Say("three", "en-US"), Say("four", "en-US")),
            event("playback_finished", 1, key="t/0"),
            event("playback_cleared", 2, key="t/1"),
            event("playback_started", 3, key="t/2"),
        ]
    ).turns["t"]
    assert [each.heard for each in turn.sentences] == ["one", "", None, None]
    assert turn.heard == "one"


def test_what_was_handed_over_counts_as_heard_until_the_leg_tells_otherwise():
    events = [opened("t"), answered("t", Say("one two", "en-US"), Say("three", "en-US")), closed("t", handed_over=True)]
    assert fold(events).turns["t"].heard == "one two three"
    assert fold([*events, event("playback_cleared", 1, key="t/0", heard="one")]).turns["t"].heard == "one three"


def test_the_history_leaves_out_what_was_superseded_and_stops_before_a_turn():
    events = [
        opened("a", text="hello"),
        answered("a", Say("hi", "en-US")),
        closed("a", handed_over=True),
        opened("b", text="wrong"),
        closed("b", "superseded"),
        opened("c", text="last"),
    ]
    call = fold([replace(each, position=place) for place, each in enumerate(events)])
    assert [(each.caller, each.heard) for each in call.history(before="c")] == [("hello", "hi")]
    assert [each.caller for each in call.history()] == ["hello", "last"]


def test_the_language_is_that_of_the_last_words():
    events = [event("call_started", 0, language="de-DE"), opened("a"), answered("a", Say("bonjour", "fr-FR"))]
    assert [fold(events[:1]).language, fold(events).language, Call(CALL, TENANT, "es-ES").language] == [
        "de-DE",
        "fr-FR",
        "es-ES",
    ]


def test_erased_events_tell_that_they_happened_and_nothing_else():
    kept = [
        event("call_started", 0, caller="+491"),
        event("transcription", 1, id="a", text="secret"),
        opened("a", inputs=("a",), text="secret"),
        answered("a", Say("You said secret", "en-US"), Transfer("desk", "asked")),
        event("playback_finished", 2, key="a/0"),
        event("call_ended", 3),
    ]
    erased = [replace(each, position=place, payload={"erased": True}) for place, each in enumerate(kept, 1)]
    call = fold(erased)
    assert (call.state, call.caller, call.turns, call.waiting_inputs(), call.count) == (CallState.ENDED, "", {}, [], 6)
    assert "secret" not in str(told(call))


def test_an_order_to_hang_up_makes_the_call_ending():
    call = fold([event("call_started", 0), own("command_sent", "hang_up/t", key="hang_up/t")])
    assert call.state is CallState.ENDING
