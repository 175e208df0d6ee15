"""Twilio's Media Streams: the messages of a bidirectional stream, which carries the call's audio as mu-law frames in base64. Pure.

In: `connected`, `start` (whose call it is, and how its audio is coded), `media` (20 ms of the caller), `dtmf`, `mark` (what was sent before the mark of this name was
played, or dropped by a `clear`), `stop`. Out: `media`, `mark`, `clear`; nothing else is allowed.

The stream is opened by the TwiML verb `<Connect><Stream>`; when it ends, Twilio asks the verb's action URL where the call goes on.

Source: Twilio, "Media Streams - WebSocket Messages" and "TwiML Voice: <Stream>". A message of another kind is passed over.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast
from xml.sax.saxutils import quoteattr

from orchestrator_kernel.exceptions import ValidationError

__all__ = [
    "CODEC",
    "MAX_MESSAGE",
    "SAMPLE_RATE",
    "Audio",
    "Mark",
    "MediaStreamError",
    "Message",
    "Other",
    "Pressed",
    "Started",
    "Stopped",
    "StreamTwiml",
    "clear",
    "connect_stream",
    "mark",
    "media",
    "parse_message",
]

MAX_MESSAGE: Final = 65_536
"""Bytes of one message."""

MAX_PAYLOAD: Final = 16_000
"""Bytes of audio in one message: two seconds."""

CODEC: Final = "PCMU"
SAMPLE_RATE: Final = 8000

_DECODER: Final = json.JSONDecoder()
_SID: Final = re.compile(r"[A-Z]{2}[0-9a-zA-Z]{1,64}\Z")
_KEYS: Final = frozenset("0123456789*#ABCDabcd")
_NOT_XML: Final = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class MediaStreamError(ValidationError):
    """A message that the protocol does not know, or audio that is none; names the stream and where in it, never a value.

    The call goes on with the next message. `fatal` says that it cannot: the stream is not one that we understand.
    """

    default_code = "media_stream_error"

    def __init__(self, message: str, *, stream: str = "", chunk: int | None = None, fatal: bool = False) -> None:
        place = f"stream {stream}: " if stream else ""
        place += "" if chunk is None else f"chunk {chunk}: "
        super().__init__(place + message, details={"stream": stream, "chunk": chunk})
        self.fatal = fatal


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A stream begins."""

    stream: str
    call: str
    account: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


class Audio(NamedTuple):
    """What the caller said: mu-law at 8 kHz."""

    # Fifty a second and call: a tuple is made sooner than a frozen dataclass.

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key."""

    digit: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What was sent before this mark of ours was played, or dropped."""

    name: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The stream is over."""


@dataclass(frozen=True, slots=True)
class Other:
    """`connected`, or an event that this version does not know."""

    name: str


Message = Started | Audio | Pressed | Mark | Stopped | Other


def parse_message(text: str, *, stream: str = "") -> Message:
    """The message in a text frame; `stream` is named in errors.

    Raises:
        MediaStreamError: It is none.
    """
    if len(text) > MAX_MESSAGE:
        raise MediaStreamError(f"a message may have {MAX_MESSAGE} characters", stream=stream)
    try:
        message = _read(text)
    except (ValueError, RecursionError):
        raise MediaStreamError("a message that is no JSON", stream=stream) from None
    if not isinstance(message, dict):
        raise MediaStreamError("a message that is no object", stream=stream)
    members = cast("dict[str, object]", message)
    event = members.get("event")
    if event == "media":
        return _audio(_object(members, "media", stream), stream)
    if event == "mark":
        return Mark(_text(_object(members, "mark", stream), "name", stream))
    if event == "dtmf":
        return _pressed(_text(_object(members, "dtmf", stream), "digit", stream), stream)
    if event == "start":
        return _started(members, _object(members, "start", stream))
    if event == "stop":
        return Stopped()
    if not isinstance(event, str):
        raise MediaStreamError("a message without event", stream=stream)
    return Other(event[:50])


def _object(members: Mapping[str, object], name: str, stream: str) -> Mapping[str, object]:
    value = members.get(name)
    if not isinstance(value, dict):
        raise MediaStreamError(f"{name} is no object", stream=stream)
    return cast("Mapping[str, object]", value)


def _text(members: Mapping[str, object], name: str, stream: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or len(value) > 400:
        raise MediaStreamError(f"{name} is no text", stream=stream)
    return value


def _read(text: str) -> object:
    """As `json.loads`, which looks for blanks first; Twilio sends none."""
    message: object
    if text.startswith("{"):
        message, end = _DECODER.raw_decode(text)
        if end == len(text):
            return message
    message = json.loads(text)
    return message


def _audio(media: Mapping[str, object], stream: str) -> Audio:
    payload = media.get("payload")
    if not isinstance(payload, str):
        raise MediaStreamError("media without payload", stream=stream, chunk=_number(media.get("chunk")))
    try:
        data = a2b_base64(payload, strict_mode=True)
    except ValueError:
        message = "a payload that is not base64"
        raise MediaStreamError(message, stream=stream, chunk=_number(media.get("chunk"))) from None
    if not 0 < len(data) <= MAX_PAYLOAD:
        message = f"a payload of {len(data)} bytes; 160 are usual, {MAX_PAYLOAD} the most"
        raise MediaStreamError(message, stream=stream, chunk=_number(media.get("chunk")))
    return Audio(data)


def _number(value: object) -> int | None:
    """Numbers are sent as text."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= 18:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _pressed(digit: str, stream: str) -> Pressed:
    if digit not in _KEYS:
        raise MediaStreamError("a digit that is no key", stream=stream)
    return Pressed(digit.upper())


