"""Accounts, transfers, entries, holds, and the chassis' outbox and inbox.

Frozen: a later change is a new revision.
"""

from alembic import op

from chassis.ddl import INBOX_V1, OUTBOX_V1

revision = "ledger_0001"
down_revision = None
branch_labels = None
depends_on = None

ACCOUNTS = """
CREATE TABLE accounts (
    id uuid NOT NULL,
    owner_id uuid,
    name text,
    currency text NOT NULL,
    balance bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    overdraft bigint DEFAULT 0,
    active boolean NOT NULL DEFAULT true,
    version bigint NOT NULL DEFAULT 0,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    updated_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT accounts_pkey PRIMARY KEY (id),
    CONSTRAINT accounts_owner_id_key UNIQUE (owner_id),
    CONSTRAINT accounts_name_key UNIQUE (name),
    CONSTRAINT accounts_owner_or_name CHECK ((owner_id IS NULL) <> (name IS NULL)),
    CONSTRAINT accounts_currency CHECK (length(currency) = 3),
    CONSTRAINT accounts_held CHECK (held >= 0),
    CONSTRAINT accounts_overdraft CHECK (
        CASE WHEN overdraft IS NULL THEN owner_id IS NULL ELSE overdraft >= 0 END
    ),
    CONSTRAINT accounts_funds CHECK (overdraft IS NULL OR balance - held >= -overdraft)
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
)
"""

TRANSFERS = """
CREATE TABLE ledger_transfers (
    id uuid NOT NULL,
    kind text NOT NULL,
    debit uuid NOT NULL,
    credit uuid NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    reason text,
    reverses uuid,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT ledger_transfers_pkey PRIMARY KEY (id),
    CONSTRAINT ledger_transfers_kind
        CHECK (kind IN ('TRANSFER', 'REVERSAL', 'TOMBSTONE', 'HOLD')),
    CONSTRAINT ledger_transfers_status CHECK (status IN ('POSTED', 'FAILED')),
    CONSTRAINT ledger_transfers_amount CHECK (amount > 0),
    CONSTRAINT ledger_transfers_two_accounts CHECK (debit <> credit),
    CONSTRAINT ledger_transfers_reason CHECK ((status = 'FAILED') = (reason IS NOT NULL)),
    CONSTRAINT ledger_transfers_reverses CHECK (
        CASE kind WHEN 'REVERSAL' THEN reverses IS NOT NULL WHEN 'TOMBSTONE' THEN true
        ELSE reverses IS NULL END
    ),
    CONSTRAINT ledger_transfers_tombstone CHECK (kind <> 'TOMBSTONE' OR status = 'FAILED')
)
"""

REVERSED_ONCE = """
CREATE UNIQUE INDEX ledger_transfers_reversed_once ON ledger_transfers (reverses)
WHERE reverses IS NOT NULL AND status = 'POSTED'
"""

ENTRIES = """
CREATE TABLE entries (
    transfer_id uuid NOT NULL,
    leg smallint NOT NULL,
    account_id uuid NOT NULL,
    amount bigint NOT NULL,
    balance_after bigint NOT NULL,
    account_version bigint NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT entries_pkey PRIMARY KEY (transfer_id, leg),
    CONSTRAINT entries_leg CHECK (
        CASE leg WHEN 1 THEN amount < 0 WHEN 2 THEN amount > 0 ELSE false END
    )
)
"""

HOLDS = """
CREATE TABLE holds (
    transfer_id uuid NOT NULL,
    account_id uuid NOT NULL,
    credit uuid NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    updated_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT holds_pkey PRIMARY KEY (transfer_id),
    CONSTRAINT holds_status CHECK (status IN ('HELD', 'CAPTURED', 'VOIDED', 'EXPIRED')),
    CONSTRAINT holds_amount CHECK (amount > 0)
)
"""

HOLDS_OPEN = "CREATE INDEX holds_open ON holds (account_id, expires_at) WHERE status = 'HELD'"

REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""

# One per statement, and only for statements that nobody should send: inserts pay nothing.
APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""

# uuid5(6ba7b812-9dad-11d1-80b4-00c04fd430c8, '@external/BRL'), as contract.external_account says.
EXTERNAL = """
INSERT INTO accounts (id, name, currency, overdraft)
VALUES ('8e8f9f52-ac5b-59ba-aac1-2cc4397bd7b5', '@external/BRL', 'BRL', NULL)
"""


def upgrade() -> None:
    for statement in (ACCOUNTS, TRANSFERS, REVERSED_ONCE, ENTRIES, HOLDS, HOLDS_OPEN, REFUSE):
        op.execute(statement)
    for table in ("ledger_transfers", "entries"):
        op.execute(APPEND_ONLY.format(table=table))
    op.execute(EXTERNAL)
    op.execute(OUTBOX_V1)
    op.execute(INBOX_V1)


def downgrade() -> None:
    raise NotImplementedError("money is not migrated backwards; restore a backup instead")
