"""Idempotency keys: the same key and request name the same transaction, whatever happens."""

import asyncio
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from chassis.errors import CodedError
from services.transactions.contract import Reverse, TransactionStatus, TransactionType
from services.transactions.pruning import PruneOptions
from tests.services.transactions.conftest import Bank, call_of, new_key, order, transfer_to
from tests.services.transactions.scripted_ledger import Fault


async def test_replay_answers_the_current_state(bank: Bank) -> None:
    """Sent again, a request is answered with its transaction as it is now; nothing is posted twice."""
    ana, bruno = bank.person(1_000), bank.person()
    request = transfer_to(bruno)
    bank.ledger.script.append(Fault.LOST_AFTER)
    first = await bank.create(ana, request)
    second = await bank.create(ana, request)
    await bank.recover()
    third = await bank.create(ana, request)

    assert (first.replayed, second.replayed, third.replayed) == (False, True, True)
    assert first.transaction.id == second.transaction.id == third.transaction.id
    assert [answer.transaction.status.value for answer in (first, second, third)] == [
        "PENDING",
        "PENDING",
        "COMPLETED",
    ]
    assert bank.ledger.balance(bruno) == 100
    assert await bank.count() == 1
    assert bank.metric("idempotent_replays_total") == 2


@pytest.mark.parametrize("same_turn", [True, False])
async def test_simultaneous_requests_create_one(bank: Bank, same_turn: bool) -> None:
    """Many requests with one key at once, in one process or in two, create one transaction."""
    ana, bruno = bank.person(1_000), bank.person()
    request = transfer_to(bruno)
    doors = [bank.parts.transfers] if same_turn else [bank.rebuild().transfers for _ in range(4)]

    answers = await asyncio.gather(
        *(doors[number % len(doors)].create(call_of(ana), request) for number in range(16))
    )
    for door in doors:
        await door.drain()

    assert len({answer.transaction.id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert await bank.count() == 1
    assert bank.ledger.balance(bruno) == 100


async def test_batches_with_common_keys_do_not_deadlock(bank: Bank) -> None:
    """Replicas that get the same keys in opposite orders wait for each other in one order."""
    ana, bruno = bank.person(10_000), bank.person()
    wanted = [transfer_to(bruno, 1) for _ in range(40)]
    one, other = bank.rebuild().transfers, bank.rebuild().transfers

    answers = await asyncio.gather(
        *(one.create(call_of(ana), request) for request in wanted),
        *(other.create(call_of(ana), request) for request in reversed(wanted)),
    )
    await asyncio.gather(one.drain(), other.drain())

    assert len({answer.transaction.id for answer in answers}) == 40
    assert bank.ledger.balance(bruno) == 40


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 101},
        {"receiver_id": uuid4()},
        {"description": "other"},
        {"metadata": {"a": 1}},
        {"type": TransactionType.DEPOSIT, "receiver_id": None},
    ],
)
async def test_other_arguments_conflict(bank: Bank, change: dict[str, Any]) -> None:
    """The same key with other arguments is refused, and changes nothing."""
    ana, bruno = bank.person(1_000), bank.person()
    request = transfer_to(bruno, 100)
    done = await bank.create(ana, request)

    with pytest.raises(CodedError) as refused:
        await bank.create(ana, msgspec.structs.replace(request, **change))

    assert refused.value.code == "IDEMPOTENCY_CONFLICT"
    assert await bank.statuses() == {done.transaction.id: "COMPLETED"}
    assert bank.metric("idempotency_conflicts_total") == 1


async def test_conflict_within_one_batch(bank: Bank) -> None:
    """Two requests with one key and other arguments, at the same moment: one wins, one conflicts."""
    ana, bruno = bank.person(1_000), bank.person()
    key = new_key()

    results = await asyncio.gather(
        *(bank.create(ana, transfer_to(bruno, n, idempotency_key=key)) for n in (1, 2)),
        return_exceptions=True,
    )

    (refused,) = [result for result in results if isinstance(result, CodedError)]
    assert refused.code == "IDEMPOTENCY_CONFLICT"
    assert await bank.count() == 1


