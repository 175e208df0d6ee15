"""Order among events that arrive in none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from calls_support import event
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.events import Event
from orchestrator_calls.ordering import CanonicalLog, Gap, Sequencer
from orchestrator_kernel.virtual_time import EPOCH

WINDOW = 0.3


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Events of counting and not counting sources; counts and times in no relation, counts sometimes twice."""
    made = []
    for number in range(draw(st.integers(0, 14))):
        source = draw(st.sampled_from(["agent", "livekit", "sip"]))
        sequence = None if source == "livekit" else draw(st.integers(1, 8))
        at = draw(st.integers(0, 6))
        made.append(event("transcription", at, id=f"e{number}", source=source, sequence=sequence, text="x"))
    return made


def order(given_events: list[Event]) -> list[str]:
    log = CanonicalLog()
    for each in given_events:
        log.insert(each)
    return [log.at(index).id for index in range(len(log))]


@given(events(), st.randoms())
def test_the_order_is_a_function_of_the_set(made, random):
    shuffled = list(made)
    random.shuffle(shuffled)
    assert order(shuffled) == order(made)


@given(events())
def test_within_a_source_its_own_count_decides(made):
    for source in ("agent", "sip"):
        counted = [each.sequence for each in by_id(made, order(made)) if each.source == source]
        assert counted == sorted(counted)


@given(events())
def test_a_source_that_does_not_count_is_ordered_by_its_clock(made):
    times = [each.occurred_at for each in by_id(made, order(made)) if each.source == "livekit"]
    assert times == sorted(times)


@given(events(), st.randoms())
def test_inserting_one_by_one_is_the_same_as_all_at_once_and_names_the_first_change(made, random):
    random.shuffle(made)
    log = CanonicalLog()
    before: list[str] = []
    for count, each in enumerate(made, 1):
        changed = log.insert(each)
        now = [log.at(index).id for index in range(len(log))]
        assert now == order(made[:count])
        assert now[:changed] == before[:changed]
        assert [log.index(event_id) for event_id in now] == list(range(count))
        before = now


def test_between_sources_time_decides_then_the_name_of_the_source_then_the_id():
    made = [
        event("hold", 2, id="c", source="sip"),
        event("hold", 1, id="b", source="sip"),
        event("hold", 1, id="a", source="sip"),
        event("hold", 1, id="d", source="agent"),
    ]
    assert order(made) == ["d", "a", "b", "c"]


def test_a_clock_that_is_set_back_does_not_put_a_source_out_of_its_own_order():
    made = [
        event("dtmf", 10, id="one", sequence=1),
        event("dtmf", 4, id="two", sequence=2),
        event("hold", 7, id="other", source="sip"),
    ]
    assert order(made) == ["other", "one", "two"]


def test_the_time_of_the_last_event_is_never_behind_one_of_its_source():
    log = CanonicalLog()
    assert log.latest is None
    log.insert(event("dtmf", 10, sequence=1))
    log.insert(event("dtmf", 4, sequence=2))
    assert log.latest == EPOCH + timedelta(seconds=10)


def by_id(made: list[Event], ids: list[str]) -> list[Event]:
    known = {each.id: each for each in made}
    return [known[each] for each in ids]


# --- the sequencer ----------------------------------------------------------------------------------------------------------


def ids(released: tuple[list[Event], list[Gap]]) -> list[str]:
    return [each.id for each in released[0]]


def final(sequence: int | None, at: float = 0.0, source: str = "agent") -> Event:
    return event("transcription", at, id=f"{source}{sequence or at}", sequence=sequence, source=source, text="hello")


def test_what_waits_for_nothing_is_released_at_once():
    sequencer = Sequencer(WINDOW)
    assert ids(sequencer.offer(final(1), 0.0)) == ["agent1"]
    assert ids(sequencer.offer(final(2), 0.0)) == ["agent2"]
    assert sequencer.due is None


def test_an_input_waits_for_its_predecessor_and_no_longer():
    sequencer = Sequencer(WINDOW)
    assert ids(sequencer.offer(final(2), 0.0)) == []
    assert ids(sequencer.offer(final(3), 0.1)) == []
    assert ids(sequencer.offer(final(1), 0.2)) == ["agent1", "agent2", "agent3"]


