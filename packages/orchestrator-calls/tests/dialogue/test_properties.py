"""What holds for every caller: the dialogue answers, ends its turn, and answers the same again."""

from __future__ import annotations

import gc
import json
import string
import time
from datetime import UTC, datetime
from datetime import time as time_of_day

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator_calls.actions import ActionOutcome, ActionStatus
from orchestrator_calls.dialogue import House, OpeningHours, ScriptedResponder, Span
from orchestrator_calls.responder import (
    Act,
    Collect,
    HangUp,
    InputKind,
    Note,
    Remember,
    Say,
    Transfer,
    TurnContext,
    TurnInput,
)

PHRASES = (
    "book a table", "four people", "for seven", "on Friday", "at half past seven", "no", "yes", "not seven, eight", "cancel", "repeat",
    "help", "my name is Miller", "the date", "change the time", "from the 5th to the 8th of June", "two nights", "bye", "operator",
    "einen Tisch für vier", "übermorgen um halb acht", "nein", "ja", "auf den Namen Müller", "Zimmer buchen", "una mesa", "el viernes",
    "a las nueve menos cuarto", "sí", "une table pour deux", "ce soir", "à 19h30", "non", "A B 1 2 3 4", "double five oh nine",
    "12.13.2026", "99/99", "25:61", "5.6.", "the 31st of February", "room 412", "everything", "Deutsch bitte", "a massage", "second",
)  # fmt: skip

texts = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(PHRASES), min_size=1, max_size=5).map(" ".join),
    st.text(alphabet=string.digits + " .:/-,#*'\u2019\u0301\u0660²½", max_size=60),
)
tags = st.one_of(
    st.none(),
    st.sampled_from(["en", "en-US", "de-AT", "es_MX", "fr", "it", "auto", "", "-", "EN"]),
    st.text(max_size=8),
)
inputs = st.one_of(
    st.builds(
        TurnInput,
        kind=st.just(InputKind.SPEECH),
        text=texts,
        language=tags,
        confidence=st.one_of(st.none(), st.floats(0, 1)),
    ),
    st.builds(
        TurnInput,
        kind=st.just(InputKind.DIGITS),
        text=st.one_of(st.text(alphabet="0123456789*#", max_size=40), st.text(max_size=5)),
    ),
    st.builds(TurnInput, kind=st.just(InputKind.SILENCE), repeats=st.integers(-1, 9)),
    st.builds(TurnInput, kind=st.just(InputKind.GREETING)),
    st.builds(
        TurnInput,
        kind=st.just(InputKind.OUTCOME),
        action=st.sampled_from(["book_table", "take_message", "unknown", ""]),
        outcome=st.one_of(
            st.none(),
            st.builds(
                ActionOutcome,
                status=st.sampled_from(ActionStatus),
                reason=st.one_of(st.sampled_from(["fully_booked", "closed"]), st.text(max_size=100)),
                data=st.dictionaries(st.sampled_from(["confirmation_number", "other"]), st.deferred(lambda: anything)),
            ),
        ),
    ),
)
HOUSE = House(
    actions=frozenset({"book_table", "book_room", "take_message"}),
    hours=OpeningHours({day: (Span(time_of_day(9), time_of_day(17)),) for day in range(5)}),
    consent=dict.fromkeys(("en", "de", "es", "fr"), ("This call is recorded.",)),
)
houses = st.sampled_from([None, HOUSE])
moments = st.one_of(
    st.none(),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from([datetime.min, datetime.max, datetime(2028, 2, 29)]),  # noqa: DTZ001, DTZ901
)
SLOTS = (
    "date", "time", "party_size", "name", "check_in", "check_out", "guests", "service", "confirmation_number", "wish", "order",
    "room_number", "request", "extra",
)  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(min_value=10**20), st.floats(allow_nan=False), st.text(max_size=20),
    st.sampled_from(["2026-06-05", "19:30", "+3", "+", "2026-02-31", "25:00", "massage", "facial", "late_check_out"]),
)  # fmt: skip
forms = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(
            ["table", "room", "spa", "change", "cancellation", "room_service", "concierge", "extra", "gone", 5]
        ),
        "intent": scalars,
        "slots": st.one_of(st.dictionaries(st.sampled_from(SLOTS), scalars, max_size=6), scalars),
        "stage": st.sampled_from(["ask", "confirm", "change", "other", None]),
        "asking": st.one_of(st.sampled_from(SLOTS), scalars),
    },
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=8,
)
memories = st.one_of(
    st.dictionaries(st.text(max_size=10), anything, max_size=4),
    st.fixed_dictionaries(
        {},
        optional={
            "language": st.one_of(st.sampled_from(["en", "de", "es", "fr", "it"]), scalars),
            "form": st.one_of(forms, anything),
            "suspended": st.one_of(st.lists(forms, max_size=4), anything),
            "menu": st.one_of(st.sampled_from(["main", "leisure", "reservations", "gone"]), scalars),
            "question": st.one_of(st.sampled_from(["more", "offer", "other"]), scalars),
            "offer": st.one_of(st.sampled_from(["restaurant_booking", "gone"]), scalars),
            "misses": scalars,
            "turned_away": scalars,
            "notices": anything,
            "pending": st.one_of(
                st.lists(forms.map(lambda form: {**form, "action": "book_table"}), max_size=4), anything
            ),
            "said": st.one_of(
                st.lists(
                    st.sampled_from(["text:greeting", "intent:thanks", "menu:main", "done", "x:y", "intent:gone", ""])
                ),
                anything,
            ),
            "completed": st.one_of(
                st.lists(
                    st.fixed_dictionaries(
                        {
                            "form": st.sampled_from(["table", "gone"]),
                            "slots": st.dictionaries(st.sampled_from(SLOTS), scalars),
                        }
                    )
                ),
                anything,
            ),
        },
    ),
)


