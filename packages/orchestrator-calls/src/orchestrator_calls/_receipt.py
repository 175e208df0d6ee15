"""What the runtime answers to an event, and how it refuses one."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_calls.call import Channel, Turn
from orchestrator_calls.events import CallState, Event
from orchestrator_kernel.exceptions import OrchestratorError, RateLimitError, ValidationError

__all__ = ["CallNotFound", "Draining", "Receipt", "TooManyCalls"]


class CallNotFound(ValidationError):
    """No call has this id."""

    default_code = "call_not_found"
    default_status = 404


class TooManyCalls(RateLimitError):
    """The process has as many calls as it may."""

    default_code = "too_many_calls"


class Draining(OrchestratorError):
    """The process is ending and takes no new calls."""

    default_code = "draining"
    default_status = 503
    default_retryable = True


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a submitted event.

    Attributes:
        duplicate: It had been taken in before; nothing happened a second time.
        turn: The answered turn it belongs to, where the sender waited for one.
        outcomes: Answered turns that tell of actions, and go to the caller with this answer, after the turn's own; only where replies go
            into the answers of requests.
        channel: How the turn's words reach the caller: with this receipt, or through the media socket.
    """

    event: Event
    state: CallState
    duplicate: bool
    turn: Turn | None = None
    outcomes: tuple[Turn, ...] = ()
    channel: Channel = Channel.ANSWER
