"""What one structured event costs, over the standard library with a formatter that calls `json.dumps`.

Like for like: every contender writes timestamp, level, logger, event, the ids of the running work and five fields, as one JSON line, into
the same device. The ids come from context variables.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import structlog

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare, run_main
from orchestrator_utils.correlation import bind, current
from orchestrator_utils.logging_adapter import LogConfig, configure, get_logger

LIMIT = Gate(at_most=0.6)
FIELDS: dict[str, Any] = {"turn": 7, "latency_ms": 12.5, "language": "en", "cached": True, "leg": "media"}


class JsonFormatter(logging.Formatter):
    """What services write by hand."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        here = current()
        if here is not None:
            event |= {"correlation_id": here.correlation_id, "trace_id": here.trace_id, "span_id": here.span_id}
            event |= {"call_id": here.call_id, "tenant_id": here.tenant_id}
        return json.dumps(event | record.__dict__["fields"])


class KeepingRedactor:
    """Walks the event as a redactor has to, and finds nothing."""

    def redact(self, value: Any, **_options: Any) -> Any:
        return {name: self.redact(one) for name, one in value.items()} if isinstance(value, dict) else value


def by_hand(level: int = logging.INFO) -> Callable[[], None]:
    handler = logging.StreamHandler(open(os.devnull, "w"))  # noqa: PTH123, SIM115 - open for the whole run
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("bench.by_hand")
    logger.propagate, logger.handlers = False, [handler]
    logger.setLevel(logging.INFO)
    return lambda: logger.log(level, "turn answered", extra={"fields": FIELDS})


def through_bridge() -> Callable[[], None]:
    logger = logging.getLogger("bench.bridge")
    return lambda: logger.info("turn answered", extra=FIELDS)


def measured(name: str, gates: dict[str, Gate], **options: Any) -> Report:
    with (
        open(os.devnull, "wb") as device,  # noqa: PTH123 - os.devnull is a string
        configure(LogConfig(format="json"), stream=device, **options),
        bind(call_id="call-1", tenant_id="hotel-7"),
    ):
        native, theirs = get_logger("bench.native"), structlog.get_logger("bench.structlog").bind()
        return compare(
            name,
            baseline=Contender("logging and json.dumps", by_hand()),
            contenders=[
                Contender("get_logger", lambda: native.info("turn answered", **FIELDS)),
                Contender("structlog.get_logger", lambda: theirs.info("turn answered", **FIELDS)),
                Contender("logging, through the bridge", through_bridge()),
                Contender("get_logger, below the level", lambda: native.debug("turn answered", **FIELDS)),
            ],
            gates=gates,
            seconds=6,
        )


def event() -> Report:
    return measured("one event with five fields", {"get_logger": LIMIT, "structlog.get_logger": LIMIT})


def redacted_event() -> Report:
    """Without a gate: the baseline does not redact."""
    return measured("the same through a redactor that walks every field", {}, redactor=KeepingRedactor())


def benches() -> Iterable[Bench]:
    yield event
    yield redacted_event


if __name__ == "__main__":
    sys.exit(run_main(benches))
