"""Random graphs of components that start, fail, hang and are cancelled, on virtual time."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.lifecycle import Lifecycle, StartFailed, StopFailed
from orchestrator_kernel.virtual_time import run

LIMIT = 10.0


@dataclass(frozen=True)
class Step:
    """Sleeps, then succeeds or fails; longer than the limit means a hang."""

    seconds: float
    fails: bool

    @property
    def succeeds(self):
        return not self.fails and self.seconds < LIMIT


@dataclass(frozen=True)
class Part:
    name: str
    requires: tuple[str, ...]
    start: Step
    stop: Step


MOSTLY_FINE = st.builds(Step, st.sampled_from([0.0, 0.0, 1.0, 2.0, 3.0, 99.0]), st.sampled_from([False] * 5 + [True]))


@st.composite
def systems(draw):
    """Parts whose requirements form no circle, in any order of adding."""
    names = [f"c{index}" for index in range(draw(st.integers(1, 7)))]
    parts = [
        Part(
            name,
            tuple(draw(st.sets(st.sampled_from(names[:index]))) if index else ()),
            draw(MOSTLY_FINE),
            draw(MOSTLY_FINE),
        )
        for index, name in enumerate(names)
    ]
    return draw(st.permutations(parts))


def build(parts):
    """The lifecycle and the trace that its steps write: ("starting" | "started" | "stopping", name)."""
    trace = []
    lifecycle = Lifecycle()

    def steps(part):
        async def start():
            trace.append(("starting", part.name))
            await asyncio.sleep(part.start.seconds)
            if part.start.fails:
                raise KeyError(part.name)
            trace.append(("started", part.name))

        async def stop():
            trace.append(("stopping", part.name))
            await asyncio.sleep(part.stop.seconds)
            if part.stop.fails:
                raise KeyError(part.name)

        return start, stop

    for part in parts:
        start, stop = steps(part)
        lifecycle.add(
            part.name, start=start, stop=stop, requires=part.requires, start_timeout=LIMIT, stop_timeout=LIMIT
        )
    return lifecycle, trace


def names(trace, kind):
    return [name for each, name in trace if each == kind]


@given(systems())
@settings(max_examples=200)
def test_nothing_starts_before_what_it_requires_and_everything_started_is_stopped(parts):
    lifecycle, trace = build(parts)
    by_name = {part.name: part for part in parts}

    async def scenario():
        started = stopped = None
        try:
            await lifecycle.start()
        except StartFailed as error:
            started = error
        else:
            try:
                await lifecycle.stop()
            except StopFailed as error:
                stopped = error
        return started, stopped, asyncio.get_running_loop().time()

    start_error, stop_error, elapsed = run(scenario())

    for index, (kind, name) in enumerate(trace):
        if kind == "starting":
            assert set(by_name[name].requires) <= set(names(trace[:index], "started"))
    assert names(trace, "stopping") == names(trace, "started")[::-1]
    assert lifecycle.started == ()
    assert elapsed <= 2 * LIMIT * len(parts)

    bad_stops = [name for name in names(trace, "stopping") if not by_name[name].stop.succeeds]
    if all(part.start.succeeds for part in parts):
        event("all started")
        assert start_error is None
        assert len(names(trace, "started")) == len(parts)
        assert len(stop_error.exceptions if stop_error else ()) == len(bad_stops)
    else:
        event("a start failed")
        assert not by_name[start_error.component].start.succeeds
        assert names(trace, "starting")[-1] == start_error.component
        assert len(start_error.errors) == 1 + len(bad_stops)


@given(systems(), st.floats(0, 40))
@settings(max_examples=200)
def test_a_cancellation_at_any_moment_leaves_nothing_running(parts, moment):
    lifecycle, trace = build(parts)

    async def use():
        async with lifecycle:
            await asyncio.sleep(5)

    async def scenario():
        task = asyncio.ensure_future(use())
        await asyncio.sleep(moment)
        task.cancel()
        await asyncio.wait([task])

    run(scenario())
    # A start that was cancelled in its last instant counts as not started: nobody was told that it had.
    assert names(trace, "stopping") in (names(trace, "started")[::-1], names(trace, "started")[:-1][::-1])
    assert lifecycle.started == ()


@given(st.dictionaries(st.sampled_from("abcde"), st.sets(st.sampled_from("abcde")), min_size=1))
def test_an_order_exists_exactly_when_all_can_be_started_one_by_one(requirements):
    lifecycle = Lifecycle()
    for name, requires in requirements.items():
        lifecycle.add(name, requires=sorted(requires))

    startable: set[str] = set()
    while ready := {name for name, requires in requirements.items() if requires <= startable} - startable:
        startable |= ready

    if startable == set(requirements):
        order = lifecycle.order()
        assert sorted(order) == sorted(requirements)
        for index, name in enumerate(order):
            assert requirements[name] <= set(order[:index])
    else:
        with pytest.raises(ConfigurationError):
            lifecycle.order()
