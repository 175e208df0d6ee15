"""Starting and stopping in order, with examples; the properties are in test_lifecycle_properties.py."""

import asyncio
import logging
import pickle

import pytest

from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.lifecycle import Lifecycle, StartFailed, StopFailed, cancel, done_before, first_ended
from orchestrator_kernel.virtual_time import run


async def nothing():
    pass


async def fail():
    raise KeyError("boom")


async def forever():
    await asyncio.sleep(1e9)


async def await_something_cancelled():
    task = asyncio.ensure_future(forever())
    task.cancel()
    await task


class Trace:
    """Steps that write down that they ran."""

    def __init__(self):
        self.steps = []

    def step(self, name, then=nothing):
        async def run_step():
            self.steps.append(name)
            await then()

        return run_step


def test_requirements_start_first_and_stop_last():
    trace = Trace()
    lifecycle = Lifecycle()
    for name, requires in (("web", ["calls"]), ("calls", ["journal", "speech"]), ("speech", []), ("journal", [])):
        lifecycle.add(name, start=trace.step(f"+{name}"), stop=trace.step(f"-{name}"), requires=requires)

    async def scenario():
        async with lifecycle:
            assert lifecycle.started == ("speech", "journal", "calls", "web")
        assert lifecycle.started == ()

    run(scenario())
    assert trace.steps == ["+speech", "+journal", "+calls", "+web", "-web", "-calls", "-journal", "-speech"]


def test_without_requirements_the_order_is_that_of_adding():
    lifecycle = Lifecycle()
    for name in "zyx":
        lifecycle.add(name)
    assert lifecycle.order() == ("z", "y", "x")


@pytest.mark.parametrize(
    ("requirements", "message"),
    [
        ({"a": ["b"]}, "a requires b, which is not declared"),
        ({"a": ["b"], "b": ["a"]}, "require each other"),
        ({"a": ["a"]}, "a → a"),
    ],
)
def test_requirements_that_cannot_be_met_are_refused_before_anything_starts(requirements, message):
    trace = Trace()
    lifecycle = Lifecycle()
    for name, requires in requirements.items():
        lifecycle.add(name, start=trace.step(name), requires=requires)
    with pytest.raises(ConfigurationError, match=message):
        run(lifecycle.start())
    assert trace.steps == []


def test_a_name_is_given_once():
    lifecycle = Lifecycle()
    lifecycle.add("journal")
    with pytest.raises(ConfigurationError, match="journal is declared twice"):
        lifecycle.add("journal")


def test_a_failed_start_stops_what_had_started_and_says_why():
    trace = Trace()
    lifecycle = Lifecycle()
    lifecycle.add("first", stop=trace.step("-first"))
    lifecycle.add("second", stop=trace.step("-second", then=fail))
    lifecycle.add("third", start=fail, stop=trace.step("-third"))
    with pytest.raises(StartFailed, match=r"third did not start: 'boom'") as caught:
        run(lifecycle.start())
    assert trace.steps == ["-second", "-first"]
    assert caught.value.component == "third"
    assert [str(error) for error in caught.value.errors] == ["'boom'", "'boom'"]
    assert isinstance(caught.value.__cause__, KeyError)
    twin = pickle.loads(pickle.dumps(caught.value))
    assert (twin.component, str(twin), twin.details) == ("third", str(caught.value), caught.value.details)


def test_a_start_that_takes_too_long_is_ended():
    async def scenario():
        lifecycle = Lifecycle()
        lifecycle.add("slow", start=forever, start_timeout=2.5)
        with pytest.raises(StartFailed, match=r"slow took longer than 2.5 s to start"):
            await lifecycle.start()
        return asyncio.get_running_loop().time()

    assert run(scenario()) == 2.5


def test_a_time_out_of_the_component_itself_is_not_mistaken_for_ours():
    async def own_limit():
        raise TimeoutError("the database said no in time")

    lifecycle = Lifecycle()
    lifecycle.add("database", start=own_limit)
    with pytest.raises(StartFailed, match="the database said no in time"):
        run(lifecycle.start())


def test_every_failed_stop_is_reported_and_none_skips_the_rest():
    trace = Trace()
    lifecycle = Lifecycle()
    lifecycle.add("a", stop=trace.step("a"))
    lifecycle.add("b", stop=trace.step("b", then=fail))
    lifecycle.add("c", stop=trace.step("c", then=forever), stop_timeout=3)
    lifecycle.add("d", stop=trace.step("d", then=await_something_cancelled))

    async def scenario():
        with pytest.raises(StopFailed) as caught:
            async with lifecycle:
                pass
        return caught.value

    failure = run(scenario())
    assert trace.steps == ["d", "c", "b", "a"]
    assert [str(error) for error in failure.exceptions] == [
        "d awaited a cancelled task and did not stop",
        "c took longer than 3 s to stop",
        "'boom'",
    ]
    timeouts, others = failure.split(OrchestratorError)
    assert isinstance(timeouts, StopFailed)
    assert isinstance(others, StopFailed)


def test_a_cancelled_start_leaves_nothing_running():
    trace = Trace()
    lifecycle = Lifecycle()
    lifecycle.add("first", stop=trace.step("-first"))
    lifecycle.add("second", start=forever)

    async def scenario():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await lifecycle.start()
        return lifecycle.started

    assert run(scenario()) == ()
    assert trace.steps == ["-first"]


