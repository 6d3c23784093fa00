"""Taking completed transactions back."""

import asyncio
from uuid import uuid4

import pytest

from chassis.errors import CodedError
from services.ledger.contract import reversal_id_of
from services.transactions.contract import (
    Reverse,
    TransactionSettled,
    TransactionStatus,
    TransactionType,
)
from tests.services.transactions.conftest import Bank, call_of, new_key, order
from tests.services.transactions.scripted_ledger import Fault

COMPLETED, REVERSED = TransactionStatus.COMPLETED, TransactionStatus.REVERSED


async def test_reversal_links_both_ways(bank: Bank) -> None:
    """A reversal moves the money back; original and reversal name each other from one commit on."""
    ana, bruno = bank.person(100), bank.person()
    original = await bank.transfer(ana, bruno, 60)

    reversal = (await bank.reverse(original.id, description="fraud")).transaction

    assert reversal.id == reversal_id_of(original.id)
    assert (reversal.type, reversal.status) == (TransactionType.REVERSAL, COMPLETED)
    assert (reversal.sender_id, reversal.receiver_id) == (bruno, ana)
    assert (reversal.reverses, reversal.amount) == (original.id, 60)
    assert (bank.ledger.balance(ana), bank.ledger.balance(bruno)) == (100, 0)
    (row,) = await bank.rows(
        "SELECT status, reversed_by, version FROM transactions WHERE id = :id", id=original.id
    )
    assert (row.status, row.reversed_by, row.version) == ("REVERSED", reversal.id, 3)


async def test_reversal_publishes_both(bank: Bank) -> None:
    """A completed reversal tells of itself and of what it reversed, each under its own key."""
    original = await bank.transfer(bank.person(100), bank.person())
    reversal = (await bank.reverse(original.id)).transaction

    _, of_reversal, of_original = await bank.events()

    assert (of_reversal.type, of_reversal.key) == ("transaction.completed", str(reversal.id))
    assert (of_original.type, of_original.key) == ("transaction.reversed", str(original.id))
    assert of_original.version == 3
    payload = of_original.read(TransactionSettled)
    assert (payload.status, payload.transaction_id) == (REVERSED, original.id)
    assert of_reversal.read(TransactionSettled).reverses == original.id


@pytest.mark.parametrize("type_", [TransactionType.DEPOSIT, TransactionType.WITHDRAWAL])
async def test_rails_can_be_reversed(bank: Bank, type_: TransactionType) -> None:
    """The reversal of a deposit or a withdrawal moves the money from or to the world outside."""
    ana = bank.person(500)
    original = (await bank.create(ana, order(type_, 100))).transaction

    reversal = (await bank.reverse(original.id)).transaction

    assert (reversal.sender_id, reversal.receiver_id) == (
        original.receiver_id,
        original.sender_id,
    )
    assert bank.ledger.balance(ana) == 500


async def test_only_staff(bank: Bank) -> None:
    """Customers cannot reverse, not even their own transactions."""
    ana, bruno = bank.person(100), bank.person()
    original = await bank.transfer(ana, bruno)

    for user in (ana, bruno):
        with pytest.raises(CodedError) as refused:
            await bank.parts.transfers.reverse(
                call_of(user), Reverse(idempotency_key=new_key(), transaction_id=original.id)
            )
        assert refused.value.code == "FORBIDDEN"
    assert await bank.statuses() == {original.id: "COMPLETED"}


async def test_what_cannot_be_reversed(bank: Bank) -> None:
    """Unknown, failed, pending and reversed transactions and reversals cannot be reversed."""
    ana, bruno = bank.person(100), bank.person()
    failed = await bank.transfer(bruno, ana, 10**6)
    done = await bank.transfer(ana, bruno, 10)
    reversal = (await bank.reverse(done.id)).transaction
    bank.ledger.script.append(Fault.REFUSED)
    pending = await bank.transfer(ana, bruno, 10)
    before = await bank.count("idempotency")

    for id_, code in (
        (uuid4(), "TRANSACTION_NOT_FOUND"),
        (failed.id, "NOT_REVERSIBLE"),
        (pending.id, "NOT_REVERSIBLE"),
        (done.id, "NOT_REVERSIBLE"),
        (reversal.id, "NOT_REVERSIBLE"),
    ):
        with pytest.raises(CodedError) as refused:
            await bank.reverse(id_)
        assert refused.value.code == code
    assert await bank.count("idempotency") == before


async def test_reversal_without_funds_fails_for_good(bank: Bank) -> None:
    """If the receiver has spent the money the reversal is FAILED, the original stays COMPLETED, and
    there is no second attempt: its id is used up."""
    ana, bruno, carla = bank.person(100), bank.person(), bank.person()
    original = await bank.transfer(ana, bruno, 100)
    await bank.transfer(bruno, carla, 100)

    failed = (await bank.reverse(original.id)).transaction
    bank.ledger.open(bruno, 1_000)

    assert failed.status is TransactionStatus.FAILED
    assert failed.failure_reason == "INSUFFICIENT_FUNDS"
    with pytest.raises(CodedError) as refused:
        await bank.reverse(original.id)
    assert refused.value.code == "NOT_REVERSIBLE"
    assert (await bank.statuses())[original.id] == "COMPLETED"


async def test_simultaneous_reversals(bank: Bank) -> None:
    """Of many reversals with keys of their own, one is made and the others are refused."""
    ana, bruno = bank.person(100), bank.person(1_000)
    original = await bank.transfer(ana, bruno, 100)

    results = await asyncio.gather(
        *(bank.reverse(original.id) for _ in range(8)), return_exceptions=True
    )

    refused = [result for result in results if isinstance(result, CodedError)]
    assert len(refused) == 7
    assert {error.code for error in refused} == {"NOT_REVERSIBLE"}
    assert bank.ledger.balance(ana) == 100


@pytest.mark.parametrize("fault", [Fault.LOST_AFTER, Fault.LOST_BEFORE])
async def test_unknown_reversal_is_recovered(bank: Bank, fault: Fault) -> None:
    """A reversal with an unknown outcome leaves its original COMPLETED until the ledger has spoken."""
    original = await bank.transfer(bank.person(100), bank.person())
    bank.ledger.script.append(fault)

    pending = (await bank.reverse(original.id)).transaction
    between = await bank.statuses()
    await bank.recover()

    assert between == {original.id: "COMPLETED", pending.id: "PENDING"}
    assert await bank.statuses() == {original.id: "REVERSED", pending.id: "COMPLETED"}
    assert bank.ledger.moved[pending.id] == 1
