"""Where every event passes, whichever door it came through: context joined, redacted, rendered, written.

A failing redactor or renderer costs the event its content and never lets the content pass.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, cast

from orchestrator_utils._context import CURRENT, Ids
from orchestrator_utils._log_values import Tree, exception_of, exception_text, exception_tree, plain
from orchestrator_utils._trace_context import span_id_of, trace_id_of

if TYPE_CHECKING:
    from orchestrator_kernel.ports import Redactor

__all__ = ["EventSink", "Renderer", "Stream", "console_renderer", "json_renderer", "orjson_renderer"]

Renderer: TypeAlias = Callable[[Mapping[str, object]], bytes]
"""From an event, whose values may be anything, to its line without the line feed."""

# Made by the machine and needed to find the event again; everything else goes through the redactor.
_NOT_REDACTED: Final = ("timestamp", "level", "logger", "trace_id", "span_id")
_RESERVED: Final = frozenset({*_NOT_REDACTED, "event"})

_STYLES: Final = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}
_RESET: Final = "\x1b[0m"


class Stream(Protocol):
    """What events are written to: the binary side of standard error, a file, an `io.BytesIO`."""

    def write(self, data: bytes, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


class EventSink:
    """Takes events from several doors and threads, and writes one line each.

    Args:
        stream: Where the lines go.
        renderer: Makes the line.
        redactor: Sees every event before it is rendered; its failure withholds the event.
        now: The instant of an event, aware UTC.
    """

    def __init__(
        self, stream: Stream, renderer: Renderer, redactor: Redactor | None, now: Callable[[], datetime] | None = None
    ) -> None:
        self._stream = stream
        self._renderer = renderer
        self._redactor = redactor
        self._now = now or (lambda: datetime.now(UTC))
        self._lock = threading.RLock()  # a signal handler or a finalizer may log while this thread writes
        self._redacting = threading.local()
        self._lost = 0

    def emit(
        self, level: str, logger: str, event: object, fields: MutableMapping[str, Any], when: datetime | None = None
    ) -> None:
        """Write one event; the sink may change `fields`."""
        self.write(self.line(level, logger, event, fields, when))

    def line(
        self, level: str, logger: str, event: object, fields: MutableMapping[str, Any], when: datetime | None = None
    ) -> bytes:
        """Make the line of one event; the sink may change `fields`. Never raises."""
        head: dict[str, object] = {"timestamp": when or self._now(), "level": level, "logger": logger, "event": event}
        ids = CURRENT.get()
        if ids is not None:
            head["trace_id"], head["span_id"] = trace_id_of(ids[1]), span_id_of(ids[1])
        try:
            return self._renderer(self._complete(head, ids, fields))
        except Exception as error:  # noqa: BLE001 - whatever failed, the content must not pass
            return self._renderer({**head, "event": "event withheld", "reason": type(error).__qualname__})

    def write(self, line: bytes) -> None:
        """Write one line. What cannot be written is counted, and the count stands in the next line that can."""
        with self._lock:
            try:
                if self._lost:
                    self._stream.write(self._loss() + b"\n")
                self._stream.write(line + b"\n")
                self._stream.flush()
            except (OSError, ValueError):  # a broken pipe or a closed file must not end the call that was logged
                self._lost += 1
            else:
                self._lost = 0

    def _loss(self) -> bytes:
        head = {"timestamp": self._now(), "level": "error", "logger": __name__}
        return self._renderer({**head, "event": "log lines lost", "lost": self._lost})

    def _complete(
        self, head: Mapping[str, object], ids: Ids | None, fields: MutableMapping[str, Any]
    ) -> Mapping[str, object]:
        event = dict(head)
        if ids is not None:
            event["correlation_id"] = ids[0].decode()
            if ids[4] is not None:
                event["call_id"] = ids[4]
            if ids[5] is not None:
                event["tenant_id"] = ids[5]
        error = exception_of(fields.pop("exc_info", None))
        if not _RESERVED.isdisjoint(fields):
            fields = {f"{name}_" if name in _RESERVED else name: value for name, value in fields.items()}
        event.update(fields)
        if error is not None:
            event["exception"] = exception_tree(error)
        return event if self._redactor is None else self._redacted(event, self._redactor)

    def _redacted(self, event: dict[str, object], redactor: Redactor) -> Mapping[str, object]:
        if getattr(self._redacting, "active", False):
            raise RecursionError("the redactor logs while it redacts")
        safe: dict[str, object] = {name: event.pop(name) for name in _NOT_REDACTED if name in event}
        tree = cast("dict[str, Tree]", plain(event))
        call = tree.get("call_id", tree.get("call"))
        self._redacting.active = True
        try:
            redacted = redactor.redact(tree, call=call if isinstance(call, str) else None)
        finally:
            self._redacting.active = False
        if not isinstance(redacted, Mapping):
            raise TypeError("the redactor changed the shape of the event")
        return {**safe, **redacted}


def json_renderer(event: Mapping[str, object]) -> bytes:
    """One JSON object, with the standard library alone."""
    return json.dumps(plain(event), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def orjson_renderer() -> Renderer:
    """One JSON object by orjson, which is an extra; what it refuses goes through `json_renderer`."""
    import orjson  # noqa: PLC0415 - an extra

    dumps = orjson.dumps
    option = orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS

    def render(event: Mapping[str, object]) -> bytes:
        try:
            return dumps(event, plain, option)
        except TypeError:  # an integer beyond 64 bits, a key that is no text, a lone surrogate
            return json_renderer(event)

    return render


def console_renderer(*, colors: bool) -> Renderer:
    """One line for a person, and the exception below it; control characters of the content are shown, never sent.

    The ids of trace and span are left out: nobody reads them.
    """

    def render(event: Mapping[str, object]) -> bytes:
        rest = {name: value for name, value in event.items() if name not in {"trace_id", "span_id"}}
        when = str(plain(rest.pop("timestamp")))[11:23]
        level, logger, name = (_shown(rest.pop(key)) for key in ("level", "logger", "event"))
        chain = rest.pop("exception", None)
        fields = "".join(f" {_shown(key)}={_shown(value)}" for key, value in rest.items())
        style, reset = (_STYLES.get(level, ""), _RESET) if colors else ("", "")
        line = f"{when} {style}{level:<8}{reset} {name}{fields} [{logger}]"
        if chain is not None:
            line += "\n" + "\n".join(map(_printable, exception_text(chain).split("\n")))
        return line.encode("utf-8", "replace")

    return render


def _shown(value: object) -> str:
    tree = plain(value)
    return _printable(tree if isinstance(tree, str) else json.dumps(tree, ensure_ascii=False))


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
