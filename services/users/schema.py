"""The tables of the users database, as metadata: who people are, their sessions, the keys that sign."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from chassis.ddl import outbox_table

metadata = MetaData()

_TIME = DateTime(timezone=True)
_NOW = text("clock_timestamp()")

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text),
    Column("picture_url", Text),
    Column("agency", Text),
    Column("account_number", Text),
    Column("account_type", Text),
    Column("role", Text, nullable=False, server_default=text("'customer'")),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("password_hash", Text, nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("updated_at", _TIME, nullable=False, server_default=_NOW),
    UniqueConstraint("email_key", name="users_email_key"),
    UniqueConstraint("agency", "account_number", name="users_bank_account_key"),
    CheckConstraint("role IN ('customer', 'support', 'admin')", name="users_role"),
    CheckConstraint("version >= 1", name="users_version"),
    CheckConstraint(
        "num_nonnulls(agency, account_number, account_type) IN (0, 3)", name="users_bank_account"
    ),
)
Index("users_page", users.c.created_at, users.c.id)

cache_refreshes = Table(
    "cache_refreshes",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("asked_at", _TIME, nullable=False, server_default=_NOW),
    Column("next_attempt_at", _TIME, nullable=False, server_default=_NOW),
)
"""Users whose cached profile is older than the row, at most one line each: written with the change,
deleted once the cache has taken the new version, however often that must be tried."""
Index("cache_refreshes_due", cache_refreshes.c.next_attempt_at)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("modulus", Text, nullable=False),
    Column("exponent", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("secret_id", Text, nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("signs_from", _TIME, nullable=False),
    Column("retire_at", _TIME),
)
"""`sealed` is the private key under AES-256-GCM with the operator's secret, whose name is `secret_id`.
`retire_at` is set when a successor is known: from then on no valid token is signed by this key."""

refresh_families = Table(
    "refresh_families",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("expires_at", _TIME, nullable=False),
    Column("ended_at", _TIME),
    Column("end_reason", Text),
    CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="refresh_families_end"),
    CheckConstraint(
        "end_reason IN ('logout', 'reuse', 'deactivation', 'limit')", name="refresh_families_reason"
    ),
)
"""A session: everything that grew from one sign-in. Its id is the `sid` of the access tokens."""
Index("refresh_families_user", refresh_families.c.user_id, refresh_families.c.created_at)
Index("refresh_families_expiry", refresh_families.c.expires_at)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column(
        "family_id", Uuid, ForeignKey("refresh_families.id", ondelete="CASCADE"), nullable=False
    ),
    Column("state", Text, nullable=False, server_default=text("'live'")),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("expires_at", _TIME, nullable=False),
    Column("used_at", _TIME),
    Column("successor", LargeBinary),
    CheckConstraint("octet_length(token_hash) = 32", name="refresh_tokens_hash"),
    CheckConstraint("state IN ('live', 'used', 'void')", name="refresh_tokens_state"),
    CheckConstraint(
        "(state = 'used') = (used_at IS NOT NULL AND successor IS NOT NULL)",
        name="refresh_tokens_used",
    ),
)
"""SHA-256 of each refresh token. At most one of a family is live: the unique index says so."""
Index("refresh_tokens_family", refresh_tokens.c.family_id)
Index("refresh_tokens_expiry", refresh_tokens.c.expires_at)
Index(
    "refresh_tokens_live",
    refresh_tokens.c.family_id,
    unique=True,
    postgresql_where=refresh_tokens.c.state == "live",
)

outbox = outbox_table(metadata)
