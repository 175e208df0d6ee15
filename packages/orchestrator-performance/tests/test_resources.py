"""What a load costs beside time."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from orchestrator_performance.benchmarking import BenchmarkError, open_loop
from orchestrator_performance.benchmarking.resources import watch


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


async def test_processor_time_is_what_was_burnt():
    async with watch() as watched:
        burn(0.3)
        await asyncio.sleep(0.2)
    assert watched.use is not None
    assert watched.use.cpu_seconds == pytest.approx(0.3, abs=0.1)
    assert 0 < watched.use.cores < 1
    assert watched.use.seconds >= 0.5


async def test_the_peak_of_memory_is_seen_though_it_is_given_back():
    async with watch() as watched:
        ballast = bytearray(64 * 1024 * 1024)
        await asyncio.sleep(0.4)
        del ballast
        await asyncio.sleep(0.1)
    use = watched.use
    assert use is not None
    assert use.grown_bytes < 32 * 1024 * 1024
    assert use.peak_bytes - use.grown_bytes > 64 * 1024 * 1024


async def test_another_process_is_watched():
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
    try:
        # On a busy machine it has its turn later.
        for _ in range(40):
            async with watch([child.pid]) as watched:
                await asyncio.sleep(0.5)
            if watched.use is not None and watched.use.cpu_seconds > 0.1:
                break
    finally:
        child.kill()
        await child.wait()
    assert watched.use is not None
    assert watched.use.cpu_seconds > 0.1
    assert watched.use.collections is None


async def test_a_process_that_is_not_there_is_an_error():
    with pytest.raises(BenchmarkError, match="999999999"):
        async with watch([999_999_999]):
            pass


async def test_an_open_loop_says_what_it_used():
    async def work() -> None:
        burn(0.005)

    report = await open_loop("work", arrive=work, rate=20, seconds=0.5, warmup=0, idle_seconds=0.05)
    assert report.resources is not None
    assert report.resources.cpu_seconds >= 0.04
    assert "used" in report.table()
    assert report.as_json()["resources"] is not None
