"""The trace context of the request that began a transaction, so that its later steps belong to it.

Frozen: a later change is a new revision.
"""

from alembic import op

revision = "transactions_0002"
down_revision = "transactions_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    # Without a default: no row is rewritten, and the lock is held for an instant.
    op.execute("ALTER TABLE transactions ADD COLUMN traceparent text")


def downgrade() -> None:
    raise NotImplementedError("transactions are not migrated backwards; restore a backup instead")
