"""The classes of importance, and lines of those who wait, ordered by them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from enum import IntEnum
from itertools import chain
from typing import Generic, TypeVar

from orchestrator_kernel.exceptions import RateLimitError

T = TypeVar("T")


class Priority(IntEnum):
    """What is lost first: `SHEDDABLE`, then `DEFAULT`; `CRITICAL` only when nothing else is left to lose. Source: Google SRE book."""

    SHEDDABLE = 0
    DEFAULT = 1
    CRITICAL = 2


class Shed(RateLimitError):
    """There was no room for this work, or not in time; `details["reason"]` says which."""

    default_code = "shed"
    default_status = 503


class Lines(Generic[T]):
    """One line per priority; the most important is served first, the least important lost first."""

    __slots__ = ("_lines", "_size")

    def __init__(self) -> None:
        self._lines: dict[Priority, deque[T]] = {each: deque() for each in sorted(Priority, reverse=True)}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._lines.values())

    def append(self, entry: T, priority: Priority) -> None:
        self._lines[priority].append(entry)
        self._size += 1

    def remove(self, entry: T, priority: Priority) -> None:
        """Take out one that gives up; nothing if it is gone already."""
        line = self._lines[priority]
        if entry in line:
            line.remove(entry)
            self._size -= 1

    def serve(self, *, newest: bool) -> T:
        """Take the next one: of the most important, the oldest or the newest."""
        line = next(line for line in self._lines.values() if line)
        self._size -= 1
        return line.pop() if newest else line.popleft()

    def next(self) -> T | None:
        """The one whose turn it is, left where it stands: of the most important, the oldest."""
        return next(iter(self), None)

    def lose(self, arriving: Priority, *, newest: bool) -> T | None:
        """Take out one to make room for an arrival: of the least important; None if all that wait are more important than it."""
        least = min((priority for priority, line in self._lines.items() if line), default=None)
        if least is None or least > arriving:
            return None
        self._size -= 1
        return self._lines[least].pop() if newest else self._lines[least].popleft()

    def take_while_oldest(self, condition: Callable[[T], bool]) -> list[T]:
        """Take out the oldest of each line for as long as the condition holds for them."""
        taken: list[T] = []
        for line in self._lines.values():
            while line and condition(line[0]):
                taken.append(line.popleft())
        self._size -= len(taken)
        return taken

    def highest(self) -> Priority | None:
        """The most important class that waits."""
        return next((priority for priority, line in self._lines.items() if line), None)

    def lowest(self) -> Priority | None:
        """The least important class that waits."""
        return min((priority for priority, line in self._lines.items() if line), default=None)
