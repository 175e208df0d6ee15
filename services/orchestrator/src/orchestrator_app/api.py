"""The bodies of the HTTP API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, Field, StringConstraints

from orchestrator_kernel.models import CallId, Identifier, TenantId
from orchestrator_security.input_validation import StrictModel

__all__ = [
    "Accepted",
    "Action",
    "CallList",
    "CallStart",
    "CallStarted",
    "CallSummary",
    "CallView",
    "EndCall",
    "Health",
    "TurnView",
]

E164 = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{1,14}$")]


class CallStart(StrictModel):
    """Announces a call and asks for its media socket."""

    caller_id: E164 = Field(description="The caller's number, E.164.")
    tenant_id: TenantId = Field(
        validation_alias=AliasChoices("tenant_id", "hotel_id"),
        description="Whose call it is; `hotel_id` is understood too.",
    )
    language: Annotated[str, StringConstraints(pattern=r"^(auto|[a-z]{2,3}(-[A-Za-z0-9]{2,8})*)$")] = "auto"
    sip_headers: dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=1000)]] = Field(
        default_factory=dict, max_length=50, description="Accepted and not kept."
    )


class CallStarted(BaseModel):
    """Where the media of the announced call goes."""

    call_id: CallId
    session_token: str = Field(description="Opens the media socket of this call; short-lived.")
    websocket_url: str
    region: str
    encryption_key_id: str = Field(description="Names the key that seals what is personal in this call.")


class Action(BaseModel):
    """What the agent is to do, in order."""

    key: str = Field(description="Stable: the same key is the same action.")
    action: Literal["speak", "transfer", "hang_up"]
    text: str = ""
    language: str = ""
    target: str = ""
    reason: str = ""


class Accepted(BaseModel):
    """What became of an event. The same event sent again gets the same answer, with `duplicate` set."""

    status: Literal["processed", "kept", "recorded", "ignored"] = Field(
        description="processed: taken in; kept: waits for the call to start; recorded: the call is over; ignored: means nothing to a call."
    )
    event: str
    call_id: str
    state: str
    duplicate: bool = False
    actions: list[Action] = Field(default_factory=list[Action])


class EndCall(StrictModel):
    """Why an operator ends the call."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)] = "ended by an operator"


class CallSummary(BaseModel):
    """One call in the list; holds nothing personal."""

    id: CallId
    tenant: TenantId
    state: str
    created_at: datetime
    updated_at: datetime


class CallList(BaseModel):
    """Calls, newest first."""

    calls: list[CallSummary]
    next: Identifier | None = Field(
        default=None, description="Give it as `before` to get the next page; null on the last one."
    )


class TurnView(BaseModel):
    """One input of the caller and the answer to it."""

    id: str
    kind: Literal["greeting", "speech", "digits", "silence", "outcome"]
    caller: str
    spoken: list[str]
    heard: str
    interrupted: bool
    outcome: str | None
    intent: str | None
    broken: list[str] = Field(
        default_factory=list[str],
        description="Why sentences broke off that nobody interrupted, for example speech_failed.",
    )
    note: str | None = Field(
        default=None, description="What is worth knowing of the answer, for example that a model failed."
    )
    command: str | None
    latency_ms: float | None = Field(
        description="From the input to the first audio frame; null where no audio was sent."
    )


class NoticeView(BaseModel):
    """What the caller was told, or refused."""

    kind: str
    language: str = ""


class CallView(BaseModel):
    """A call with its transcript."""

    id: CallId
    tenant: TenantId
    state: str
    language: str
    started_at: datetime | None
    ended_at: datetime | None
    end_reason: str
    events: int
    notices: list[NoticeView]
    turns: list[TurnView]


class Health(BaseModel):
    """How the service is."""

    status: Literal["healthy", "degraded", "unhealthy"]
    region: str | None = None
    version: str | None = None
    checks: dict[str, str] = Field(default_factory=dict)
