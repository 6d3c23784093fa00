"""The PostgreSQL bus: subscriptions, messages, dead letters.

Revision ID: bus_0001
"""

from alembic import op

from chassis.ddl import BUS_V1

revision = "bus_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(BUS_V1)


def downgrade() -> None:
    op.execute("DROP TABLE bus_dead_letter, bus_message, bus_subscription")
