"""The standard library's records as events: the door for third parties, and for every library of the house."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from orchestrator_utils._log_sink import EventSink, json_renderer

__all__ = ["BridgeHandler", "Emit", "EventMessage", "NativeDoor"]

# Every attribute of a bare record, and those that formatters and newer Pythons add; the rest came as `extra`.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "color_message", "message", "taskName"}


Emit: TypeAlias = Callable[[str, str, dict[str, Any]], None]
"""Takes level, event and fields."""

NativeDoor: TypeAlias = Callable[[EventSink, str, dict[str, Any]], Emit]


class EventMessage:
    """An event with its fields on its way through the standard library; any formatter prints the fields as JSON."""

    __slots__ = ("event", "fields")

    def __init__(self, event: str, fields: dict[str, Any]) -> None:
        self.event = event
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.event} {json_renderer(self.fields).decode()}" if self.fields else self.event


class BridgeHandler(logging.Handler):
    """Gives every record to the sink as an event, with what was passed as `extra` as its fields.

    Args:
        sink: Where events go.
        native: Makes, for a logger's name and fields, the way round the standard library, if there is one.
    """

    def __init__(self, sink: EventSink, native: NativeDoor | None = None) -> None:
        super().__init__()
        self.sink = sink
        self.native = native

    def emit(self, record: logging.LogRecord) -> None:
        """Write one event. A record whose message and arguments do not fit is withheld, not printed raw."""
        message: object = record.msg
        when = None
        if isinstance(message, EventMessage):
            event, fields = message.event, dict(message.fields)
        else:
            event, when = _text(record), datetime.fromtimestamp(record.created, UTC)
            fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        if record.stack_info:
            fields["stack"] = record.stack_info
        self.sink.emit(record.levelname.lower(), record.name, event, fields, when)


def _text(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit, or that cannot be printed
        return "event withheld: its arguments do not fit its message"
