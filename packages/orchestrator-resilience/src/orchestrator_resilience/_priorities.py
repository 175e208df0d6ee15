"""The classes of importance, and lines of those who wait, ordered by them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum
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

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: dict[Priority, deque[T]] = {each: deque() for each in sorted(Priority, reverse=True)}

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def append(self, entry: T, priority: Priority) -> None:
        self._lines[priority].append(entry)

    def remove(self, entry: T, priority: Priority) -> None:
        """Take out one that gives up; nothing if it is gone already."""
        line = self._lines[priority]
        if entry in line:
            line.remove(entry)

    def serve(self, *, newest: bool) -> T:
        """Take the next one: of the most important, the oldest or the newest."""
        line = next(line for line in self._lines.values() if line)
        return line.pop() if newest else line.popleft()

    def lose(self, arriving: Priority, *, newest: bool) -> T | None:
        """Take out one to make room for an arrival: of the least important; None if the arrival is less important than all."""
        least = min((priority for priority, line in self._lines.items() if line), default=None)
        if least is None or least > arriving:
            return None
        return self._lines[least].pop() if newest else self._lines[least].popleft()

    def take_while_oldest(self, condition: Callable[[T], bool]) -> list[T]:
        """Take out the oldest of each line for as long as the condition holds for them."""
        taken: list[T] = []
        for line in self._lines.values():
            while line and condition(line[0]):
                taken.append(line.popleft())
        return taken

    def lowest(self) -> Priority | None:
        """The least important class that waits."""
        return min((priority for priority, line in self._lines.items() if line), default=None)
