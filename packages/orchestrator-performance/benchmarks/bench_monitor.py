"""What watching costs: a sample, a timer, and what the watched process notices of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, acompare, compare
from orchestrator_performance.memory_optimizer import read_memory
from orchestrator_performance.monitor import Monitor, MonitorConfig


def read_status() -> str:
    return Path("/proc/self/status").read_text(encoding="ascii")


async def sampling() -> Report:
    """A whole sample next to reading one file of /proc; every five seconds a millisecond would be a fiftieth of a percent."""
    async with Monitor(MonitorConfig(interval=3600)) as monitor:

        async def read() -> None:
            read_status()

        async def memory() -> None:
            read_memory(0.0)

        async def sample() -> None:
            monitor.sample()

        return await acompare(
            "a sample",
            baseline=Contender("read /proc/self/status", read),
            contenders=[Contender("memory", memory), Contender("everything", sample)],
            gates={"everything": Gate(at_most=15)},
            seconds=2,
        )


def timing() -> Report:
    """Timing a block next to the block alone."""
    monitor = Monitor(MonitorConfig())

    def timed() -> None:
        with monitor.timers.time("request", "nothing"):
            pass

    kept = monitor.timers.timing("request", "nothing")
    return compare(
        "time a block",
        baseline=Contender("a function call", lambda: None),
        contenders=[Contender("Timing.record", lambda: kept.record(0.001)), Contender("timers.time", timed)],
        seconds=2,
    )


def benches() -> Iterable[Bench]:
    yield sampling
    yield timing
