"""What the system tells of processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator_kernel.process_status import ProcessStatus, read_status

MB = 2**20


def test_memory_is_what_the_process_holds() -> None:
    before = read_status()
    ballast = bytearray(64 * MB)
    for page in range(0, len(ballast), 4096):
        ballast[page] = 1
    after = read_status()
    assert 50 * MB < after.resident - before.resident < 80 * MB
    assert after.peak >= after.resident > 64 * MB
    assert read_status(os.getpid()).resident == pytest.approx(after.resident, rel=0.05)


def test_another_process_is_asked_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "x = b'x' * 50_000_000\nwhile True: pass"]) as child:
        try:
            until = time.monotonic() + 20
            while (found := read_status(child.pid)).resident < 50_000_000:
                assert time.monotonic() < until
                time.sleep(0.02)
            assert found.preempted is not None
        finally:
            child.kill()


def test_a_process_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ProcessLookupError, match="999999999"):
        read_status(999_999_999)


def test_without_proc_this_process_is_asked_for_otherwise(tmp_path: Path) -> None:
    found = read_status(proc=tmp_path)
    assert found.resident == found.peak > 5 * MB
    assert found.preempted is not None
    with pytest.raises(ProcessLookupError):
        read_status(os.getpid(), proc=tmp_path)


def test_what_is_not_told_is_none_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "status").write_text("Name:\t: VmRSS: 3\nVmRSS:\t      20 kB\nState: Z\n")
    assert read_status(7, proc=tmp_path) == ProcessStatus(resident=20 * 1024)
