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

    The same id is kept once as long as it is among the last 10,000.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._lock = asyncio.Lock()

    async def record(self, event: AuditEvent) -> None:
        async with self._lock:
            if event.id in self._seen:
                return
            try:
                await asyncio.to_thread(self._append, _line(event))
            except OSError as error:
                raise DatabaseError(f"the audit file {self._path} cannot be written: {error.strerror}") from error
            self._seen[event.id] = None
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)

    def _append(self, line: str) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


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
