"""What a confirmed wish does in the world: the seam between a call and the tenant's own systems.

A responder yields `Act`; the call keeps `action_started` before anything is sent and `action_finished` after, and then asks the responder for
a turn of kind `outcome`, so that the caller hears what really happened. After a crash between the two, `probe` is asked first, and
`run` is repeated under the same key where nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from orchestrator_kernel.ports import Json

__all__ = ["ActionOutcome", "ActionRequest", "ActionStatus", "Actions"]


class ActionStatus(StrEnum):
    """How an action ended, as far as is known."""

    DONE = "done"
    """The other side said so."""
    REFUSED = "refused"
    """The other side said no, and nothing was done."""
    UNCONFIRMED = "unconfirmed"
    """Nobody knows: no answer, or one that does not say. A person has to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """One action of one call.

    Attributes:
        key: The same for every attempt, unique in the world: the idempotency key.
        name: The tenant's name for it.
        arguments: What the caller confirmed; personal.
        caller: The caller's number, where known; personal.
    """

    key: str
    call_id: str
    tenant: str
    name: str
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])
    language: str = ""
    caller: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOutcome:
    """What became of it.

    Attributes:
        reason: For `refused`, the other side's code of why, for the responder to word; for `unconfirmed`, ours, for the log.
        data: What the other side answered, for example a confirmation number; bounded.
    """

    status: ActionStatus
    reason: str = ""
    data: Mapping[str, Json] = field(default_factory=dict[str, Json])


class Actions(Protocol):
    """Carries actions out."""

    async def run(self, request: ActionRequest) -> ActionOutcome:
        """Carry out, within a time limit of its own; never raises for the other side's faults: those are `unconfirmed`."""
        ...

    async def probe(self, request: ActionRequest) -> ActionOutcome | None:
        """Whether an earlier attempt with this key did its work; None when the other side cannot tell."""
        ...
