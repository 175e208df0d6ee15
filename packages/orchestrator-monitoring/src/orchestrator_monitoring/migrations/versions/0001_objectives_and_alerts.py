"""Samples of objectives, and everything that alerts need to survive a restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "monitoring_0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "monitoring_leases",
    "monitoring_notices",
    "monitoring_alert_groups",
    "monitoring_silences",
    "monitoring_alerts",
    "monitoring_values",
    "monitoring_maintenance",
    "monitoring_slo_hours",
    "monitoring_slo_samples",
)


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def _long_text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=False)


def _create(name: str, columns: Sequence[sa.Column[Any]], *key: str) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key, name=f"{name}_pk"))


def upgrade() -> None:
    """Create all tables."""
    _create(
        "monitoring_slo_samples",
        [
            _text("slo", 63),
            _text("process", 100),
            *map(_number, ("at", "since", "part", "total")),
            sa.Column("excluded", sa.Boolean(), nullable=False),
        ],
        "slo",
        "process",
        "at",
    )
    op.create_index("monitoring_slo_samples_at_ix", "monitoring_slo_samples", ["at"])
    hour = sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False)
    _create("monitoring_slo_hours", [_text("slo", 63), hour, _number("part"), _number("total")], "slo", "hour")
    _create(
        "monitoring_maintenance",
        [_text("id", 36), _number("starts"), _number("ends"), _long_text("slos"), _long_text("reason")],
        "id",
    )
    _create(
        "monitoring_values",
        [_text("name", 100), _text("process", 100), _number("value"), _number("at")],
        "name",
        "process",
    )
    _create_alerting()


def _create_alerting() -> None:
    acknowledged_at: sa.Column[float] = sa.Column("acknowledged_at", sa.Double())
    _create(
        "monitoring_alerts",
        [
            _text("fingerprint", 32),
            _text("state", 16),
            _number("since"),
            _long_text("document"),
            _text("acknowledged_by", 200),
            acknowledged_at,
        ],
        "fingerprint",
    )
    _create("monitoring_silences", [_text("id", 36), _number("ends"), _long_text("document")], "id")
    _create("monitoring_alert_groups", [_text("key", 80), _long_text("document")], "key")
    attempts: sa.Column[int] = sa.Column("attempts", sa.Integer(), nullable=False)
    _create(
        "monitoring_notices",
        [
            _text("id", 128),
            _text("receiver", 63),
            _text("group_key", 80),
            _number("created"),
            _number("due"),
            attempts,
            _text("outcome", 16),
            _long_text("error"),
            _long_text("document"),
        ],
        "id",
    )
    op.create_index("monitoring_notices_outcome_receiver_ix", "monitoring_notices", ["outcome", "receiver", "due"])
    token: sa.Column[int] = sa.Column("token", sa.BigInteger(), nullable=False)
    _create("monitoring_leases", [_text("name", 63), _text("holder", 100), token, _number("expires")], "name")


def downgrade() -> None:
    """Drop all tables."""
    for name in TABLES:
        op.drop_table(name)
