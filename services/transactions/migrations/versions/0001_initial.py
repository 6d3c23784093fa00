"""Transactions, idempotency keys, names, and the chassis' outbox and inbox.

Frozen: a later change is a new revision.
"""

from alembic import op

from chassis.ddl import INBOX_V1, OUTBOX_V1

revision = "transactions_0001"
down_revision = None
branch_labels = None
depends_on = None

TRANSACTIONS = """
CREATE TABLE transactions (
    id uuid NOT NULL,
    type text NOT NULL,
    status text NOT NULL DEFAULT 'PENDING',
    sender_id uuid,
    receiver_id uuid,
    initiated_by uuid NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    description text,
    metadata jsonb,
    idempotency_key text NOT NULL,
    correlation_id text NOT NULL,
    reverses uuid,
    reversed_by uuid,
    failure_reason text,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    processed_at timestamp with time zone,
    deadline_at timestamp with time zone NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    next_attempt_at timestamp with time zone,
    lease_until timestamp with time zone,
    attempts integer NOT NULL DEFAULT 0,
    CONSTRAINT transactions_pkey PRIMARY KEY (id),
    CONSTRAINT transactions_reverses_key UNIQUE (reverses),
    CONSTRAINT transactions_type
        CHECK (type IN ('TRANSFER', 'DEPOSIT', 'WITHDRAWAL', 'REVERSAL')),
    CONSTRAINT transactions_status
        CHECK (status IN ('PENDING', 'COMPLETED', 'FAILED', 'REVERSED')),
    CONSTRAINT transactions_amount CHECK (amount > 0),
    CONSTRAINT transactions_currency CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT transactions_parties CHECK (
        CASE type
            WHEN 'TRANSFER' THEN sender_id <> receiver_id
                AND sender_id IS NOT NULL AND receiver_id IS NOT NULL
            WHEN 'DEPOSIT' THEN sender_id IS NULL AND receiver_id IS NOT NULL
            WHEN 'WITHDRAWAL' THEN sender_id IS NOT NULL AND receiver_id IS NULL
            ELSE sender_id IS DISTINCT FROM receiver_id
        END
    ),
    CONSTRAINT transactions_reverses CHECK ((type = 'REVERSAL') = (reverses IS NOT NULL)),
    CONSTRAINT transactions_reversed_by
        CHECK ((status = 'REVERSED') = (reversed_by IS NOT NULL)),
    CONSTRAINT transactions_reversal_is_final CHECK (type <> 'REVERSAL' OR status <> 'REVERSED'),
    CONSTRAINT transactions_failure_reason
        CHECK ((status = 'FAILED') = (failure_reason IS NOT NULL)),
    CONSTRAINT transactions_processed_at
        CHECK ((status = 'PENDING') = (processed_at IS NULL)),
    CONSTRAINT transactions_next_attempt_at
        CHECK ((status = 'PENDING') = (next_attempt_at IS NOT NULL))
) WITH (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_vacuum_insert_threshold = 5000
)
"""

IDEMPOTENCY = """
CREATE TABLE idempotency (
    user_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    transaction_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (user_id, key),
    CONSTRAINT idempotency_request_hash CHECK (octet_length(request_hash) = 32)
)
"""

NAMES = """
CREATE TABLE names (
    user_id uuid NOT NULL,
    name text NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT names_pkey PRIMARY KEY (user_id)
)
"""

INDEXES = (
    """
    CREATE INDEX transactions_sender ON transactions (sender_id, created_at, id)
    INCLUDE (status, type) WHERE sender_id IS NOT NULL
    """,
    """
    CREATE INDEX transactions_receiver ON transactions (receiver_id, created_at, id)
    INCLUDE (status, type) WHERE receiver_id IS NOT NULL
    """,
    """
    CREATE INDEX transactions_pair ON transactions (sender_id, receiver_id, created_at, id)
    INCLUDE (status, type) WHERE sender_id IS NOT NULL AND receiver_id IS NOT NULL
    """,
    "CREATE INDEX transactions_due ON transactions (next_attempt_at) WHERE status = 'PENDING'",
    "CREATE INDEX idempotency_age ON idempotency (created_at)",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in (TRANSACTIONS, IDEMPOTENCY, NAMES, *INDEXES, OUTBOX_V1, INBOX_V1):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("transactions are not migrated backwards; restore a backup instead")
