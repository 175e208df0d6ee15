"""One of two processes that share a call; told by its arguments which: FILE begin | FILE go-on."""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from orchestrator_monitoring.tracing import ConsoleExporter, Tracing

CALL, KEY = "call-1", b"shared by all processes"


def now():
    return datetime.now(UTC)


def begin(calls, tracing):
    calls.seen(CALL, "harbour", now())
    calls.turn_opened(CALL, "call-1/1", now(), kind="greeting")
    calls.turn_closed(CALL, "call-1/1", now(), outcome="answered")
    calls.turn_timed(CALL, "call-1/1", 0.1, "media")
    with calls.at_turn(CALL, "call-1/2"):
        tracing.provider.get_tracer("test").start_span("asked").end()
    assert tracing.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def go_on(calls, tracing):
    calls.seen(CALL, "harbour", now(), resumed=True)
    with calls.at_turn(CALL, "call-1/2"):
        tracing.provider.get_tracer("test").start_span("asked again").end()
    calls.turn_closed(CALL, "call-1/2", now(), outcome="answered")
    calls.turn_timed(CALL, "call-1/2", 0.2, "media")
    calls.ended(CALL, "harbour", now(), state="ended", reason="hang_up", started_at=datetime.fromtimestamp(0, UTC))


def main():
    path, what = sys.argv[1:]
    with Path(path).open("w") as out:
        tracing = Tracing(exporter=ConsoleExporter(out))
        calls = tracing.calls(key=KEY)
        begin(calls, tracing) if what == "begin" else go_on(calls, tracing)
        assert tracing.shutdown()


main()
