"""The tables of the audit log (extra `[sql]`), in the package's one `MetaData`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, Text

from orchestrator_security.tables import METADATA

__all__ = ["CHECKPOINTS", "ENTRIES", "HEAD", "METADATA"]

ENTRIES = Table(
    "security_audit_entries",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", String(128), unique=True),
    Column("event_type", String(128)),
    Column("tenant", String(128)),
    Column("occurred_at", BigInteger, index=True),
    Column("expires", Integer, nullable=False, index=True),
    Column("document", Text),
    Column("digest", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)
"""One row per event, in the order of the chain; `orchestrator_security._audit.chain.Entry` tells what the columns hold."""

HEAD = Table(
    "security_audit_head",
    METADATA,
    Column("chain", String(32), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("at", String(40), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("signature", String(128), nullable=False),
)
"""One row: the signed end of the chain, and the lock under which appenders take turns."""

CHECKPOINTS = Table(
    "security_audit_checkpoints",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("at", String(40), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("signature", String(128), nullable=False),
)
"""Signed heads that are kept, from number 1."""
