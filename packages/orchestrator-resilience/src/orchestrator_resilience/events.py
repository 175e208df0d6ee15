"""What the policies decide, told to whoever wants to know: metrics, traces, logs.

What the user types:

    def heard(decision: Decision) -> None: ...

    retry = Retry(PRESETS["tts"], name="tts", observers=[heard])

Only decisions are told, never a call that simply went well, so a healthy call pays nothing. Changes of a circuit's state are told to the
breaker's own observers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

__all__ = ["DECISIONS", "Decision", "DecisionObserver", "Policy", "tell"]

logger = logging.getLogger(__name__)

Policy: TypeAlias = Literal["pipeline", "retry", "hedge", "bulkhead", "queue", "throttle", "rate_limit"]

DECISIONS: Mapping[Policy, frozenset[str]] = MappingProxyType(
    {
        "pipeline": frozenset(
            {"failure", "deadline", "rate_limit", "bulkhead", "breaker", "time_limit", "fallback", "cancelled"}
        ),
        "retry": frozenset(
            {
                "retried",
                "recovered",
                "not_retryable",
                "attempts_spent",
                "not_idempotent",
                "asked_to_wait_too_long",
                "deadline",
                "budget_spent",
            }
        ),
        "hedge": frozenset({"hedged", "hedge_won", "budget_spent"}),
        "bulkhead": frozenset({"full", "displaced", "waited_too_long"}),
        "queue": frozenset({"too_old", "displaced", "no_room", "too_large", "waited_too_long", "closed"}),
        "throttle": frozenset({"throttled"}),
        "rate_limit": frozenset({"refused", "store_lost", "store_back"}),
    }
)
"""Everything that can be decided, by policy: the whole vocabulary of `Decision.decision`, and so of labels made from it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of one policy.

    Attributes:
        policy: Which policy decided.
        dependency: The name that the policy was given.
        decision: What it decided, one of `DECISIONS[policy]`.
        seconds: The pause before a retry, or how long a call or an item had waited, where that is meant.
    """

    policy: Policy
    dependency: str
    decision: str
    seconds: float | None = None


DecisionObserver: TypeAlias = Callable[[Decision], None]
"""Called on the event loop, in the middle of the call: it must not block. One that raises is logged and goes no further."""


def tell(observers: Sequence[DecisionObserver], decision: Decision) -> None:
    """Tell all observers; none of them can break the call."""
    for observer in observers:
        try:
            observer(decision)
        except Exception:
            logger.exception("an observer of %s could not be told: %s", decision.dependency, decision.decision)
