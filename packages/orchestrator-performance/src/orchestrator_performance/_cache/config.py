"""What a cache is told: limits and times. Bytes and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import require_identifier

__all__ = ["CacheConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheConfig:
    """The limits and times of one cache.

    Attributes:
        name: Names it in statistics, and its keys in the second level.
        max_items: Entries kept in the process, over all partitions.
        max_bytes: What they may weigh together.
        max_value_bytes: A heavier value is refused and counted; the caller gets it all the same.
        ttl: How long a value is fresh.
        jitter: Each lifetime is shortened by a random share of up to this, so that what was written together does not expire together.
        negative_ttl: How long None, "there is none", is believed; 0 does not keep it.
        early: XFetch's beta: how eagerly a value is loaded anew before it expires; 0 never does. See `xfetch`.
        stale_while_revalidate: How long after its time a value is still given away while it is loaded anew.
        stale_if_error: How long after its time a value is given away when loading fails.
        load_seconds: How long one load may take.
        max_partitions: Partitions kept at one time; the one that was not used for longest is emptied for a new one.

    Raises:
        ConfigurationError: A value is out of range; the message names it.
    """

    name: str
    max_items: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    max_value_bytes: int = 4 * 1024 * 1024
    ttl: float = 300.0
    jitter: float = 0.1
    negative_ttl: float = 10.0
    early: float = 1.0
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    load_seconds: float = 30.0
    max_partitions: int = 1000

    def __post_init__(self) -> None:
        require_identifier(self.name, "cache name")
        for setting in ("max_items", "max_bytes", "max_value_bytes", "ttl", "load_seconds", "max_partitions"):
            if not 0 < getattr(self, setting) < inf:
                raise ConfigurationError(f"{setting} must be a positive number", details={"setting": setting})
        for setting in ("negative_ttl", "early", "stale_while_revalidate", "stale_if_error"):
            if not 0 <= getattr(self, setting) < inf:
                raise ConfigurationError(f"{setting} must be 0 or a positive number", details={"setting": setting})
        if not 0 <= self.jitter < 1:
            raise ConfigurationError("jitter must be a share, 0 to less than 1", details={"setting": "jitter"})

    @property
    def grace(self) -> float:
        """How long after its time a value may still be of use."""
        return max(self.stale_while_revalidate, self.stale_if_error)
