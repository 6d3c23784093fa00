"""Accounts: opened once, seen by who may, switched on and off, from requests and from events."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import messages
from chassis.context import Call, UserIdentity
from chassis.database import transaction
from chassis.errors import CodedError
from chassis.messages import Event
from resilience.deadline import Deadline
from services.ledger import intake
from services.ledger.contract import (
    OPERATIONS,
    GetAccounts,
    OpenAccount,
    SetAccountActive,
    account_id_of,
)
from services.ledger.operations import Operations
from services.ledger.store import PostgresStore, connector
from services.ledger.writer import Writer
from services.users.contract import UserActivationUpdated, UserRegistered


def call(service: str = "users", user: UserIdentity | None = None) -> Call:
    return Call("0123456789abcdef", Deadline.after(5), service=service, user=user)


@pytest.fixture
def operations(engine: AsyncEngine, database_url: str) -> Operations:
    """The handlers; their writer does not run, since accounts do not need it."""
    return Operations(engine, Writer(PostgresStore(connector(database_url))))


async def take_in(engine: AsyncEngine, data: msgspec.Struct, type_: str) -> None:
    """Handle an event as the inbox does."""
    event = Event.of(
        data,
        topic=messages.USER_EVENTS,
        type=type_,
        key=uuid4(),
        version=1,
        occurred_at=datetime.now(UTC),
        correlation_id="0123456789abcdef",
    )
    async with transaction(engine) as uow:
        await intake.handlers()[type_](uow.connection, event)
        await uow.commit()


async def test_every_operation_has_a_handler(operations: Operations) -> None:
    """The contract and the handlers list the same operations."""
    assert set(operations.handlers()) == set(OPERATIONS)


async def test_opening_again_changes_nothing(operations: Operations) -> None:
    """One account per user, however often and however concurrently it is opened."""
    owner = uuid4()

    opened = await asyncio.gather(
        *(operations.open_account(call(), OpenAccount(owner_id=owner)) for _ in range(5))
    )

    first = opened[0].account
    assert first.id == account_id_of(owner)
    assert (first.balance, first.available, first.active, first.version) == (0, 0, True, 0)
    assert len({item.account.created_at for item in opened}) == 1


async def test_a_currency_that_is_not_kept_is_refused(operations: Operations) -> None:
    """UNSUPPORTED_CURRENCY, and no account is opened."""
    owner = uuid4()

    with pytest.raises(CodedError) as refused:
        await operations.open_account(call(), OpenAccount(owner_id=owner, currency="USD"))

    assert (refused.value.code, refused.value.field) == ("UNSUPPORTED_CURRENCY", "currency")
    seen = await operations.get_accounts(call("transactions"), GetAccounts(owner_ids=[owner]))
    assert seen.accounts == [None]


@pytest.mark.parametrize(
    ("service", "role", "own", "visible"),
    [
        ("gateway", "customer", True, True),
        ("gateway", "customer", False, False),
        ("gateway", "support", False, True),
        ("gateway", "admin", False, True),
        ("gateway", None, False, False),
        ("transactions", None, False, True),
        ("transactions", "customer", False, False),
    ],
)
async def test_who_sees_an_account(
    operations: Operations, service: str, role: str | None, own: bool, visible: bool
) -> None:
    """The owner, staff, and services on their own behalf; never the gateway for nobody."""
    owner = uuid4()
    await operations.open_account(call(), OpenAccount(owner_id=owner))
    user = None if role is None else UserIdentity(owner if own else uuid4(), role)

    seen = await operations.get_accounts(call(service, user), GetAccounts(owner_ids=[owner]))

    assert (seen.accounts[0] is not None) == visible


async def test_accounts_come_in_the_order_asked(operations: Operations) -> None:
    """One entry per owner asked, also for repeated and unknown ones."""
    one, two = uuid4(), uuid4()
    for owner in (one, two):
        await operations.open_account(call(), OpenAccount(owner_id=owner))

    asked = [two, uuid4(), one, two]
    seen = await operations.get_accounts(call("transactions"), GetAccounts(owner_ids=asked))

    owners = [account.owner_id if account else None for account in seen.accounts]
    assert owners == [two, None, one, two]


async def test_switching_is_idempotent_and_counts_versions(operations: Operations) -> None:
    """The version grows with each change and not with a repetition."""
    owner = uuid4()
    await operations.open_account(call(), OpenAccount(owner_id=owner))

    async def switch(active: bool) -> tuple[bool, int]:
        request = SetAccountActive(owner_id=owner, active=active)
        account = (await operations.set_account_active(call(), request)).account
        return account.active, account.version

    assert [await switch(False), await switch(False), await switch(True)] == [
        (False, 1),
        (False, 1),
        (True, 2),
    ]


async def test_switching_nobodys_account_is_refused(operations: Operations) -> None:
    """ACCOUNT_NOT_FOUND."""
    with pytest.raises(CodedError) as refused:
        await operations.set_account_active(
            call(), SetAccountActive(owner_id=uuid4(), active=False)
        )
    assert refused.value.code == "ACCOUNT_NOT_FOUND"


async def test_events_open_and_switch(engine: AsyncEngine, operations: Operations) -> None:
    """`user.registered` opens once, active or not; `user.activation.updated` switches."""
    owner = uuid4()
    registered = UserRegistered(user_id=owner, name="Alice", active=False)

    await take_in(engine, registered, messages.USER_REGISTERED)
    assert await _active(engine, owner) is False
    activation = UserActivationUpdated(user_id=owner, active=True)
    await take_in(engine, activation, messages.USER_ACTIVATION_UPDATED)
    await take_in(engine, registered, messages.USER_REGISTERED)

    assert await _active(engine, owner) is True


async def test_an_activation_that_comes_first_opens_the_account(engine: AsyncEngine) -> None:
    """Should it be missing, the account is opened as the event says."""
    owner = uuid4()
    activation = UserActivationUpdated(user_id=owner, active=False)

    await take_in(engine, activation, messages.USER_ACTIVATION_UPDATED)

    assert await _active(engine, owner) is False


async def test_the_intake_handles_what_the_topology_sends() -> None:
    """Every event type that is routed to the ledger has a handler, and no other."""
    routed = messages.TOPOLOGY[messages.USER_EVENTS]["ledger"]
    assert set(intake.handlers()) == set(routed)


async def _active(engine: AsyncEngine, owner: UUID) -> object:
    async with engine.connect() as connection:
        found = await connection.execute(
            text("SELECT active FROM accounts WHERE owner_id = :owner"), {"owner": owner}
        )
        return found.scalar_one()
