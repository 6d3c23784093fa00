"""The tables of the notifications database, as metadata: recipients, their notifications, deliveries."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from chassis.ddl import inbox_table, outbox_table

metadata = MetaData()

_TIME = DateTime(timezone=True)
_NOW = text("clock_timestamp()")
_PENDING = text("'PENDING'")

recipients = Table(
    "recipients",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("name", Text),
    Column("name_version", BigInteger, nullable=False, server_default=text("0")),
    Column("delivered", BigInteger, nullable=False, server_default=text("0")),
)
"""What is known of a recipient: the name as of the user's version `name_version`, and how many
deliveries were made to them, which numbers the events that tell of deliveries."""

notifications = Table(
    "notifications",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("transaction_id", Uuid),
    Column("status", Text, nullable=False, server_default=_PENDING),
    Column("correlation_id", Text, nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("delivered_at", _TIME),
    UniqueConstraint("event_id", "user_id", name="notifications_once"),
    CheckConstraint("status IN ('PENDING', 'DELIVERED', 'FAILED')", name="notifications_status"),
    CheckConstraint(
        "(status = 'DELIVERED') = (delivered_at IS NOT NULL)", name="notifications_delivered"
    ),
)
Index(
    "notifications_history",
    notifications.c.user_id,
    notifications.c.created_at,
    notifications.c.id,
)
Index("notifications_retention", notifications.c.created_at)

deliveries = Table(
    "deliveries",
    metadata,
    Column(
        "notification_id",
        Uuid,
        ForeignKey("notifications.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("channel", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=_PENDING),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", _TIME, nullable=False, server_default=_NOW),
    Column("last_error", Text),
    PrimaryKeyConstraint("notification_id", "channel", name="deliveries_pkey"),
    CheckConstraint("status IN ('PENDING', 'DELIVERED', 'FAILED')", name="deliveries_status"),
)
"""One notification on one channel. Taking it raises `attempts` and moves `next_attempt_at` ahead: that is
the lease, and the number fences off whoever held an earlier one."""
Index(
    "deliveries_due",
    deliveries.c.next_attempt_at,
    postgresql_where=deliveries.c.status == "PENDING",
)

outbox = outbox_table(metadata)
inbox = inbox_table(metadata)
