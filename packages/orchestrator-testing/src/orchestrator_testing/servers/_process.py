"""One server process: started on a free port, waited for, stopped by its id, and never outliving this process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator_kernel.exceptions import ConfigurationError, ExternalServiceError

HOST = "127.0.0.1"
START_LIMIT = 30.0
STOP_LIMIT = 10.0
_ATTEMPTS = 3
_POLL = 0.02
_LOG_TAIL = 2000
_PR_SET_PDEATHSIG = 1


class ServerNotInstalled(ConfigurationError):
    """The wheel that holds the server's program is not installed."""

    default_code = "server_not_installed"


class ServerFailed(ExternalServiceError):
    """A server did not start, or one of its tools failed; the message ends with the end of its log."""

    default_code = "server_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to run one kind of server.

    Attributes:
        name: What to call it in errors.
        folder: Its own; the log is written here.
        command: The argument vector for a port.
        ready: Whether the server on this port answers as it should; called until it says yes.
        stop_signal: Asks for an orderly end.
        death_signal: Sent by the kernel when this process dies.
        user: The numeric user and group to run as; None keeps our own.
        environment: All that the server sees of the environment.
    """

    name: str
    folder: Path
    command: Callable[[int], list[str]]
    ready: Callable[[int], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    user: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@contextlib.contextmanager
def running(recipe: Recipe, *, limit: float = START_LIMIT) -> Generator[tuple[int, int]]:
    """Run the server and yield its process id and port.

    The kernel's death signal is bound to the thread that starts the server: enter this on a thread that outlives the block.

    Args:
        recipe: What to run.
        limit: Seconds until it must answer.

    Raises:
        ServerFailed: It ended, or did not answer in time, on three ports in a row.
    """
    process, port = _start(recipe, limit)
    try:
        yield process.pid, port
    finally:
        _stop(process, recipe.stop_signal)


def _start(recipe: Recipe, limit: float) -> tuple[subprocess.Popen[bytes], int]:
    deadline = time.monotonic() + limit
    failures: list[str] = []
    while len(failures) < _ATTEMPTS and time.monotonic() < deadline:
        port = free_port()
        process = _spawn(recipe, port)
        try:
            failure = _wait(recipe, process, port, deadline)
        except BaseException:
            _stop(process, signal.SIGKILL)
            raise
        if failure is None:
            return process, port
        _stop(process, signal.SIGKILL)
        # Between choosing a free port and binding it another process may have taken it: another port is worth a try.
        failures.append(failure)
    raise ServerFailed(f"{recipe.name} did not start: {failures[-1]}; its log ends: {_log_tail(recipe)}")


def _spawn(recipe: Recipe, port: int) -> subprocess.Popen[bytes]:
    command = recipe.command(port)
    die_with_parent = _death_pact(recipe.death_signal) if sys.platform == "linux" else None
    with (recipe.folder / "log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own argument vector, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=recipe.folder,
            env=dict(recipe.environment),
            user=recipe.user,
            group=recipe.user,
            extra_groups=None if recipe.user is None else [],
            start_new_session=True,  # a Ctrl-C in the terminal is for us; we stop the server in order
            preexec_fn=die_with_parent,  # noqa: PLW1509 - the only place for prctl; it takes no lock
        )


def _death_pact(death_signal: signal.Signals) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def pact() -> None:
        if libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return pact


def _wait(recipe: Recipe, process: subprocess.Popen[bytes], port: int, deadline: float) -> str | None:
    """None once the server answers, or else why it never will."""
    while time.monotonic() < deadline:
        status = process.poll()
        if status is not None:
            return f"it ended with status {status}"
        if recipe.ready(port):
            return None
        time.sleep(_POLL)
    return "it did not answer in time"


def _stop(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_LIMIT)


def _log_tail(recipe: Recipe) -> str:
    log = recipe.folder / "log"
    text = log.read_bytes()[-_LOG_TAIL:].decode(errors="replace").strip() if log.exists() else ""
    return text or "(empty)"


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def run_tool(command: list[str], *, limit: float = START_LIMIT, user: int | None = None) -> str:
    """Run a server's tool to its end and return what it printed.

    Raises:
        ServerFailed: It failed or took longer than `limit` seconds.
    """
    tool = Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603 - our own argument vector, no shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    except subprocess.TimeoutExpired as error:
        raise ServerFailed(f"{tool} took longer than {limit:g} s") from error
    if done.returncode != 0:
        raise ServerFailed(f"{tool} ended with status {done.returncode}: {done.stderr.strip()[-_LOG_TAIL:]}")
    return done.stdout
