"""What a journal tells and how it refuses: the values that every journal and its users share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from orchestrator_calls.events import CallState, Event
from orchestrator_kernel.exceptions import AuthorizationError, DatabaseError, OrchestratorError, ValidationError

__all__ = [
    "Appended",
    "CallNotDeclared",
    "CallOfAnotherTenant",
    "CallRow",
    "Fenced",
    "JournalUnavailable",
    "Lease",
    "News",
    "Snapshot",
    "newest",
    "not_declared",
    "require_own",
]


class JournalUnavailable(DatabaseError):
    """The journal cannot be written or read now; nothing was accepted."""

    default_code = "journal_unavailable"


class CallOfAnotherTenant(AuthorizationError):
    """The call id is in use by another tenant."""

    default_code = "call_of_another_tenant"


class CallNotDeclared(ValidationError):
    """The journal does not know the call; `bind` it first."""

    default_code = "call_not_declared"


class Fenced(OrchestratorError):
    """Another process owns the call by now; nothing was kept."""

    default_code = "fenced"
    default_status = 503
    default_retryable = True


@dataclass(frozen=True, slots=True)
class Lease:
    """A call is owned by the process `owner`; `epoch` counts its owners, and an append under an earlier epoch is refused."""

    call_id: str
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of one event: as it is kept, and whether it had been there before."""

    event: Event
    duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One call in the list of calls; holds nothing personal.

    Attributes:
        subject: The pseudonym under which the call's payloads are sealed: the caller's, or the call's own id while the caller is not known.
        caller: The caller's pseudonym, empty while it is not known.
    """

    call_id: str
    tenant: str
    subject: str
    caller: str
    state: CallState
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class News:
    """What is new about one call: who owns it now, how far that process has taken in what others appended, and the events."""

    lease: Lease
    taken: int
    events: list[Event] = field(default_factory=list[Event])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the events of a call up to `position` came to."""

    position: int
    data: bytes


def not_declared(call_id: str) -> CallNotDeclared:
    """The error for a call that no row stands for."""
    return CallNotDeclared(f"call {call_id} is not declared", details={"call_id": call_id})


def require_own(row: CallRow, event: Event) -> None:
    """Refuse an event that is not of its call's tenant."""
    if row.tenant != event.tenant:
        raise CallOfAnotherTenant(f"call {row.call_id} belongs to another tenant")


def newest(row: CallRow) -> tuple[datetime, str]:
    """Sorts rows by age; the newest is the greatest."""
    return row.created_at, row.call_id