async def test_keys_belong_to_users(bank: Bank) -> None:
    """Two users may choose the same key; neither learns of the other's transaction."""
    ana, bruno = bank.person(1_000), bank.person(1_000)
    key = new_key()

    one = await bank.create(ana, transfer_to(bruno, 1, idempotency_key=key))
    other = await bank.create(bruno, transfer_to(ana, 1, idempotency_key=key))

    assert one.transaction.id != other.transaction.id
    assert not other.replayed


async def test_key_of_a_create_cannot_reverse(bank: Bank) -> None:
    """A key that named a transfer does not name a reversal."""
    done = await bank.transfer(bank.person(100), bank.person())
    key = new_key()
    bank.ledger.open(bank.staff)
    await bank.create(bank.staff, order(TransactionType.DEPOSIT, 5, idempotency_key=key))

    with pytest.raises(CodedError) as refused:
        await bank.reverse(done.id, idempotency_key=key)

    assert refused.value.code == "IDEMPOTENCY_CONFLICT"


async def test_failed_is_replayed_too(bank: Bank) -> None:
    """A failed transaction is an answer as well: its key does not start another attempt."""
    ana, bruno = bank.person(0), bank.person()
    request = transfer_to(bruno)
    failed = await bank.create(ana, request)
    bank.ledger.open(ana, 1_000)

    again = await bank.create(ana, request)

    assert again.replayed
    assert again.transaction.id == failed.transaction.id
    assert again.transaction.status is TransactionStatus.FAILED
    assert bank.ledger.balance(bruno) == 0


async def test_keys_are_kept_a_week(bank: Bank) -> None:
    """Keys younger than a week stay; older ones go in batches, except those of pending transactions."""
    ana, bruno = bank.person(1_000), bank.person()
    old = [transfer_to(bruno, 1) for _ in range(5)]
    young, stuck = transfer_to(bruno, 1), transfer_to(bruno, 1)
    for request in (*old, young):
        await bank.create(ana, request)
    bank.ledger.script.append(Fault.REFUSED)
    await bank.create(ana, stuck)
    await bank.execute(
        "UPDATE idempotency SET created_at = now() - interval '7 days 1 s' WHERE key <> :young",
        young=young.idempotency_key,
    )

    pruning = bank.rebuild(prune=PruneOptions(batch=3)).pruning
    pruned = [await pruning.once() for _ in range(3)]

    assert pruned == [3, 2, 0]
    kept = {row.key for row in await bank.rows("SELECT key FROM idempotency")}
    assert kept == {young.idempotency_key, stuck.idempotency_key}
    assert await bank.count() == 7


def test_keys_cannot_be_kept_shorter() -> None:
    """The promise of a week is not a setting."""
    with pytest.raises(ValueError, match="604800"):
        PruneOptions(kept=6 * 24 * 3600)


async def test_replayed_reversal(bank: Bank) -> None:
    """A reversal sent again with its key answers the same reversal, even while it was under way."""
    done = await bank.transfer(bank.person(100), bank.person())
    request = Reverse(idempotency_key=new_key(), transaction_id=done.id)
    call = call_of(bank.staff, role="admin")

    answers = await asyncio.gather(*(bank.parts.transfers.reverse(call, request) for _ in range(5)))
    later = await bank.parts.transfers.reverse(call, request)

    assert len({answer.transaction.id for answer in (*answers, later)}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert later.replayed
    assert later.transaction.status is TransactionStatus.COMPLETED
    with pytest.raises(CodedError) as refused:
        await bank.parts.transfers.reverse(
            call, msgspec.structs.replace(request, transaction_id=uuid4())
        )
    assert refused.value.code == "IDEMPOTENCY_CONFLICT"
