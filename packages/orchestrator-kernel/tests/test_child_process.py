"""Children: what they know, how they are talked to, and that none is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator_kernel.child_process import ChildProcess

ECHO = """
import json, os, signal, sys
if os.environ.get("PATH") is None:
    sys.exit(3)
{stubborn}
sys.stdout.write(json.dumps([sys.argv[1:], sorted(os.environ), os.getsid(0) == os.getpid()]) + "\\n")
sys.stdout.flush()
for line in sys.stdin:
    sys.stdout.write(line.upper())
    sys.stdout.flush()
{stubborn_end}
"""


class Echo(ChildProcess):
    """Says what was said, louder."""

    async def line(self) -> str:
        return (await self._stdout.readline()).decode()

    async def say(self, text: str) -> str:
        self._stdin.write(text.encode() + b"\n")
        return await self.line()


# Starts a child that ignores the end of its input, tells its id, and goes without a word.
LEAVER = """
import asyncio, os
from orchestrator_kernel.child_process import ChildProcess

async def main():
    child = await ChildProcess.start("guarded_child")
    assert await child._stdout.readline() == b"ready\\n"
    print(child.pid, flush=True)
    os._exit(0)

asyncio.run(main())
"""
GUARDED = """
import resource, signal, sys, time
from orchestrator_kernel.child_guard import end_with_parent

end_with_parent(int(sys.argv[1]))
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "echo_child.py").write_text(ECHO.format(stubborn="", stubborn_end=""))
    (tmp_path / "stubborn_child.py").write_text(
        ECHO.format(stubborn="signal.signal(signal.SIGTERM, signal.SIG_IGN)", stubborn_end="signal.pause()")
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "echo_child"


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_child_knows_its_parent_and_no_secret(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    child = await Echo.start(module)
    arguments, names, leads = json.loads(await child.line())
    assert arguments == [str(os.getpid())]
    assert "DATABASE_PASSWORD" not in names
    assert leads
    assert await child.say("hello") == "HELLO\n"
    await child.end()
    assert not lives(child.pid)


async def test_one_that_does_not_end_is_killed(module: str) -> None:
    child = await Echo.start(module.replace("echo", "stubborn"))
    await child.line()
    await child.end()
    assert not lives(child.pid)


async def test_one_that_died_already_ends_in_peace(module: str) -> None:
    child = await Echo.start(module)
    await child.line()
    os.kill(child.pid, signal.SIGKILL)
    assert await child.line() == ""
    child.kill()
    await child.end()
    assert not lives(child.pid)


async def test_a_file_in_the_current_folder_is_no_module_of_the_child(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "json.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(folder)
    child = await Echo.start(module)
    assert json.loads(await child.line())[0] == [str(os.getpid())]
    await child.end()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
def test_a_guarded_child_ends_with_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "guarded_child.py").write_text(GUARDED)
    (tmp_path / "leaver.py").write_text(LEAVER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    told = subprocess.run([sys.executable, "-m", "leaver"], capture_output=True, text=True, timeout=30, check=True)
    deadline = time.monotonic() + 10
    while runs(int(told.stdout)):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether it is there, and no corpse that nobody has looked after."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