@pytest.mark.parametrize("kind", ["participant_joined", "speech_started", "agent_ready", "playback_progress", "error"])
def test_what_decides_nothing_never_waits(kind):
    assert ids(Sequencer(WINDOW).offer(event(kind, 0, id="x", sequence=7), 0.0)) == ["x"]


def test_a_partial_counts_and_does_not_wait():
    sequencer = Sequencer(WINDOW)
    sequencer.offer(final(2), 0.0)
    partial = event("transcription", 0, id="p", sequence=1, text="he", final=False)
    assert ids(sequencer.offer(partial, 0.1)) == ["p", "agent2"]


@pytest.mark.parametrize(
    "kind", ["hold", "resume", "transfer_requested", "transfer_completed", "transfer_failed", "call_started", "dtmf"]
)
def test_what_moves_the_call_waits_for_its_predecessors(kind):
    sequencer = Sequencer(WINDOW)
    assert ids(sequencer.offer(event(kind, 0, id="m", sequence=2, digit="1"), 0.0)) == []
    assert ids(sequencer.offer(final(1), 0.0)) == ["agent1", "m"]


@pytest.mark.parametrize("payload", [{"kind": "call_ended"}, {"kind": "error", "fatal": True}])
def test_the_end_waits_the_whole_window_for_the_last_words_of_others(payload):
    sequencer = Sequencer(WINDOW)
    end = event(payload.pop("kind"), 0, id="end", sequence=1, **payload)
    assert ids(sequencer.offer(end, 0.0)) == []
    assert ids(sequencer.offer(final(1, source="sip"), 0.1)) == []
    assert sequencer.due == WINDOW
    assert ids(sequencer.expire(WINDOW)) == ["end", "sip1"]


def test_a_source_that_does_not_count_waits_the_whole_window_and_comes_in_the_order_of_its_clock():
    sequencer = Sequencer(WINDOW)
    assert ids(sequencer.offer(final(None, 2.0), 0.0)) == []
    assert ids(sequencer.offer(final(None, 1.0), 0.25)) == []
    assert ids(sequencer.offer(final(None, 3.0), 0.25)) == []
    assert ids(sequencer.expire(0.3)) == ["agent1.0", "agent2.0"]
    assert ids(sequencer.expire(0.55)) == ["agent3.0"]


def test_the_start_of_a_source_that_does_not_count_is_not_late():
    assert ids(Sequencer(WINDOW).offer(event("call_started", 0, id="s", source="livekit"), 0.0)) == ["s"]


def test_what_arrived_later_from_another_source_does_not_overtake():
    sequencer = Sequencer(WINDOW)
    assert ids(sequencer.offer(event("hold", 9, id="h", source="pbx"), 0.0)) == []
    assert ids(sequencer.offer(final(1, 1.0), 0.2)) == []
    assert ids(sequencer.expire(0.3)) == ["h", "agent1"]


def test_a_gap_is_told_once_and_what_comes_after_it_does_not_wait_again():
    sequencer = Sequencer(WINDOW)
    assert sequencer.offer(final(4), 0.0) == ([], [])
    assert sequencer.offer(final(6), 0.1) == ([], [])
    released, gaps = sequencer.expire(0.3)
    assert ([each.id for each in released], gaps) == (["agent4"], [Gap("agent", 1, 3)])
    released, gaps = sequencer.expire(0.4)
    assert ([each.id for each in released], gaps) == (["agent6"], [Gap("agent", 5, 5)])
    assert sequencer.offer(final(7), 0.5)[1] == []
    late = sequencer.offer(final(2), 0.6)
    assert (ids(late), late[1]) == (["agent2"], [])


def test_without_a_window_nothing_waits_and_gaps_are_told():
    sequencer = Sequencer(0.0)
    released, gaps = sequencer.offer(final(3), 5.0)
    assert ([each.id for each in released], gaps) == (["agent3"], [Gap("agent", 1, 2)])


KINDS = st.sampled_from(["transcription", "dtmf", "hold", "call_ended", "speech_started", "participant_joined"])
Arrivals = list[tuple[float, Event]]


