"""`demo` and `talk`, as a person at a terminal has them."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from app_support import Commands, environment

SCRIPT = Path(__file__).parents[1] / "short.toml"


@pytest.mark.demo
def test_the_demo_takes_one_complete_call(tmp_path: Path) -> None:
    # Settings of another service in the environment are none of its business.
    foreign = {
        "DATABASE_URL": "postgresql://127.0.0.1:1/x",
        "REGION": "mars",
        "ORCHESTRATOR_SPEECH__BACKENDS": "[]",
        "PORT": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator_app", "demo", "--json"],
        cwd=tmp_path,
        env=environment(**foreign),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    document = json.loads(done.stdout)
    call, relayed = document["calls"]
    assert (relayed["state"], relayed["relay"]["sessions"]) == ("ended", 2)
    assert {"id", "state", "turns", "spoken", "heard", "latency_ms"} <= set(call)
    assert (call["state"], document["failures"]) == ("ended", [])
    assert [turn["kind"] for turn in call["turns"]] == ["greeting", "speech", "speech", "speech", "digits", "speech"]
    assert call["spoken"] == [text for turn in call["turns"] for text in turn["spoken"]]
    assert call["heard"] == [turn["heard"] for turn in call["turns"]]
    [keys] = [turn for turn in call["turns"] if turn["kind"] == "digits"]
    assert keys["interrupted"]
    assert " ".join(keys["spoken"]).startswith(keys["heard"])
    assert 0 < len(keys["heard"]) < len(" ".join(keys["spoken"]))
    assert len(call["latency_ms"]["turns"]) == 6
    assert document["journal"]["duplicates"] == document["journal"]["out_of_order"] == 1
    with wave.open(str(tmp_path / "demo-call.wav")) as heard:
        seconds = heard.getnframes() / heard.getframerate()
        quiet = heard.readframes(heard.getframerate() // 1000)
    assert abs(seconds - call["audio"]["seconds"]) < 0.1
    assert 15 < seconds < 120
    assert not any(quiet)  # the call begins with the pause before the greeting
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo-call.wav"]


class Terminal:
    """A person at a pseudo-terminal, whose keys reach the foreground as a terminal's do."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor
        self.screen = ""
        self._read = 0

    def sees(self, pattern: str, limit: float = 30) -> str:
        """Wait until this is on the screen, after what was seen before."""
        end = time.monotonic() + limit
        while (found := re.search(pattern, self.screen[self._read :])) is None:
            assert time.monotonic() < end, f"{pattern!r} is not on the screen:\n{self.screen}"
            self._take(0.2)
        self._read += found.end()
        return found[0]

    def _take(self, wait: float) -> None:
        if select.select([self._descriptor], [], [], wait)[0]:
            try:
                self.screen += os.read(self._descriptor, 65536).decode(errors="replace")
            except OSError:  # the other side is closed
                time.sleep(0.05)

    def types(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def ended(self, limit: float = 30) -> int:
        """The exit code."""
        end = time.monotonic() + limit
        while True:
            self._take(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, f"still running:\n{self.screen}"


@contextmanager
def terminal(folder: Path, *arguments: str, **variables: str) -> Generator[Terminal, None, None]:
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(sys.executable, [sys.executable, "-m", "orchestrator_app", *arguments], environment(**variables))
    person = Terminal(pid, descriptor)
    try:
        yield person
    finally:
        if person.pid:
            os.kill(person.pid, signal.SIGKILL)
            os.waitpid(person.pid, 0)
        os.close(descriptor)


def test_talking_from_a_terminal(tmp_path: Path) -> None:
    # Settings of a real service: its secrets and its public address are not for this call.
    (tmp_path / "orchestrator.toml").write_text(
        '[security]\naccess_token = "the-token-of-the-service-0123"\n[agents.secrets]\nfirst = "the-secret-of-an-agent-0123"\n'
        '[server]\npublic_url = "https://calls.example"\ntrusted_hosts = ["calls.example"]\n[livekit]\ntenant = "harbour"\n'
        f'[tenants.harbour]\nname = "The Harbour House"\nscript = "{SCRIPT}"\n'
    )
    with terminal(tmp_path, "talk", "--wav", "talk.wav") as person:
        person.sees("Ctrl-C interrupts the speech")
        person.sees("desk: ")

        person.types("When is breakfast?\n")
        person.sees("desk: Breakfast is from 7 to 10")
        person.types("\x03")
        person.sees(r"\(interrupted after \d+\.\d s\)")
        time.sleep(1.5)  # a service that took the Ctrl-C for itself would be gone by now

        person.types("#0\n")
        person.sees("desk: ")
        person.types("\x04")
        person.sees("The call is over", limit=20)
        assert person.ended() == 0

    assert "Traceback" not in person.screen
    assert "Fatal" not in person.screen
    assert (tmp_path / "talk.wav").stat().st_size > 44
    assert sorted(path.name for path in tmp_path.iterdir()) == ["orchestrator.toml", "talk.wav"]


def test_talking_until_the_desk_hangs_up(tmp_path: Path) -> None:
    (tmp_path / "orchestrator.toml").write_text(f'[tenants.default]\nscript = "{SCRIPT}"\n')
    with terminal(tmp_path, "talk") as person:
        person.sees("desk: ")
        person.types("goodbye\n")
        person.sees("The call is over")
        # The thread that waits for the next line must not spoil the end.
        assert person.ended() == 0

    assert "Traceback" not in person.screen
    assert "Fatal" not in person.screen


def test_talking_to_a_tenant_that_was_added(command: Commands, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "lake.toml").write_text(SCRIPT.read_text().replace("Breakfast is", "At the lake breakfast is"))
    (tmp_path / "etc" / "o.toml").write_text('[tenants.harbour]\nname = "The Harbour House"\n')
    there = ("--config", "etc/o.toml", "--data", "kept")
    added = command("tenants", "add", "lake", "--script", "etc/lake.toml", *there, folder=tmp_path)
    assert added.returncode == 0, added.stderr
    before = sorted(tmp_path.rglob("*"))

    with terminal(tmp_path, "talk", "--tenant", "lake", *there) as person:
        person.sees("desk: ")
        person.types("When is breakfast?\n")
        person.sees("desk: At the lake breakfast is from 7 to 10")
        person.types("goodbye\n")
        person.sees("The call is over")
        assert person.ended() == 0

    assert sorted(tmp_path.rglob("*")) == before


def test_talking_to_a_tenant_that_there_is_not(command: Commands, tmp_path: Path) -> None:
    (tmp_path / "orchestrator.toml").write_text('[tenants.harbour]\nname = "The Harbour House"\n')
    unknown = ("talk", "--tenant", "lake", "--data", "kept")
    done = command(*unknown, folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "orchestrator: there is no tenant lake; there is harbour\n")
    assert not (tmp_path / "kept").exists()

    assert command("tenants", "add", "hill", "--data", "kept", folder=tmp_path).returncode == 0
    done = command(*unknown, folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "orchestrator: there is no tenant lake; there is harbour, hill\n")


def test_talking_needs_a_voice(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator_app", "talk"],
        cwd=tmp_path,
        env=environment(ORCHESTRATOR_SPEECH__BACKENDS="[]"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == "orchestrator: talking needs a voice; install orchestrator-app[voice] or set speech.backends\n"
    )


def test_a_service_of_its_own_that_cannot_begin_is_told_in_its_words(tmp_path: Path) -> None:
    """What is wrong with the settings is found before anything starts."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator_app", "talk"],
        cwd=tmp_path,
        env=environment(ORCHESTRATOR_REGION="mars"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "ORCHESTRATOR_REGION" in done.stderr
    assert "Traceback" not in done.stderr
