"""The vocabulary, and what each event makes of each state."""

from __future__ import annotations

import pytest
from calls_support import event

from orchestrator_calls._walk import Walk, step
from orchestrator_calls.call import fold
from orchestrator_calls.events import OWN, TERMINAL, TRANSITIONS, CallState, Event, EventType, Origin

S, E = CallState, EventType
OPEN = [state for state in S if state not in TERMINAL]
EXPECTED = {
    **{(S.INITIALIZING, kind): S.CONNECTING for kind in (E.AGENT_READY, E.PARTICIPANT_JOINED)},
    **{(state, E.CALL_STARTED): S.ACTIVE for state in (S.INITIALIZING, S.CONNECTING)},
    **{(state, E.HOLD): S.ON_HOLD for state in (S.INITIALIZING, S.CONNECTING, S.ACTIVE)},
    (S.ON_HOLD, E.RESUME): S.ACTIVE,
    **{(state, E.TRANSFER_REQUESTED): S.TRANSFERRING for state in (S.INITIALIZING, S.CONNECTING, S.ACTIVE, S.ON_HOLD)},
    (S.TRANSFERRING, E.TRANSFER_FAILED): S.ACTIVE,
    **{(state, E.TRANSFER_COMPLETED): S.ENDING for state in OPEN},
    **{(state, E.CALL_ENDED): S.ENDED for state in OPEN},
}
OUTSIDE = [kind for kind in E if kind not in OWN]


@pytest.mark.parametrize("kind", OUTSIDE)
@pytest.mark.parametrize("state", list(S))
def test_every_event_in_every_state(state, kind):
    after = step(Walk(state=state), event(kind, 1, digit="1", text="x", key="k")).state
    assert after is EXPECTED.get((state, kind), state)


@pytest.mark.parametrize("kind", OUTSIDE)
@pytest.mark.parametrize("state", list(TERMINAL))
def test_what_comes_after_the_end_is_recorded_and_changes_no_state(state, kind):
    walk = step(Walk(state=state), event(kind, 1, fatal=True, key="k"))
    assert (walk.state, walk.recorded_after_end) == (state, 1)


@pytest.mark.parametrize("state", OPEN)
def test_a_fatal_error_fails_every_open_call_and_another_changes_nothing(state):
    assert step(Walk(state=state), event("error", 1, fatal=True, message="no audio")).state is S.FAILED
    assert step(Walk(state=state), event("error", 1, message="a glitch")).state is state


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        TRANSITIONS[(S.ENDED, E.RESUME)] = S.ACTIVE  # type: ignore[index]


def test_every_type_is_either_from_outside_or_our_own():
    assert {kind for kind in E if Origin.of(kind) is Origin.ORCHESTRATOR} == OWN


def test_what_may_open_a_turn():
    assert event("transcription", 0, text="x").is_input
    assert event("transcription", 0, text="x", final=True).is_input
    assert not event("transcription", 0, text="x", final=False).is_input
    assert event("dtmf", 0, digit="1").is_input
    assert not event("speech_started", 0).is_input
    assert not event("transcription", 0, erased=True).is_input
    assert not event("dtmf", 0, erased=True).is_input


# --- the time on hold, and who calls ----------------------------------------------------------------------------------------


def walked(*events: Event) -> Walk:
    walk = Walk()
    for each in events:
        walk = step(walk, each)
    return walk


def test_time_on_hold_is_counted_from_hold_to_whatever_ends_it():
    walk = walked(
        event("call_started", 0),
        event("hold", 10),
        event("resume", 25),
        event("hold", 30),
        event("transfer_requested", 32),
    )
    assert walk.held.total_seconds() == 17
    assert walk.held_since is None


def test_a_clock_that_was_set_back_never_makes_the_hold_negative():
    assert walked(event("hold", 10, sequence=1), event("resume", 4, sequence=2)).held.total_seconds() == 0


def test_the_first_who_tells_who_calls_counts_and_later_ones_add_what_is_missing():
    walk = walked(
        event("agent_ready", 0, language="de-DE"),
        event("call_started", 1, id="start", caller="+491", language="fr-FR"),
        event("call_started", 2, id="again", caller="+492", dialed="+33"),
    )
    assert (walk.caller, walk.dialed, walk.language, walk.started_by) == ("+491", "+33", "de-DE", "start")


def test_who_called_is_known_though_a_clock_puts_the_start_behind_the_end():
    call = fold([event("call_ended", 3, source="livekit"), event("call_started", 5, caller="+491", received=1)])
    assert (call.state, call.caller, call.recorded_after_end) == (S.ENDED, "+491", 1)
    assert call.started_at is not None


def test_an_outcome_that_a_slow_clock_puts_before_its_request_settles_it():
    request = event("transfer_requested", 5, source="orchestrator", key="transfer/t")
    failed = event("transfer_failed", 1, key="transfer/t")
    other = event("transfer_failed", 1, id="other", key="transfer/u")
    start = event("call_started", 0)
    assert fold([start, request, failed]).state is S.ACTIVE
    assert fold([start, request, other]).state is S.TRANSFERRING


def test_a_leg_says_how_it_takes_replies_and_counts_above_what_a_provider_presumes():
    presumed = event("call_started", 0, source="livekit", presumed_channel="media")
    assert fold([presumed]).channel == "media"
    assert fold([presumed, event("agent_ready", 3, reply_channel="answer")]).channel == "answer"
    assert fold([event("call_started", 0)]).channel == "answer"
