"""What may be to be done for a call, and how patient calls are: the vocabulary of `decide`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orchestrator_calls.actions import ActionOutcome
from orchestrator_calls.call import Action
from orchestrator_calls.responder import HangUp, InputKind, Transfer
from orchestrator_kernel.exceptions import ConfigurationError

__all__ = [
    "NOT_CONFIRMED",
    "TRANSFER",
    "Ask",
    "CancelAnswer",
    "Command",
    "EndCall",
    "FailTransfer",
    "Fill",
    "Intent",
    "Policy",
    "Run",
    "Speak",
    "StopSpeaking",
    "Timer",
]


TRANSFER: Final = "transfer"
"""The action's name in the turn that tells the caller of a transfer which did not come about."""

NOT_CONFIRMED: Final = "not confirmed"
"""The reason of a transfer that nobody confirmed in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How patient a call is; all times in seconds.

    Attributes:
        patience: A caller who waits for an answer or an action hears a word after this, and again after this.
        silence: Nobody spoke for so long: the responder is asked for a silence turn. Only with a media socket.
        max_duration: A call is hung up after this, time on hold apart.
        idle: A call about which nothing at all was heard for so long is over.
        hang_up_grace: An ordered hang-up that nobody confirms counts as done after this.
        transfer_limit: A transfer that nobody confirms has failed after this.
        reorder_window: How long an input waits for an earlier event of its source; 0 for not at all.

    Raises:
        ConfigurationError: A time is not positive; the message names it.
    """

    patience: float = 2.5
    silence: float = 8.0
    max_duration: float = 2 * 3600.0
    idle: float = 900.0
    hang_up_grace: float = 5.0
    transfer_limit: float = 30.0
    reorder_window: float = 0.3

    def __post_init__(self) -> None:
        for name in ("patience", "silence", "max_duration", "idle", "hang_up_grace", "transfer_limit"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name} must be positive", details={"setting": name})
        if not 0 <= self.reorder_window < self.idle:
            raise ConfigurationError(
                "reorder_window must be less than idle, and 0 at least", details={"setting": "reorder_window"}
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Open turn `turn` and ask the responder for its answer; `interrupted` when the caller is already speaking again."""

    key: str
    turn: str
    kind: InputKind
    inputs: tuple[str, ...] = ()
    text: str = ""
    language: str | None = None
    confidence: float | None = None
    repeats: int = 0
    sensitive: bool = False
    interrupted: bool = False
    action: str = ""
    result: ActionOutcome | None = None


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """Stop writing the answer of `turn`: something more urgent is to be answered."""

    key: str
    turn: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Speak a sentence after the ones before it."""

    key: str
    turn: str
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    """Speak nothing more of `turn`."""

    key: str
    turn: str


@dataclass(frozen=True, slots=True)
class Fill:
    """Say the `count`-th word of patience in `turn`."""

    key: str
    turn: str
    count: int


@dataclass(frozen=True, slots=True)
class Run:
    """Carry out an action; one that was started before is probed first."""

    key: str
    action: Action


@dataclass(frozen=True, slots=True)
class Command:
    """Tell the leg to transfer the caller or to hang up."""

    key: str
    order: Transfer | HangUp


@dataclass(frozen=True, slots=True)
class FailTransfer:
    """Nobody confirmed the transfer `transfer` in time."""

    key: str
    transfer: str


@dataclass(frozen=True, slots=True)
class EndCall:
    """The call is over and nobody else will say so."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Timer:
    """Report `key` as fired at `due`."""

    key: str
    due: datetime


Intent = Ask | CancelAnswer | Speak | StopSpeaking | Fill | Run | Command | FailTransfer | EndCall | Timer
