"""People, sessions, signing keys and the outbox.

Revision ID: users_0001
"""

from alembic import op

from chassis.ddl import OUTBOX_V1

revision = "users_0001"
down_revision = None
branch_labels = None
depends_on = None

_USERS = """
CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    email_key text NOT NULL,
    name text NOT NULL,
    address text,
    picture_url text,
    agency text,
    account_number text,
    account_type text,
    role text NOT NULL DEFAULT 'customer',
    active boolean NOT NULL DEFAULT true,
    password_hash text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT users_email_key UNIQUE (email_key),
    CONSTRAINT users_bank_account_key UNIQUE (agency, account_number),
    CONSTRAINT users_role CHECK (role IN ('customer', 'support', 'admin')),
    CONSTRAINT users_version CHECK (version >= 1),
    CONSTRAINT users_bank_account
        CHECK (num_nonnulls(agency, account_number, account_type) IN (0, 3))
)
"""

_CACHE_REFRESHES = """
CREATE TABLE cache_refreshes (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    version bigint NOT NULL,
    asked_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    next_attempt_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
)
"""

_SIGNING_KEYS = """
CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    modulus text NOT NULL,
    exponent text NOT NULL,
    sealed bytea NOT NULL,
    secret_id text NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    signs_from timestamp with time zone NOT NULL,
    retire_at timestamp with time zone
)
"""

_REFRESH_FAMILIES = """
CREATE TABLE refresh_families (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    CONSTRAINT refresh_families_end CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT refresh_families_reason
        CHECK (end_reason IN ('logout', 'reuse', 'deactivation', 'limit'))
)
"""

_REFRESH_TOKENS = """
CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    family_id uuid NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'live',
    created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    successor bytea,
    CONSTRAINT refresh_tokens_hash CHECK (octet_length(token_hash) = 32),
    CONSTRAINT refresh_tokens_state CHECK (state IN ('live', 'used', 'void')),
    CONSTRAINT refresh_tokens_used
        CHECK ((state = 'used') = (used_at IS NOT NULL AND successor IS NOT NULL))
)
"""

_INDEXES = (
    "CREATE INDEX users_page ON users (created_at, id)",
    "CREATE INDEX cache_refreshes_due ON cache_refreshes (next_attempt_at)",
    "CREATE INDEX refresh_families_user ON refresh_families (user_id, created_at)",
    "CREATE INDEX refresh_families_expiry ON refresh_families (expires_at)",
    "CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id)",
    "CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at)",
    "CREATE UNIQUE INDEX refresh_tokens_live ON refresh_tokens (family_id) WHERE state = 'live'",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in (
        _USERS,
        _CACHE_REFRESHES,
        _SIGNING_KEYS,
        _REFRESH_FAMILIES,
        _REFRESH_TOKENS,
        *_INDEXES,
        OUTBOX_V1,
    ):
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables. Everybody is gone after this."""
    for table in (
        "refresh_tokens",
        "refresh_families",
        "signing_keys",
        "cache_refreshes",
        "users",
        "outbox",
    ):
        op.execute(f"DROP TABLE {table}")
