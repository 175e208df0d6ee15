"""The tables of this package (extra `[sql]`), all in one `MetaData` with the prefix `monitoring_`. Instants are Unix seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, String, Table, Text

__all__ = [
    "ALERTS",
    "GROUPS",
    "HOURS",
    "LEASES",
    "MAINTENANCE",
    "METADATA",
    "NOTICES",
    "SAMPLES",
    "SILENCES",
    "VALUES",
]

METADATA = MetaData(naming_convention={"pk": "%(table_name)s_pk", "ix": "%(table_name)s_%(column_0_N_name)s_ix"})

SAMPLES = Table(
    "monitoring_slo_samples",
    METADATA,
    Column("slo", String(63), primary_key=True),
    Column("process", String(100), primary_key=True),
    Column("at", Double, primary_key=True),
    Column("since", Double, nullable=False),
    Column("part", Double, nullable=False),
    Column("total", Double, nullable=False),
    Column("excluded", Boolean, nullable=False),
    Index("monitoring_slo_samples_at_ix", "at"),
)

HOURS = Table(
    "monitoring_slo_hours",
    METADATA,
    Column("slo", String(63), primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("part", Double, nullable=False),
    Column("total", Double, nullable=False),
)
"""Sums of samples that count, by the hour."""

MAINTENANCE = Table(
    "monitoring_maintenance",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("starts", Double, nullable=False),
    Column("ends", Double, nullable=False),
    Column("slos", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

VALUES = Table(
    "monitoring_values",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("process", String(100), primary_key=True),
    Column("value", Double, nullable=False),
    Column("at", Double, nullable=False),
)
"""What each process last read of the gauges that alert rules watch."""

ALERTS = Table(
    "monitoring_alerts",
    METADATA,
    Column("fingerprint", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", Double, nullable=False),
    Column("document", Text, nullable=False),
    Column("acknowledged_by", String(200), nullable=False),
    Column("acknowledged_at", Double),
)
"""`acknowledged_*` are written by people's requests, everything else by whoever holds the lease."""

SILENCES = Table(
    "monitoring_silences",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("ends", Double, nullable=False),
    Column("document", Text, nullable=False),
)

GROUPS = Table(
    "monitoring_alert_groups",
    METADATA,
    Column("key", String(80), primary_key=True),
    Column("document", Text, nullable=False),
)
"""What each receiver was last told of each group."""

NOTICES = Table(
    "monitoring_notices",
    METADATA,
    Column("id", String(128), primary_key=True),
    Column("receiver", String(63), nullable=False),
    Column("group_key", String(80), nullable=False),
    Column("created", Double, nullable=False),
    Column("due", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("error", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index("monitoring_notices_outcome_receiver_ix", "outcome", "receiver", "due"),
)
"""Notices to receivers: `waiting` ones are sent until they are `sent` or `refused`."""

LEASES = Table(
    "monitoring_leases",
    METADATA,
    Column("name", String(63), primary_key=True),
    Column("holder", String(100), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires", Double, nullable=False),
)
"""Which process evaluates and notifies; the token grows with each change of hands."""