def context(given_input: TurnInput, *, memory=None, language="en", now=None) -> TurnContext:
    return TurnContext(
        call_id="c", tenant="t", turn="1", language=language, input=given_input, memory=memory or {}, now=now
    )


def check_answer(steps, given_input):
    assert any(isinstance(step, Say | Transfer | HangUp) for step in steps)
    assert all(step.text.strip() and step.language for step in steps if isinstance(step, Say))
    assert [index for index, step in enumerate(steps) if isinstance(step, Remember)] == [len(steps) - 1]
    orders = [step for step in steps if isinstance(step, Transfer | HangUp | Act)]
    assert len(orders) <= 1
    assert not orders or steps[-2] is orders[0]
    assert not (orders and any(isinstance(step, Collect) for step in steps))
    notes = [index for index, step in enumerate(steps) if isinstance(step, Note)]
    assert notes == ([] if given_input.kind in (InputKind.SILENCE, InputKind.OUTCOME) else [0])
    written = json.dumps(steps[-1].memory)
    assert len(written) < 40_000
    return json.loads(written)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_input=inputs, memory=memories, language=tags, now=moments, house=houses)
def test_any_input_with_any_memory_is_answered(receptionist, given_input, memory, language, now, house):
    responder = ScriptedResponder(receptionist, house=house)
    turn = context(given_input, memory=memory, language=language or "", now=now)
    steps = responder.steps(turn)
    check_answer(steps, given_input)
    assert responder.steps(turn) == steps


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(inputs, min_size=1, max_size=12),
    now=moments,
    language=st.sampled_from(["en", "de", "es", "fr"]),
    house=houses,
)
def test_any_call_stays_answerable_and_its_memory_small(receptionist, turns, now, language, house):
    responder = ScriptedResponder(receptionist, house=house)
    memory = {}
    for given_input in turns:
        memory = check_answer(
            responder.steps(context(given_input, memory=memory, language=language, now=now)), given_input
        )
        for done in memory.get("completed", []):
            assert {"form", "slots"} <= set(done) <= {"form", "slots", "outcome", "reason", "data"}
            required = {name for name, slot in receptionist.forms[done["form"]].slots.items() if slot.required}
            assert required <= set(done["slots"])


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_input=inputs, memory=memories)
async def test_the_generator_gives_the_steps_and_never_waits(receptionist, given_input, memory):
    responder = ScriptedResponder(receptionist)
    turn = context(given_input, memory=memory)
    answers = responder.respond(turn)
    taken = []
    while True:
        # Driven by hand: a generator that waited for anything would hand out its awaitable here.
        try:
            answers.asend(None).send(None)
        except StopIteration as step:
            taken.append(step.value)
        except StopAsyncIteration:
            break
    assert taken == responder.steps(turn)


async def test_closing_the_generator_early_is_fine(receptionist):
    answers = ScriptedResponder(receptionist).respond(context(TurnInput(kind=InputKind.GREETING)))
    assert isinstance(await anext(answers), Note)
    await answers.aclose()


