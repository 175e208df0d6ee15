"""Files below a folder, and nowhere else. POSIX.

Every part of a path is opened by the descriptor of the folder before it, with O_NOFOLLOW: there is no moment between check and use in which
somebody could put a symbolic link, and no resolving that could be fooled (CWE-22, CWE-59, CWE-367).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, Self, cast

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_security._validation.errors import PathRefused
from orchestrator_security._validation.names import safe_file_name

__all__ = ["AllowedFolder"]

_PLAIN: Final = os.O_CLOEXEC | os.O_NOFOLLOW
_FOLDER: Final = _PLAIN | os.O_DIRECTORY | os.O_RDONLY
_MAX_PARTS: Final = 32


class AllowedFolder:
    """Opens files by paths that strangers may have written.

    What the user types: `with AllowedFolder("/srv/prompts") as folder: folder.open("de/greeting.wav")`. The folder itself may be reached
    over symbolic links; below it there are none.

    Raises:
        ConfigurationError: `root` is no folder that can be opened.
    """

    def __init__(self, root: Path | str, *, writable: bool = False) -> None:
        self._writable = writable
        try:
            self._descriptor = os.open(root, os.O_CLOEXEC | os.O_DIRECTORY | os.O_RDONLY)
        except OSError as error:
            raise ConfigurationError(f"{root} is no folder that can be opened: {error.strerror}") from error

    def close(self) -> None:
        """Give the folder's descriptor back; what was opened stays open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, path: str) -> BinaryIO:
        """The regular file at `path`, for reading.

        Raises:
            PathRefused: The path is absolute, leads upwards, holds a part that is no file name, or meets a link, a folder, a pipe or a device.
            FileNotFoundError: All is well with the path, but there is nothing.
        """
        # Non-blocking, because opening a pipe waits for its writer.
        descriptor = self._open(path, _PLAIN | os.O_RDONLY | os.O_NONBLOCK)
        return cast("BinaryIO", os.fdopen(descriptor, "rb"))

    def read(self, path: str, *, limit: int) -> bytes:
        """What the file holds.

        Raises:
            PathRefused: As `open`, or it has more than `limit` bytes.
            FileNotFoundError: There is nothing.
        """
        with self.open(path) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise PathRefused(f"The file has more than {limit} bytes.")
        return content

    def create(self, path: str, *, mode: int = 0o600) -> BinaryIO:
        """A new file at `path`, for writing; the folders on the way must exist, the file must not.

        Raises:
            PathRefused: As `open`, or the folder is not writable by its owner's word.
            FileExistsError: There is something, be it a link.
        """
        if not self._writable:
            raise PathRefused("Nothing is written to this folder.")
        descriptor = self._open(path, _PLAIN | os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        return cast("BinaryIO", os.fdopen(descriptor, "wb"))

    def _open(self, path: str, flags: int, mode: int = 0) -> int:
        parts = _parts(path)
        with self._folder_of(parts[:-1]) as folder:
            descriptor = _step(parts[-1], flags, folder, mode)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise PathRefused("The path leads to something that is no regular file.")
        return descriptor

    @contextmanager
    def _folder_of(self, parts: list[str]) -> Generator[int]:
        if self._descriptor < 0:
            raise PathRefused("The folder is closed.")
        current = os.dup(self._descriptor)
        try:
            for part in parts:
                following = _step(part, _FOLDER, current)
                os.close(current)
                current = following
            yield current
        finally:
            with suppress(OSError):
                os.close(current)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if path.startswith("/") or len(parts) > _MAX_PARTS:
        raise PathRefused("The path must be relative, and not deep.")
    for part in parts:
        if part in {"", ".", ".."} or part != safe_file_name(part, error=PathRefused):
            raise PathRefused("A part of the path is no plain file name.")
    return parts


def _step(part: str, flags: int, folder: int, mode: int = 0) -> int:
    try:
        return os.open(part, flags, mode, dir_fd=folder)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        # ELOOP and ENOTDIR: a link, or a file where a folder should be; which, the caller need not tell.
        raise PathRefused(f"The path cannot be opened: {error.strerror}.") from None
