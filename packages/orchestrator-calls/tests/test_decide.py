"""What is to be done for a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from calls_journals import answered, closed, journals, opened, own
from calls_support import CALL, event
from hypothesis import given

from orchestrator_calls.call import Call, fold
from orchestrator_calls.decide import (
    Ask,
    CancelAnswer,
    Command,
    EndCall,
    FailTransfer,
    Intent,
    Policy,
    Speak,
    StopSpeaking,
    Timer,
    decide,
    interrupted_by,
)
from orchestrator_calls.events import Event
from orchestrator_calls.responder import Collect, HangUp, InputKind, Say, Transfer
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.virtual_time import EPOCH

POLICY = Policy(silence=8, max_duration=600, idle=900, hang_up_grace=5, transfer_limit=30)
START = [event("agent_ready", 0, reply_channel="media"), event("call_started", 0)]
ATTACHED = own("leg_attached", "media/0", channel="media")
GREETED = [*START, ATTACHED, opened(f"{CALL}/greeting", "greeting"), answered(f"{CALL}/greeting", Say("Hi.", "en-US"))]
GREETED += [closed(f"{CALL}/greeting"), own("playback_finished", "g", 1, key=f"{CALL}/greeting/0")]


def folded(*events: Event) -> Call:
    return fold([replace(each, position=place) for place, each in enumerate(events, 1)])


def intents(kind: type[Any], *events: Event) -> list[Any]:
    return [each for each in decide(folded(*events), POLICY) if isinstance(each, kind)]


def timers(*events: Event) -> dict[str, float]:
    """Due times in seconds of the test's time."""
    return {each.key: (each.due - EPOCH).total_seconds() for each in intents(Timer, *events)}


def said(text: str = "hello", at: float = 2, **options: Any) -> Event:
    return event("transcription", at, id=text, text=text, **options)


def key(digit: str, at: float, **options: Any) -> Event:
    return event("dtmf", at, id=f"key{digit}@{at}", digit=digit, **options)


# --- keys -------------------------------------------------------------------------------------------------------------------


@given(journals().filter(bool))
def test_deciding_twice_gives_the_same_and_every_key_once(journal):
    first = decide(fold(journal), POLICY)
    assert decide(fold(journal), POLICY) == first
    keys = [(type(each), each.key) for each in first]
    assert len(keys) == len(set(keys))


@given(journals().filter(bool))
def test_a_key_goes_once_its_outcome_is_an_event(journal):
    """Carrying out an intent and folding what came of it leaves nothing of that key to do."""
    for intent in decide(fold(journal), POLICY):
        outcome = outcome_of(intent)
        if outcome:
            after = fold([*journal, *(replace(each, position=1000 + n) for n, each in enumerate(outcome))])
            assert not [each for each in decide(after, POLICY) if type(each) is type(intent) and each.key == intent.key]


def outcome_of(intent: Intent) -> Sequence[Event]:
    """The events that come of an intent that was carried out; none for those that only stop something."""
    outcomes: dict[type[Any], Callable[[Any], list[Event]]] = {
        Ask: lambda ask: [opened(ask.turn, ask.kind.value, ask.inputs), closed(ask.turn)],
        Command: lambda order: [own("command_sent", order.key, key=order.key)],
        Timer: lambda timer: [own("timer_fired", timer.key, timer=timer.key)],
        Speak: lambda speak: [own("playback_finished", speak.key, key=speak.key)],
        EndCall: lambda _: [event("call_ended", 99, source="orchestrator")],
        FailTransfer: lambda fail: [event("transfer_failed", 99, id="f", source="orchestrator", key=fail.transfer)],
    }
    return outcomes.get(type(intent), lambda _: [])(intent)


@pytest.mark.parametrize("end", [event("call_ended", 9), event("error", 9, fatal=True)])
def test_nothing_is_done_for_a_call_that_is_over(end):
    assert decide(folded(*GREETED, said(), end), POLICY) == []


# --- turns ------------------------------------------------------------------------------------------------------------------


def test_a_started_call_is_greeted_once_and_before_all_else():
    assert intents(Ask, START[0], said(at=0)) == []
    [ask] = intents(Ask, *START, said())
    assert (ask.turn, ask.kind, ask.inputs) == (f"{CALL}/greeting", InputKind.GREETING, ())
    assert intents(Ask, *GREETED) == []


def test_inputs_are_answered_one_by_one_in_order():
    [ask] = intents(Ask, *GREETED, said("second", 5), said("first", 4, confidence=0.5, language="de-DE"))
    assert (ask.turn, ask.text, ask.confidence, ask.language) == ("first", "first", 0.5, "de-DE")
    assert intents(Ask, *GREETED, said("first"), said("second", 3), opened("first", inputs=("first",))) == []


