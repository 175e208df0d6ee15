"""Twilio's voice webhooks: forms in, TwiML out. Pure.

A call comes in as a form and is answered with TwiML that connects it to our ConversationRelay socket. Whatever ends that session (our own order, or a
socket that broke) brings Twilio to the action URL, where the call is hung up, transferred, or connected again: that is how a call
outlives the process that spoke in it.

Source: Twilio, "TwiML for Programmable Voice", "<ConversationRelay>", "<Dial>" and the request parameters of voice webhooks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape, quoteattr

from orchestrator_calls.legs.agent import InvalidEvent

__all__ = [
    "TERMINAL_STATUSES",
    "Handoff",
    "RelayTwiml",
    "VoiceForm",
    "connect",
    "dial",
    "hang_up",
    "is_number",
    "parse_form",
]

TERMINAL_STATUSES: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""The call statuses after which nothing comes."""

MAX_FIELDS: Final = 200

_SID: Final = re.compile(r"(AC|CA)[0-9a-fA-F]{32}\Z")
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{1,14}\Z")
_NOT_XML: Final = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff:
    """What we gave the relay to bring back with the end of its session; `reason_code` is `transfer`, `hang_up` or `over`."""

    reason_code: str
    target: str = ""
    reason: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceForm:
    """The parameters of a voice webhook that are used here.

    Attributes:
        status: Twilio's `CallStatus`, lower case.
        parent: The call that dialled this one; empty for a caller's own call.
        sequence: Twilio's count of status callbacks.
        dial_status: How a `<Dial>` ended; empty elsewhere.
        handoff: From the end of a relay session; None where it ended without a word of ours.
        session_seconds: How long the relay session lasted; None where it is not told.
    """

    account: str
    call: str
    status: str
    caller: str = ""
    called: str = ""
    parent: str = ""
    sequence: str = ""
    dial_status: str = ""
    handoff: Handoff | None = None
    session_seconds: float | None = None


def parse_form(body: bytes) -> VoiceForm:
    """The webhook in a verified body of type `application/x-www-form-urlencoded`.

    Raises:
        InvalidEvent: It is no voice webhook; names the parameters that are wrong, never a value.
    """
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise InvalidEvent("the body is no form", details={"fields": ["body"]}) from None
    form: dict[str, str] = {}
    for name, value in pairs:
        if name in form and name in {"AccountSid", "CallSid", "CallStatus"}:
            raise InvalidEvent(f"{name} is repeated", details={"fields": [name]})
        form[name] = value
    wrong = [name for name in ("AccountSid", "CallSid") if not _SID.match(form.get(name, ""))]
    if wrong:
        raise InvalidEvent(f"no voice webhook: check {', '.join(wrong)}", details={"fields": wrong})
    return VoiceForm(
        account=form["AccountSid"],
        call=form["CallSid"],
        status=form.get("CallStatus", "").lower()[:20],
        caller=_short(form.get("From", "")),
        called=_short(form.get("To", "")),
        parent=form.get("ParentCallSid", "") if _SID.match(form.get("ParentCallSid", "")) else "",
        sequence=form.get("SequenceNumber", "")[:9] if form.get("SequenceNumber", "").isdecimal() else "",
        dial_status=form.get("DialCallStatus", "").lower()[:20],
        handoff=_handoff(form.get("HandoffData", "")),
        session_seconds=_seconds(form.get("SessionDuration", "")),
    )


def _short(value: str) -> str:
    """A number, a SIP address or a client's name."""
    return value[:100]


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value[:20])
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e9 else None


def _handoff(data: str) -> Handoff | None:
    try:
        members = json.loads(data)
        # Halves of characters pass for JSON, and neither a URL nor a journal can hold them.
        json.dumps(members, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict):
        return None
    texts = {name: value for name, value in cast("dict[str, object]", members).items() if isinstance(value, str)}
    return Handoff(
        reason_code=texts.get("reasonCode", ""),
        target=texts.get("target", ""),
        reason=texts.get("reason", ""),
        key=texts.get("key", "")[:300],
    )


# --- out ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayTwiml:
    """How a call is connected to the relay.

    Attributes:
        url: Our socket, `wss://`.
        action: Where Twilio asks what to do when the session is over.
        languages: BCP 47, the first one is spoken first; the voice by language, empty for Twilio's default.
        tts_provider, transcription_provider: Twilio's names; empty for its defaults.
        events: What the relay tells besides: who speaks, and what was played.
    """

    url: str
    action: str
    languages: Mapping[str, str]
    tts_provider: str = ""
    transcription_provider: str = ""
    events: str = "speaker-events tokens-played"
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


def connect(relay: RelayTwiml) -> str:
    """TwiML that connects the call to the relay. We greet ourselves, so there is no welcome greeting."""
    first, voice = next(iter(relay.languages.items()))
    noun = _attributes(
        url=relay.url,
        language=first,
        voice=voice,
        ttsProvider=relay.tts_provider,
        transcriptionProvider=relay.transcription_provider,
        interruptible="any",
        dtmfDetection="true",
        events=relay.events,
    )
    languages = "".join(
        f"<Language{_attributes(code=code, voice=name, ttsProvider=relay.tts_provider, transcriptionProvider=relay.transcription_provider)}/>"
        for code, name in relay.languages.items()
    )
    parameters = "".join(
        f"<Parameter{_attributes(name=name, value=value)}/>" for name, value in relay.parameters.items()
    )
    return _response(
        f"<Connect{_attributes(action=relay.action)}><ConversationRelay{noun}>{languages}{parameters}</ConversationRelay></Connect>"
    )


def dial(number: str, *, action: str, answered: str, timeout: int = 20) -> str:
    """TwiML that transfers the caller to `number` (E.164).

    Args:
        number: Whom to call.
        action: Asked when the transfer is over, or nobody answered.
        answered: Told when somebody answers.
        timeout: Seconds to let it ring.
    """
    noun = _attributes(statusCallback=answered, statusCallbackEvent="answered")
    verb = _attributes(action=action, timeout=str(timeout), answerOnBridge="true")
    return _response(f"<Dial{verb}><Number{noun}>{_text(number)}</Number></Dial>")


def hang_up() -> str:
    """TwiML that ends the call."""
    return _response("<Hangup/>")


def is_number(target: str) -> bool:
    """Whether `target` can be dialled."""
    return _NUMBER.match(target) is not None


def _response(content: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{content}</Response>'


def _attributes(**values: str) -> str:
    return "".join(f" {name}={quoteattr(_legal(value))}" for name, value in values.items() if value)


def _text(value: str) -> str:
    return escape(_legal(value))


def _legal(value: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("", value)
