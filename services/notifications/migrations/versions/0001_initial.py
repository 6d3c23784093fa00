"""Recipients, notifications, deliveries, the inbox and the outbox.

Revision ID: notifications_0001
"""

from alembic import op

from chassis.ddl import INBOX_V1, OUTBOX_V1

revision = "notifications_0001"
down_revision = None
branch_labels = None
depends_on = None

_RECIPIENTS = """
CREATE TABLE recipients (
    user_id uuid PRIMARY KEY,
    name text,
    name_version bigint NOT NULL DEFAULT 0,
    delivered bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70)
"""

_NOTIFICATIONS = """
CREATE TABLE notifications (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL,
    user_id uuid NOT NULL,
    type text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    transaction_id uuid,
    status text NOT NULL DEFAULT 'PENDING',
    correlation_id text NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    delivered_at timestamp with time zone,
    CONSTRAINT notifications_once UNIQUE (event_id, user_id),
    CONSTRAINT notifications_status CHECK (status IN ('PENDING', 'DELIVERED', 'FAILED')),
    CONSTRAINT notifications_delivered CHECK ((status = 'DELIVERED') = (delivered_at IS NOT NULL))
)
"""

_DELIVERIES = """
CREATE TABLE deliveries (
    notification_id uuid NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    channel text NOT NULL,
    status text NOT NULL DEFAULT 'PENDING',
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    last_error text,
    CONSTRAINT deliveries_pkey PRIMARY KEY (notification_id, channel),
    CONSTRAINT deliveries_status CHECK (status IN ('PENDING', 'DELIVERED', 'FAILED'))
)
"""

_INDEXES = (
    "CREATE INDEX notifications_history ON notifications (user_id, created_at, id)",
    "CREATE INDEX notifications_retention ON notifications (created_at)",
    "CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE status = 'PENDING'",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in (
        _RECIPIENTS,
        _NOTIFICATIONS,
        _DELIVERIES,
        *_INDEXES,
        OUTBOX_V1,
        INBOX_V1,
    ):
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables, and with them everybody's history."""
    for table in ("deliveries", "notifications", "recipients", "outbox", "inbox"):
        op.execute(f"DROP TABLE {table}")
