"""What a circuit breaker tells about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

BreakerState: TypeAlias = Literal["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"]
Override: TypeAlias = Literal["forced_open", "disabled", "metrics_only"]


@dataclass(frozen=True, slots=True)
class Transition:
    """A circuit went from one state to another."""

    breaker: str
    old: BreakerState
    new: BreakerState


Observer: TypeAlias = Callable[[Transition], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSnapshot:
    """A circuit at one moment.

    Attributes:
        calls: Calls in the present window; 0 unless the circuit is closed.
        failures: Failures among them.
        slow: Slow calls among them.
        probes: Probes under way, or ended well, in a half-open circuit.
        refused: Calls refused since the breaker was made.
        opened: How often the circuit has opened since the breaker was made.
        retry_after: Seconds until an open circuit lets probes through; None if it does not know or is not open.
    """

    name: str
    state: BreakerState
    calls: int
    failures: int
    slow: int
    probes: int
    refused: int
    opened: int
    retry_after: float | None
