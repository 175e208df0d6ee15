"""The journal and the list of calls."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "calls_call",
        sa.Column("call_id", sa.String(128), primary_key=True),
        sa.Column("tenant", sa.String(128), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("caller", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("calls_call_by_tenant", "calls_call", ["tenant", "created_at"])
    op.create_index("calls_call_by_state", "calls_call", ["state"])
    op.create_index("calls_call_by_caller", "calls_call", ["tenant", "caller"])
    op.create_table(
        "calls_event",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(128), nullable=False),
        sa.Column("event_id", sa.String(400), nullable=False),
        sa.Column("call_id", sa.String(128), sa.ForeignKey("calls_call.call_id"), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=True),
        sa.Column("occurred_at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("tenant", "event_id", name="calls_event_once"),
    )
    op.create_index("calls_event_by_call", "calls_event", ["call_id", "position"])


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("calls_event")
    op.drop_table("calls_call")
