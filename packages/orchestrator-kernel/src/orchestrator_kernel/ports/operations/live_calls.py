"""Calls as people watch them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary:
    """One call in a list; holds nothing personal.

    Attributes:
        state: Where it stands, in the words of the service (`active`, `on_hold`, `ended`).
        is_open: Whether it is not over.
        started_at: Aware UTC; when it was announced or answered.
        updated_at: Aware UTC; when something last happened.
        turns: How many turns it has had.
        latencies_ms: From an input to the first sound of the answer, of the last turns that have one, oldest first.
    """

    id: str
    tenant: str
    state: str
    is_open: bool
    started_at: datetime
    updated_at: datetime
    turns: int = 0
    latencies_ms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTurn:
    """One input of the caller and the answer to it. Personal.

    Attributes:
        kind: What came in: `greeting`, `speech`, `digits`, `silence`, `outcome`.
        caller: What the caller said or pressed, as it may be shown.
        spoken: The sentences of the answer.
        heard: What of them was heard, when the caller interrupted.
        notes: What else is worth knowing, in words.
        latency_ms: From the input to the first sound of the answer; None where there was none.
    """

    id: str
    kind: str
    caller: str
    spoken: tuple[str, ...] = ()
    heard: str = ""
    interrupted: bool = False
    intent: str = ""
    notes: tuple[str, ...] = ()
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTranscript:
    """A whole call. Personal.

    Attributes:
        call: Its line in the list.
        language: BCP 47.
        end_reason: Why it ended; empty before.
        turns: Oldest first.
    """

    call: CallSummary
    language: str
    end_reason: str = ""
    turns: tuple[CallTurn, ...] = ()


class LiveCalls(Protocol):
    """Where calls are looked at."""

    async def calls(self, *, tenants: Callable[[str], bool], open_only: bool, limit: int) -> Sequence[CallSummary]:
        """Calls of the tenants that `tenants` lets through, newest first.

        Raises:
            OrchestratorError: They cannot be read now.
        """
        ...

    async def call(self, call_id: str) -> CallSummary | None:
        """One of them, whether it is over or not; None if there is none. Raises as `calls`."""
        ...

    async def transcript(self, call_id: str) -> CallTranscript | None:
        """One with what was said. None and errors as `call`."""
        ...

    def watch(self, tell: Callable[[str], None]) -> AbstractContextManager[None]:
        """For as long as the context lasts, have `tell` called on the event loop with the id of each call in which something happens.

        `tell` must not block or raise. What is missed before or after is seen by asking again.
        """
        ...
