"""Whatever the order of delivery within the window, a call comes out the same.

Each example is the log of a plausible call. It is delivered event by event through the real runtime on virtual time: once as it happened,
once with every event up to a window late, some doubled, some again much later.
"""

from __future__ import annotations

import pytest
from calls_journals import told
from calls_logs import (
    Delivery,
    Log,
    boundaries,
    caller,
    deliver,
    deliveries,
    essence,
    examples,
    logs,
    missing,
    once,
    spoken,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator_calls.call import fold

ANSWERED = {"media": False}
SPOKEN = {"media": True, "steps": 3}
UNCOUNTED = {"media": False, "counting": False}
Case = tuple[Log, Delivery]


def cases(options: dict[str, object]) -> st.SearchStrategy[Case]:
    return logs(**options).flatmap(lambda log: st.tuples(st.just(log), deliveries(log)))


def compare(case: Case) -> None:
    log, delivery = case
    straight = deliver(log, log.events)
    shuffled = deliver(log, delivery)
    # What is decided by time, such as a silence that is due, is kept away from the events: no order could be right there.
    assume(not boundaries(log, straight))
    assume(not boundaries(log, shuffled))
    assert shuffled.call.state is straight.call.state
    assert spoken(shuffled.call) == spoken(straight.call)
    assert caller(shuffled.call) == caller(straight.call)
    assert essence(shuffled.call) == essence(straight.call)
    assert missing(shuffled.notices) == missing(straight.notices)
    for one in (straight, shuffled):
        # The journal alone gives the same call, and nothing was told or begun twice.
        assert told(fold(one.journal)) == told(one.call)
        assert once(one.notices)
        begun = [message["key"] for _, message in one.leg.controls if message["type"] == "speech"]
        assert len(begun) == len(set(begun))
    copies = [each for each in shuffled.receipts if each.duplicate]
    assert len(copies) == len(delivery) - len(log.events)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
@examples(250)
@given(cases(ANSWERED))
def test_calls_that_are_answered_in_the_request(part, case):
    compare(case)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
@examples(200)
@given(cases(SPOKEN))
def test_calls_that_are_spoken_on_a_media_leg(part, case):
    compare(case)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
@examples(300)
@given(cases(UNCOUNTED))
def test_calls_from_an_agent_that_does_not_count(part, case):
    compare(case)


@pytest.mark.soak
@pytest.mark.parametrize(("options", "count"), [(ANSWERED, 5000), (SPOKEN, 2000), (UNCOUNTED, 3000)])
def test_calls_at_length(options, count):
    @examples(count)
    @given(cases(options))
    def at_length(case: Case) -> None:
        compare(case)

    at_length()
