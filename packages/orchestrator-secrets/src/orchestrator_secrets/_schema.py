"""The tables of the SQL key store (extra `[sql]`)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "fk": "%(table_name)s_%(column_0_N_name)s_fk",
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
    }
)

SUBJECTS = Table(
    "secrets_subjects",
    METADATA,
    Column("tenant", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("erased_at", DateTime(timezone=True)),
)
"""One row per subject that ever had a key or was erased; the row that serialises making and destroying keys."""

DATA_KEYS = Table(
    "secrets_data_keys",
    METADATA,
    Column("id", LargeBinary(16), primary_key=True),
    Column("tenant", String(255), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("master_key_id", String(128), nullable=False, index=True),
    Column("wrapped", LargeBinary, nullable=False),
    UniqueConstraint("tenant", "subject", "generation"),
    ForeignKeyConstraint(["tenant", "subject"], ["secrets_subjects.tenant", "secrets_subjects.subject"]),
)
