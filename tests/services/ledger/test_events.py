"""`user.balance.updated`: one event per user account and batch, in the transaction of the change."""

from uuid import UUID, uuid4

from chassis.messages import USER_BALANCE_UPDATED, USER_EVENTS, Event, decode
from services.ledger.contract import BalanceUpdated
from services.ledger.holds import HoldAction
from tests.services.ledger.conftest import (
    CORRELATION,
    EXTERNAL,
    Bank,
    hold,
    tombstone,
    transfer,
)


async def emitted(bank: Bank) -> list[Event]:
    """What stands in the outbox, oldest first; the outbox is emptied."""
    rows = await bank.sql.fetch("SELECT key, topic, payload FROM outbox ORDER BY id")
    await bank.sql.execute("DELETE FROM outbox")
    events = [decode(row["payload"]) for row in rows]
    assert [(row["topic"], row["key"]) for row in rows] == [(e.topic, e.key) for e in events]
    return events


async def test_both_accounts_of_a_transfer_are_told(bank: Bank) -> None:
    """The event has the account's state after the batch, its version, and the request's correlation."""
    alice, bob = await bank.open(100), await bank.open()
    await emitted(bank)
    wish = transfer(alice, bob, 60)
    await bank.post(wish)

    events = {UUID(event.key): event for event in await emitted(bank)}

    assert set(events) == {alice, bob}
    told = events[alice]
    assert (told.topic, told.type) == (USER_EVENTS, USER_BALANCE_UPDATED)
    assert (told.version, told.correlation_id) == (2, CORRELATION)
    assert told.read(BalanceUpdated) == BalanceUpdated(
        account_id=alice,
        owner_id=await bank.sql.fetchval("SELECT owner_id FROM accounts WHERE id = $1", alice),
        currency="BRL",
        balance=40,
        held=0,
        transfer_id=wish.transfer_id,
    )


async def test_one_event_per_account_and_batch(bank: Bank) -> None:
    """Ten changes of a hot account in a batch are one event, with the last state."""
    hot, others = await bank.open(), [await bank.open() for _ in range(3)]
    await bank.post_all(
        [transfer(EXTERNAL, hot, 10) for _ in range(7)]
        + [transfer(hot, other, 1) for other in others]
    )

    events = {UUID(event.key): event for event in await emitted(bank)}

    assert set(events) == {hot, *others}
    assert events[hot].version == 10
    assert events[hot].read(BalanceUpdated).balance == 67
    assert len({event.id for event in events.values()}) == 4


async def test_outside_and_failures_are_not_told(bank: Bank) -> None:
    """No event for `@external`, a refusal, a tombstone, or what was posted before."""
    alice, bob = await bank.open(100), await bank.open()
    wish = transfer(alice, EXTERNAL, 1)
    await bank.post(wish)
    assert [UUID(event.key) for event in await emitted(bank)] == [alice, alice]

    await bank.post_all([wish, transfer(alice, bob, 1_000), tombstone(transfer(alice, bob, 5))])
    await bank.post(transfer(uuid4(), alice, 1))

    assert await emitted(bank) == []


async def test_holds_are_told(bank: Bank) -> None:
    """Placing a hold changes what is available, and the event says how much is held."""
    alice, shop = await bank.open(100), await bank.open()
    await emitted(bank)

    await bank.hold(hold(HoldAction.PLACE, alice, shop, 70))

    (event,) = await emitted(bank)
    data = event.read(BalanceUpdated)
    assert (data.balance, data.held) == (100, 70)
