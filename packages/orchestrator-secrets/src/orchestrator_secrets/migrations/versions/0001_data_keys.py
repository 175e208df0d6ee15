"""Subjects and their data keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "secrets_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "secrets_subjects",
        sa.Column("tenant", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant", "subject", name="secrets_subjects_pk"),
    )
    op.create_table(
        "secrets_data_keys",
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("tenant", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("master_key_id", sa.String(128), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="secrets_data_keys_pk"),
        sa.UniqueConstraint("tenant", "subject", "generation", name="secrets_data_keys_tenant_subject_generation_uq"),
        sa.ForeignKeyConstraint(
            ["tenant", "subject"],
            ["secrets_subjects.tenant", "secrets_subjects.subject"],
            name="secrets_data_keys_tenant_subject_fk",
        ),
    )
    op.create_index("secrets_data_keys_master_key_id_ix", "secrets_data_keys", ["master_key_id"])


def downgrade() -> None:
    """Drop both tables, and with them every key: all sealed data becomes unreadable."""
    op.drop_table("secrets_data_keys")
    op.drop_table("secrets_subjects")
