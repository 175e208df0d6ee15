"""Both clocks keep the contract of the port."""

import inspect

import pytest

from orchestrator_kernel.contracts import ClockContract
from orchestrator_kernel.ports import SystemClock
from orchestrator_kernel.virtual_time import LoopClock, run


class TestSystemClock(ClockContract):
    def make(self):
        return SystemClock()


class TestLoopClockOnARealLoop(ClockContract):
    def make(self):
        return LoopClock()


PROMISES = [name for name, _ in inspect.getmembers(ClockContract, inspect.iscoroutinefunction)]


@pytest.mark.parametrize("promise", PROMISES)
def test_the_loop_clock_on_virtual_time(promise):
    run(getattr(TestLoopClockOnARealLoop(), promise)())