@st.composite
def arrivals(draw: st.DrawFn) -> Arrivals:
    """Events of one counting source in any order and with holes, and of others, each at a time of arrival."""
    counts = draw(st.permutations(draw(st.lists(st.integers(1, 12), unique=True, max_size=10))))
    made = [event(draw(KINDS), count, id=f"a{count}", sequence=count, digit="1", text="x") for count in counts]
    for number in range(draw(st.integers(0, 3))):
        made.insert(
            draw(st.integers(0, len(made))), event(draw(KINDS), number, id=f"s{number}", source="sip", text="x")
        )
    now, timed = 0.0, []
    for each in made:
        now += draw(st.sampled_from([0.0, 0.01, 0.1, 0.29, 0.3, 1.0]))
        timed.append((now, each))
    return timed


def play(timed: Arrivals) -> tuple[list[tuple[float, Event]], list[Gap]]:
    """What the sequencer releases, when each is offered at its time and `expire` is called when it says so."""
    sequencer = Sequencer(WINDOW)
    out: list[tuple[float, Event]] = []
    gaps: list[Gap] = []

    def note(now: float, step: tuple[list[Event], list[Gap]]) -> None:
        out.extend((now, each) for each in step[0])
        gaps.extend(step[1])

    for now, each in timed:
        while sequencer.due is not None and sequencer.due <= now:
            note(sequencer.due, sequencer.expire(sequencer.due))
        note(now, sequencer.offer(each, now))
    while sequencer.due is not None:
        note(sequencer.due, sequencer.expire(sequencer.due))
    return out, gaps


@given(arrivals())
def test_each_event_is_released_once_and_never_held_longer_than_the_window(timed):
    out, _ = play(timed)
    arrived = {each.id: now for now, each in timed}
    assert sorted(each.id for _, each in out) == sorted(arrived)
    for now, each in out:
        assert 0 <= now - arrived[each.id] <= WINDOW + 1e-9


@given(arrivals())
def test_gaps_are_the_holes_that_decided_about_something_and_are_told_once(timed):
    _, gaps = play(timed)
    missing = [count for gap in gaps for count in range(gap.first, gap.last + 1)]
    assert len(missing) == len(set(missing))
    in_time = {each.sequence for _, each in timed}
    for gap in gaps:
        # What was given up and came all the same came late: after something that had waited for it.
        assert gap.source == "agent"
        assert all(count not in in_time or came_late(timed, count) for count in range(gap.first, gap.last + 1))


def came_late(timed: Arrivals, count: int) -> bool:
    arrived = next(now for now, each in timed if each.sequence == count)
    return any(
        (each.sequence or 0) > count and now + WINDOW <= arrived + 1e-9 for now, each in timed if each.source == "agent"
    )


@given(st.permutations(range(1, 9)), st.lists(st.floats(0, 0.29), min_size=8, max_size=8))
def test_a_source_that_is_never_later_than_the_window_is_released_in_its_order(counts, delays):
    happened = {count: count * 0.05 for count in counts}
    timed = sorted(
        ((happened[count] + delay, final(count, happened[count])) for count, delay in zip(counts, delays, strict=True)),
        key=lambda pair: pair[0],
    )
    out, gaps = play(timed)
    assert [each.sequence for _, each in out] == list(range(1, 9))
    assert gaps == []


@given(st.lists(st.tuples(st.sampled_from(["agent", "livekit", "sip"]), st.floats(0, 0.29)), max_size=10), st.data())
def test_no_order_of_arrival_within_the_window_changes_the_order_of_release(steps, data):
    """Deciding events: those of one source at any distance, those of different sources further apart than the window."""
    happened, at, last, count = [], 0.0, None, 0
    for number, (source, _) in enumerate(steps):
        at += data.draw(st.sampled_from([0.01, 0.1, 0.4])) if source == last else WINDOW + 0.02
        count += source == "agent"
        skew = {"agent": 0.0, "livekit": -5.0, "sip": 4.0}[source]
        sequence = count if source == "agent" else None
        happened.append((at, event("dtmf", at + skew, id=str(number), source=source, sequence=sequence, digit="1")))
        last = source
    in_order = [each.id for _, each in play(happened)[0]]
    delayed = sorted(
        ((at + delay, each) for (at, each), (_, delay) in zip(happened, steps, strict=True)), key=lambda p: p[0]
    )
    assert in_order == [each.id for _, each in happened]
    assert [each.id for _, each in play(delayed)[0]] == in_order
