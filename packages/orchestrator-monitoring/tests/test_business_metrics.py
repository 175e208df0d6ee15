"""What is counted about calls follows from their events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring.business_metrics import (
    BUSINESS_METRICS,
    KNOWN_EVENTS,
    BusinessMetrics,
    Price,
    Prices,
    Rated,
    TokensUsed,
)
from orchestrator_monitoring.metrics import Metrics
from orchestrator_monitoring.slo_monitor import default_slos

START = datetime(2030, 1, 1, tzinfo=UTC)
TENANTS = frozenset({"north", "south"})


@dataclass
class Happened:
    call_id: str
    type: str
    payload: Mapping[str, object] = field(default_factory=dict)
    tenant: str = "north"
    source: str = "agent"
    received_at: datetime = START


@dataclass
class Moved:
    call_id: str
    before: str
    after: str
    reason: str = ""
    tenant: str = "north"


class House:
    """One process with its calls."""

    def __init__(self, **how: Any) -> None:
        self.metrics = Metrics(BUSINESS_METRICS, registers={"tenants": TENANTS.__contains__})
        self.business = BusinessMetrics(self.metrics, **how)
        self.now = START

    def tell(
        self, event: str, call: str = "c", /, after: float = 0.0, source: str = "agent", **payload: object
    ) -> None:
        self.now += timedelta(seconds=after)
        self.business.happened(Happened(call, event, payload, source=source, received_at=self.now))

    def move(self, before: str, after: str, call: str = "c", reason: str = "") -> None:
        self.business.moved(Moved(call, before, after, reason))

    def begin(self, call: str = "c") -> None:
        self.tell("call_started", call)
        self.move("initializing", "active", call)

    def turn(
        self,
        name: str,
        kind: str,
        *says: str,
        note: dict[str, object] | None = None,
        wait: float = 0.0,
        call: str = "c",
    ) -> None:
        self.tell("turn_opened", call, turn=name, kind=kind)
        steps = [*([{"step": "note", **note}] if note else []), *({"step": "say", "text": text} for text in says)]
        self.tell("turn_answered", call, after=wait, turn=name, steps=steps)
        self.tell("turn_closed", call, turn=name, outcome="answered")

    def found(self, name: str) -> dict[tuple[str, ...], float]:
        return {
            tuple(each.labels.values()): each.value for each in self.metrics.read() if each.name == name and each.value
        }


@pytest.fixture
def house() -> House:
    return House()


def test_a_call_that_works_is_started_answered_and_completed(house: House) -> None:
    house.begin()
    house.turn("c/greeting", "greeting", "Good evening.")
    house.turn("c/1", "speech", "A table for four, gladly.")
    house.tell("call_ended", after=42.0)
    house.move("active", "ended", reason="caller left")
    assert house.found("orchestrator_calls_started_total") == {("north", "agent"): 1}
    assert house.found("orchestrator_calls_answered_total") == {("north",): 1}
    assert house.found("orchestrator_calls_ended_total") == {("north", "completed"): 1}
    assert house.found("orchestrator_calls_abandoned_total") == {}
    assert house.found("orchestrator_call_duration_seconds_sum") == {("completed",): 42.0}
    assert house.found("orchestrator_turns_total") == {("north", "answered"): 2}


def test_who_hangs_up_before_being_served_has_abandoned_the_call(house: House) -> None:
    house.tell("participant_joined", "early")
    house.move("connecting", "ended", "early")
    house.begin("greeted")
    house.move("active", "ended", "greeted")
    house.begin()
    house.tell("turn_opened", turn="c/1", kind="speech")
    house.move("active", "ended")
    house.begin("acting")
    house.tell("action_started", "acting", key="k", name="book")
    house.move("active", "ended", "acting")
    house.begin("held")
    house.move("active", "on_hold", "held")
    house.move("on_hold", "ended", "held")
    house.begin("handed")
    house.move("active", "transferring", "handed")
    house.move("transferring", "ended", "handed")
    assert house.found("orchestrator_calls_abandoned_total") == {
        ("north", "connecting"): 1,
        ("north", "greeting"): 1,
        ("north", "waiting"): 2,
        ("north", "hold"): 1,
        ("north", "transfer"): 1,
    }
    assert house.found("orchestrator_calls_ended_total") == {("north", "abandoned"): 6}


def test_whom_nobody_took_over_was_not_served_unless_the_dialogue_went_on(house: House) -> None:
    for call in ("left", "dismissed", "unanswered", "served"):
        house.begin(call)
        house.turn(f"{call}/1", "speech", "I connect you.", call=call)
        house.tell("transfer_requested", call, key="t")
        house.move("active", "transferring", call)
        house.tell("transfer_failed", call, key="t", reason="busy")
        # Our own limit and the provider may both say so.
        house.tell("transfer_failed", call, key="t", reason="not confirmed")
        house.move("transferring", "active", call)
        house.turn(f"{call}/2", "outcome", "Nobody is there.", call=call)
    house.move("active", "ended", "left")
    house.tell("command_sent", "dismissed", key="hang_up/dismissed/2")
    house.move("active", "ending", "dismissed")
    house.move("ending", "ended", "dismissed")
    house.tell("turn_opened", "unanswered", turn="unanswered/3", kind="speech")
    house.tell("turn_closed", "unanswered", turn="unanswered/3", outcome="failed")
    house.move("active", "ended", "unanswered")
    house.turn("served/3", "speech", "A table, gladly.", call="served")
    house.move("active", "ended", "served")
    assert house.found("orchestrator_calls_ended_total") == {("north", "abandoned"): 3, ("north", "completed"): 1}
    assert house.found("orchestrator_calls_abandoned_total") == {("north", "transfer"): 3}
    assert house.found("orchestrator_handoffs_total") == {("north", "requested"): 4, ("north", "failed"): 4}


def test_of_a_call_that_was_never_seen_its_last_state_is_believed(house: House) -> None:
    house.move("transferring", "ended", "a")
    house.move("on_hold", "ended", "b")
    house.move("active", "ended", "c")
    house.move("active", "failed", "d")
    assert house.found("orchestrator_calls_ended_total") == {
        ("north", "abandoned"): 2,
        ("north", "completed"): 1,
        ("north", "failed"): 1,
    }
    assert house.found("orchestrator_calls_abandoned_total") == {("north", "transfer"): 1, ("north", "hold"): 1}


def test_an_answer_that_failed_has_not_served_anybody(house: House) -> None:
    house.begin()
    house.tell("turn_opened", turn="c/1", kind="speech")
    house.tell("turn_closed", turn="c/1", outcome="failed")
    house.move("active", "ended")
    assert house.found("orchestrator_calls_abandoned_total") == {("north", "greeting"): 1}


def test_of_test_calls_nothing_is_counted() -> None:
    house = House(is_trial=lambda call: call.startswith("test_"))
    running = {"test_1": ("north", "active"), "c": ("north", "active")}
    house.business.follow_running(lambda: running)
    for call in running:
        house.begin(call)
        house.turn(f"{call}/1", "speech", "Booked.", call=call)
        house.tell("speech_intended", call, key=f"{call}/1/0")
        house.tell("action_finished", call, key="k", name="book", status="done", data={"goal": "booking"})
        house.tell("transfer_completed", call, key="t")
    assert house.found("orchestrator_calls_in_progress") == {("north", "active"): 1}
    for call in running:
        house.move("active", "ended", call)
    counted = {each.name: each.value for each in house.metrics.read() if each.value and each.labels.get("tenant")}
    assert counted.pop("orchestrator_calls_in_progress") == 1
    assert counted.pop("orchestrator_speech_characters_total") == len("Booked.")
    assert set(counted.values()) == {1}
    assert len(house.business._follower) == 0


def test_who_is_hung_up_on_or_handed_over_has_not(house: House) -> None:
    house.begin()
    house.tell("command_sent", key="hang_up/c/greeting")
    house.move("active", "ending")
    house.move("ending", "ended")
    house.begin("other")
    house.tell("transfer_requested", "other", key="t")
    house.move("active", "transferring", "other")
    house.tell("transfer_completed", "other", key="t")
    house.move("transferring", "ending", "other")
    house.move("ending", "ended", "other")
    assert house.found("orchestrator_calls_ended_total") == {("north", "completed"): 1, ("north", "transferred"): 1}
    assert house.found("orchestrator_handoffs_total") == {("north", "requested"): 1, ("north", "completed"): 1}


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("sip trunk down", "sip trunk down"),
        ("media-lost", "media_lost"),
        ("no answer from +49 30 1234", "other"),
        ("", "other"),
    ],
)
def test_a_failure_is_counted_by_reason_and_stage_and_shows_nothing_personal(
    house: House, reason: str, label: str
) -> None:
    house.begin()
    house.move("active", "failed", reason=reason)
    assert house.found("orchestrator_calls_failed_total") == {("north", "greeting", label): 1}
    assert house.found("orchestrator_calls_ended_total") == {("north", "failed"): 1}


def test_a_call_that_another_process_began_is_not_counted_as_started_or_abandoned_here(house: House) -> None:
    house.tell("transcription")
    house.move("active", "ended")
    house.move("active", "ended", "never seen")
    assert house.found("orchestrator_calls_started_total") == {}
    assert house.found("orchestrator_calls_ended_total") == {("north", "completed"): 2}


def test_the_running_calls_are_asked_for_so_the_gauge_comes_down_whatever_way_they_go(house: House) -> None:
    running = {
        "a": ("north", "active"),
        "b": ("north", "active"),
        "c": ("south", "on_hold"),
        "d": ("unknown", "active"),
    }
    house.business.follow_running(lambda: running)
    for call in running:
        house.begin(call)
    gauge = "orchestrator_calls_in_progress"
    assert house.found(gauge) == {("north", "active"): 2, ("south", "on_hold"): 1, ("other", "active"): 1}
    # Another process took them over; nobody says goodbye.
    del running["a"], running["c"]
    assert house.found(gauge) == {("north", "active"): 1, ("other", "active"): 1}
    assert len(house.business._follower) == 2
    running.clear()
    assert house.found(gauge) == {}
    assert len(house.business._follower) == 0


def test_a_tenant_without_a_call_is_shown_with_none(house: House) -> None:
    house.business.follow_running(lambda: {"c": ("south", "active")}, tenants=lambda: sorted(TENANTS))
    shown = {tuple(each.labels.values()): each.value for each in house.metrics.read() if "in_progress" in each.name}
    assert shown == {("north", "active"): 0, ("south", "active"): 1}


def test_parts_of_a_turn_are_timed(house: House) -> None:
    house.begin()
    house.turn("c/1", "speech", "One moment.", "Here it is.", wait=0.3)
    house.tell("speech_intended", key="c/1/0")
    house.tell("playback_started", after=0.2, key="c/1/0", played_ms=0)
    house.tell("playback_started", after=0.9, key="c/1/0", played_ms=0)
    house.tell("speech_intended", key="c/1/1")
    house.tell("playback_started", after=0.9, key="c/1/1", played_ms=0)
    assert house.found("orchestrator_turn_stage_seconds_sum") == {("answer",): 0.3, ("voice",): 0.2}


def test_a_leg_that_hears_the_caller_itself_says_how_long_that_took(house: House) -> None:
    house.begin()
    house.tell("transcription", text="a table", final=False, recognition_ms=50)
    house.tell("transcription", text="a table for four", final=True, recognition_ms=350)
    for unknown in (None, -1, "soon", True, float("nan"), 10**400, -(10**400)):
        house.tell("transcription", text="please", final=True, recognition_ms=unknown)
    house.tell("transcription", text="please", final=True)
    assert house.found("orchestrator_turn_stage_seconds_sum") == {("recognition",): 0.35}
    assert house.found("orchestrator_turn_stage_seconds_count") == {("recognition",): 1}


def test_what_was_heard_of_an_answer_is_measured_in_words(house: House) -> None:
    house.begin()
    house.turn("c/1", "speech", "one two three four", "five six", "seven eight nine ten")
    house.tell("playback_finished", key="c/1/0")
    house.tell("playback_cleared", key="c/1/1", heard="five", reason="interrupted")
    house.tell("turn_interrupted", turn="c/1")
    house.move("active", "ended")
    # The third sentence was never played: it does not count as unheard.
    assert house.found("orchestrator_words_spoken_total") == {("north",): 6}
    assert house.found("orchestrator_words_heard_total") == {("north",): 5}
    assert house.found("orchestrator_turn_heard_ratio_sum")[()] == pytest.approx(5 / 6)
    assert house.found("orchestrator_barge_ins_total") == {("north",): 1}


def test_a_sentence_that_goes_on_after_it_broke_off_is_spoken_once(house: House) -> None:
    house.begin()
    house.turn("c/1", "speech", "one two three four")
    house.tell("playback_cleared", key="c/1/0", heard="one two", reason="voice failed")
    house.tell("speech_continued", key="c/1/0", text="three four")
    house.tell("playback_finished", key="c/1/0+")
    house.move("active", "ended")
    assert house.found("orchestrator_words_spoken_total") == {("north",): 4}
    assert house.found("orchestrator_words_heard_total") == {("north",): 4}


def test_a_word_of_patience_has_its_place_among_the_sentences(house: House) -> None:
    house.begin()
    house.tell("turn_opened", turn="c/1", kind="speech")
    house.tell("turn_filled", turn="c/1", text="One moment please")
    house.tell("turn_answered", turn="c/1", steps=[{"step": "say", "text": "Booked"}])
    house.tell("playback_finished", key="c/1/0")
    house.tell("playback_finished", key="c/1/1")
    house.move("active", "ended")
    assert house.found("orchestrator_words_heard_total") == {("north",): 4}


def test_reports_of_the_turn_before_still_count(house: House) -> None:
    house.begin()
    house.turn("c/1", "speech", "one two")
    house.turn("c/2", "speech", "three")
    house.tell("playback_cleared", key="c/1/0", heard="one")
    house.turn("c/3", "speech", "four")
    assert house.found("orchestrator_words_heard_total") == {("north",): 1}


def test_understanding_is_counted_with_its_confidence(house: House) -> None:
    house.begin()
    house.turn("c/1", "speech", "Yes.", note={"intent": "booking_inquiry", "understood": True, "confidence": 0.85})
    house.turn("c/2", "speech", "Pardon?", note={"intent": "", "understood": False, "confidence": None})
    house.turn("c/3", "silence", "Are you there?")
    house.turn("c/4", "speech", "Yes.", note={"intent": "question", "understood": True, "confidence": None})
    intents = house.found("orchestrator_intents_total")
    assert intents == {("north", "booking_inquiry"): 1, ("north", "question"): 1}
    assert house.found("orchestrator_intent_confidence_ratio_count") == {(): 1}
    assert house.found("orchestrator_misunderstandings_total") == {
        ("north", "not_understood"): 1,
        ("north", "silence"): 1,
    }


def test_keys_are_counted_without_telling_which_digits(house: House) -> None:
    for key in "17*#9":
        house.tell("dtmf", digit=key)
    assert house.found("orchestrator_keys_pressed_total") == {("digit",): 3, ("star",): 1, ("hash",): 1}


def test_actions_report_what_they_brought(house: House) -> None:
    for number, (status, data) in enumerate(
        [
            ("done", {"goal": "booking", "value": 120.5, "currency": "EUR", "satisfaction": 5}),
            ("done", {"goal": "booking", "value": "much", "currency": "EUR"}),
            ("done", {"goal": "booking", "value": 10, "currency": "euros"}),
            ("done", {"goal": 7, "satisfaction": 9}),
            ("refused", {"goal": "booking", "value": 99, "currency": "EUR"}),
            ("unconfirmed", {}),
        ]
    ):
        house.tell("action_started", key=f"k{number}", name="book")
        house.tell("action_finished", after=2.0, key=f"k{number}", name="book", status=status, reason="", data=data)
    house.tell("action_finished", key="elsewhere", name="book", status="done", data=None)
    assert house.found("orchestrator_call_actions_total") == {
        ("north", "book", "done"): 5,
        ("north", "book", "refused"): 1,
        ("north", "book", "unconfirmed"): 1,
    }
    assert house.found("orchestrator_call_action_seconds_count") == {("book",): 6}
    assert house.found("orchestrator_call_action_seconds_sum") == {("book",): 12.0}
    assert house.found("orchestrator_goals_reached_total") == {("north", "booking"): 3}
    assert house.found("orchestrator_goal_value_total") == {("north", "booking", "EUR"): 120.5}
    assert house.found("orchestrator_satisfaction_score_sum") == {("north",): 5.0}


def test_a_call_that_reaches_several_goals_is_converted_once(house: House) -> None:
    for call, goals in (("none", []), ("many", ["booking", "booking", "upgrade"]), ("running", ["booking"])):
        house.begin(call)
        for number, goal in enumerate(goals):
            house.tell("action_finished", call, key=f"k{number}", name="book", status="done", data={"goal": goal})
    house.move("active", "ended", "none")
    house.move("active", "failed", "many")
    assert house.found("orchestrator_goals_reached_total") == {("north", "booking"): 3, ("north", "upgrade"): 1}
    objective = default_slos().find("goal_conversion")
    assert objective is not None
    ratio = objective.indicator.ratio
    assert (house.found(ratio.part.metric), sum(house.found(ratio.total.metric).values())) == ({("north",): 1}, 2)


def test_speech_and_text_cost_what_the_settings_say() -> None:
    prices = Prices(
        speech=Price(15.0, "USD", per=1_000_000),
        prompt=Price(2.0, "EUR", per=1e6),
        completion=Price(8.0, "EUR", per=1e6),
    )
    house = House(prices=prices)
    house.begin()
    house.turn("c/1", "speech", "0123456789")
    house.tell("speech_intended", key="c/1/0")
    house.tell("speech_intended", key="c/1/0")
    house.business.count(TokensUsed("north", "prompt", 1000))
    house.business.count(TokensUsed("north", "completion", 100))
    assert house.found("orchestrator_speech_characters_total") == {("north",): 10}
    costs = house.found("orchestrator_cost_total")
    assert costs[("north", "speech", "USD")] == pytest.approx(150e-6)
    assert costs[("north", "chat", "EUR")] == pytest.approx(2.8e-3)


def test_without_a_price_nothing_is_said_to_cost_anything(house: House) -> None:
    house.business.count(TokensUsed("north", "prompt", 1000))
    assert house.found("orchestrator_cost_total") == {}


@pytest.mark.parametrize(
    "wrong", [(-1.0, "EUR", 1.0), (1.0, "eur", 1.0), (1.0, "EUR", 0.0), (float("nan"), "EUR", 1.0)]
)
def test_a_price_that_is_none_is_refused(wrong: tuple[float, str, float]) -> None:
    with pytest.raises(ConfigurationError, match="price"):
        Price(*wrong)


def test_a_fact_may_be_counted_by_hand(house: House) -> None:
    house.business.count(Rated("south", 4))
    assert house.found("orchestrator_satisfaction_score_count") == {("south",): 1}


STATES = ["initializing", "connecting", "active", "on_hold", "transferring", "ending", "ended", "failed"]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
)
STEP = st.dictionaries(
    st.sampled_from(["step", "text", "intent", "understood", "confidence"]), JUNK | st.sampled_from(["say", "note"])
)
PAYLOAD = st.dictionaries(
    st.sampled_from(["turn", "key", "text", "kind", "digit", "heard", "name", "status", "data", "outcome", "steps"]),
    JUNK
    | st.sampled_from(["c/1", "c/1/0", "c/1/1", "speech", "done", "hang_up/x"])
    | st.lists(STEP, max_size=3)
    | st.dictionaries(st.sampled_from(["goal", "value", "currency", "satisfaction"]), JUNK, max_size=4),
)
EVENT = st.builds(
    Happened,
    st.sampled_from(["a", "b"]),
    st.sampled_from([*sorted(KNOWN_EVENTS), "unheard_of"]),
    PAYLOAD,
    tenant=st.sampled_from(["north", "stranger"]),
    received_at=st.datetimes(datetime(2030, 1, 1), datetime(2030, 1, 2), timezones=st.just(UTC)),  # noqa: DTZ001
)
MOVE = st.builds(
    Moved, st.sampled_from(["a", "b"]), st.sampled_from(STATES), st.sampled_from(STATES), st.text(max_size=50)
)


@given(st.lists(EVENT | MOVE, max_size=40))
def test_whatever_comes_in_whatever_order_is_counted_within_bounds(story: list[Happened | Moved]) -> None:
    house = House()
    for each in story:
        if isinstance(each, Happened):
            house.business.happened(each)
        else:
            house.business.moved(each)
    over = sum(isinstance(each, Moved) and each.after in {"ended", "failed"} for each in story)
    ended = house.found("orchestrator_calls_ended_total")
    assert sum(ended.values()) == over
    for name in ("abandoned", "failed"):
        counted = sum(house.found(f"orchestrator_calls_{name}_total").values())
        assert counted == sum(value for (_, outcome), value in ended.items() if outcome == name)
    heard, spoken = (sum(house.found(f"orchestrator_words_{each}_total").values()) for each in ("heard", "spoken"))
    assert heard <= spoken
    series: dict[str, int] = {}
    for sample in house.metrics.read():
        series[sample.name] = series.get(sample.name, 0) + 1
    for metric in BUSINESS_METRICS:
        assert series.get(metric.samples[-1], 0) <= metric.most_series
