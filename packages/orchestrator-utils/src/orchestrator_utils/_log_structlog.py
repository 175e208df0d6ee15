"""structlog as a door to the sink: native loggers, without a way through the standard library. Needs the extra `[logging]`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor

from orchestrator_utils._log_bridge import Emit
from orchestrator_utils._log_sink import EventSink

__all__ = ["NativeLogger", "install", "native_door"]

_LEVELS: Final = {
    "warn": "warning",
    "err": "error",
    "exception": "error",
    "failure": "error",
    "fatal": "critical",
    "msg": "info",
}


class SinkLogger:
    """What structlog wraps: writes finished lines."""

    __slots__ = ("_sink", "name")

    def __init__(self, sink: EventSink, name: str) -> None:
        self._sink = sink
        self.name = name

    def msg(self, line: bytes) -> None:
        """Write one line."""
        self._sink.write(line)

    log = debug = info = warn = warning = err = error = exception = failure = critical = fatal = msg


class NativeLogger(structlog.BoundLoggerBase):
    """A structlog logger whose one call takes the level by name and the fields as a mapping."""

    def emit(self, level: str, event: str, fields: dict[str, Any]) -> None:
        """Run the processors and write the line."""
        if "event" in fields:
            fields["event_"] = fields.pop("event")
        try:
            args, kwargs = self._process_event(level, event, fields)
        except structlog.DropEvent:
            return
        self._logger.msg(*args, **kwargs)


def install(sink: EventSink, level: int) -> Callable[[], None]:
    """Make every structlog logger of the process write to the sink; the result restores what was configured before."""

    def to_line(logger: SinkLogger, method: str, event: EventDict) -> bytes:
        return sink.line(_LEVELS.get(method, method), logger.name, event.pop("event", ""), event)

    processors: list[Processor] = [structlog.contextvars.merge_contextvars, to_line]
    before = structlog.get_config() if structlog.is_configured() else None
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *names: SinkLogger(sink, names[0] if names else "structlog"),
        context_class=dict,
        cache_logger_on_first_use=False,
    )
    return structlog.reset_defaults if before is None else lambda: structlog.configure(**before)


def native_door(sink: EventSink, name: str, fields: dict[str, Any]) -> Emit:
    """The way round the standard library: runs the processors of the present configuration, an application's own included."""
    return NativeLogger(SinkLogger(sink, name), structlog.get_config()["processors"], fields).emit
