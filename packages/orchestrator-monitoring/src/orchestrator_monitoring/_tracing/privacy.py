"""What of an attribute may stand in a span: personal data only where its key says so, and redacted.

The mark is the segment `pii` of a dotted key, as in `caller.pii.words`. It may carry what a person said, after the redactor; without a
redactor it is left out. Texts under keys that are not known to be harmless are redacted too, so that an instrumentation of somebody else
tells no more than ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

from orchestrator_kernel.ports import Redactor

__all__ = ["CALL", "HARMLESS", "MAX_LENGTH", "TURN", "Admitted", "Privacy", "Value"]

Value: TypeAlias = "str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]"
"""What OpenTelemetry allows as an attribute."""

CALL: Final = "orchestrator.call.id"
"""The attribute that says which call a span belongs to; identities known for that call are redacted in it and below it."""

TURN: Final = "orchestrator.turn.id"
"""The attribute that says which turn it is; it is made of the names of events."""

_NAMED_BY_OTHERS: Final = frozenset({CALL, TURN})
MAX_LENGTH: Final = 1024
MAX_ITEMS: Final = 64

# Written by this workspace's own instrumentation, from closed sets or after it took everything personal out.
_OURS: Final = ("orchestrator.", "resilience.", "gen_ai.usage.", "otel.")
HARMLESS: Final = frozenset(
    {
        "db.collection.name",
        "db.operation.name",
        "db.query.summary",
        "db.query.text",
        "db.response.status_code",
        "db.system.name",
        "error.type",
        "exception.stacktrace",
        "exception.type",
        "http.request.method",
        "http.request.resend_count",
        "http.response.status_code",
        "http.route",
        "network.protocol.name",
        "network.protocol.version",
        "server.address",
        "server.port",
        "url.full",
        "url.path",
        "url.scheme",
        "url.template",
    }
)


_number = re.compile(r"\+\d{6,15}")


class Admitted(dict[str, Value]):
    """Attributes of which it is known beforehand that they may be kept: fixed keys, values from closed sets, not changed once made.

    For instrumentation whose every request would have the same few words judged again; to another provider they are a mapping like any.
    """


class Privacy:
    """Decides over every attribute of every span.

    Args:
        redactor: Without one, marked attributes and the messages of exceptions are left out.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        self._redactor = redactor

    def message(self, text: str, call: str | None) -> str | None:
        """A text for people that may quote anything, such as an exception's; None when nothing of it may be told."""
        return None if self._redactor is None else self._redactor.redact_text(text[:MAX_LENGTH], call=call)

    def admit(self, key: str, value: object, call: str | None) -> Value | None:
        """The value as it may be kept; None when it is left out."""
        if type(value) is str:
            return self._text(key, value, call)
        if isinstance(value, bool | int | float):
            return None if _marked(key) and self._redactor is None else value
        if isinstance(value, str):
            return self._text(key, str(value), call)
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
            return self._several(key, cast("Sequence[object]", value), call)
        return None

    def _text(self, key: str, value: str, call: str | None) -> str | None:
        if len(value) > MAX_LENGTH:
            value = value[:MAX_LENGTH]
        marked = "pii" in key and _marked(key)
        if key in _NAMED_BY_OTHERS:
            # A provider may put the caller's number into the names that it gives; redactors look for numbers that stand alone.
            value = _number.sub("[number]", value)
        elif not marked and (key in HARMLESS or key.startswith(_OURS)):
            return value
        if self._redactor is None:
            return None if marked else value
        return self._redactor.redact_text(value, call=call)

    def _several(self, key: str, values: Sequence[object], call: str | None) -> Value | None:
        kept = [self.admit(key, each, call) for each in values[:MAX_ITEMS]]
        first = type(kept[0]) if kept else str
        if first not in {str, bool, int, float} or any(type(each) is not first for each in kept):
            return None
        return cast("Sequence[str]", tuple(kept))


def _marked(key: str) -> bool:
    return "pii" in key.split(".")
