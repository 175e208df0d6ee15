"""Taking one sample: a contender, a clock, and a loop that does nothing else."""

from __future__ import annotations

import gc
import inspect
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from typing import Literal, cast

from orchestrator_performance.benchmarking._errors import BenchmarkError

ClockName = Literal["cpu", "cpu+children", "wall"]
Timer = Callable[[], float]
Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Contender:
    """One of the things that are compared.

    Args:
        name: Unique in the comparison; shown in the table.
        call: Called without arguments. If it answers an awaitable, that is awaited and is part of the time.
        setup: Called (and awaited) before every sample, outside the time.
        teardown: Called (and awaited) after every sample, outside the time, also when the sample failed.
        calls: How many calls make one sample; calibrated if not given. Give 1 if a call uses up what `setup` made.
        operations: How many operations one call performs; times are per operation.
    """

    name: str
    call: Work
    setup: Work | None = None
    teardown: Work | None = None
    calls: int | None = None
    operations: int = 1

    def __post_init__(self) -> None:
        if self.operations < 1 or (self.calls is not None and self.calls < 1):
            raise BenchmarkError(f"contender {self.name}: calls and operations start at 1")


@dataclass(frozen=True, slots=True)
class Taken:
    """One sample, in seconds: by the chosen clock and by the wall."""

    measured: float
    wall: float


def timer(clock: ClockName | Timer) -> Timer:
    """The function that reads a clock.

    `cpu` is this process's CPU time, all threads; `cpu+children` adds that of child processes which have ended and been waited for;
    `wall` is elapsed time. A function is taken as it is and answers seconds.
    """
    if callable(clock):
        return clock
    match clock:
        case "cpu":
            return time.process_time
        case "cpu+children":
            return _cpu_with_children
        case "wall":
            return time.perf_counter
        case _:  # pyright: ignore[reportUnnecessaryComparison]
            raise BenchmarkError(f"the clock is cpu, cpu+children or wall, not {clock!r}")


def clock_name(clock: ClockName | Timer) -> str:
    """How a report names the clock."""
    return clock if isinstance(clock, str) else "own"


def needs_loop(contender: Contender) -> bool:
    """Whether the contender can only run in an event loop; found out by its definition, otherwise by one call."""
    if any(_is_async(function) for function in (contender.call, contender.setup, contender.teardown) if function):
        return True
    with _named(contender):
        _run(contender.setup)
        try:
            answer = contender.call()
        finally:
            _run(contender.teardown)
    if inspect.iscoroutine(answer):
        answer.close()
    return inspect.isawaitable(answer)


async def answers_awaitable(contender: Contender) -> bool:
    """Whether the contender's call has to be awaited; found out by one call."""
    with _named(contender):
        await _run_async(contender.setup)
        try:
            answer = contender.call()
            if inspect.isawaitable(answer):
                await answer
                return True
            return False
        finally:
            await _run_async(contender.teardown)


def take(contender: Contender, calls: int, read: Timer, *, keep_gc: bool) -> Taken:
    """One sample of a contender that needs no event loop."""
    with _named(contender):
        _run(contender.setup)
        try:
            call, times = contender.call, repeat(None, calls)
            with _gc_paused(unless=keep_gc):
                wall, start = time.perf_counter(), read()
                for _ in times:
                    call()
                end, wall_end = read(), time.perf_counter()
        finally:
            _run(contender.teardown)
    return Taken(end - start, wall_end - wall)


async def take_async(contender: Contender, calls: int, read: Timer, *, keep_gc: bool, awaited: bool) -> Taken:
    """One sample inside an event loop; `awaited` says whether the call answers an awaitable."""
    if not awaited:
        return await _take_sync_inside(contender, calls, read, keep_gc=keep_gc)
    with _named(contender):
        await _run_async(contender.setup)
        try:
            call, times = cast("Callable[[], Awaitable[object]]", contender.call), repeat(None, calls)
            with _gc_paused(unless=keep_gc):
                wall, start = time.perf_counter(), read()
                for _ in times:
                    await call()
                end, wall_end = read(), time.perf_counter()
        finally:
            await _run_async(contender.teardown)
    return Taken(end - start, wall_end - wall)


async def _take_sync_inside(contender: Contender, calls: int, read: Timer, *, keep_gc: bool) -> Taken:
    with _named(contender):
        await _run_async(contender.setup)
    try:
        return take(replace(contender, setup=None, teardown=None), calls, read, keep_gc=keep_gc)
    finally:
        with _named(contender):
            await _run_async(contender.teardown)


def _is_async(function: Work) -> bool:
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _run(step: Work | None) -> None:
    answer = step() if step else None
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise BenchmarkError("write a setup or teardown that has to be awaited with `async def`")


async def _run_async(step: Work | None) -> None:
    answer = step() if step else None
    if inspect.isawaitable(answer):
        await answer


@contextmanager
def _gc_paused(*, unless: bool) -> Generator[None]:
    # A collection falls on whoever allocates next, which need not be who made the garbage.
    if unless or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _named(contender: Contender) -> Generator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(f"while measuring the contender {contender.name!r}")
        raise


def _cpu_with_children() -> float:
    import resource  # noqa: PLC0415 - POSIX only, and only this clock needs it

    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
