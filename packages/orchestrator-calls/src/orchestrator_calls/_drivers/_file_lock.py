"""One process per file: a lock that the operating system gives back when the process dies, however it dies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["FileLock"]

_SUFFIX: Final = ".lock"


class FileLock:
    """Holds `path` with `.lock` behind it for this process."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + _SUFFIX)
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            ConfigurationError: Another process has it; says what to do.
            OSError: The lock file cannot be made.
        """
        import fcntl  # noqa: PLC0415 - absent on systems that have no such locks

        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigurationError(
                f"another process works on {self._path.with_suffix('')}; a SQLite file serves one process: "
                "stop the other one, choose another data folder, or set database.url to PostgreSQL",
                code="data_in_use",
            ) from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