def test_a_key_supersedes_an_answer_that_is_still_being_written():
    busy = [*GREETED, said("long"), opened("long", inputs=("long",))]
    assert intents(CancelAnswer, *busy) == []
    [cancel] = intents(CancelAnswer, *busy, key("1", 4))
    assert cancel.turn == "long"
    [ask] = intents(Ask, *busy, key("1", 4), closed("long", "superseded"))
    assert (ask.kind, ask.text) == (InputKind.DIGITS, "1")


def test_a_key_does_not_supersede_the_answer_to_keys():
    assert intents(CancelAnswer, *GREETED, key("1", 2), opened("k", "digits", ("key1@2",)), key("2", 3)) == []


@pytest.mark.parametrize("state", [event("hold", 2), event("transfer_requested", 2)])
def test_nobody_is_asked_while_the_caller_is_away(state):
    assert intents(Ask, *GREETED, said(at=1.5), state) == []


# --- keys that are collected ------------------------------------------------------------------------------------------------

PIN = [
    *GREETED,
    said("pin"),
    opened("pin", inputs=("pin",)),
    answered("pin", Collect(digits=4, timeout=3, sensitive=True)),
]
PIN += [closed("pin")]


def test_keys_are_collected_until_there_are_enough():
    keys = [key(digit, 3 + place / 10) for place, digit in enumerate("1234")]
    assert intents(Ask, *PIN, *keys[:3]) == []
    [ask] = intents(Ask, *PIN, *keys)
    assert (ask.text, ask.inputs, ask.sensitive) == ("1234", tuple(each.id for each in keys), True)


def test_a_terminator_ends_them_and_is_no_part_of_them():
    [ask] = intents(Ask, *PIN, key("1", 3), key("2", 3.1), key("#", 3.2))
    assert ask.text == "12"
    [alone] = intents(Ask, *PIN, key("#", 3))
    assert alone.text == "#"


def test_a_pause_ends_them():
    keys = [key("1", 3), key("2", 3.5)]
    assert timers(*PIN, *keys)["digits/key2@3.5"] == 6.5
    fired = own("timer_fired", "d", timer="digits/key2@3.5")
    assert intents(Ask, *PIN, *keys, fired)[0].text == "12"
    assert intents(Ask, *PIN, *keys, key("3", 6.4), fired) == []


def test_speech_ends_them():
    [ask] = intents(Ask, *PIN, key("1", 3), said("forget it", 4))
    assert (ask.kind, ask.text) == (InputKind.DIGITS, "1")


def test_without_collecting_every_key_is_an_input():
    [ask] = intents(Ask, *GREETED, key("1", 3), key("2", 3.1))
    assert (ask.text, ask.sensitive) == ("1", False)


def test_collecting_is_over_with_the_next_input():
    done = [*PIN, key("1", 3), key("#", 3.1), opened("d", "digits", ("key1@3", "key#@3.1")), closed("d")]
    assert intents(Ask, *done, key("5", 5))[0].text == "5"


# --- silence, duration and hold ---------------------------------------------------------------------------------------------


def test_silence_is_counted_from_the_last_word_of_either_side():
    assert timers(*GREETED)["silence/1"] == 1 + 8
    assert timers(*GREETED, event("speech_started", 4))["silence/1"] == 4 + 8
    assert timers(*GREETED, event("transcription", 6, text="hm", final=False))["silence/1"] == 6 + 8


@pytest.mark.parametrize(
    "reason",
    [
        [said()],
        [said(), opened("hello", inputs=("hello",))],
        [event("hold", 3)],
        [own("leg_detached", "media/9")],
        [opened("t"), answered("t", Say("still speaking", "en-US")), closed("t")],
    ],
    ids=["input waits", "answer is written", "on hold", "no leg", "speaking"],
)
def test_there_is_no_silence_while(reason):
    assert [name for name in timers(*GREETED, *reason) if name.startswith("silence/")] == []


def test_a_leg_that_speaks_for_itself_is_not_prompted():
    answer = [event("call_started", 0), opened(f"{CALL}/greeting", "greeting"), closed(f"{CALL}/greeting")]
    assert set(timers(*answer)) == {"idle", "duration"}


