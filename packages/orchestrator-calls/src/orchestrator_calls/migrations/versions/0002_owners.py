"""Who owns a call, which processes live, and snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns of ownership and both tables."""
    op.add_column("calls_call", sa.Column("owner", sa.String(64), nullable=False, server_default=sa.text("''")))
    op.add_column("calls_call", sa.Column("epoch", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("calls_call", sa.Column("taken", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.create_table(
        "calls_snapshot",
        sa.Column("call_id", sa.String(128), sa.ForeignKey("calls_call.call_id"), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "calls_process",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("lives_until", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop them; calls go on in one process."""
    op.drop_table("calls_process")
    op.drop_table("calls_snapshot")
    for column in ("taken", "epoch", "owner"):
        op.drop_column("calls_call", column)
