"""The append-only audit log in SQLite or PostgreSQL (extra `[sql]`, or `[postgres]`).

What the user types: `sink = SqlAuditSink(engine, AuditSigner(seed), clock=SystemClock())`, after the migrations, then `await sink.open()`. Events
that come while others are being written share the next transaction. Appenders take turns by a lock on the head's row, so any number of
processes write one chain.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from orchestrator_kernel.exceptions import DatabaseError
from orchestrator_kernel.sql import database_errors, insertion
from orchestrator_security._audit.chain import GENESIS, AuditSigner, Entry, SignedHead
from orchestrator_security._audit.kinds import retention_days
from orchestrator_security._audit.linking import link
from orchestrator_security._audit.tables import CHECKPOINTS, ENTRIES, HEAD
from orchestrator_security._audit.verification import today

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from orchestrator_kernel.models import AuditEvent
    from orchestrator_kernel.ports import Clock

__all__ = ["CHAIN", "AuditStoreFailed", "SqlAuditSink", "head_of", "transaction"]

CHAIN: Final = "main"
_IDS_PER_QUERY: Final = 200


class AuditStoreFailed(DatabaseError):
    """The audit log's database cannot be reached, refused a statement, or lacks the tables."""

    default_code = "audit_store_failed"


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """A transaction whose database errors are `AuditStoreFailed`, except those of a broken constraint."""
    message = (
        "The database of the audit log failed, or its tables are missing (run the migrations of orchestrator-security)."
    )
    with database_errors(message, AuditStoreFailed, passing=(IntegrityError,)):
        async with engine.begin() as connection:
            yield connection


