"""Reading the audit log in a database: verify, export, show (extra `[sql]`)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final, cast

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from orchestrator_kernel.models import AuditEvent
from orchestrator_security._audit.chain import AuditKeyring, Entry, SignedHead
from orchestrator_security._audit.documents import read_document
from orchestrator_security._audit.tables import CHECKPOINTS, ENTRIES, HEAD
from orchestrator_security._audit.verification import ChainVerifier, Verification, micros_of
from orchestrator_security._drivers.sql_audit import CHAIN, AuditStoreFailed, head_of

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["AuditQuery", "export_audit", "show_audit", "verify_audit", "verify_export"]

_PAGE: Final = 1_000
_FORMAT: Final = "orchestrator.audit.export.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which events to show: all that are given must fit. `event_type` may end in a dot and then means all below: `auth.`."""

    event_type: str = ""
    tenant: str = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100


async def verify_audit(
    engine: AsyncEngine, keys: AuditKeyring, *, now: datetime, witnesses: Iterable[SignedHead] = ()
) -> Verification:
    """Check the whole log in the database, a thousand records at a time, in one consistent view.

    Raises:
        AuditStoreFailed: The database cannot be read.
    """
    async with _snapshot(engine) as connection:
        head, checkpoints = await _signed(connection)
        verifier = ChainVerifier(keys, now=now, checkpoints=checkpoints, head=head, witnesses=witnesses)
        async for page in _pages(connection):
            verifier.feed(page)
    return verifier.result()


async def export_audit(engine: AsyncEngine, file: IO[str]) -> SignedHead | None:
    """Write the log as lines of JSON that `verify_export` checks without a database; answers the head, to be kept as a witness.

    Raises:
        AuditStoreFailed: The database cannot be read.
    """
    async with _snapshot(engine) as connection:
        head, checkpoints = await _signed(connection)
        first = {
            "format": _FORMAT,
            "head": None if head is None else head.text(),
            "checkpoints": [each.text() for each in checkpoints],
        }
        file.write(json.dumps(first) + "\n")
        async for page in _pages(connection):
            file.writelines(_line(entry) for entry in page)
    return head


def verify_export(
    file: Iterable[str], keys: AuditKeyring, *, now: datetime, witnesses: Iterable[SignedHead] = ()
) -> Verification:
    """Check an exported log.

    Raises:
        ValueError: The file is no export.
    """
    lines = iter(file)
    try:
        first = json.loads(next(lines))
        if first["format"] != _FORMAT:
            raise ValueError(f"the file is no export of the form {_FORMAT}")
        head = None if first["head"] is None else SignedHead.read(first["head"])
        checkpoints = [SignedHead.read(each) for each in first["checkpoints"]]
    except (StopIteration, KeyError, TypeError) as error:
        raise ValueError("the file is no export of an audit log") from error
    verifier = ChainVerifier(keys, now=now, checkpoints=checkpoints, head=head, witnesses=witnesses)
    verifier.feed(_read_lines(lines))
    return verifier.result()


async def show_audit(engine: AsyncEngine, query: AuditQuery) -> Sequence[AuditEvent]:
    """The newest events that fit, newest first.

    Raises:
        AuditStoreFailed: The database cannot be read, or a document in it is no event (verify the log).
    """
    statement = select(ENTRIES.c.document).where(ENTRIES.c.document.is_not(None))
    if query.event_type.endswith("."):
        statement = statement.where(ENTRIES.c.event_type.startswith(query.event_type, autoescape=True))
    elif query.event_type:
        statement = statement.where(ENTRIES.c.event_type == query.event_type)
    if query.tenant:
        statement = statement.where(ENTRIES.c.tenant == query.tenant)
    if query.since is not None:
        statement = statement.where(ENTRIES.c.occurred_at >= micros_of(query.since))
    if query.until is not None:
        statement = statement.where(ENTRIES.c.occurred_at < micros_of(query.until))
    async with _snapshot(engine) as connection:
        found = await connection.scalars(statement.order_by(ENTRIES.c.seq.desc()).limit(query.limit))
        documents = [str(each) for each in found]
    try:
        return [read_document(each) for each in documents]
    except ValueError as error:
        raise AuditStoreFailed("A document of the audit log is no event; verify the log.") from error


@asynccontextmanager
async def _snapshot(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """A connection that sees the database as it is now, however long it reads."""
    lite = engine.dialect.name == "sqlite"
    try:
        async with engine.connect() as plain:
            level = "AUTOCOMMIT" if lite else "REPEATABLE READ"
            connection = await plain.execution_options(isolation_level=level)
            if lite:
                # The driver begins no transaction for a SELECT.
                await connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                if lite:
                    await connection.exec_driver_sql("ROLLBACK")
    except SQLAlchemyError as error:
        raise AuditStoreFailed("The audit log cannot be read, or its tables are missing.") from error
    except OSError as error:
        raise AuditStoreFailed("The audit log cannot be read.") from error


async def _signed(connection: AsyncConnection) -> tuple[SignedHead | None, list[SignedHead]]:
    row = (await connection.execute(select(HEAD).where(HEAD.c.chain == CHAIN))).one_or_none()
    rows = (await connection.execute(select(CHECKPOINTS).order_by(CHECKPOINTS.c.number))).all()
    return None if row is None else head_of(row), [head_of(each) for each in rows]


async def _pages(connection: AsyncConnection) -> AsyncGenerator[list[Entry]]:
    last = -(2**63)
    while True:
        page = select(ENTRIES).where(ENTRIES.c.seq > last).order_by(ENTRIES.c.seq).limit(_PAGE)
        entries = [_entry(row) for row in (await connection.execute(page)).all()]
        if not entries:
            return
        yield entries
        last = entries[-1].seq


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        row.seq,
        row.event_id,
        row.event_type,
        row.tenant,
        row.occurred_at,
        row.expires,
        row.document,
        row.digest,
        row.hash,
    )


def _line(entry: Entry) -> str:
    members = [
        entry.seq,
        entry.event_id,
        entry.event_type,
        entry.tenant,
        entry.occurred_at,
        entry.expires,
        entry.document,
        entry.digest.hex(),
        entry.hash.hex(),
    ]
    return json.dumps(members, separators=(",", ":")) + "\n"


def _read_lines(lines: Iterator[str]) -> Iterator[Entry]:
    for number, line in enumerate(lines, 2):
        try:
            seq, event_id, kind, tenant, at, expires, document, digest, last = cast("list[Any]", json.loads(line))
            hashes = bytes.fromhex(digest), bytes.fromhex(last)
            yield Entry(seq, event_id, kind, tenant, at, expires, document, *hashes)
        except (TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"line {number} is no record of an audit log") from error
