"""What a circuit that processes share needs of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from orchestrator_resilience._breaker_models import BreakerState
from orchestrator_resilience.config import CircuitBreakerConfig


@dataclass(frozen=True, slots=True)
class Circuit:
    """A shared circuit at one moment; `retry_after` in seconds, `granted` if the probe that was asked for may go."""

    state: BreakerState
    generation: int
    retry_after: float
    granted: bool
    calls: int
    failures: int
    slow: int
    probes: int


class Member(Protocol):
    """A process's breaker of a shared circuit; all of these return at once."""

    def found(self) -> None:
        """The store is there."""
        ...

    def lost(self) -> None:
        """The store is gone."""
        ...

    def sync(self) -> None:
        """It is time to tell and to hear."""
        ...


class BreakerStore(Protocol):
    """Circuits that processes share. Every question is answered in one step, with the store's clock."""

    @property
    def up(self) -> bool:
        """Whether the store decides at the moment."""
        ...

    def join(self, member: Member) -> None:
        """Tell a breaker from now on of the store's comings and goings, for as long as the breaker exists."""
        ...

    async def ready(self) -> bool:
        """Connect, if nobody has done so; whether the store is there, known within the time limit."""
        ...

    async def ask(self, name: str, words: tuple[Any, ...]) -> Circuit | None:
        """Do one thing to a circuit; None if the store does not answer."""
        ...

    async def aclose(self) -> None:
        """Close the connection."""
        ...


def settings(config: CircuitBreakerConfig) -> tuple[Any, ...]:
    """The configuration, as the store's script reads it."""
    size = config.window_calls if config.window == "count" else round(config.window_seconds * 1000)
    return (
        config.window,
        size,
        config.minimum_calls,
        config.failure_rate,
        config.consecutive_failures,
        -1 if config.slow_call_seconds is None else config.slow_call_rate,
        round(config.recovery_seconds * 1000),
        config.probes,
        round(config.probe_lease_seconds * 1000),
    )


def read(answer: Sequence[Any]) -> Circuit:
    """The script's answer."""
    state, generation, wait, granted, calls, failures, slow, probes = answer
    name = cast("BreakerState", cast("bytes", state).decode())
    return Circuit(name, generation, wait / 1000, bool(granted), calls, failures, slow, probes)