def test_a_cancelled_stop_still_stops_the_rest(caplog):
    trace = Trace()
    lifecycle = Lifecycle()
    lifecycle.add("a", stop=trace.step("a"))
    lifecycle.add("b", stop=trace.step("b", then=fail))
    lifecycle.add("c", stop=trace.step("c", then=forever))

    async def scenario():
        await lifecycle.start()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await lifecycle.stop()

    run(scenario())
    assert trace.steps == ["c", "b", "a"]
    assert "stop failed" in caplog.text, "an error must not vanish behind the cancellation"


# --- work in rounds -----------------------------------------------------------------------------------------------------------


class Work:
    """Something that takes a while; remembers how it ended."""

    def __init__(self, seconds: float, error: Exception | None = None):
        self.seconds, self.error, self.ended = seconds, error, ""

    async def do(self):
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)  # tidies up
            self.ended = "cut off"
            raise
        self.ended = "done"
        if self.error is not None:
            raise self.error


def test_work_is_done_unless_it_is_stopped_first():
    async def main():
        stopping, work = asyncio.Event(), Work(5)
        assert await done_before(stopping, work.do())
        assert work.ended == "done"
        asyncio.get_running_loop().call_later(2, stopping.set)
        work = Work(5)
        began = asyncio.get_running_loop().time()
        assert not await done_before(stopping, work.do())
        # Nothing of it runs any more: its tidying up was waited for.
        assert (work.ended, asyncio.get_running_loop().time() - began) == ("cut off", 2.5)
        assert len(asyncio.all_tasks()) == 1

    run(main())


def test_what_the_work_raises_is_raised():
    async def main():
        stopping = asyncio.Event()
        with pytest.raises(ValueError, match="broken"):
            await done_before(stopping, Work(1, ValueError("broken")).do())
        stopping.set()
        with pytest.raises(ValueError, match="at once"):
            await done_before(stopping, _fails_at_once())
        assert len(asyncio.all_tasks()) == 1

    run(main())


async def _fails_at_once():
    raise ValueError("at once")


def test_who_waits_for_work_may_be_cancelled_and_the_work_ends_too():
    async def main():
        work = Work(100)
        waiting = asyncio.create_task(done_before(asyncio.Event(), work.do()))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert work.ended == "cut off"
        assert len(asyncio.all_tasks()) == 1

    run(main())


def test_of_several_tasks_the_others_end_with_the_first():
    async def main():
        works = [Work(1), Work(5), Work(100)]
        tasks = [asyncio.create_task(work.do()) for work in works]
        assert await first_ended(*tasks) == tasks[:1]
        assert [work.ended for work in works] == ["done", "cut off", "cut off"]
        assert len(asyncio.all_tasks()) == 1
        tasks = [asyncio.create_task(Work(100).do()) for _ in range(2)]
        waiting = asyncio.create_task(first_ended(*tasks))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(asyncio.all_tasks()) == 1

    run(main())


def test_cancelled_tasks_have_ended_and_whoever_waits_for_them_can_be_cancelled():
    async def slow_to_go(work):
        try:
            await work.do()
        finally:
            await asyncio.sleep(5)

    async def main():
        works = [Work(100), Work(100, ValueError("dropped"))]
        tasks = [asyncio.create_task(slow_to_go(work)) for work in works]
        done = asyncio.create_task(Work(1).do())
        await asyncio.sleep(2)
        await cancel(*tasks, done)
        assert [work.ended for work in works] == ["cut off", "cut off"]
        assert (all(task.done() for task in tasks), done.cancelled()) == (True, False)
        stubborn = asyncio.create_task(slow_to_go(Work(100)))
        await asyncio.sleep(1)
        waiting = asyncio.create_task(cancel(stubborn))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await cancel()

    run(main())


def test_what_runs_is_not_started_again():
    trace = Trace()
    lifecycle = Lifecycle()
    lifecycle.add("web", start=trace.step("+web"))

    async def scenario():
        async with lifecycle:
            with pytest.raises(ConfigurationError, match="started already"):
                await lifecycle.start()
        await lifecycle.start()
        await lifecycle.stop()

    run(scenario())
    assert trace.steps == ["+web", "+web"]


def test_draining_waits_for_the_work_but_not_for_ever(caplog):
    given = []

    def drain(seconds):
        async def finish(limit):
            given.append(limit)
            await asyncio.sleep(seconds)

        return finish

    async def refuse(_limit):
        raise KeyError("boom")

    async def scenario(*drains):
        lifecycle = Lifecycle()
        for index, each in enumerate(drains):
            lifecycle.add(str(index), drain=each)
        async with lifecycle:
            assert not lifecycle.draining
            await lifecycle.drain(10)
            assert lifecycle.draining
        async with lifecycle:
            assert not lifecycle.draining, "a new start takes new work"
        return asyncio.get_running_loop().time()

    caplog.set_level(logging.WARNING)
    assert run(scenario(drain(3), drain(5))) == 5
    assert caplog.messages == []
    assert run(scenario(drain(3), drain(60))) == 10
    assert caplog.messages == ["drain took too long"]
    assert run(scenario(refuse, drain(2))) == 2
    assert caplog.messages[1:] == ["drain failed"]
    assert given == [10] * 5
