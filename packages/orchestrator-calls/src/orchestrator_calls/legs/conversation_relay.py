"""ConversationRelay: the messages of Twilio's WebSocket, on which the relay hears and speaks, and we exchange text. Pure.

In: `setup` (first and once), `prompt` (what the caller says; `last` when it is complete), `interrupt` (the caller spoke over us; what of it was
played), `dtmf`, `error`, and `info` (who speaks, which tokens were played). Out: `text` tokens, `play`, `sendDigits`, `language`, `end`.

Source: Twilio, "Getting and sending WebSocket messages" of ConversationRelay. `info` is named there only by the TwiML attribute `events`; its form is
what several of Twilio's own samples read. A type that is not known is passed over, so that a newer relay does not end a call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints
from pydantic import ValidationError as PydanticError

from orchestrator_calls.responder import HangUp, Transfer
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.ports import Json

__all__ = [
    "MAX_FRAME",
    "Dtmf",
    "Frame",
    "Interrupt",
    "Played",
    "Prompt",
    "RelayError",
    "RelayProtocolError",
    "Setup",
    "Speaking",
    "Unknown",
    "end",
    "language",
    "parse_frame",
    "play",
    "send_digits",
    "text",
]

MAX_FRAME: Final = 65_536
"""Bytes of one message from the relay."""


class RelayProtocolError(ValidationError):
    """The relay sent something that the protocol does not know. `close_code` is RFC 6455's for it; `message` never holds a value that was sent."""

    default_code = "relay_protocol_error"

    def __init__(self, message: str, close_code: int = 1008) -> None:
        super().__init__(message, details={"close_code": close_code})
        self.close_code = close_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The first message: whose call it is."""

    session: str
    account: str
    call: str
    caller: str
    called: str
    direction: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the caller says; `last` when it will not change any more."""

    text: str
    language: str
    last: bool


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The caller spoke over us: `heard` is what was played of what we said, after `after_ms` milliseconds of playing."""

    heard: str
    after_ms: int


@dataclass(frozen=True, slots=True)
class Dtmf:
    """A key."""

    digit: str


@dataclass(frozen=True, slots=True)
class RelayError:
    """The relay could not do what we asked."""

    description: str


@dataclass(frozen=True, slots=True)
class Speaking:
    """The caller, or the relay's voice, began to speak or ended."""

    who: Literal["caller", "desk"]
    on: bool


