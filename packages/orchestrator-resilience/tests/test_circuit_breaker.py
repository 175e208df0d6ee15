"""What a caller of the breaker notices."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import threading
import time
from abc import ABCMeta

import pytest

from orchestrator_kernel.exceptions import CircuitBreakerOpenError, ConfigurationError
from orchestrator_resilience._engine import pybreaker
from orchestrator_resilience.circuit_breaker import CircuitBreaker, CircuitOpen, Transition
from orchestrator_resilience.config import CircuitBreakerConfig

THREE = CircuitBreakerConfig(window="consecutive", consecutive_failures=3, recovery_seconds=30, probes=1)


async def fail() -> str:
    raise OSError("down")


async def succeed() -> str:
    return "fine"


async def trip(breaker: CircuitBreaker, failures: int = 3) -> None:
    for _ in range(failures):
        with pytest.raises(OSError, match="down"):
            await breaker.call(fail)


async def test_failures_in_a_row_open_the_circuit_and_the_dependency_is_left_alone(clock):
    breaker = CircuitBreaker("tts", THREE, clock=clock)
    await trip(breaker)
    called = []
    with pytest.raises(CircuitOpen) as refusal:
        await breaker.call(lambda: called.append(1))
    assert not called
    assert isinstance(refusal.value, CircuitBreakerOpenError)
    assert refusal.value.retry_after == 30
    assert refusal.value.details["dependency"] == "tts"
    assert breaker.snapshot().refused == 1


async def test_the_error_that_opens_the_circuit_reaches_its_caller_unchanged(clock):
    breaker = CircuitBreaker("tts", CircuitBreakerConfig(window="consecutive", consecutive_failures=1), clock=clock)
    error = OSError("the cause")

    async def failing() -> None:
        raise error

    with pytest.raises(OSError, match="the cause") as caught:
        await breaker.call(failing)
    assert caught.value is error
    assert error.__context__ is None
    assert [entry.name for entry in caught.traceback][-1] == "failing"
    assert "ended" not in [entry.name for entry in caught.traceback]


async def test_a_good_probe_closes_it(clock):
    breaker = CircuitBreaker("tts", THREE, clock=clock)
    await trip(breaker)
    clock.time += 30
    assert await breaker.call(succeed) == "fine"
    assert breaker.state == "closed"


async def test_a_bad_probe_opens_it_for_the_whole_time_again(clock):
    breaker = CircuitBreaker("tts", THREE, clock=clock)
    await trip(breaker)
    clock.time += 30
    with pytest.raises(OSError, match="down"):
        await breaker.call(fail)
    clock.time += 29.9
    with pytest.raises(CircuitOpen):
        await breaker.call(succeed)
    assert breaker.snapshot().opened == 2


@pytest.mark.parametrize("probes", [1, 3, 7])
@pytest.mark.parametrize("healed", [True, False])
async def test_of_100_callers_a_half_open_circuit_lets_exactly_its_probes_through(clock, probes, healed):
    config = CircuitBreakerConfig(window="consecutive", consecutive_failures=3, recovery_seconds=30, probes=probes)
    breaker = CircuitBreaker("tts", config, clock=clock)
    await trip(breaker)
    clock.time += 31
    reached, gate = [], asyncio.Event()

    async def probe() -> None:
        reached.append(1)
        await gate.wait()
        if not healed:
            raise OSError("still down")

    async def caller() -> str:
        try:
            await breaker.call(probe)
        except CircuitOpen:
            return "refused"
        except OSError:
            return "failed"
        return "fine"

    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(caller()) for _ in range(100)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gate.set()
    answers = [each.result() for each in callers]
    assert len(reached) == probes
    assert answers.count("refused") == 100 - probes
    assert breaker.state == ("closed" if healed else "open")


async def test_a_cancelled_probe_counts_neither_way_and_gives_its_place_back(clock):
    breaker = CircuitBreaker("tts", THREE, clock=clock)
    await trip(breaker)
    clock.time += 30
    probe = asyncio.create_task(breaker.call(asyncio.sleep, 3600))
    await asyncio.sleep(0)
    with pytest.raises(CircuitOpen):
        await breaker.call(succeed)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert breaker.state == "half_open"
    await breaker.call(succeed)
    assert breaker.state == "closed"


async def test_cancelled_calls_never_open_a_circuit(clock):
    breaker = CircuitBreaker("tts", THREE, clock=clock)
    calls = [asyncio.create_task(breaker.call(asyncio.sleep, 3600)) for _ in range(50)]
    await asyncio.sleep(0)
    for each in calls:
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert (breaker.state, breaker.snapshot().calls) == ("closed", 0)


async def test_a_probe_that_hangs_loses_its_place_and_its_late_outcome_does_not_count(clock):
    config = CircuitBreakerConfig(
        window="consecutive", consecutive_failures=3, recovery_seconds=30, probes=1, probe_lease_seconds=10
    )
    breaker = CircuitBreaker("tts", config, clock=clock)
    await trip(breaker)
    clock.time += 30
    gate = asyncio.Event()
    hung = asyncio.create_task(breaker.call(gate.wait))
    await asyncio.sleep(0)
    clock.time += 10
    with pytest.raises(OSError, match="down"):
        await breaker.call(fail)
    assert breaker.state == "open"
    gate.set()
    await hung
    assert breaker.state == "open"


async def test_a_late_outcome_of_an_older_generation_does_not_count(clock):
    breaker = CircuitBreaker("tts", THREE, clock=clock)
    gate = asyncio.Event()

    async def slow_failure() -> None:
        await gate.wait()
        raise OSError("from before")

    late = [asyncio.create_task(breaker.call(slow_failure)) for _ in range(5)]
    await asyncio.sleep(0)
    await trip(breaker)
    clock.time += 30
    await breaker.call(succeed)
    gate.set()
    await asyncio.gather(*late, return_exceptions=True)
    assert breaker.state == "closed"
    assert breaker.snapshot().failures == 0


async def test_the_wall_clock_is_not_looked_at(clock, monkeypatch):
    breaker = CircuitBreaker("tts", THREE, clock=clock)
    await trip(breaker)

    class Epoch(pybreaker.datetime):
        @classmethod
        def now(cls, tz=None):
            return pybreaker.datetime(1970, 1, 1, tzinfo=tz)

    monkeypatch.setattr(pybreaker, "datetime", Epoch)
    with pytest.raises(CircuitOpen):
        await breaker.call(succeed)
    clock.time += 30
    await breaker.call(succeed)
    assert breaker.state == "closed"


async def test_the_failure_rate_is_judged_from_the_minimum_of_calls_on(clock):
    config = CircuitBreakerConfig(window_calls=10, minimum_calls=4, failure_rate=0.5)
    breaker = CircuitBreaker("tts", config, clock=clock)
    await trip(breaker, 3)
    assert breaker.state == "closed"
    await trip(breaker, 1)
    assert breaker.state == "open"


async def test_old_calls_leave_the_count_window(clock):
    config = CircuitBreakerConfig(window_calls=4, minimum_calls=4, failure_rate=0.75)
    breaker = CircuitBreaker("tts", config, clock=clock)
    await trip(breaker, 2)
    for _ in range(3):
        await breaker.call(succeed)
    await trip(breaker, 2)  # f f s s s f f: two of the last four
    assert breaker.state == "closed"
    await trip(breaker, 1)
    assert breaker.state == "open"


async def test_old_calls_leave_the_time_window(clock):
    config = CircuitBreakerConfig(window="time", window_seconds=60, minimum_calls=3, failure_rate=1.0)
    breaker = CircuitBreaker("tts", config, clock=clock)
    await trip(breaker, 2)
    clock.time += 61
    await trip(breaker, 2)
    assert breaker.state == "closed"
    await trip(breaker, 1)
    assert breaker.state == "open"


@pytest.mark.parametrize("window", ["count", "time", "consecutive"])
async def test_slow_calls_open_it_though_they_succeed(clock, window):
    config = CircuitBreakerConfig(
        window=window, minimum_calls=3, consecutive_failures=3, slow_call_seconds=2, slow_call_rate=0.6
    )
    breaker = CircuitBreaker("tts", config, clock=clock)
    for _ in range(3):
        await breaker.call(clock.sleep, 2.5)
    assert breaker.state == "open"


async def test_a_slow_probe_is_a_bad_one(clock):
    config = CircuitBreakerConfig(window="consecutive", consecutive_failures=3, slow_call_seconds=2, probes=1)
    breaker = CircuitBreaker("tts", config, clock=clock)
    await trip(breaker)
    clock.time += 60
    await breaker.call(clock.sleep, 3)
    assert breaker.state == "open"


class Typed(Exception, metaclass=ABCMeta):
    """A class of errors whose metaclass is not `type`."""


async def test_an_excluded_class_with_a_metaclass_excludes_only_itself(clock):
    config = CircuitBreakerConfig(window="consecutive", consecutive_failures=3, excluded=(Typed,))
    breaker = CircuitBreaker("tts", config, clock=clock)

    async def refuse() -> None:
        raise Typed

    for _ in range(10):
        with pytest.raises(Typed):
            await breaker.call(refuse)
    assert breaker.state == "closed"
    await trip(breaker)
    assert breaker.state == "open"


async def test_only_included_errors_are_failures_by_class_or_predicate(clock):
    config = CircuitBreakerConfig(
        window="consecutive", consecutive_failures=3, included=(TimeoutError, lambda error: "down" in str(error))
    )
    breaker = CircuitBreaker("tts", config, clock=clock)

    async def wrong() -> None:
        raise ValueError("the caller's mistake")

    for _ in range(5):
        with pytest.raises(ValueError, match="mistake"):
            await breaker.call(wrong)
    assert breaker.state == "closed"
    await trip(breaker)
    assert breaker.state == "open"


async def test_a_time_limit_inside_is_a_failure(clock):
    breaker = CircuitBreaker("tts", THREE, clock=clock)

    async def limited() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(60)

    for _ in range(3):
        with pytest.raises(TimeoutError):
            await breaker.call(limited)
    assert breaker.state == "open"


async def test_a_result_can_be_a_failure_and_still_reaches_the_caller(clock):
    config = CircuitBreakerConfig(
        window="consecutive",
        consecutive_failures=3,
        failed_result=lambda status: isinstance(status, int) and status >= 500,
    )
    breaker = CircuitBreaker("tts", config, clock=clock)

    async def answer() -> int:
        return 503

    assert [await breaker.call(answer) for _ in range(3)] == [503] * 3
    assert breaker.state == "open"


async def test_forced_open_refuses_until_reset(clock):
    breaker = CircuitBreaker("tts", THREE, clock=clock)
    breaker.force_open()
    clock.time += 1e6
    with pytest.raises(CircuitOpen) as refusal:
        await breaker.call(succeed)
    assert refusal.value.retry_after is None
    breaker.reset()
    assert await breaker.call(succeed) == "fine"


async def test_disabled_and_metrics_only_never_open(clock):
    breaker = CircuitBreaker("tts", THREE, clock=clock)
    breaker.disable()
    await trip(breaker, 10)
    assert (breaker.state, breaker.snapshot().calls) == ("disabled", 0)
    breaker.metrics_only()
    await trip(breaker, 10)
    assert (breaker.state, breaker.snapshot().failures) == ("metrics_only", 10)
    breaker.reset()
    await trip(breaker)
    assert breaker.state == "open"


async def test_the_decorator_keeps_kind_name_and_arguments(clock):
    breaker = CircuitBreaker("tts", THREE, clock=clock)

    @breaker
    async def speak(text: str, *, voice: str) -> str:
        return f"{voice}: {text}"

    @breaker
    def measure(text: str) -> int:
        return len(text)

    assert await speak("hello", voice="ada") == "ada: hello"
    assert measure("four") == 4
    assert (speak.__name__, measure.__name__) == ("speak", "measure")
    wrapped = breaker(functools.partial(fail))
    for _ in range(3):
        with pytest.raises(OSError, match="down"):
            await wrapped()
    assert breaker.state == "open"
    with pytest.raises(CircuitOpen):
        measure("four")


def test_a_generator_function_is_refused_with_advice():
    breaker = CircuitBreaker("tts")
    with pytest.raises(ConfigurationError, match="guard"):

        @breaker
        async def stream():
            yield b""


def test_an_awaitable_from_call_sync_is_refused_and_nothing_leaks():
    with pytest.raises(ConfigurationError, match="await `call`"):
        CircuitBreaker("tts").call_sync(succeed)


async def test_guards_count_what_leaves_the_block(clock):
    breaker = CircuitBreaker("tts", THREE, clock=clock)
    for _ in range(2):
        with pytest.raises(OSError, match="down"):
            async with breaker.guard():
                raise OSError("down")
    with pytest.raises(OSError, match="down"), breaker.guard():
        raise OSError("down")
    with pytest.raises(CircuitOpen):
        async with breaker.guard():
            raise AssertionError("let through")
    used = CircuitBreaker("other").guard()
    with used:
        pass
    with pytest.raises(ConfigurationError, match="one call"), used:
        pass


def test_no_lock_is_held_while_a_sync_function_runs():
    breaker = CircuitBreaker("tts")
    together = threading.Barrier(8, timeout=10)
    threads = [threading.Thread(target=breaker.call_sync, args=(together.wait,)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
    assert not together.broken


class Recorder(pybreaker.CircuitBreakerListener):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def before_call(self, cb, func, *args, **kwargs):
        self.heard.append("before")

    def success(self, cb):
        self.heard.append("success")

    def failure(self, cb, exc):
        self.heard.append(f"failure {exc}")

    def state_change(self, cb, old_state, new_state):
        self.heard.append(f"{old_state.name} -> {new_state.name}")


class Broken(Recorder):
    def success(self, cb):
        raise RuntimeError("a bug in a listener")

    before_call = failure = state_change = success


async def test_pybreakers_listeners_hear_everything_and_cannot_break_a_call(clock, caplog):
    recorder = Recorder()
    breaker = CircuitBreaker("tts", THREE, clock=clock, listeners=[Broken(), recorder])
    await breaker.call(succeed)
    await trip(breaker)
    clock.time += 30
    await breaker.call(succeed)
    failures = ["before", "failure down"] * 3
    assert recorder.heard == [
        *["before", "success", *failures, "closed -> open"],
        *["open -> half-open", "before", "half-open -> closed", "success"],
    ]
    assert "a listener of circuit tts failed" in caplog.text


async def test_observers_hear_changes_of_state_only(clock, caplog):
    heard: list[Transition] = []

    def broken(transition: Transition) -> None:
        raise RuntimeError("a bug in an observer")

    breaker = CircuitBreaker("tts", THREE, clock=clock, observers=[broken, heard.append])
    await breaker.call(succeed)
    await trip(breaker)
    breaker.disable()
    assert heard == [Transition("tts", "closed", "open"), Transition("tts", "open", "disabled")]
    assert "an observer of circuit tts failed" in caplog.text


async def test_pybreaker_is_the_engine(clock, monkeypatch):
    """Whoever decides the transitions without it fails here."""
    breaker = CircuitBreaker("tts", THREE, clock=clock)
    assert isinstance(breaker.engine, pybreaker.CircuitBreaker)
    monkeypatch.setattr(pybreaker.CircuitBreaker, "open", lambda engine: False)
    await trip(breaker, 10)
    assert breaker.state == breaker.engine.current_state == "closed"
    monkeypatch.undo()
    await trip(breaker, 1)
    assert breaker.state == breaker.engine.current_state == "open"
    clock.time += 30
    monkeypatch.setattr(pybreaker.CircuitBreaker, "close", lambda engine: None)
    await breaker.call(succeed)
    assert breaker.state == "half_open"


@pytest.mark.parametrize("settings", ["window='time'", "window='consecutive'", "slow_call_seconds=5.0", ""])
def test_neither_redis_nor_tornado_is_imported_and_others_get_the_whole_pybreaker(settings, tmp_path):
    for name in ("redis", "tornado"):
        (tmp_path / f"{name}.py").write_text("raise AssertionError('imported')")
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from orchestrator_resilience.circuit_breaker import CircuitBreaker
from orchestrator_resilience.config import CircuitBreakerConfig
CircuitBreaker("tts", CircuitBreakerConfig({settings})).call_sync(int)
assert not sys.modules.keys() & {{"redis", "tornado", "pybreaker"}}
try:
    import pybreaker
except AssertionError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "imported"


def test_a_pybreaker_that_is_loaded_already_is_used_as_it_is():
    script = """
import pybreaker
from orchestrator_resilience.circuit_breaker import CircuitBreaker
assert isinstance(CircuitBreaker("tts").engine, pybreaker.CircuitBreaker)
"""
    subprocess.run([sys.executable, "-c", script], timeout=60, check=True)


def test_the_default_clock_is_the_machines():
    breaker = CircuitBreaker(
        "tts", CircuitBreakerConfig(window="consecutive", consecutive_failures=1, recovery_seconds=0.05)
    )
    with pytest.raises(ZeroDivisionError):
        breaker.call_sync(lambda: 1 / 0)
    with pytest.raises(CircuitOpen) as refusal:
        breaker.call_sync(int)
    assert refusal.value.retry_after
    time.sleep(refusal.value.retry_after)
    for _ in range(3):
        breaker.call_sync(int)
    assert breaker.state == "closed"
