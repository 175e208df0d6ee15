"""Circuit breakers, lines and rate limits, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyPolicy:
    """What stands in front of one dependency, at one moment.

    Attributes:
        circuit: `closed`, `open`, `half_open`; empty without a circuit breaker.
        calls: In the breaker's present window.
        failures: In the same window.
        refused: By the open circuit, since the process started.
        retry_after: Seconds until a probe is let through; None unless the circuit is open.
        limit: How many calls may run together; None without a limit.
        running: How many do.
        waiting: How many wait.
        shed: How many were turned away, since the process started.
    """

    name: str
    circuit: str = ""
    calls: int = 0
    failures: int = 0
    refused: int = 0
    retry_after: float | None = None
    limit: int | None = None
    running: int = 0
    waiting: int = 0
    shed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRule:
    """How many requests may come in.

    Attributes:
        scope: To whom and what it applies, in words.
        limits: In words, as `20/second; 600/minute`.
    """

    name: str
    scope: str
    limits: str


class PolicyReader(Protocol):
    """The policies of a process."""

    async def dependencies(self) -> Sequence[DependencyPolicy]:
        """Every dependency. Raises OrchestratorError when it cannot be told."""
        ...

    async def rules(self) -> Sequence[RateRule]:
        """The rules in force. Raises as `dependencies`."""
        ...
