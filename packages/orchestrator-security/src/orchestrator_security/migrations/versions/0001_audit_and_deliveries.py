"""The audit log, and the webhook deliveries that were accepted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "security_0001"
down_revision = None
branch_labels = None
depends_on = None


def _signed_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
    ]


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "security_audit_entries",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(128)),
        sa.Column("event_type", sa.String(128)),
        sa.Column("tenant", sa.String(128)),
        sa.Column("occurred_at", sa.BigInteger()),
        sa.Column("expires", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text()),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="security_audit_entries_pk"),
        sa.UniqueConstraint("event_id", name="security_audit_entries_event_id_uq"),
    )
    op.create_index("security_audit_entries_occurred_at_ix", "security_audit_entries", ["occurred_at"])
    op.create_index("security_audit_entries_expires_ix", "security_audit_entries", ["expires"])
    op.create_table(
        "security_audit_head",
        sa.Column("chain", sa.String(32), nullable=False),
        *_signed_columns(),
        sa.PrimaryKeyConstraint("chain", name="security_audit_head_pk"),
    )
    op.create_table(
        "security_audit_checkpoints",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        *_signed_columns(),
        sa.PrimaryKeyConstraint("number", name="security_audit_checkpoints_pk"),
    )
    op.create_table(
        "security_deliveries",
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="security_deliveries_pk"),
    )
    op.create_index("security_deliveries_expires_at_ix", "security_deliveries", ["expires_at"])


def downgrade() -> None:
    """Drop all tables, and with them the audit log."""
    op.drop_table("security_deliveries")
    op.drop_table("security_audit_checkpoints")
    op.drop_table("security_audit_head")
    op.drop_table("security_audit_entries")
