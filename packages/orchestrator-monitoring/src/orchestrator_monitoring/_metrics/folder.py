"""The folder in which several processes keep their numbers, so that any of them can answer for all.

**Files.** A process has two: `<name>.cells`, shared memory of doubles to which it alone writes, and `<name>.keys`, a line for each series that
says where in the cells it stands. A line is written before its cells are used, so a reader never meets a number without a name. Memory that is
shared survives its writer: a process that is killed loses nothing it had counted.

**Who is dead.** A process holds a lock on its `.keys` for as long as it lives; the kernel drops it whatever way the process ends. What can be
locked is dead. Process ids are never compared: they come back.

**Folding.** The counters and histograms of the dead are added to `folded`, which is replaced in one step and lists whom it holds, and then their files
are removed. Whoever is killed in between leaves a file that `folded` lists already: it is not counted twice, and the next one removes it.
Gauges die with their process. One process folds at a time; nobody waits for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import mmap
import os
import secrets
import time
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_monitoring._metrics.children import Cells
from orchestrator_monitoring._metrics.series import SeriesKey

__all__ = ["Read", "SharedFolder"]

logger = logging.getLogger(__name__)

_SEGMENT: Final = 8192  # Doubles: 64 KiB, a whole number of pages everywhere.
_BYTES: Final = 8
_KEYS: Final = ".keys"
_CELLS: Final = ".cells"
_FOLDED: Final = "folded"
_TRIES: Final = 100
_ABANDONED: Final = 60.0  # Seconds after which a file without an owner was left behind by one that was killed.


Series = dict[SeriesKey, list[float]]
"""The cells of each series."""


@dataclass(frozen=True, slots=True)
class Read:
    """What all processes have counted: by series, the numbers of the dead together, and those of each live one."""

    folded: Series
    live: list[Series]
    ended: int


@dataclass(frozen=True, slots=True)
class _Folded:
    """The dead: who they are as long as their files may still be there, how many there were, and their numbers."""

    names: frozenset[str] = frozenset()
    ended: int = 0
    values: Series = field(default_factory=Series)


class SharedFolder:
    """This process's place in the folder.

    Args:
        path: On a local disk or in memory (`/dev/shm`), the same for all processes; made if it is not there.

    Raises:
        ConfigurationError: The folder cannot be used, or the system has no file locks.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._keys_read: dict[str, tuple[int, list[tuple[SeriesKey, int]]]] = {}
        self._folded_read: tuple[object, _Folded] = (None, _Folded())
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise ConfigurationError(
                f"the folder for metrics cannot be used: {error.strerror}", details={"folder": str(self._path)}
            ) from error

    def _open(self) -> None:
        self._lock = Lock()
        self._name = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._used = 0
        self._segments: list[memoryview[float]] = []
        self._cells = os.open(self._path / (self._name + _CELLS), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
        self._grow()
        # Locked before it has its name: nobody may take a newcomer for dead.
        hidden = self._path / f".{self._name}"
        self._keys = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        _lock(self._keys)
        hidden.rename(self._path / (self._name + _KEYS))

    def _grow(self) -> None:
        offset = len(self._segments) * _SEGMENT * _BYTES
        # Written and not only promised: on a full disk a promise would end the process with SIGBUS.
        os.pwrite(self._cells, bytes(_SEGMENT * _BYTES), offset)
        shared = mmap.mmap(self._cells, _SEGMENT * _BYTES, offset=offset)
        self._segments.append(memoryview(shared).cast("d"))

    def take(self, key: SeriesKey) -> tuple[Cells, int]:
        """Cells for a series of this process, all zero; shared from now on."""
        try:
            if self._used % _SEGMENT + key.size > _SEGMENT or self._used == len(self._segments) * _SEGMENT:
                self._used = len(self._segments) * _SEGMENT
                self._grow()
            at = self._used
            os.write(self._keys, key.to_line(at))
        except OSError:
            # A full disk must not end a call; the series is missing from scrapes, and the log says so.
            logger.exception("a series cannot be shared", extra={"metric": key.metric})
            return [0.0] * key.size, 0
        self._used += key.size
        return self._segments[at // _SEGMENT], at % _SEGMENT

    def after_fork(self) -> None:
        """Be a process of one's own: the parent's files stay the parent's."""
        os.close(self._keys)
        os.close(self._cells)
        self._keys_read.clear()
        self._open()

    def close(self) -> None:
        """Leave: what was counted here is folded by the next process that reads."""
        os.close(self._keys)
        os.close(self._cells)

    # -- reading

    def read(self) -> Read:
        """What all processes have counted until now; folds the dead first.

        Raises:
            OrchestratorError: The folder changed faster than it could be read.
        """
        with self._lock:
            self._fold_dead()
            return self._read()

    def _read(self) -> Read:
        for _ in range(_TRIES):
            before = self._identity()
            folded = self._read_folded()
            try:
                names = [name for name in self._names() if name not in folded.names]
                live = [self._read_process(name) for name in names]
            except FileNotFoundError:
                # Its process died and was folded meanwhile: what it had counted is in `folded` now.
                continue
            if self._identity() == before:
                self._forget(names)
                return Read(folded.values, live, folded.ended)
        raise OrchestratorError("the folder for metrics changes faster than it can be read", retryable=True)

    def label_values(self, metric: str, index: int) -> Collection[str]:
        """The values of one label that any process has used."""
        with self._lock:
            keys = set(self._read_folded().values)
            for name in self._names():
                with contextlib.suppress(FileNotFoundError):
                    keys.update(key for key, _ in self._series_of(name))
        return {key.labels[index] for key in keys if key.metric == metric and len(key.labels) > index}

    def _names(self) -> Iterator[str]:
        return (name.removesuffix(_KEYS) for name in os.listdir(self._path) if name.endswith(_KEYS))  # noqa: PTH208 - thrice as fast

    def _identity(self) -> tuple[int, int] | None:
        try:
            stat = (self._path / _FOLDED).stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def _read_process(self, name: str) -> Series:
        series = self._series_of(name)
        numbers: array[float] = array("d")
        numbers.frombytes((self._path / (name + _CELLS)).read_bytes())
        return {key: numbers[at : at + key.size].tolist() for key, at in series}

    def _series_of(self, name: str) -> list[tuple[SeriesKey, int]]:
        path = self._path / (name + _KEYS)
        known, series = self._keys_read.get(name, (0, list[tuple[SeriesKey, int]]()))
        with path.open("rb") as file:
            file.seek(known)
            new = file.read()
        # A last line without its end belongs to a process that was killed while it wrote: its cells were never used.
        whole = new[: new.rfind(b"\n") + 1]
        series += [SeriesKey.of_line(line) for line in whole.splitlines()]
        self._keys_read[name] = (known + len(whole), series)
        return series

    def _forget(self, names: list[str]) -> None:
        for gone in self._keys_read.keys() - set(names):
            del self._keys_read[gone]

    def _read_folded(self) -> _Folded:
        identity = self._identity()
        if identity is None:
            return _Folded()
        if self._folded_read[0] != identity:
            self._folded_read = (identity, _parsed((self._path / _FOLDED).read_bytes()))
        return self._folded_read[1]

    # -- folding

    def fold(self) -> int:
        """Add the dead to `folded`; how many there were. Zero, too, while another process folds."""
        with self._lock:
            return self._fold_dead()

    def _fold_dead(self) -> int:
        lock = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT, 0o640)
        try:
            if not _try_lock(lock):
                return 0
            with contextlib.ExitStack() as held:
                dead = [name for name in self._names() if name != self._name and self._is_dead(name, held)]
                if dead:
                    self._fold(dead)
            return len(dead)
        finally:
            os.close(lock)

    def _is_dead(self, name: str, held: contextlib.ExitStack) -> bool:
        try:
            keys = os.open(self._path / (name + _KEYS), os.O_RDONLY)
        except FileNotFoundError:
            return False
        held.callback(os.close, keys)
        return _try_lock(keys)

    def _fold(self, dead: list[str]) -> None:
        folded = self._read_folded()
        values: defaultdict[SeriesKey, list[float]] = defaultdict(list, folded.values)
        new = [name for name in dead if name not in folded.names]
        for name in new:
            for key, numbers in self._read_process(name).items():
                if key.kind != "gauge":
                    before = values[key] or [0.0] * key.size
                    values[key] = [one + other for one, other in zip(before, numbers, strict=True)]
        self._replace_folded(_Folded(frozenset(dead), folded.ended + len(new), values))
        for name in dead:
            for suffix in (_KEYS, _CELLS):
                (self._path / (name + suffix)).unlink(missing_ok=True)
        self._sweep()

    def _sweep(self) -> None:
        """Remove what was left behind by processes that were killed while they came or folded."""
        owned = {f"{name}{_CELLS}" for name in self._names()}
        for entry in list(os.scandir(self._path)):
            if entry.name.startswith(".") or (entry.name.endswith(_CELLS) and entry.name not in owned):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - entry.stat().st_mtime > _ABANDONED:
                        Path(entry.path).unlink()

    def _replace_folded(self, folded: _Folded) -> None:
        head = json.dumps({"names": sorted(folded.names), "ended": folded.ended}).encode() + b"\n"
        lines = [key.to_line(0) + json.dumps(numbers).encode() + b"\n" for key, numbers in folded.values.items()]
        # A name of its own: one that was killed while it wrote must not stand in the way.
        new = self._path / f".{self._name}.folded"
        new.write_bytes(head + b"".join(lines))
        new.replace(self._path / _FOLDED)


def _parsed(content: bytes) -> _Folded:
    try:
        head, *lines = content.splitlines()
        told = json.loads(head)
        pairs = zip(lines[::2], lines[1::2], strict=True)
        values = {SeriesKey.of_line(key)[0]: json.loads(numbers) for key, numbers in pairs}
        return _Folded(frozenset(told["names"]), told["ended"], values)
    except (KeyError, TypeError, ValueError):
        # Only a machine that fell leaves half a file: it is not written through, because counts may begin anew then.
        logger.exception("what ended processes had counted cannot be read; it begins anew")
        return _Folded()


def _lock(file: int) -> None:
    fcntl.flock(file, fcntl.LOCK_EX)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
