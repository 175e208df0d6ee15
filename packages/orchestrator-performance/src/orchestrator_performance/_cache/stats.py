"""What a cache counts."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["CacheStats"]


@dataclass(slots=True)
class CacheStats:
    """Counts since the cache was made, and how full it is now.

    Attributes:
        hits: Answered from the process, `stale` and `in_need` included.
        shared_hits: Answered from the second level.
        misses: In neither level.
        negative: Of the hits, how many said that there is none.
        loads: Loads that began.
        load_failures: Loads that failed.
        joined: Callers who waited for somebody else's load.
        early: Values loaded anew before their time (XFetch).
        stale: Values given away past their time while they were loaded anew.
        in_need: Values given away past their time because loading failed.
        evicted: Left for want of room.
        expired: Their time was over.
        refused: Values too heavy to be kept.
        invalidated: Removed by key, by tag or all together.
        shared_errors: Operations on the second level that failed, took too long, or were not tried because it is known to be out.
        shared_broken: Values of the second level that could not be read.
        items: Entries in the process now.
        bytes: What they weigh.
    """

    hits: int = 0
    shared_hits: int = 0
    misses: int = 0
    negative: int = 0
    loads: int = 0
    load_failures: int = 0
    joined: int = 0
    early: int = 0
    stale: int = 0
    in_need: int = 0
    evicted: int = 0
    expired: int = 0
    refused: int = 0
    invalidated: int = 0
    shared_errors: int = 0
    shared_broken: int = 0
    items: int = 0
    bytes: int = 0

    @property
    def hit_ratio(self) -> float | None:
        """The share of lookups that needed no load; None before the first."""
        asked = self.hits + self.shared_hits + self.misses
        return (self.hits + self.shared_hits) / asked if asked else None

    def __add__(self, other: CacheStats) -> CacheStats:
        return CacheStats(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})
