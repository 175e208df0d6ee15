"""The tables of the SQL stores (extra `[sql]`)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Float, Index, MetaData, String, Table, Text, UniqueConstraint

METADATA = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
    }
)

RECORDS = Table(
    "auth_records",
    METADATA,
    Column("kind", String(128), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("owner", String(128), nullable=False),
    Column("alias", String(128)),
    Column("expires_at", DateTime(timezone=True), index=True),
    Column("body", Text, nullable=False),
    UniqueConstraint("kind", "alias"),
    Index(None, "kind", "owner", "id"),
)
"""Users, sessions, keys and all else that changes by compare-and-set; what is secret or personal in a body is hashed or sealed."""

REVOCATION_CLOCK = Table(
    "auth_revocation_clock",
    METADATA,
    Column("name", String(16), primary_key=True),
    Column("version", BigInteger, nullable=False),
)
"""One row; whoever revokes holds its lock, so that versions are committed in their order and no reader misses one."""

REVOCATIONS = Table(
    "auth_revocations",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("value", String(128), primary_key=True),
    Column("version", BigInteger, nullable=False, index=True),
    Column("cutoff", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)
