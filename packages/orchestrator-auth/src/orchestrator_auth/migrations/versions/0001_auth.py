"""Records and revocations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "auth_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the three tables."""
    op.create_table(
        "auth_records",
        sa.Column("kind", sa.String(128), nullable=False),
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("alias", sa.String(128)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name="auth_records_pk"),
        sa.UniqueConstraint("kind", "alias", name="auth_records_kind_alias_uq"),
    )
    op.create_index("auth_records_expires_at_ix", "auth_records", ["expires_at"])
    op.create_index("auth_records_kind_owner_id_ix", "auth_records", ["kind", "owner", "id"])
    op.create_table(
        "auth_revocation_clock",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="auth_revocation_clock_pk"),
    )
    op.create_table(
        "auth_revocations",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", sa.String(128), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("cutoff", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name="auth_revocations_pk"),
    )
    op.create_index("auth_revocations_version_ix", "auth_revocations", ["version"])
    op.create_index("auth_revocations_expires_at_ix", "auth_revocations", ["expires_at"])


def downgrade() -> None:
    """Drop the tables, and with them every user, session and key."""
    op.drop_table("auth_revocations")
    op.drop_table("auth_revocation_clock")
    op.drop_table("auth_records")
