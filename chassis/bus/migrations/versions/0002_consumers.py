"""The PostgreSQL bus: who consumes.

Revision ID: bus_0002
"""

from alembic import op

from chassis.ddl import BUS_V2

revision = "bus_0002"
down_revision = "bus_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(BUS_V2)


def downgrade() -> None:
    op.execute("DROP TABLE bus_consumer")