def test_the_context_is_not_changed(receptionist):
    memory = {"form": {"name": "table", "slots": {"date": "2026-06-05"}}, "said": ["text:greeting"], "completed": []}
    before = json.dumps(memory)
    ScriptedResponder(receptionist).steps(
        context(TurnInput(kind=InputKind.SPEECH, text="at seven for four"), memory=memory)
    )
    assert json.dumps(memory) == before


HOSTILE = {
    "one word": "a" * 10_000,
    "one digit": "7" * 10_000,
    "digits": "7 " * 5_000,
    "prepositions": "at for on the " * 700,
    "times": "quarter to seven " * 580,
    "dates": "friday the 5th of june 2026 " * 350,
    "ranges": "5 to 8 june " * 830,
    "beginnings of patterns": "book a table when what time is my name is " * 240,
    "yes and no": "yes no " * 1_400,
    "letters": "A B C " * 1_600,
    "doubles": "double " * 1_400,
    "apostrophes": "i'd " * 2_500,
    "apostrophes without end": "a'" * 5_000,
    "marks": ".,;:!?" * 1_600,
    "accents": "e\u0301" * 5_000,
    "languages": "ich je yo the und et y and " * 370,
    "ligatures": "\ufdfa" * 550,
    "names": "my name is von der la " * 450,
}  # fmt: skip
MEMORIES = {
    "at the start": {},
    "asked for a name": {"form": {"name": "table", "intent": "x", "slots": {"date": "2026-06-05", "time": "19:00", "party_size": 4}, "asking": "name"}},
    "asked for a code": {"form": {"name": "change", "slots": {}, "asking": "confirmation_number"}},
    "asked for words": {"form": {"name": "concierge", "slots": {}, "asking": "request"}},
    "asked whether it is right": {"form": {"name": "table", "stage": "confirm", "slots": {"date": "2026-06-05", "time": "19:00", "party_size": 4, "name": "A"}}},
}  # fmt: skip
BENIGN = (
    "well i was wondering whether somebody over there might perhaps look into something that came up during our last trip "
    * 84
)


def seconds(responder, text, memory):
    given_input = TurnInput(kind=InputKind.SPEECH, text=text)
    # A full collection costs what all other tests have left behind.
    gc.disable()
    try:
        started = time.process_time()
        responder.steps(context(given_input, memory=memory, now=datetime(2026, 6, 3, tzinfo=UTC)))
        return time.process_time() - started
    finally:
        gc.enable()


@pytest.mark.parametrize("memory", MEMORIES)
def test_ten_thousand_hostile_characters_cost_about_as_much_as_friendly_ones(receptionist, memory):
    responder = ScriptedResponder(receptionist, longest=10_000)
    benign = min(seconds(responder, BENIGN[:10_000], MEMORIES[memory]) for _ in range(2))
    for kind, text in HOSTILE.items():
        # A quadratic step would take a thousand times as long; words that mean something cost a few times more than others.
        assert seconds(responder, text[:10_000], MEMORIES[memory]) < 25 * max(benign, 0.02), kind


@pytest.mark.parametrize("kind", ["times", "ranges", "beginnings of patterns", "letters", "digits", "yes and no"])
def test_ten_times_the_text_costs_about_ten_times(receptionist, kind):
    responder = ScriptedResponder(receptionist, longest=10_000)
    text = HOSTILE[kind]
    short = min(seconds(responder, text[:1_000], {}) for _ in range(5))
    long = min(seconds(responder, text[:10_000], {}) for _ in range(2))
    assert long < 30 * max(short, 0.002)


def test_what_is_said_is_read_up_to_a_limit(receptionist):
    turn = context(TurnInput(kind=InputKind.SPEECH, text="oh " * 700 + "goodbye"))
    assert ScriptedResponder(receptionist).steps(turn)[0] == Note("", understood=False)
    assert ScriptedResponder(receptionist, longest=10_000).steps(turn)[0] == Note("end_call", understood=True)


def test_a_usual_turn_takes_about_a_millisecond(receptionist):
    responder = ScriptedResponder(receptionist)
    text = "I'd like to book a table for four on Friday at seven"
    best = min(seconds(responder, text, {}) for _ in range(50))
    # Far above what it takes on a quiet machine, far below what a caller could notice.
    assert best < 0.01
