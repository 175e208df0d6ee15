"""Each window against the plain list of calls that it stands for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator_resilience._windows import CountWindow, RunWindow, TimeWindow

OUTCOMES = st.sampled_from([(False, False), (True, False), (False, True), (True, True)])


def write(window, now, failed, slow):
    if failed or slow:
        window.bad(now, failed=failed, slow=slow)
    else:
        window.success(now)


@given(st.integers(1, 12), st.lists(OUTCOMES, max_size=60))
def test_the_count_window_is_the_last_calls(size, outcomes):
    window = CountWindow(size)
    for number, outcome in enumerate(outcomes, 1):
        write(window, 0.0, *outcome)
        last = outcomes[max(0, number - size) : number]
        assert window.totals(0.0) == (len(last), sum(failed for failed, _ in last), sum(slow for _, slow in last))


@given(st.lists(OUTCOMES, max_size=60))
def test_the_run_window_is_the_bad_calls_in_a_row(outcomes):
    window = RunWindow()
    failures = slows = 0
    for failed, slow in outcomes:
        write(window, 0.0, failed, slow)
        failures = failures + 1 if failed else 0
        slows = slows + 1 if slow else 0
        assert window.totals(0.0)[1:] == (failures, slows)


@given(st.lists(st.tuples(OUTCOMES, st.integers(0, 40)), max_size=60))
def test_the_time_window_is_the_last_buckets(steps):
    window = TimeWindow(30.0, buckets=10)
    written, now = [], 0
    for outcome, wait in steps:
        now += wait
        write(window, float(now), *outcome)
        written.append((now // 3, *outcome))
        live = [each for each in written if each[0] > now // 3 - 10]
        expected = (len(live), sum(each[1] for each in live), sum(each[2] for each in live))
        assert window.totals(float(now)) == expected


def test_a_time_window_that_slept_for_years_wakes_up_at_once():
    window = TimeWindow(60.0)
    window.bad(0.0, failed=True, slow=False)
    assert window.totals(1e9) == (0, 0, 0)