class SqlAuditSink:
    """The kernel's `AuditSink` over a signed hash chain.

    Args:
        engine: For SQLite or PostgreSQL; the caller closes it.
        signer: Signs the head in every transaction.
        checkpoint_every: Records between two heads that are kept.
        batch: Events of one transaction, at most.
        retention: Days that an event of a type is kept.

    Raises:
        ConfigurationError: The engine is for another database.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        signer: AuditSigner,
        *,
        clock: Clock,
        checkpoint_every: int = 1_000,
        batch: int = 500,
        retention: Callable[[str], int] = retention_days,
    ) -> None:
        self._engine = engine
        self._insert = insertion(engine, "the audit log")
        self._signer = signer
        self._clock = clock
        self._every = checkpoint_every
        self._batch = batch
        self._retention = retention
        self._waiting: dict[str, tuple[AuditEvent, asyncio.Future[None]]] = {}
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin the chain if there is none, and have a new key sign its end.

        Raises:
            AuditStoreFailed: The database cannot be reached, or lacks the tables.
        """
        first = self._signer.sign(seq=0, head=GENESIS, at=self._clock.now(), previous="")
        begin = self._insert(HEAD).values(chain=CHAIN, **_columns(first)).on_conflict_do_nothing()
        async with transaction(self._engine) as connection:
            await connection.execute(begin)
            head = await _locked_head(connection)
            if head.key_id != self._signer.key_id:
                await self._write_head(connection, head, head.seq, bytes.fromhex(head.hash), keep=True)

    async def record(self, event: AuditEvent) -> None:
        if event.id not in self._waiting:
            kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            # Whoever waited may be gone when it fails.
            kept.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._waiting[event.id] = event, kept
            if self._writer is None or self._writer.done():
                self._writer = asyncio.create_task(self._write())
        await asyncio.shield(self._waiting[event.id][1])

    async def head(self) -> SignedHead:
        """The signed end of the chain, to be kept elsewhere as a witness.

        Raises:
            AuditStoreFailed: As `open`, or the chain was never begun.
        """
        async with transaction(self._engine) as connection:
            row = (await connection.execute(select(HEAD).where(HEAD.c.chain == CHAIN))).one_or_none()
        if row is None:
            raise _not_begun()
        return head_of(row)

    async def purge(self) -> int:
        """Take out the documents whose retention is over, and answer how many; their digests stay, and the chain with them.

        Raises:
            AuditStoreFailed: As `open`.
        """
        gone = dict.fromkeys(["event_id", "event_type", "tenant", "occurred_at", "document"])
        over = (ENTRIES.c.expires < today(self._clock.now()), ENTRIES.c.document.is_not(None))
        async with transaction(self._engine) as connection:
            return (await connection.execute(update(ENTRIES).where(*over).values(gone))).rowcount

    async def append(self, events: Sequence[AuditEvent]) -> None:
        """Keep all events in one transaction, those apart that are kept already.

        Raises:
            AuditStoreFailed: Nothing of them was kept.
        """
        fresh = list({event.id: event for event in events}.values())
        for _ in range(3):
            try:
                async with transaction(self._engine) as connection:
                    await self._append(connection, fresh)
            except IntegrityError:
                known = await self._known([event.id for event in fresh])
                fresh = [event for event in fresh if event.id not in known]
            else:
                return
        raise AuditStoreFailed(
            "The audit log does not take the records: the end of its chain is not where its head says."
        )

    async def _append(self, connection: AsyncConnection, events: Sequence[AuditEvent]) -> None:
        if not events:
            return
        head = await _locked_head(connection)
        entries = link(events, head, self._retention)
        await connection.execute(insert(ENTRIES), [_row(entry) for entry in entries])
        last = entries[-1]
        keep = last.seq // self._every > head.seq // self._every
        await self._write_head(connection, head, last.seq, last.hash, keep=keep)

    async def _write_head(
        self, connection: AsyncConnection, before: SignedHead, seq: int, last: bytes, *, keep: bool
    ) -> None:
        """The new end of the chain; kept as a checkpoint too, which then is what the head follows."""
        now, previous = self._clock.now(), before.previous
        if keep:
            checkpoint = self._signer.sign(seq=seq, head=last, at=now, previous=previous)
            numbers = await connection.execute(
                select(CHECKPOINTS.c.number).order_by(CHECKPOINTS.c.number.desc()).limit(1)
            )
            row = {"number": (numbers.scalar() or 0) + 1, **_columns(checkpoint)}
            await connection.execute(insert(CHECKPOINTS).values(row))
            previous = checkpoint.digest()
        head = self._signer.sign(seq=seq, head=last, at=now, previous=previous)
        await connection.execute(update(HEAD).where(HEAD.c.chain == CHAIN).values(_columns(head)))

    async def _known(self, ids: Sequence[str]) -> frozenset[str]:
        found: set[str] = set()
        async with transaction(self._engine) as connection:
            for start in range(0, len(ids), _IDS_PER_QUERY):
                some = ENTRIES.c.event_id.in_(ids[start : start + _IDS_PER_QUERY])
                found.update(await connection.scalars(select(ENTRIES.c.event_id).where(some)))
        return frozenset(found)

    async def _write(self) -> None:
        while self._waiting:
            batch = dict(list(self._waiting.items())[: self._batch])
            failures = await self._keep([event for event, _ in batch.values()])
            for event_id, (_, kept) in batch.items():
                del self._waiting[event_id]
                if event_id in failures:
                    kept.set_exception(failures[event_id])
                else:
                    kept.set_result(None)

    async def _keep(self, events: Sequence[AuditEvent]) -> Mapping[str, Exception]:
        """Append the events, and answer why which were not kept: one that cannot be written at all does not take the others along."""
        try:
            await self.append(events)
        except AuditStoreFailed as error:
            return {event.id: error for event in events}
        except Exception as error:  # noqa: BLE001 - raised in the task of whoever recorded it
            if len(events) == 1:
                return {events[0].id: error}
            middle = len(events) // 2
            return {**await self._keep(events[:middle]), **await self._keep(events[middle:])}
        return {}


def _row(entry: Entry) -> dict[str, object]:
    return {name: getattr(entry, name) for name in Entry.__slots__}


def head_of(row: Row[Any]) -> SignedHead:
    """The head or checkpoint of a row."""
    return SignedHead(row.seq, row.hash, row.at, row.previous, row.key_id, row.signature)


def _columns(head: SignedHead) -> Mapping[str, object]:
    return {
        "seq": head.seq,
        "hash": head.hash,
        "at": head.at,
        "previous": head.previous,
        "key_id": head.key_id,
        "signature": head.signature,
    }


async def _locked_head(connection: AsyncConnection) -> SignedHead:
    """The head; nobody else appends until the transaction ends. A write comes first, because on SQLite only that takes the lock."""
    lock = update(HEAD).where(HEAD.c.chain == CHAIN).values(chain=CHAIN).returning(HEAD)
    row = (await connection.execute(lock)).one_or_none()
    if row is None:
        raise _not_begun()
    return head_of(row)


def _not_begun() -> AuditStoreFailed:
    return AuditStoreFailed("The audit log was never begun: call open() first.")
