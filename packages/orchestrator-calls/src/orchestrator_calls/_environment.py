"""What every actor of a runtime shares, and the messages it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from orchestrator_calls._acting import Acted
from orchestrator_calls.actions import Actions
from orchestrator_calls.decide import Policy
from orchestrator_calls.events import Event
from orchestrator_calls.journal import SharedJournal
from orchestrator_calls.notices import Notice
from orchestrator_calls.phrases import PhraseFor
from orchestrator_calls.playback import LegPlayer, Report
from orchestrator_calls.responder import Responder
from orchestrator_kernel.ports import Clock, Speech

__all__ = ["BUSY", "GRAIN", "Arrived", "Environment", "Media", "Message", "Permit", "Stop", "Wrote"]

BUSY: Final = "!"
"""Before the sender's name in a hint: its call has more waiting than it may. No process has it in its name."""

GRAIN: Final = 2e-6
"""Seconds by which something may happen early: a sum of floats may fall short of what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What every actor of a runtime shares; its parts are the arguments of `CallRuntime`."""

    journal: SharedJournal
    clock: Clock
    policy: Policy
    responder: Callable[[str], Responder]
    actions: Callable[[str], Actions | None]
    phrase: PhraseFor
    speech: Speech | None
    voice: Callable[[str, str], str | None]
    pseudonym: Callable[[str, str], str]
    zone: Callable[[str], tzinfo]
    observe: Callable[[Notice], None]
    answer_timeout: float
    places: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A journalled event, and when it came in (monotonic seconds)."""

    event: Event
    at: float


@dataclass(frozen=True, slots=True)
class Wrote:
    """The responder wrote something."""


@dataclass(frozen=True, slots=True)
class Media:
    """A media leg came, or is gone."""

    player: LegPlayer
    ended: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """A leg is about to speak a sentence; true once that is kept, false if it is to stay silent."""

    key: str
    granted: asyncio.Future[bool]


@dataclass(frozen=True, slots=True)
class Stop:
    """The actor is to end, not the call."""


Message = Arrived | Wrote | Acted | Permit | Media | Report | Stop
