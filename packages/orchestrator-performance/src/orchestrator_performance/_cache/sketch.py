"""How often keys were asked for lately, in a few bytes per key: a count-min sketch whose counters halve as time goes by.

Source: Einziger, Friedman, Manes, "TinyLFU: A Highly Efficient Cache Admission Policy" (ACM TOS 13, 2017). Four rows, counters up to 15.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HIGHEST", "FrequencySketch"]

HIGHEST: Final = 15

_HALF: Final = bytes(value >> 1 for value in range(256))
_PIECE: Final = 1 << 16
_MASK64: Final = (1 << 64) - 1


class FrequencySketch:
    """Estimates, never too low, of how often a hash was added since the counters halved last.

    Args:
        capacity: How many keys the cache holds; each costs four bytes here.
    """

    __slots__ = ("_ageing", "_mask", "_rows")

    def __init__(self, capacity: int) -> None:
        width = 1 << max(6, (capacity - 1).bit_length())
        self._mask = width - 1
        self._rows = tuple(bytearray(width) for _ in range(4))
        self._ageing: list[tuple[bytearray, int]] = []

    def _places(self, key_hash: int) -> tuple[int, int, int, int]:
        mixed = key_hash * 0x9E3779B97F4A7C15 & _MASK64
        mixed ^= mixed >> 32
        step = mixed >> 20 | 1
        mask = self._mask
        return mixed & mask, mixed + step & mask, mixed + 2 * step & mask, mixed + 3 * step & mask

    def estimate(self, key_hash: int) -> int:
        """At most `HIGHEST`."""
        a, b, c, d = self._places(key_hash)
        one, two, three, four = self._rows
        return min(one[a], two[b], three[c], four[d])

    def add(self, key_hash: int) -> int:
        """Count the hash once more; the new estimate."""
        places = self._places(key_hash)
        rows = self._rows
        least = min(row[place] for row, place in zip(rows, places, strict=True))
        if least >= HIGHEST:
            return HIGHEST
        # Only the lowest counters need to grow: fewer strangers are counted along.
        for row, place in zip(rows, places, strict=True):
            if row[place] == least:
                row[place] = least + 1
        return least + 1

    def raise_to(self, key_hash: int, count: int) -> None:
        """Let the hash count at least as much as this: what is known of a key that leaves the cache."""
        count = min(count, HIGHEST)
        for row, place in zip(self._rows, self._places(key_hash), strict=True):
            if row[place] < count:  # noqa: PLR1730 - `max` is a call, and this is inside a loop
                row[place] = count

    def halve(self) -> None:
        """Begin to halve all counters; `step` does it piece by piece, so that no caller waits for a large table."""
        while self._ageing:
            self.step()
        self._ageing = [(row, start) for row in self._rows for start in range(0, len(row), _PIECE)]
        self.step()

    def step(self) -> None:
        """Halve one piece, if any is left."""
        if self._ageing:
            row, start = self._ageing.pop()
            row[start : start + _PIECE] = row[start : start + _PIECE].translate(_HALF)
