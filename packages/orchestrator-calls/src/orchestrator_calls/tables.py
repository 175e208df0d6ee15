"""The tables of this package. Instants are whole microseconds since 1970 in UTC, the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

__all__ = ["CALL", "EVENT", "METADATA", "PROCESS", "SNAPSHOT", "from_micros", "to_micros"]

METADATA = MetaData()

CALL = Table(
    "calls_call",
    METADATA,
    Column("call_id", String(128), primary_key=True),
    Column("tenant", String(128), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("caller", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("owner", String(64), nullable=False, server_default=text("''")),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("taken", BigInteger, nullable=False, server_default=text("0")),
    Index("calls_call_by_tenant", "tenant", "created_at"),
    Index("calls_call_by_state", "state"),
    Index("calls_call_by_caller", "tenant", "caller"),
)

EVENT = Table(
    "calls_event",
    METADATA,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("tenant", String(128), nullable=False),
    Column("event_id", String(400), nullable=False),
    Column("call_id", String(128), ForeignKey("calls_call.call_id"), nullable=False),
    Column("type", String(32), nullable=False),
    Column("source", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=True),
    Column("occurred_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    UniqueConstraint("tenant", "event_id", name="calls_event_once"),
    Index("calls_event_by_call", "call_id", "position"),
)

SNAPSHOT = Table(
    "calls_snapshot",
    METADATA,
    Column("call_id", String(128), ForeignKey("calls_call.call_id"), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

PROCESS = Table(
    "calls_process",
    METADATA,
    Column("owner", String(64), primary_key=True),
    Column("lives_until", BigInteger, nullable=False),
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """Whole microseconds since 1970 of an aware instant; exact."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC instant."""
    return _EPOCH + timedelta(microseconds=micros)
