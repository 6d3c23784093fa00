"""A bank of one service: the real parts on a real database, with a ledger that fails on command."""

import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.context import Call, UserIdentity, new_correlation_id
from chassis.database import create_engine
from chassis.messages import Event, decode
from chassis.metrics import Metrics
from resilience.deadline import Deadline
from services.transactions.contract import (
    Create,
    Reverse,
    Transaction,
    TransactionAnswer,
    TransactionType,
)
from services.transactions.names import write_name
from services.transactions.parts import Parts, assemble
from tests.conftest import MigratedDatabase
from tests.services.transactions.scripted_ledger import ScriptedLedger

_numbers = itertools.count(1)


def call_of(
    user_id: UUID | None, *, role: str = "customer", seconds: float = 20.0, service: str = "gateway"
) -> Call:
    """A call for that user."""
    user = None if user_id is None else UserIdentity(user_id, role)
    return Call(new_correlation_id(), Deadline.after(seconds), service=service, user=user)


def new_key() -> str:
    return f"key-{next(_numbers):08d}"


def transfer_to(receiver: UUID, amount: int = 100, **fields: Any) -> Create:
    """A request for a transfer, with a fresh key unless one is given."""
    fields = {"idempotency_key": new_key(), "type": TransactionType.TRANSFER} | fields
    return Create(receiver_id=receiver, amount=amount, currency="BRL", **fields)


def order(type_: TransactionType, amount: int = 100, **fields: Any) -> Create:
    """A request for a deposit or a withdrawal."""
    fields = {"idempotency_key": new_key()} | fields
    return Create(type=type_, amount=amount, currency="BRL", **fields)


@dataclass
class Bank:
    """The service's parts and what surrounds them."""

    engine: AsyncEngine
    ledger: ScriptedLedger
    metrics: Metrics
    parts: Parts
    rebuild: Callable[..., Parts]
    staff: UUID = field(default_factory=uuid4)

    def person(self, balance: int = 0) -> UUID:
        """Somebody with an account in the ledger."""
        user_id = uuid4()
        self.ledger.open(user_id, balance)
        return user_id

    async def create(
        self, user_id: UUID, request: Create, *, seconds: float = 20.0
    ) -> TransactionAnswer:
        return await self.parts.transfers.create(call_of(user_id, seconds=seconds), request)

    async def transfer(self, sender: UUID, receiver: UUID, amount: int = 100) -> Transaction:
        """A transfer that is expected to be answered."""
        return (await self.create(sender, transfer_to(receiver, amount))).transaction

    async def reverse(self, transaction_id: UUID, **fields: Any) -> TransactionAnswer:
        fields = {"idempotency_key": new_key()} | fields
        request = Reverse(transaction_id=transaction_id, **fields)
        return await self.parts.transfers.reverse(call_of(self.staff, role="support"), request)

    async def recover(self, rounds: int = 20) -> None:
        """Let the recovery worker do all that is due, whatever its backoff says."""
        for _ in range(rounds):
            await self.make_due()
            if await self.parts.recovery.once() is None:
                return

    async def make_due(self) -> None:
        """Let all leases and backoffs be over."""
        await self.execute(
            "UPDATE transactions SET next_attempt_at = now() - interval '1 s', lease_until = NULL"
            " WHERE status = 'PENDING'"
        )

    async def pass_deadlines(self) -> None:
        """A day goes by."""
        await self.execute(
            "UPDATE transactions SET deadline_at = now() - interval '1 s' WHERE status = 'PENDING'"
        )

    async def execute(self, statement: str, **parameters: Any) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement), parameters)

    async def rows(self, statement: str, **parameters: Any) -> list[Any]:
        async with self.engine.connect() as connection:
            return list(await connection.execute(text(statement), parameters))

    async def count(self, table: str = "transactions") -> int:
        return int((await self.rows(f"SELECT count(*) FROM {table}"))[0][0])

    async def statuses(self) -> dict[UUID, str]:
        rows = await self.rows("SELECT id, status FROM transactions")
        return {row.id: row.status for row in rows}

    async def events(self) -> list[Event]:
        """Everything in the outbox, oldest first."""
        return [
            decode(row.payload) for row in await self.rows("SELECT payload FROM outbox ORDER BY id")
        ]

    async def name(self, user_id: UUID, name: str, version: int = 1) -> None:
        async with self.engine.begin() as connection:
            await write_name(connection, user_id, name, version)

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
async def database_url(migrated_database: MigratedDatabase) -> str:
    """A freshly migrated database of the service."""
    return await migrated_database("transactions")


@pytest.fixture
async def bank(database_url: str) -> AsyncIterator[Bank]:
    """The parts, assembled."""
    engine = create_engine(database_url, application_name="test")
    ledger = ScriptedLedger()

    def rebuild(metrics: Metrics | None = None, **options: Any) -> Parts:
        """Other parts on the same database: a replica, or a process after a restart."""
        defaults: dict[str, Any] = {"engine": engine, "ledger": ledger}
        return assemble(metrics=metrics or Metrics(), **(defaults | options))

    metrics = Metrics()
    made = Bank(engine, ledger, metrics, rebuild(metrics), rebuild)
    try:
        yield made
    finally:
        ledger.gate.set()
        await made.parts.transfers.drain()
        await engine.dispose()
