"""The tables of this package (extra `[sql]`), all in one `MetaData` with the prefix `security_`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table

__all__ = ["DELIVERIES", "METADATA"]

METADATA = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "fk": "%(table_name)s_%(column_0_N_name)s_fk",
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
    }
)

DELIVERIES = Table(
    "security_deliveries",
    METADATA,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
"""Webhook deliveries that were accepted: SHA-256 of source and id, and the Unix second from which on the row may go."""
