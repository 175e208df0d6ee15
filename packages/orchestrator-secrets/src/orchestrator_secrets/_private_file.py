"""Reading and replacing a file that only its owner may see (POSIX)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Generator
from typing import TYPE_CHECKING

from orchestrator_kernel.exceptions import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1024 * 1024

Signature = tuple[int, int, int]


class FileUnsafe(ConfigurationError):
    """The file is a link, belongs to somebody else, or others may read it."""

    default_code = "key_file_unsafe"


def signature(path: Path) -> Signature | None:
    """What changes when the file is replaced (inode, time, size); None if there is no file."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def read(path: Path) -> bytes:
    """The content of a private file.

    Raises:
        FileUnsafe: See there; the message says what to do.
        ConfigurationError: It cannot be opened, or is far too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise FileUnsafe(f"{path} is a symbolic link; name the file itself") from None
        raise ConfigurationError(f"{path} cannot be opened: {error.strerror}") from None
    try:
        _require_private(path, os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(_LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > _LARGEST:
        raise ConfigurationError(f"{path} is larger than {_LARGEST} bytes")
    return content


def _require_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise FileUnsafe(f"{path} is not a regular file")
    if status.st_uid not in {os.geteuid(), 0}:
        raise FileUnsafe(f"{path} belongs to user {status.st_uid}, not to the user of this process ({os.geteuid()})")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise FileUnsafe(f"{path} has mode {mode:o}, so others may read it; run: chmod 600 {path}")


def replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of the file, mode 600, whole or not at all, and durable before this returns.

    Raises:
        ConfigurationError: The folder is missing or not writable.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        # What a killed process left behind was never in use.
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        new.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Generator[None]:
    """Keep other processes from replacing the file meanwhile; the lock file `.NAME.lock` stays.

    Raises:
        ConfigurationError: The folder is missing or not writable.
    """
    try:
        descriptor = os.open(
            path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise ConfigurationError(f"{path.parent} cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
