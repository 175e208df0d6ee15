"""From events to the records that follow a head."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from orchestrator_security._audit.chain import Entry, SignedHead, digest_of, hash_of
from orchestrator_security._audit.documents import write_document
from orchestrator_security._audit.verification import micros_of, today

if TYPE_CHECKING:
    from orchestrator_kernel.models import AuditEvent

__all__ = ["link"]


def link(events: Iterable[AuditEvent], head: SignedHead, retention: Callable[[str], int]) -> list[Entry]:
    """The records of `events` after `head`; `retention` tells the days that an event of a type is kept."""
    entries: list[Entry] = []
    previous = bytes.fromhex(head.hash)
    for seq, event in enumerate(events, head.seq + 1):
        document = write_document(event)
        digest = digest_of(document)
        expires = today(event.occurred_at + timedelta(days=retention(event.type)))
        previous = hash_of(previous, seq, expires, digest)
        occurred_at = micros_of(event.occurred_at)
        entries.append(Entry(seq, event.id, event.type, event.tenant, occurred_at, expires, document, digest, previous))
    return entries