def _started(members: Mapping[str, object], start: Mapping[str, object]) -> Started:
    sids = {"streamSid": members.get("streamSid") or start.get("streamSid")}
    sids.update((name, start.get(name)) for name in ("callSid", "accountSid"))
    wrong = [name for name, value in sids.items() if not isinstance(value, str) or not _SID.match(value)]
    if wrong:
        raise MediaStreamError(f"no start of a stream: check {', '.join(wrong)}", fatal=True)
    stream = str(sids["streamSid"])
    form = _object(start, "mediaFormat", stream)
    found = (form.get("encoding"), _number(form.get("sampleRate")), _number(form.get("channels")))
    if found != ("audio/x-mulaw", SAMPLE_RATE, 1):
        raise MediaStreamError("its audio is not one channel of mu-law at 8000 Hz", stream=stream, fatal=True)
    parameters = start.get("customParameters")
    given = cast("dict[str, object]", parameters) if isinstance(parameters, dict) else {}
    return Started(
        stream=stream,
        call=str(sids["callSid"]),
        account=str(sids["accountSid"]),
        parameters={name: value[:500] for name, value in given.items() if isinstance(value, str)},
    )


# --- out ----------------------------------------------------------------------------------------------------------------------


def media(stream: str, payload: bytes) -> str:
    """The message that plays mu-law audio."""
    # Both parts are of an alphabet that JSON need not escape.
    return f'{{"event":"media","streamSid":"{stream}","media":{{"payload":"{b64encode(payload).decode("ascii")}"}}}}'


def mark(stream: str, name: str) -> str:
    """The message that comes back when what was sent before it is played, or dropped."""
    return json.dumps({"event": "mark", "streamSid": stream, "mark": {"name": name}})


def clear(stream: str) -> str:
    """The message that drops what is not played yet."""
    return json.dumps({"event": "clear", "streamSid": stream})


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTwiml:
    """How a call is connected to a stream.

    Attributes:
        url: Our socket, `wss://`; Twilio allows no query in it.
        action: Where Twilio asks what to do when the stream is over.
        parameters: Told in the `start` message.
    """

    url: str
    action: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


def connect_stream(twiml: StreamTwiml) -> str:
    """TwiML that connects the call's audio with our socket, both ways."""
    parameters = "".join(
        f"<Parameter name={_quoted(name)} value={_quoted(value)}/>" for name, value in twiml.parameters.items()
    )
    stream = f"<Stream url={_quoted(twiml.url)}>{parameters}</Stream>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Response><Connect action={_quoted(twiml.action)}>{stream}</Connect></Response>"
    )


def _quoted(value: str) -> str:
    return quoteattr(_NOT_XML.sub("", value))
