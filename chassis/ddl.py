"""The chassis' tables in each service's database, as frozen SQL and as SQLAlchemy tables.

Migrations run the frozen constants (`op.execute(OUTBOX_V1)`); a later version of a table is a new
constant and a new revision, never an edit. The table functions describe the newest version, so that
a test can compare a migrated database with a service's metadata:

    metadata = MetaData()
    outbox_table(metadata)
    inbox_table(metadata)
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)

# One statement each: a prepared statement, which asyncpg uses, takes only one.
OUTBOX_V1: Final = """
DO $ddl$ BEGIN
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic text NOT NULL,
        key text NOT NULL,
        payload bytea NOT NULL,
        created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
    ) WITH (
        -- A queue: nearly empty, with every row soon dead. Vacuum by count, not by share.
        autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_insert_scale_factor = 0,
        autovacuum_vacuum_insert_threshold = 50000
    );
END $ddl$
"""
"""Events that are true and not yet confirmed by the bus. `chassis.outbox` writes and empties it."""

INBOX_V1: Final = """
DO $ddl$ BEGIN
    CREATE TABLE inbox (
        consumer text NOT NULL,
        message_id uuid NOT NULL,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        topic text NOT NULL,
        key text COLLATE "C" NOT NULL,
        payload bytea,
        state text NOT NULL DEFAULT 'pending',
        attempts integer NOT NULL DEFAULT 0,
        failures integer NOT NULL DEFAULT 0,
        next_attempt_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
        last_error text,
        received_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
        done_at timestamp with time zone,
        CONSTRAINT inbox_pkey PRIMARY KEY (consumer, message_id),
        CONSTRAINT inbox_state CHECK (state IN ('pending', 'parked', 'done')),
        CONSTRAINT inbox_done CHECK ((state = 'done') = (done_at IS NOT NULL)),
        CONSTRAINT inbox_payload CHECK (state = 'done' OR payload IS NOT NULL)
    ) WITH (
        autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 5000
    );
    CREATE INDEX inbox_open ON inbox (consumer, key, seq) WHERE state <> 'done';
    CREATE INDEX inbox_parked ON inbox (consumer, seq) WHERE state = 'parked';
    CREATE INDEX inbox_retention ON inbox (done_at) WHERE state = 'done';
END $ddl$
"""
"""Messages that this service has taken over from the bus, and what became of them. `inbox_open`
finds the oldest open message of each key without reading those that wait behind it."""


BUS_V1: Final = """
DO $ddl$ BEGIN
    CREATE TABLE bus_subscription (
        topic text NOT NULL,
        consumer_group text NOT NULL,
        type text NOT NULL,
        CONSTRAINT bus_subscription_pkey PRIMARY KEY (topic, consumer_group, type)
    );
    CREATE TABLE bus_message (
        topic text NOT NULL,
        consumer_group text NOT NULL,
        id bigint GENERATED ALWAYS AS IDENTITY,
        payload bytea NOT NULL,
        created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT bus_message_pkey PRIMARY KEY (topic, consumer_group, id)
    ) WITH (
        autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_insert_scale_factor = 0,
        autovacuum_vacuum_insert_threshold = 50000
    );
    CREATE TABLE bus_dead_letter (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic text NOT NULL,
        consumer_group text NOT NULL,
        payload bytea NOT NULL,
        created_at timestamp with time zone NOT NULL,
        died_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
    );
END $ddl$
"""
"""The PostgreSQL bus, in a database of its own: who wants what, one row per message and group, and
what could not be decoded. `chassis.bus.postgres` uses it."""

BUS_V2: Final = """
CREATE TABLE bus_consumer (
    topic text NOT NULL,
    consumer_group text NOT NULL,
    instance uuid NOT NULL,
    seen_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT bus_consumer_pkey PRIMARY KEY (topic, consumer_group, instance)
) WITH (fillfactor = 50)
"""
"""On top of `BUS_V1`: who consumes, told by the consumers' own signs of life."""


def outbox_table(metadata: MetaData) -> Table:
    """`OUTBOX_V1` as metadata."""
    return Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("topic", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("created_at", _TIME, nullable=False, server_default=_NOW),
    )


def inbox_table(metadata: MetaData) -> Table:
    """`INBOX_V1` as metadata."""
    table = Table(
        "inbox",
        metadata,
        Column("consumer", Text, nullable=False),
        Column("message_id", Uuid, nullable=False),
        Column("seq", BigInteger, Identity(always=True), nullable=False),
        Column("topic", Text, nullable=False),
        Column("key", Text(collation="C"), nullable=False),
        Column("payload", LargeBinary),
        Column("state", Text, nullable=False, server_default=text("'pending'")),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("failures", Integer, nullable=False, server_default=text("0")),
        Column("next_attempt_at", _TIME, nullable=False, server_default=_NOW),
        Column("last_error", Text),
        Column("received_at", _TIME, nullable=False, server_default=_NOW),
        Column("done_at", _TIME),
        PrimaryKeyConstraint("consumer", "message_id", name="inbox_pkey"),
        CheckConstraint("state IN ('pending', 'parked', 'done')", name="inbox_state"),
        CheckConstraint("(state = 'done') = (done_at IS NOT NULL)", name="inbox_done"),
        CheckConstraint("state = 'done' OR payload IS NOT NULL", name="inbox_payload"),
    )
    columns = table.c
    is_open = columns.state != "done"
    Index("inbox_open", columns.consumer, columns.key, columns.seq, postgresql_where=is_open)
    Index(
        "inbox_parked",
        columns.consumer,
        columns.seq,
        postgresql_where=columns.state == "parked",
    )
    Index("inbox_retention", columns.done_at, postgresql_where=columns.state == "done")
    return table


def bus_tables(metadata: MetaData) -> tuple[Table, ...]:
    """`BUS_V1` and `BUS_V2` as metadata."""
    subscription = Table(
        "bus_subscription",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("consumer_group", Text, primary_key=True),
        Column("type", Text, primary_key=True),
    )
    message = Table(
        "bus_message",
        metadata,
        Column("topic", Text, nullable=False),
        Column("consumer_group", Text, nullable=False),
        Column("id", BigInteger, Identity(always=True), nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("created_at", _TIME, nullable=False, server_default=_NOW),
        PrimaryKeyConstraint("topic", "consumer_group", "id", name="bus_message_pkey"),
    )
    dead_letter = Table(
        "bus_dead_letter",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("topic", Text, nullable=False),
        Column("consumer_group", Text, nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("created_at", _TIME, nullable=False),
        Column("died_at", _TIME, nullable=False, server_default=_NOW),
    )
    consumer = Table(
        "bus_consumer",
        metadata,
        Column("topic", Text, nullable=False),
        Column("consumer_group", Text, nullable=False),
        Column("instance", Uuid, nullable=False),
        Column("seen_at", _TIME, nullable=False, server_default=_NOW),
        PrimaryKeyConstraint("topic", "consumer_group", "instance", name="bus_consumer_pkey"),
    )
    return subscription, message, dead_letter, consumer


_TIME = DateTime(timezone=True)
_NOW = text("clock_timestamp()")
