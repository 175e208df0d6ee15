"""One kept value, and the linked lists that entries form."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final

__all__ = ["NEVER", "Chain", "Entry"]

NEVER: Final = float("-inf")


class Entry:
    """A value with its times (monotonic seconds) and its place in the policy's lists.

    `calm` is all that a hit looks at: before it the value is fresh and nothing else has to be thought of. `hits` grows with each of them.
    After a renewal that failed none is tried before `retry`.
    """

    __slots__ = (
        "after",
        "before",
        "bucket",
        "calm",
        "chain",
        "cost",
        "epoch",
        "fresh",
        "hits",
        "key",
        "last",
        "name",
        "negative",
        "retry",
        "seen",
        "stamp",
        "tags",
        "value",
        "weight",
    )

    def __init__(
        self,
        key: Hashable,
        value: object,
        *,
        weight: int = 0,
        fresh: float,
        last: float,
        calm: float,
        cost: float = 0.0,
        tags: tuple[str, ...] = (),
        stamp: int = 0,
        name: str = "",
        negative: bool = False,
    ) -> None:
        self.key = key
        self.value = value
        self.weight = weight
        self.fresh = fresh
        self.last = last
        self.calm = calm
        self.cost = cost
        self.tags = tags
        self.stamp = stamp
        self.name = name
        self.negative = negative
        self.retry = NEVER
        self.hits = 0
        self.seen = 0
        self.epoch = 0
        self.bucket: dict[Entry, None] | None = None
        self.chain: Chain | None = None
        self.before: Entry | None = None
        self.after: Entry | None = None

    @property
    def touched(self) -> bool:
        """Whether it was asked for since the policy looked at it last."""
        return self.hits != self.seen


class Chain:
    """A doubly linked list of entries: newest at the head, and every step in constant time."""

    __slots__ = ("_end", "size")

    def __init__(self) -> None:
        # A ring around an entry that is none spares every step the question whether there is a neighbour.
        self._end = Entry(None, None, fresh=NEVER, last=NEVER, calm=NEVER)
        self._end.before = self._end.after = self._end
        self.size = 0

    def push(self, entry: Entry) -> None:
        """Put it at the head; it is in no chain."""
        end = self._end
        first = end.after
        entry.before, entry.after = end, first
        end.after = first.before = entry  # type: ignore[union-attr]  # a ring has no open end
        entry.chain = self
        self.size += 1

    def remove(self, entry: Entry) -> None:
        """Take it out; it is in this chain."""
        before, after = entry.before, entry.after
        before.after, after.before = after, before  # type: ignore[union-attr]
        entry.before = entry.after = entry.chain = None
        self.size -= 1

    @property
    def tail(self) -> Entry | None:
        """The oldest; None when it is empty."""
        last = self._end.before
        return None if last is self._end else last

    def __iter__(self) -> Iterator[Entry]:
        entry = self._end.after
        while entry is not None and entry is not self._end:
            yield entry
            entry = entry.after