def test_silences_in_a_row_are_counted_and_each_has_its_own_timer():
    fired = own("timer_fired", "s1", 9, timer="silence/1")
    [ask] = intents(Ask, *GREETED, fired)
    assert (ask.kind, ask.repeats, ask.turn) == (InputKind.SILENCE, 1, f"{CALL}/silence/1")
    again = [fired, opened(ask.turn, "silence", at=9), closed(ask.turn), own("timer_fired", "s2", timer="silence/2")]
    assert intents(Ask, *GREETED, *again)[0].repeats == 2
    spoke = [
        *again[:3],
        said(),
        opened("hello", inputs=("hello",)),
        closed("hello"),
        own("timer_fired", "s3", timer="silence/3"),
    ]
    assert intents(Ask, *GREETED, *spoke)[0].repeats == 1


def test_a_call_ends_after_its_longest_duration_without_the_time_on_hold():
    assert timers(*GREETED)["duration"] == 600
    held = [event("hold", 10), event("resume", 70)]
    assert timers(*GREETED, *held)["duration"] == 660
    assert "duration" not in timers(*GREETED, held[0])
    [order] = intents(Command, *GREETED, own("timer_fired", "duration", timer="duration"))
    assert (order.key, order.order) == ("hang_up/duration", HangUp("maximum duration"))


def test_a_call_that_nothing_is_heard_of_is_abandoned():
    assert timers(event("participant_joined", 7))["idle"] == 7 + 900
    assert intents(EndCall, *GREETED, own("timer_fired", "idle", timer="idle"))[0].reason == "abandoned"


def test_the_latest_arrival_counts_for_idleness_whatever_the_clocks_say():
    assert timers(event("participant_joined", 7, received=3), event("agent_ready", 1, received=5))["idle"] == 5 + 900


# --- speech -----------------------------------------------------------------------------------------------------------------

TALK = [
    *GREETED,
    said("talk"),
    opened("talk", inputs=("talk",)),
    answered("talk", Say("one", "en-US"), Say("two", "en-US")),
]


def test_sentences_are_spoken_in_order_until_they_are_over():
    assert [each.key for each in intents(Speak, *TALK)] == ["talk/0", "talk/1"]
    assert [each.key for each in intents(Speak, *TALK, event("playback_finished", 3, key="talk/0"))] == ["talk/1"]


@pytest.mark.parametrize(
    "why",
    [
        [own("turn_interrupted", "talk", turn="talk")],
        [event("playback_cleared", 3, key="talk/0", reason="interrupted", heard="")],
        [event("hold", 3)],
        [event("transfer_requested", 3)],
        [closed("talk"), said("more", 4), opened("more", inputs=("more",))],
    ],
    ids=["interrupted", "cleared by the leg", "hold", "transfer", "overtaken"],
)
def test_speech_that_nobody_is_to_hear_is_stopped_and_not_begun(why):
    assert [each.turn for each in intents(StopSpeaking, *TALK, *why)] == ["talk"]
    assert intents(Speak, *TALK, *why) == []


def test_the_last_words_of_a_call_that_ends_are_spoken():
    assert [each.key for each in intents(Speak, *TALK, own("command_sent", "d", key="hang_up/duration"))] == [
        "talk/0",
        "talk/1",
    ]


def test_who_begins_to_speak_interrupts_what_is_spoken_or_about_to_be():
    begins = event("speech_started", 5, sequence=9)
    assert interrupted_by(folded(*GREETED), begins) is None
    assert interrupted_by(folded(*TALK), begins).id == "talk"
    assert interrupted_by(folded(*GREETED, said("slow"), opened("slow", inputs=("slow",))), begins).id == "slow"


def test_who_began_before_the_input_that_is_answered_does_not_interrupt_the_answer():
    talk = [*GREETED, said("talk", sequence=5), *TALK[-2:]]
    assert interrupted_by(folded(*talk), event("speech_started", 1, sequence=4)) is None
    assert interrupted_by(folded(*talk), event("speech_started", 3, sequence=6)).id == "talk"
    assert interrupted_by(folded(*talk), event("speech_started", 3, sequence=4, source="sip")).id == "talk"


def test_a_leg_that_speaks_for_itself_is_not_interrupted_by_us():
    answer = [event("call_started", 0), said("talk"), *TALK[-2:]]
    assert interrupted_by(folded(*answer), event("speech_started", 3)) is None


def test_an_answer_to_someone_who_goes_on_speaking_is_marked_as_interrupted():
    begins = event("speech_started", 3, sequence=3)
    assert intents(Ask, *GREETED, said("a", sequence=2), begins)[0].interrupted
    assert not intents(
        Ask, *GREETED, said("a", sequence=2), said("b", 3, sequence=3), event("speech_started", 4, sequence=4)
    )[0].interrupted
    assert not intents(Ask, *GREETED, said("a", sequence=2), replace(begins, source="sip"))[0].interrupted
    assert intents(Ask, *START, ATTACHED, event("speech_started", 1))[0].interrupted


