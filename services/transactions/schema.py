"""The tables of the transactions service as SQLAlchemy metadata: what a migrated database looks like.

`migrations/` builds them; a test compares the two. A transaction is never deleted, and only its
status, links and the recovery worker's columns ever change. Money is not kept here: the ledger owns it.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from chassis.ddl import inbox_table, outbox_table

metadata = MetaData()

_TIME = DateTime(timezone=True)
_NOW = text("now()")

transactions = Table(
    "transactions",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'PENDING'")),
    # Null stands for the world outside: a deposit has no sender, a withdrawal no receiver.
    Column("sender_id", Uuid),
    Column("receiver_id", Uuid),
    Column("initiated_by", Uuid, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("description", Text),
    Column("metadata", JSONB),
    # Told to its initiator for ever; the row in `idempotency`, which guards it, is pruned.
    Column("idempotency_key", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("reverses", Uuid),
    Column("reversed_by", Uuid),
    Column("failure_reason", Text),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("processed_at", _TIME),
    # From here on the transaction is given up, by a tombstone in the ledger.
    Column("deadline_at", _TIME, nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    # The recovery worker's: when to send it again, who has it until when, how often it was sent.
    Column("next_attempt_at", _TIME),
    Column("lease_until", _TIME),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # W3C trace context of the request, null where it was not traced.
    Column("traceparent", Text),
    PrimaryKeyConstraint("id", name="transactions_pkey"),
    UniqueConstraint("reverses", name="transactions_reverses_key"),
    CheckConstraint(
        "type IN ('TRANSFER', 'DEPOSIT', 'WITHDRAWAL', 'REVERSAL')", name="transactions_type"
    ),
    CheckConstraint(
        "status IN ('PENDING', 'COMPLETED', 'FAILED', 'REVERSED')", name="transactions_status"
    ),
    CheckConstraint("amount > 0", name="transactions_amount"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="transactions_currency"),
    CheckConstraint(
        "CASE type WHEN 'TRANSFER' THEN sender_id <> receiver_id"
        " AND sender_id IS NOT NULL AND receiver_id IS NOT NULL"
        " WHEN 'DEPOSIT' THEN sender_id IS NULL AND receiver_id IS NOT NULL"
        " WHEN 'WITHDRAWAL' THEN sender_id IS NOT NULL AND receiver_id IS NULL"
        " ELSE sender_id IS DISTINCT FROM receiver_id END",
        name="transactions_parties",
    ),
    CheckConstraint("(type = 'REVERSAL') = (reverses IS NOT NULL)", name="transactions_reverses"),
    CheckConstraint(
        "(status = 'REVERSED') = (reversed_by IS NOT NULL)", name="transactions_reversed_by"
    ),
    CheckConstraint(
        "type <> 'REVERSAL' OR status <> 'REVERSED'", name="transactions_reversal_is_final"
    ),
    CheckConstraint(
        "(status = 'FAILED') = (failure_reason IS NOT NULL)", name="transactions_failure_reason"
    ),
    CheckConstraint(
        "(status = 'PENDING') = (processed_at IS NULL)", name="transactions_processed_at"
    ),
    CheckConstraint(
        "(status = 'PENDING') = (next_attempt_at IS NOT NULL)", name="transactions_next_attempt_at"
    ),
    # Every row is updated once or twice in its life, soon after its birth. Vacuumed often, since
    # statements are read from indexes alone only where the table is known to be visible.
    postgresql_with={
        "autovacuum_vacuum_scale_factor": "0.02",
        "autovacuum_vacuum_threshold": "5000",
        "autovacuum_vacuum_insert_scale_factor": "0.02",
        "autovacuum_vacuum_insert_threshold": "5000",
    },
)

_c = transactions.c

# A statement reads one of these backwards. What its filters look at is included, so that the rows
# that they refuse are skipped in the index.
Index(
    "transactions_sender",
    _c.sender_id,
    _c.created_at,
    _c.id,
    postgresql_include=["status", "type"],
    postgresql_where=text("sender_id IS NOT NULL"),
)
Index(
    "transactions_receiver",
    _c.receiver_id,
    _c.created_at,
    _c.id,
    postgresql_include=["status", "type"],
    postgresql_where=text("receiver_id IS NOT NULL"),
)
# The statement between two people.
Index(
    "transactions_pair",
    _c.sender_id,
    _c.receiver_id,
    _c.created_at,
    _c.id,
    postgresql_include=["status", "type"],
    postgresql_where=text("sender_id IS NOT NULL AND receiver_id IS NOT NULL"),
)
# The recovery scan: small, however large the table.
Index("transactions_due", _c.next_attempt_at, postgresql_where=text("status = 'PENDING'"))

idempotency = Table(
    "idempotency",
    metadata,
    Column("user_id", Uuid, nullable=False),
    Column("key", Text, nullable=False),
    Column("request_hash", LargeBinary, nullable=False),
    Column("transaction_id", Uuid, nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("user_id", "key", name="idempotency_pkey"),
    CheckConstraint("octet_length(request_hash) = 32", name="idempotency_request_hash"),
)
Index("idempotency_age", idempotency.c.created_at)

# What this service has heard of people's names. A copy of what users owns, for statements.
names = Table(
    "names",
    metadata,
    Column("user_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("user_id", name="names_pkey"),
)

outbox_table(metadata)
inbox_table(metadata)
