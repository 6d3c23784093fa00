"""The ledger's tables as SQLAlchemy metadata: what a migrated database looks like.

`migrations/` builds them; a test compares the two. Transfers and entries are append-only (a trigger
refuses changes): what has been posted is taken back by another transfer, never by an UPDATE. There are
no foreign keys to `accounts`: each posting would pay for four look-ups of rows that the same
transaction has already locked, and accounts are never deleted. The ledger's check counts instead.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from chassis.ddl import inbox_table, outbox_table

metadata = MetaData()

_TIME = DateTime(timezone=True)
_NOW = text("now()")

accounts = Table(
    "accounts",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("owner_id", Uuid),
    Column("name", Text),
    Column("currency", Text, nullable=False),
    Column("balance", BigInteger, nullable=False, server_default=text("0")),
    Column("held", BigInteger, nullable=False, server_default=text("0")),
    # Null: unlimited, for system accounts, which stand for the world outside.
    Column("overdraft", BigInteger, server_default=text("0")),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("updated_at", _TIME, nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("id", name="accounts_pkey"),
    UniqueConstraint("owner_id", name="accounts_owner_id_key"),
    UniqueConstraint("name", name="accounts_name_key"),
    CheckConstraint("(owner_id IS NULL) <> (name IS NULL)", name="accounts_owner_or_name"),
    CheckConstraint("length(currency) = 3", name="accounts_currency"),
    CheckConstraint("held >= 0", name="accounts_held"),
    CheckConstraint(
        "CASE WHEN overdraft IS NULL THEN owner_id IS NULL ELSE overdraft >= 0 END",
        name="accounts_overdraft",
    ),
    CheckConstraint("overdraft IS NULL OR balance - held >= -overdraft", name="accounts_funds"),
    # Half-full pages: an update finds room beside the old row and leaves the indexes alone.
    postgresql_with={
        "fillfactor": "50",
        "autovacuum_vacuum_scale_factor": "0.02",
        "autovacuum_vacuum_threshold": "1000",
    },
)

ledger_transfers = Table(
    "ledger_transfers",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("debit", Uuid, nullable=False),
    Column("credit", Uuid, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("reverses", Uuid),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("id", name="ledger_transfers_pkey"),
    CheckConstraint(
        "kind IN ('TRANSFER', 'REVERSAL', 'TOMBSTONE', 'HOLD')", name="ledger_transfers_kind"
    ),
    CheckConstraint("status IN ('POSTED', 'FAILED')", name="ledger_transfers_status"),
    CheckConstraint("amount > 0", name="ledger_transfers_amount"),
    CheckConstraint("debit <> credit", name="ledger_transfers_two_accounts"),
    CheckConstraint("(status = 'FAILED') = (reason IS NOT NULL)", name="ledger_transfers_reason"),
    CheckConstraint(
        "CASE kind WHEN 'REVERSAL' THEN reverses IS NOT NULL WHEN 'TOMBSTONE' THEN true "
        "ELSE reverses IS NULL END",
        name="ledger_transfers_reverses",
    ),
    CheckConstraint("kind <> 'TOMBSTONE' OR status = 'FAILED'", name="ledger_transfers_tombstone"),
)
# At most one reversal moves money; one that failed for want of funds does not use up the right.
Index(
    "ledger_transfers_reversed_once",
    ledger_transfers.c.reverses,
    unique=True,
    postgresql_where=text("reverses IS NOT NULL AND status = 'POSTED'"),
)

entries = Table(
    "entries",
    metadata,
    Column("transfer_id", Uuid, nullable=False),
    Column("leg", SmallInteger, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("balance_after", BigInteger, nullable=False),
    # The account's version after this entry: orders the entries of one account.
    Column("account_version", BigInteger, nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("transfer_id", "leg", name="entries_pkey"),
    CheckConstraint(
        "CASE leg WHEN 1 THEN amount < 0 WHEN 2 THEN amount > 0 ELSE false END",
        name="entries_leg",
    ),
)

holds = Table(
    "holds",
    metadata,
    Column("transfer_id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("credit", Uuid, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("expires_at", _TIME, nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("updated_at", _TIME, nullable=False, server_default=_NOW),
    PrimaryKeyConstraint("transfer_id", name="holds_pkey"),
    CheckConstraint("status IN ('HELD', 'CAPTURED', 'VOIDED', 'EXPIRED')", name="holds_status"),
    CheckConstraint("amount > 0", name="holds_amount"),
)
Index(
    "holds_open",
    holds.c.account_id,
    holds.c.expires_at,
    postgresql_where=text("status = 'HELD'"),
)

outbox_table(metadata)
inbox_table(metadata)