# --- orders -----------------------------------------------------------------------------------------------------------------


def goodbye(order: Transfer | HangUp, *words: str) -> list[Event]:
    return [
        *GREETED,
        said("bye", sequence=7),
        opened("bye", inputs=("bye",)),
        answered("bye", *(Say(word, "en-US") for word in words), order),
        closed("bye"),
    ]


HANG_UP, TRANSFER = HangUp("done"), Transfer("desk", "asked")


@pytest.mark.parametrize(("order", "key"), [(HANG_UP, "hang_up/bye"), (TRANSFER, "transfer/bye")])
def test_an_order_is_given_after_the_last_word(order, key):
    events = goodbye(order, "good", "bye")
    assert intents(Command, *events) == []
    assert intents(Command, *events, event("playback_finished", 3, key="bye/0")) == []
    spoken = [event("playback_finished", 3, id=f"f{n}", key=f"bye/{n}") for n in range(2)]
    assert intents(Command, *events, *spoken) == [Command(key, order)]
    assert intents(Command, *events, *spoken, own("command_sent", "c", key=key)) == []
    assert intents(Command, *goodbye(order)) == [Command(key, order)]


@pytest.mark.parametrize(
    "taken_back",
    [
        [own("turn_interrupted", "bye", turn="bye"), event("playback_cleared", 3, key="bye/0", heard="")],
        [event("playback_finished", 3, key="bye/0"), said("wait", 3, sequence=8)],
        [event("playback_finished", 3, key="bye/0"), event("hold", 4)],
        [event("playback_finished", 3, key="bye/0"), own("leg_detached", "media/1")],
    ],
    ids=["interrupted", "spoke again", "on hold", "no leg to tell"],
)
def test_an_order_is_taken_back(taken_back):
    assert intents(Command, *goodbye(HANG_UP, "goodbye"), *taken_back) == []


def test_an_order_of_no_words_cannot_be_cut_short():
    assert intents(Command, *goodbye(HANG_UP), own("turn_interrupted", "bye", turn="bye")) == [
        Command("hang_up/bye", HANG_UP)
    ]


def test_an_order_of_an_answer_that_is_handed_over_goes_with_it():
    events = [
        event("call_started", 0),
        said("bye"),
        opened("bye", inputs=("bye",)),
        answered("bye", Say("bye", "en-US"), HANG_UP),
    ]
    greeting = [opened(f"{CALL}/greeting", "greeting"), closed(f"{CALL}/greeting")]
    assert intents(Command, *greeting, *events) == []
    assert intents(Command, *greeting, *events, closed("bye", handed_over=True)) == [Command("hang_up/bye", HANG_UP)]


def test_a_hang_up_that_nobody_confirms_counts_as_done():
    sent = [*goodbye(HANG_UP), own("command_sent", "c", 20, key="hang_up/bye")]
    assert timers(*sent)["hang_up_grace"] == 25
    assert intents(EndCall, *sent, own("timer_fired", "g", timer="hang_up_grace"))[0].reason == "hung up"


def test_a_transfer_that_nobody_confirms_has_failed():
    sent = [*goodbye(TRANSFER), own("command_sent", "c", 20, key="transfer/bye")]
    asked = event("transfer_requested", 20, source="orchestrator", key="transfer/bye")
    assert timers(*sent, asked)["limit/transfer/bye"] == 50
    fired = own("timer_fired", "l", timer="limit/transfer/bye")
    assert [each.transfer for each in intents(FailTransfer, *sent, asked, fired)] == ["transfer/bye"]
    for outcome in ("transfer_failed", "transfer_completed"):
        assert intents(FailTransfer, *sent, asked, fired, event(outcome, 30, key="transfer/bye")) == []
    failed = event("transfer_failed", 30, source="orchestrator", key="transfer/bye")
    another = event("transfer_requested", 40, id="theirs", target="bar")
    assert intents(FailTransfer, *sent, asked, fired, failed, another) == []


# --- the policy -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["silence", "max_duration", "idle", "hang_up_grace", "transfer_limit", "reorder_window"]
)
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_a_policy_of_impossible_times_is_refused_by_name(name, value):
    with pytest.raises(ConfigurationError, match=name):
        Policy(**{name: value})


def test_a_timer_that_fired_does_not_run_again():
    assert "idle" not in timers(*GREETED, own("timer_fired", "i", timer="idle"))
    assert timedelta(0) < decide(folded(*START), POLICY)[-1].due - EPOCH