@dataclass(frozen=True, slots=True)
class Played:
    """Text that was played to its end."""

    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a type, or an `info` of a name, that this version does not know."""

    name: str


Frame = Setup | Prompt | Interrupt | Dtmf | RelayError | Speaking | Played | Unknown

_Number = Annotated[str, Field(max_length=100)]
_Text = Annotated[str, Field(max_length=8000)]


class _Message(BaseModel):
    # A newer relay may send members that this version does not know.
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Setup(_Message):
    session_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")] = Field(alias="sessionId")
    account_sid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")] = Field(alias="accountSid")
    call_sid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,127}$")] = Field(
        alias="callSid"
    )
    caller: _Number = Field(default="", alias="from")
    called: _Number = Field(default="", alias="to")
    direction: _Number = ""
    parameters: dict[str, Annotated[str, Field(max_length=500)]] | None = Field(
        default=None, alias="customParameters", max_length=50
    )


class _Prompt(_Message):
    text: _Text = Field(alias="voicePrompt")
    language: Annotated[str, Field(max_length=35)] = Field(default="", alias="lang")
    last: StrictBool = True


class _Interrupt(_Message):
    heard: _Text = Field(default="", alias="utteranceUntilInterrupt")
    # Documented as a number, and sent as a string too.
    after_ms: Annotated[int, Field(ge=0, le=86_400_000)] = Field(default=0, alias="durationUntilInterruptMs")


class _Dtmf(_Message):
    digit: Annotated[str, StringConstraints(pattern=r"^[0-9*#A-D]$")]


class _Error(_Message):
    description: str = ""


class _Info(_Message):
    name: Annotated[str, Field(max_length=100)] = ""
    value: object = None


def parse_frame(data: str | bytes) -> Frame:
    """The message in a text frame.

    Raises:
        RelayProtocolError: It is too long (1009), no JSON (1007), or not of the protocol (1008); names what is wrong, never a value.
    """
    size = len(data.encode(errors="surrogatepass")) if isinstance(data, str) else len(data)
    if size > MAX_FRAME:
        raise RelayProtocolError(f"a message may have {MAX_FRAME} bytes", 1009)
    try:
        members = json.loads(data, parse_constant=_no_constant)
        # Halves of characters pass for JSON, and no journal can hold them.
        json.dumps(members, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise RelayProtocolError("messages are JSON", 1007) from None
    message = cast("dict[str, object]", members) if isinstance(members, dict) else {}
    kind = message.get("type")
    if not isinstance(kind, str):
        raise RelayProtocolError("a message is an object with a type")
    try:
        return _frame(kind, message)
    except PydanticError as error:
        # Members are named by the model, not by the sender.
        fields = sorted({str(each["loc"][0]) for each in error.errors(include_input=False) if each["loc"]})
        raise RelayProtocolError(f"no {kind}: check {', '.join(fields)}") from None


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _frame(kind: str, members: Mapping[str, object]) -> Frame:  # noqa: PLR0911 - one line per type
    match kind:
        case "setup":
            return _setup(_Setup.model_validate(members))
        case "prompt":
            prompt = _Prompt.model_validate(members)
            return Prompt(prompt.text, prompt.language, prompt.last)
        case "interrupt":
            interrupt = _Interrupt.model_validate(members)
            return Interrupt(interrupt.heard, interrupt.after_ms)
        case "dtmf":
            return Dtmf(_Dtmf.model_validate(members).digit)
        case "error":
            return RelayError(_Error.model_validate(members).description[:500])
        case "info":
            return _info(_Info.model_validate(members))
        case _:
            return Unknown(_printable(kind))


def _setup(setup: _Setup) -> Setup:
    return Setup(
        session=setup.session_id,
        account=setup.account_sid,
        call=setup.call_sid,
        caller=setup.caller,
        called=setup.called,
        direction=setup.direction,
        parameters=setup.parameters or {},
    )


def _info(info: _Info) -> Frame:
    speakers: dict[str, Literal["caller", "desk"]] = {"clientSpeaking": "caller", "agentSpeaking": "desk"}
    who = speakers.get(info.name)
    if who is not None and isinstance(info.value, str) and info.value in {"on", "off"}:
        return Speaking(who, info.value == "on")
    if info.name == "tokensPlayed" and isinstance(info.value, str):
        return Played(info.value[:8000])
    return Unknown(_printable(f"info {info.name}"))


def _printable(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode()[:50]


# --- out ----------------------------------------------------------------------------------------------------------------------


def text(token: str, *, last: bool, language: str = "", preemptible: bool = True) -> dict[str, Json]:
    """Speak `token` after the ones before it; `last` ends the talk cycle. With `preemptible` the next talk cycle cuts this one off."""
    message: dict[str, Json] = {"type": "text", "token": token, "last": last, "preemptible": preemptible}
    if language:
        message["lang"] = language
    return message


def play(source: str, *, loop: int = 1, preemptible: bool = True) -> dict[str, Json]:
    """Play the audio at the URL `source`, `loop` times."""
    return {"type": "play", "source": source, "loop": loop, "preemptible": preemptible}


def send_digits(digits: str) -> dict[str, Json]:
    """Press keys; `w` waits half a second.

    Raises:
        ValidationError: There is no such key.
    """
    if not digits or set(digits) - set("0123456789*#wW"):
        raise ValidationError("digits are 0 to 9, * and #, with w for a pause", details={"field": "digits"})
    return {"type": "sendDigits", "digits": digits}


def language(tag: str) -> dict[str, Json]:
    """Hear and speak this language from now on, BCP 47."""
    return {"type": "language", "ttsLanguage": tag, "transcriptionLanguage": tag}


def end(order: HangUp | Transfer | None = None, key: str = "") -> dict[str, Json]:
    """End the session. The order comes back with the request to the action URL, which carries it out."""
    match order:
        case Transfer(target, reason):
            handoff: dict[str, Any] = {"reasonCode": "transfer", "target": target, "reason": reason, "key": key}
        case HangUp(reason):
            handoff = {"reasonCode": "hang_up", "reason": reason, "key": key}
        case None:
            handoff = {"reasonCode": "over"}
    return {"type": "end", "handoffData": json.dumps(handoff)}
