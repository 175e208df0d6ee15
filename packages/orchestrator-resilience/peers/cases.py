"""What a case is: one promise, looked for in a peer and here, by the same steps."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Seen:
    """What happened, and whether that is what a user may expect."""

    text: str
    good: bool


Steps = Callable[[], Seen | Awaitable[Seen]]


@dataclass(frozen=True)
class Case:
    peer: str
    promise: str
    there: Steps
    here: Steps


CASES: list[Case] = []


def case(peer: str, promise: str, *, there: Steps, here: Steps) -> None:
    """Write a case down; they run in this order."""
    CASES.append(Case(peer, promise, there, here))


def watch(steps: Steps) -> Seen:
    """Run the steps, on a loop of their own if they are asynchronous. An error that they did not expect is not good."""

    async def limited() -> Seen:
        async with asyncio.timeout(30):
            return await steps()  # type: ignore[misc]

    try:
        if inspect.iscoroutinefunction(steps):
            with asyncio.Runner() as runner:
                # What is left behind by peers is none of the reader's business.
                runner.get_loop().set_exception_handler(lambda loop, context: None)
                return runner.run(limited())
        return steps()  # type: ignore[return-value]
    except Exception as error:  # noqa: BLE001 - shown in the table
        return Seen(f"broken: {error!r}", good=False)


class Clock:
    """A wall clock that somebody sets. Monotonic time goes on as ever."""

    def __init__(self) -> None:
        self.shift = 0.0
        self._real = time.time

    def time(self) -> float:
        return self._real() + self.shift


@contextmanager
def wall_clock(*modules: ModuleType) -> Iterator[Clock]:
    """`time.time` everywhere, and `datetime` in the given modules, by a clock that can be set."""
    clock, real = Clock(), time.time

    class Datetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(clock.time(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return datetime.fromtimestamp(clock.time(), UTC).replace(tzinfo=None)

    replaced = [(module, module.__dict__["datetime"]) for module in modules]
    time.time = clock.time
    for module, _ in replaced:
        module.__dict__["datetime"] = Datetime
    try:
        yield clock
    finally:
        time.time = real
        for module, original in replaced:
            module.__dict__["datetime"] = original


class HandClock:
    """Our port's clock, moved by hand."""

    def __init__(self) -> None:
        self.elapsed = 1000.0

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        self.elapsed += seconds


async def expected(awaitable: Awaitable[Any]) -> BaseException | None:
    """The error that it ends with, if it does."""
    try:
        await awaitable
    except Exception as error:  # noqa: BLE001 - the answer
        return error
    return None


def number(value: float) -> str:
    """For people: 3.71, 372, 1,640."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


async def bare() -> None:
    """A call that goes well at once."""


async def cost(protected: Callable[[], Awaitable[object]], *, at_most: float) -> Seen:
    """A protected call of `bare`, against awaiting it bare, in processor time; the least of several rounds, taken in turns."""

    async def round_of(function: Callable[[], Awaitable[object]]) -> float:
        began = time.process_time()
        for _ in range(500):
            await function()
        return time.process_time() - began

    rounds = [(await round_of(bare), await round_of(protected)) for _ in range(20)]
    ratio = min(each[1] for each in rounds) / min(each[0] for each in rounds)
    return Seen(f"a call that goes well costs {number(ratio)} bare awaits", ratio <= at_most)
