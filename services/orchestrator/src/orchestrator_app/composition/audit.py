"""Audit events in a file of JSON lines, made durable one by one."""

from __future__ import annotations

import asyncio
import json
import os
from collections import OrderedDict
from pathlib import Path

from orchestrator_kernel.exceptions import DatabaseError
from orchestrator_kernel.models import AuditEvent

__all__ = ["FileAuditSink"]

_REMEMBERED = 10_000


class FileAuditSink:
    """An `AuditSink` that appends to a file; readable by the owner alone.

    Events that come while others are being made durable share one write. The same id is kept once as long as it is among the last
    10,000.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[str, tuple[str, asyncio.Future[None]]] = {}
        self._writer: asyncio.Task[None] | None = None

    async def record(self, event: AuditEvent) -> None:
        if event.id in self._seen:
            return
        if event.id not in self._waiting:
            kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            # Whoever waited may be gone when it fails.
            kept.add_done_callback(lambda done: done.exception())
            self._waiting[event.id] = _line(event), kept
            if self._writer is None or self._writer.done():
                self._writer = asyncio.create_task(self._write())
        await asyncio.shield(self._waiting[event.id][1])

    async def _write(self) -> None:
        while self._waiting:
            batch = dict(self._waiting)
            failure: DatabaseError | None = None
            try:
                await asyncio.to_thread(self._append, "".join(line for line, _ in batch.values()))
            except OSError as error:
                failure = DatabaseError(f"the audit file {self._path} cannot be written: {error.strerror}")
                failure.__cause__ = error
            for event_id, (_, kept) in batch.items():
                del self._waiting[event_id]
                if failure is not None:
                    kept.set_exception(failure)
                    continue
                self._seen[event_id] = None
                kept.set_result(None)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)

    def _append(self, lines: str) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a") as file:
            file.write(lines)
            file.flush()
            os.fsync(descriptor)


def _line(event: AuditEvent) -> str:
    members = {
        "id": event.id,
        "type": event.type,
        "occurred_at": event.occurred_at.isoformat(),
        "actor": event.actor,
        "action": event.action,
        "outcome": event.outcome.value,
        "resource": event.resource,
        "severity": event.severity.value,
        "tenant": event.tenant,
        "correlation_id": event.correlation_id,
        "details": dict(event.details),
    }
    return json.dumps(members, ensure_ascii=True) + "\n"
