"""What was heard of what the relay was given: found in its own words, counted once, never more than was said."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.events import EventType
from orchestrator_calls.legs._heard import Words, seconds_to_speak
from orchestrator_calls.legs._relay_account import Account
from orchestrator_calls.playback import Report

FINISHED, CLEARED, PROGRESS = (
    EventType.PLAYBACK_FINISHED,
    EventType.PLAYBACK_CLEARED,
    EventType.PLAYBACK_PROGRESS,
)

words = st.text("abcdefg", min_size=1, max_size=6)
sentences = st.lists(words, min_size=1, max_size=8).map(lambda each: " ".join(each).capitalize() + ".")


def heard_of(reports: Sequence[Report], texts: dict[str, str]) -> dict[str, str]:
    return {
        each.key: texts[each.key] if each.type is FINISHED else each.heard or ""
        for each in reports
        if each.type in {FINISHED, CLEARED}
    }


def given_all(*texts: str, account: Account | None = None) -> Account:
    account = account or Account()
    for number, text in enumerate(texts):
        account.give(f"turn/{number}", text, 0.0, 0.0)
    return account


def test_the_words_heard_are_a_beginning_of_what_was_said() -> None:
    account = given_all("We have a table for four.", "Shall I book it?")
    reports = account.interrupted("We have a table for", 1.5)
    assert [(each.type, each.key, each.heard) for each in reports] == [
        (CLEARED, "turn/0", "We have a table for"),
        (CLEARED, "turn/1", ""),
    ]
    assert account.begun == frozenset()


def test_a_word_cut_in_the_middle_was_not_heard() -> None:
    account = given_all("Breakfast is from seven to ten.")
    assert account.interrupted("Breakfast is from sev", 1.0)[0].heard == "Breakfast is from"


def test_words_of_the_second_sentence_mean_that_the_first_was_heard() -> None:
    account = given_all("One moment.", "The name is Harbour.")
    reports = account.interrupted("The name", 2.0)
    assert [(each.type, each.heard) for each in reports] == [(FINISHED, None), (CLEARED, "The name")]


def test_words_that_we_never_said_count_for_nothing() -> None:
    account = given_all("Good evening.")
    assert account.played("something else entirely", 1.0) == []
    assert account.interrupted("Lorem ipsum dolor", 1.0)[0].heard == ""


def test_punctuation_case_and_spaces_do_not_matter() -> None:
    account = given_all("Well, it's 7:30 p.m. - shall we?")
    assert account.interrupted("well it's 7 30  P M", 3.0)[0].heard == "Well, it's 7:30 p.m"


def test_ideograms_are_words() -> None:
    account = given_all("お待ちください")
    assert account.interrupted("お待ち", 1.0)[0].heard == "お待ち"


def test_tokens_played_are_progress_and_then_the_end() -> None:
    account = given_all("Breakfast is from seven to ten.")
    first = account.played("Breakfast is", 0.8)
    second = account.played("from seven", 0.8)
    third = account.played("to ten.", 2.0)
    assert [(each.type, each.heard) for each in (*first, *second, *third)] == [
        (PROGRESS, "Breakfast is"),
        (PROGRESS, "Breakfast is from seven"),
        (FINISHED, None),
    ]
    assert first[0].played_ms < second[0].played_ms  # the journal knows a report by them
    assert account.due is None


def test_tokens_told_again_from_the_beginning_are_understood_too() -> None:
    account = given_all("Breakfast is from seven to ten.")
    assert account.played("Breakfast is", 0.8)[0].heard == "Breakfast is"
    assert account.played("Breakfast is from seven", 1.2)[0].heard == "Breakfast is from seven"


def test_the_end_of_speaking_ends_what_was_given_before_it_began() -> None:
    account = Account()
    account.give("turn/0", "Good evening.", 0.0)
    account.speaking(0.3, on=True)
    account.give("turn/1", "This is the desk.", 1.0)
    assert [each.key for each in account.speaking(1.4, on=False)] == ["turn/0"]
    assert account.begun == {"turn/1"}


def test_an_end_of_speaking_without_its_beginning_means_nothing() -> None:
    account = given_all("Good evening.")
    assert account.speaking(0.1, on=False) == []


def test_a_relay_that_tells_nothing_is_taken_to_speak_at_a_usual_pace() -> None:
    account = given_all("Good evening, this is the desk.", "How may I help?")
    due = account.due
    assert due is not None
    assert due == seconds_to_speak("Good evening, this is the desk.")
    assert account.expire(due - 0.01) == []
    assert [each.key for each in account.expire(due)] == ["turn/0"]
    assert account.due is not None
    assert account.due > due


def test_a_leg_lost_in_the_middle_tells_by_the_clock_what_was_heard() -> None:
    text = "Good evening, this is the desk of the house, how may I help you today?"
    account = given_all(text)
    [report] = account.stop(None, seconds_to_speak(text) / 2, "leg lost")
    assert report.type is CLEARED
    assert text.startswith(report.heard or "!")
    assert 4 < len((report.heard or "").split()) < 12


def test_a_leg_lost_counts_what_the_relay_told_where_it_tells() -> None:
    account = given_all("Good evening, this is the desk.")
    account.played("Good evening", 0.5)
    assert account.stop(None, 60.0, "leg lost")[0].heard == "Good evening"


def test_only_the_sentences_that_are_named_are_stopped() -> None:
    account = given_all("One.", "Two.")
    assert [each.key for each in account.stop(["turn/1"], 0.1, "interrupted")] == ["turn/1"]
    assert account.begun == {"turn/0"}


def test_a_latency_is_told_from_the_beginning_of_the_turn() -> None:
    assert Account().give("turn/0", "Hello.", 5.25, 5.0).latency_ms == 250.0
    assert Account().give("turn/1", "Hello.", 5.25).latency_ms is None


@given(st.lists(sentences, min_size=1, max_size=5), st.data())
def test_an_interruption_cuts_at_the_word_that_was_heard_last(texts: list[str], data: st.DataObject) -> None:
    """The relay tells all that it played from the beginning: what is kept as heard is exactly that."""
    account = given_all(*texts)
    spoken = [(number, match.end()) for number, text in enumerate(texts) for match in re.finditer(r"\w+", text)]
    cut = data.draw(st.integers(0, len(spoken)))
    told = " ".join(
        text if number < spoken[cut - 1][0] else text[: spoken[cut - 1][1]]
        for number, text in enumerate(texts)
        if cut and number <= spoken[cut - 1][0]
    )
    reports = account.interrupted(told, 2.0)
    kept = heard_of(reports, {f"turn/{number}": text for number, text in enumerate(texts)})
    assert len(re.findall(r"\w+", " ".join(kept.values()))) == cut
    assert all(text.startswith(kept[f"turn/{number}"]) for number, text in enumerate(texts))


@given(st.lists(sentences, min_size=1, max_size=5), st.lists(st.integers(1, 4), max_size=12))
def test_tokens_played_piece_by_piece_count_each_word_once(texts: list[str], sizes: list[int]) -> None:
    account = given_all(*texts)
    spoken = [word for text in texts for word in text.split()]
    reports: list[Report] = []
    at = 0
    for number, size in enumerate(sizes):
        reports += account.played(" ".join(spoken[at : at + size]), 0.1 * number)
        at = min(at + size, len(spoken))
    finished = {each.key for each in reports if each.type is FINISHED}
    whole = [sum(len(text.split()) for text in texts[: number + 1]) <= at for number in range(len(texts))]
    assert finished == {f"turn/{number}" for number, done in enumerate(whole) if done}
    assert len({(each.type, each.key, each.played_ms) for each in reports}) == len(reports)


@given(
    st.lists(sentences, min_size=1, max_size=4),
    st.lists(
        st.one_of(
            st.tuples(st.just("played"), st.text(max_size=30)),
            st.tuples(st.just("interrupted"), st.text(max_size=30)),
            st.tuples(st.just("on"), st.just("")),
            st.tuples(st.just("off"), st.just("")),
            st.tuples(st.just("wait"), st.just("")),
        ),
        max_size=12,
    ),
)
def test_every_sentence_ends_once_whatever_the_relay_tells(texts: list[str], steps: list[tuple[str, str]]) -> None:
    account, reports, now = given_all(*texts), list[Report](), 0.0
    for kind, text in steps:
        now += 0.7
        match kind:
            case "played":
                reports += account.played(text, now)
            case "interrupted":
                reports += account.interrupted(text, now)
            case "on" | "off":
                reports += account.speaking(now, on=kind == "on")
            case _:
                reports += account.expire(now)
    reports += account.stop(None, now, "leg lost")
    ends = [each.key for each in reports if each.type in {FINISHED, CLEARED}]
    assert sorted(ends) == [f"turn/{number}" for number in range(len(texts))]
    for each in reports:
        if each.heard:
            assert texts[int(each.key[-1])].startswith(each.heard)


@given(st.text(max_size=40), st.text(max_size=40), st.integers(0, 10))
def test_a_position_never_goes_back(said: str, heard: str, position: int) -> None:
    account = Words([said])
    start = min(position, len(account))
    found = account.until(heard, start)
    assert found is None or start <= found <= len(account)
