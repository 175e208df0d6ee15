"""The file of the tenants that were added by command: `tenants.toml` in the data folder.

Read whole, checked whole, and replaced whole: a reader sees the old file or the new one. Tenants that were removed stay in it under `retired`, so that
their running calls are answered to the end, also after a restart.
"""

from __future__ import annotations

import fcntl
import os
import tomllib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Final, cast

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["Stored", "TenantsFile", "to_toml"]

Table = dict[str, object]

_HEAD: Final = "# Written by `orchestrator tenants`; the service sees a change within seconds. It holds secrets: keep its rights.\n"


@dataclass(frozen=True, slots=True)
class Stored:
    """What the file says: tables by the tenant's id, as in the settings."""

    tenants: Mapping[str, Table] = field(default_factory=dict[str, Table])
    retired: Mapping[str, Table] = field(default_factory=dict[str, Table])


class TenantsFile:
    """Reads and replaces the file.

    Args:
        path: Need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def mark(self) -> tuple[int, int, int] | None:
        """What changes whenever the file does; None where there is no file."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> Stored:
        """What it says now; nothing where there is no file.

        Raises:
            ConfigurationError: It cannot be read, or is not made of tables of tenants.
        """
        try:
            content = tomllib.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return Stored()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self.path} cannot be read: {getattr(error, 'strerror', error)}") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{self.path} is no TOML: {error}") from error
        unknown = sorted(content.keys() - {"tenants", "retired"})
        if unknown:
            raise ConfigurationError(f"{self.path}: unknown table {', '.join(unknown)}; there is tenants")
        return Stored(self._tables(content, "tenants"), self._tables(content, "retired"))

    def _tables(self, content: Mapping[str, object], name: str) -> dict[str, Table]:
        tables = content.get(name, {})
        found = cast("dict[str, object]", tables) if isinstance(tables, dict) else {name: None}
        wrong = [key for key, table in found.items() if not isinstance(table, dict)]
        if wrong:
            raise ConfigurationError(f"{self.path}: {name}.{wrong[0]} must be a table")
        return cast("dict[str, Table]", found)

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        """Nobody else changes the file meanwhile."""
        with (self.path.parent / f".{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def replace(self, stored: Stored) -> None:
        """Put `stored` in its place, durable when this returns; only the owner may read it."""
        content: Table = {}
        if stored.tenants:
            content["tenants"] = dict(stored.tenants)
        if stored.retired:
            content["retired"] = dict(stored.retired)
        text = _HEAD + to_toml(content)
        if tomllib.loads(text) != content:
            raise ConfigurationError(f"{self.path} cannot hold this tenant: a value has no form in TOML")
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def to_toml(content: Mapping[str, object], path: tuple[str, ...] = ()) -> str:
    """A TOML document of nested tables; lists and what is in them are written inline.

    Raises:
        ConfigurationError: A value has no form in TOML.
    """
    own = {name: value for name, value in content.items() if not isinstance(value, dict)}
    lines = [f"[{'.'.join(map(_key, path))}]\n"] if path and (own or not content) else []
    lines += [f"{_key(name)} = {_value(value)}\n" for name, value in own.items()]
    lines += [
        to_toml(cast("Mapping[str, object]", value), (*path, name))
        for name, value in content.items()
        if isinstance(value, dict)
    ]
    return "".join(lines)


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else _text(name)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case datetime() | date() | time():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(map(_value, cast('list[object]', value)))}]"
        case dict():
            pairs = cast("dict[str, object]", value).items()
            return f"{{ {', '.join(f'{_key(name)} = {_value(inner)}' for name, inner in pairs)} }}"
        case _:
            raise ConfigurationError(f"a value of type {type(value).__name__} has no form in TOML")


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in escaped) + '"'
