"""Structured logging: events with fields, one JSON object per line, or a readable line in a terminal.

What the user types: an application calls `configure()` once; then `log = get_logger(__name__)` and `log.info("call started", leg="a")`.
Libraries keep `logging.getLogger(__name__)` and `extra={...}`: their events come out in the same form.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_utils._log_bridge import BridgeHandler, Emit, EventMessage
from orchestrator_utils._log_sink import (
    EventSink,
    Renderer,
    Stream,
    console_renderer,
    json_renderer,
    orjson_renderer,
)

if TYPE_CHECKING:
    from orchestrator_kernel.ports import Redactor

__all__ = ["EventLogger", "LogConfig", "Stream", "configure", "get_logger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """How an application logs.

    Attributes:
        level: Events below it are dropped: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`.
        levels: The same for single loggers and what lies below them: `{"uvicorn.access": "WARNING"}`.
        format: `json`, `console`, or `auto`: console if the stream is a terminal, else JSON.
    """

    level: str = "INFO"
    levels: Mapping[str, str] = field(default_factory=dict[str, str])
    format: Literal["auto", "json", "console"] = "auto"

    def __post_init__(self) -> None:
        for name, level in {"level": self.level, **self.levels}.items():
            if level.upper() not in logging.getLevelNamesMapping():
                raise ConfigurationError(
                    f"{level!r} for {name} is no logging level; use DEBUG, INFO, WARNING, ERROR or CRITICAL",
                    details={"field": name},
                )
        if self.format not in {"auto", "json", "console"}:
            raise ConfigurationError(
                f"{self.format!r} is no logging format; use auto, json or console", details={"field": "format"}
            )


class EventLogger:
    """A logger of events: what happened, in a few fixed words, and its particulars as fields.

    Made at import time or later, before `configure` or after: each event goes where logging is configured to go at that moment.
    `exc_info=True`, or an exception, adds the exception.
    """

    __slots__ = ("_fields", "_handler", "_native", "_stdlib")

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        self._stdlib = logging.getLogger(name)
        self._fields = dict(fields)
        self._handler: logging.Handler | None = None
        self._native: Emit | None = None

    @property
    def name(self) -> str:
        """The name given to `get_logger`."""
        return self._stdlib.name

    def bind(self, **fields: Any) -> EventLogger:
        """A logger that adds these fields to each of its events."""
        return EventLogger(self._stdlib.name, {**self._fields, **fields})

    def debug(self, event: str, /, **fields: Any) -> None:
        """For whoever looks for a fault."""
        if self._stdlib.isEnabledFor(logging.DEBUG):
            self._log(logging.DEBUG, "debug", event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        """As it should be."""
        if self._stdlib.isEnabledFor(logging.INFO):
            self._log(logging.INFO, "info", event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """Not as it should be, and dealt with."""
        if self._stdlib.isEnabledFor(logging.WARNING):
            self._log(logging.WARNING, "warning", event, fields)

    warn = warning

    def error(self, event: str, /, **fields: Any) -> None:
        """Something did not get done."""
        if self._stdlib.isEnabledFor(logging.ERROR):
            self._log(logging.ERROR, "error", event, fields)

    def exception(self, event: str, /, **fields: Any) -> None:
        """`error`, with the exception that is being handled."""
        if self._stdlib.isEnabledFor(logging.ERROR):
            self._log(logging.ERROR, "error", event, {"exc_info": True, **fields})

    def critical(self, event: str, /, **fields: Any) -> None:
        """Somebody has to get up."""
        if self._stdlib.isEnabledFor(logging.CRITICAL):
            self._log(logging.CRITICAL, "critical", event, fields)

    def _log(self, number: int, level: str, event: str, fields: dict[str, Any]) -> None:
        handlers = logging.root.handlers
        handler = handlers[0] if handlers else None
        if handler is not self._handler:
            self._handler = handler
            self._native = _native(handler, self._stdlib.name, self._fields)
        if self._native is not None:
            self._native(level, event, fields)
            return
        fields = {**self._fields, **fields}
        exc_info = fields.pop("exc_info", None)
        self._stdlib.log(number, EventMessage(event, fields), exc_info=exc_info, stacklevel=3)


def get_logger(name: str, **fields: Any) -> EventLogger:
    """A logger of events named like the module it serves; `fields` go with each of its events.

    Works with the standard library alone: as long as `configure` was not called, events go to its loggers, fields as JSON.
    """
    return EventLogger(name, fields)


def configure(
    config: LogConfig | None = None,
    *,
    redactor: Redactor | None = None,
    stream: Stream | None = None,
    now: Callable[[], datetime] | None = None,
) -> ExitStack:
    """Let the whole process log to one stream, in one form, warnings included; for applications only, at start.

    With the extra `[logging]` installed lines are made by orjson, and structlog's own loggers write to the same stream; without
    it the standard library makes the same lines, more slowly.

    Args:
        config: Levels and form.
        redactor: Sees every event, exceptions and extras included, before it is written. If it fails, the event is withheld.
        stream: Binary; standard error by default.
        now: The instant of an event, aware UTC; the system's clock by default.

    Returns:
        What was configured before; closing it restores that.
    """
    settings = config or LogConfig()
    target = sys.stderr.buffer if stream is None else stream
    sink = EventSink(target, _renderer(settings, target), redactor, now)
    undo = ExitStack()
    native = None
    if find_spec("structlog") is not None:
        from orchestrator_utils import _log_structlog  # noqa: PLC0415 - an extra

        undo.callback(_log_structlog.install(sink, logging.getLevelNamesMapping()[settings.level.upper()]))
        native = _log_structlog.native_door
    for name, level in {"": settings.level, **settings.levels}.items():
        logger = logging.getLogger(name)
        undo.callback(logger.setLevel, logger.level)
        logger.setLevel(level.upper())
    undo.callback(_set_handlers, list(logging.root.handlers))
    _set_handlers([BridgeHandler(sink, native)])
    shown_by = warnings.showwarning
    logging.captureWarnings(capture=True)
    if warnings.showwarning is not shown_by:
        undo.callback(logging.captureWarnings, capture=False)
    return undo


def _set_handlers(handlers: list[logging.Handler]) -> None:
    logging.root.handlers[:] = handlers


def _renderer(config: LogConfig, stream: Stream) -> Renderer:
    if config.format == "console" or (config.format == "auto" and stream.isatty()):
        return console_renderer(colors=stream.isatty())
    return json_renderer if find_spec("orjson") is None else orjson_renderer()


def _native(handler: logging.Handler | None, name: str, fields: dict[str, Any]) -> Emit | None:
    if isinstance(handler, BridgeHandler) and handler.native is not None:
        return handler.native(handler.sink, name, fields)
    return None
