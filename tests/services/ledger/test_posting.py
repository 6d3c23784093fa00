"""Postings, one by one and in batches, on a real database."""

import asyncio
import random
from uuid import UUID, uuid4

import pytest

from services.ledger.contract import (
    FailureReason,
    PostingKind,
    PostingStatus,
    external_account,
    reversal_id_of,
)
from services.ledger.store import PostgresStore, connector
from tests.services.ledger.conftest import (
    CORRELATION,
    EXTERNAL,
    Bank,
    outcome,
    reversal,
    running,
    tombstone,
    transfer,
)


async def test_a_transfer_moves_money_and_tells_both_balances(bank: Bank) -> None:
    """Both legs are posted at once, and the answer has the balances right after them."""
    alice, bob = await bank.open(1_000), await bank.open(50)

    posted = outcome(await bank.post(transfer(alice, bob, 300)))

    assert posted.status is PostingStatus.POSTED
    assert (posted.debit_balance, posted.credit_balance) == (700, 350)
    assert (await bank.balance(alice), await bank.balance(bob)) == (700, 350)


async def test_the_same_posting_twice_posts_once(bank: Bank) -> None:
    """A repeated id gets the first answer, balances included, whatever has happened since."""
    alice, bob = await bank.open(1_000), await bank.open()
    first = transfer(alice, bob, 300)
    answer = await bank.post(first)
    await bank.post(transfer(alice, bob, 100))

    again = await bank.post(first)

    assert again == answer
    assert await bank.balance(alice) == 600


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 301},
        {"debit": EXTERNAL},
        {"credit": EXTERNAL},
        {"currency": "USD"},
        {"kind": PostingKind.REVERSAL, "reverses": UUID(int=7)},
    ],
    ids=lambda change: ",".join(change),
)
async def test_the_same_id_with_other_fields_is_refused(
    bank: Bank, change: dict[str, object]
) -> None:
    """TRANSFER_MISMATCH, nothing written, and the first outcome stands: for any field."""
    alice, bob = await bank.open(1_000), await bank.open(1_000)
    first = transfer(alice, bob, 300)
    answer = await bank.post(first)
    fields: dict[str, object] = {"debit": alice, "credit": bob, "amount": 300} | change

    result = await bank.post(transfer(transfer_id=first.transfer_id, **fields))  # type: ignore[arg-type]

    assert (result.posted, result.error) == (None, "TRANSFER_MISMATCH")
    assert await bank.post(first) == answer
    assert await bank.balance(alice) == 700


async def test_too_little_money_fails_for_good(bank: Bank) -> None:
    """INSUFFICIENT_FUNDS sticks to the id, also when there is enough money later."""
    alice, bob = await bank.open(100), await bank.open()
    wish = transfer(alice, bob, 101)

    refused = outcome(await bank.post(wish))
    await bank.post(transfer(EXTERNAL, alice, 500))

    assert refused.reason is FailureReason.INSUFFICIENT_FUNDS
    assert (refused.debit_balance, refused.credit_balance) == (None, None)
    assert outcome(await bank.post(wish)) == refused
    assert await bank.balance(alice) == 600


async def test_an_overdraft_may_be_used_and_not_exceeded(bank: Bank) -> None:
    """An account with an overdraft of 50 can go to −50 and no further."""
    alice, bob = await bank.open(100, overdraft=50), await bank.open()

    assert outcome(await bank.post(transfer(alice, bob, 150))).debit_balance == -50
    refused = outcome(await bank.post(transfer(alice, bob, 1)))

    assert refused.reason is FailureReason.INSUFFICIENT_FUNDS


async def test_the_outside_world_has_no_limit(bank: Bank) -> None:
    """Deposits take from `@external`, which may go below zero without an end."""
    alice = await bank.open()

    posted = outcome(await bank.post(transfer(EXTERNAL, alice, 10**15)))

    assert posted.debit_balance == -(10**15)


async def test_an_unknown_account_fails_for_good(bank: Bank) -> None:
    """ACCOUNT_NOT_FOUND on either side, and it sticks though the account is opened later."""
    alice, owner = await bank.open(100), uuid4()
    nobody = uuid4()

    from_nobody = outcome(await bank.post(transfer(nobody, alice, 1)))
    wish = transfer(alice, nobody, 1)
    to_nobody = outcome(await bank.post(wish))
    await bank.sql.execute(
        "INSERT INTO accounts (id, owner_id, currency) VALUES ($1, $2, 'BRL')", nobody, owner
    )

    assert from_nobody.reason is FailureReason.ACCOUNT_NOT_FOUND
    assert to_nobody.reason is FailureReason.ACCOUNT_NOT_FOUND
    assert outcome(await bank.post(wish)) == to_nobody


async def test_an_inactive_account_neither_pays_nor_receives(bank: Bank) -> None:
    """ACCOUNT_INACTIVE on either side."""
    alice, bob = await bank.open(100), await bank.open(100, active=False)

    for wish in (transfer(alice, bob, 1), transfer(bob, alice, 1)):
        assert outcome(await bank.post(wish)).reason is FailureReason.ACCOUNT_INACTIVE


async def test_currencies_do_not_mix(bank: Bank) -> None:
    """CURRENCY_MISMATCH when either account, or the posting, keeps another currency."""
    reais, dollars = await bank.open(100), await bank.open(currency="USD")

    for wish in (
        transfer(reais, dollars, 1),
        transfer(reais, EXTERNAL, 1, currency="USD"),
        transfer(dollars, external_account("BRL"), 1, currency="USD"),
    ):
        assert outcome(await bank.post(wish)).reason is FailureReason.CURRENCY_MISMATCH


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"credit": EXTERNAL}, "SELF_TRANSFER"),
        ({"reverses": uuid4()}, "INVALID_INPUT"),
        ({"kind": PostingKind.REVERSAL}, "INVALID_INPUT"),
        (
            {"kind": PostingKind.REVERSAL, "transfer_id": UUID(int=5), "reverses": UUID(int=5)},
            "INVALID_INPUT",
        ),
    ],
    ids=["to itself", "a transfer that reverses", "a reversal of nothing", "of itself"],
)
async def test_a_malformed_posting_is_an_error_and_leaves_no_trace(
    bank: Bank, fields: dict[str, object], code: str
) -> None:
    """Nothing is written, so the id stays free; other postings of the request are carried out."""
    alice = await bank.open(100)
    wanted: dict[str, object] = {"debit": EXTERNAL, "credit": alice, "amount": 1} | fields
    before = await bank.count("ledger_transfers")

    bad, good = await bank.post_all(
        [transfer(**wanted), transfer(EXTERNAL, alice, 5)]  # type: ignore[arg-type]
    )

    assert (bad.posted, bad.error) == (None, code)
    assert outcome(good).status is PostingStatus.POSTED
    assert await bank.count("ledger_transfers") == before + 1


async def test_a_batch_counts_what_its_earlier_postings_did(bank: Bank) -> None:
    """Money received in a batch can be spent later in it, and not before."""
    alice, bob, carol = [await bank.open(amount) for amount in (100, 0, 0)]

    early, fund, late, empty = await bank.post_all(
        [
            transfer(bob, carol, 60),
            transfer(alice, bob, 100),
            transfer(bob, carol, 60),
            transfer(alice, bob, 1),
        ]
    )

    assert outcome(early).reason is FailureReason.INSUFFICIENT_FUNDS
    assert (outcome(fund).debit_balance, outcome(fund).credit_balance) == (0, 100)
    assert (outcome(late).debit_balance, outcome(late).credit_balance) == (40, 60)
    assert outcome(empty).reason is FailureReason.INSUFFICIENT_FUNDS


async def test_one_id_twice_in_a_batch_posts_once(bank: Bank) -> None:
    """In one batch too, the same fields get the same answer and other fields TRANSFER_MISMATCH."""
    alice, bob = await bank.open(100), await bank.open()
    wish = transfer(alice, bob, 60)
    other = transfer(alice, bob, 59, transfer_id=wish.transfer_id)

    first, second, third = await bank.post_all([wish, wish, other])

    assert first == second
    assert outcome(first).debit_balance == 40
    assert third.error == "TRANSFER_MISMATCH"
    assert await bank.balance(alice) == 40


async def test_a_hot_account_on_both_sides_of_a_batch(bank: Bank) -> None:
    """256 transfers through one account in one batch add up exactly, in order."""
    hot, others = await bank.open(1_000), [await bank.open(1_000) for _ in range(8)]
    rng, balance = random.Random(1), 1_000
    wishes = []
    for number in range(256):
        other, amount = others[number % 8], rng.randrange(1, 5)
        pays = rng.random() < 0.5
        wishes.append(transfer(hot, other, amount) if pays else transfer(other, hot, amount))

    for wish, result in zip(wishes, await bank.post_all(wishes), strict=True):
        balance += wish.amount if wish.credit == hot else -wish.amount
        seen = outcome(result)
        assert (seen.credit_balance if wish.credit == hot else seen.debit_balance) == balance
    assert await bank.balance(hot) == balance


async def test_a_tombstone_refuses_what_comes_late(bank: Bank) -> None:
    """After it, the id is refused with TRANSFER_ABANDONED, however often either is sent."""
    alice, bob = await bank.open(100), await bank.open()
    wish = transfer(alice, bob, 60)

    given_up = outcome(await bank.post(tombstone(wish)))

    assert given_up.reason is FailureReason.TRANSFER_ABANDONED
    for late in (wish, tombstone(wish), wish):
        assert outcome(await bank.post(late)) == given_up
    assert await bank.balance(alice) == 100


async def test_a_tombstone_for_what_was_decided_tells_what_was_decided(bank: Bank) -> None:
    """A posted or failed transfer wins over a later tombstone, also within a batch."""
    alice, bob = await bank.open(100), await bank.open()
    done, failed, together = [transfer(alice, bob, amount) for amount in (60, 1_000, 40)]
    posted, refused = await bank.post_all([done, failed])

    assert await bank.post(tombstone(done)) == posted
    assert await bank.post(tombstone(failed)) == refused
    first, second = await bank.post_all([together, tombstone(together)])
    assert first == second
    assert outcome(second).status is PostingStatus.POSTED


async def test_a_tombstone_needs_no_account_and_matches_fields(bank: Bank) -> None:
    """It refuses ids of accounts that do not exist; one with other fields is TRANSFER_MISMATCH."""
    wish = transfer(uuid4(), uuid4(), 60)
    await bank.post(tombstone(wish))

    other = await bank.post(transfer(wish.debit, wish.credit, 61, transfer_id=wish.transfer_id))

    assert other.error == "TRANSFER_MISMATCH"


async def test_a_tombstone_refuses_a_reversal_too(bank: Bank) -> None:
    """A reversal that was given up does not happen, and the transfer can still be reversed by another."""
    alice, bob = await bank.open(100), await bank.open()
    wish = transfer(alice, bob, 60)
    await bank.post(wish)
    late = reversal(wish, transfer_id=reversal_id_of(wish.transfer_id))
    await bank.post(tombstone(late))

    assert outcome(await bank.post(late)).reason is FailureReason.TRANSFER_ABANDONED
    assert outcome(await bank.post(reversal(wish))).status is PostingStatus.POSTED


async def test_a_reversal_takes_the_money_back_once(bank: Bank) -> None:
    """Legs swapped; the same again answers the same; a second one is NOT_REVERSIBLE."""
    alice, bob = await bank.open(100), await bank.open()
    wish = transfer(alice, bob, 60)
    await bank.post(wish)
    back = reversal(wish)

    posted = await bank.post(back)
    second = outcome(await bank.post(reversal(wish)))

    assert (outcome(posted).debit_balance, outcome(posted).credit_balance) == (0, 100)
    assert await bank.post(back) == posted
    assert second.reason is FailureReason.NOT_REVERSIBLE
    assert await bank.balance(alice) == 100


async def test_a_reversal_fails_without_funds_and_may_be_tried_anew(bank: Bank) -> None:
    """INSUFFICIENT_FUNDS when the receiver has spent it; another id can succeed when money is there."""
    alice, bob = await bank.open(100), await bank.open()
    wish = transfer(alice, bob, 60)
    await bank.post(wish)
    await bank.post(transfer(bob, EXTERNAL, 1))

    refused = outcome(await bank.post(reversal(wish)))
    await bank.post(transfer(EXTERNAL, bob, 1))

    assert refused.reason is FailureReason.INSUFFICIENT_FUNDS
    assert outcome(await bank.post(reversal(wish))).status is PostingStatus.POSTED


async def test_what_cannot_be_reversed(bank: Bank) -> None:
    """NOT_REVERSIBLE: a failed transfer, a reversal, and one that the ledger does not know."""
    alice, bob = await bank.open(100), await bank.open()
    done, failed, unseen = [transfer(alice, bob, amount) for amount in (60, 1_000, 5)]
    back = reversal(done)
    await bank.post_all([done, failed, back])

    for wish in (reversal(failed), reversal(back), reversal(unseen)):
        assert outcome(await bank.post(wish)).reason is FailureReason.NOT_REVERSIBLE


async def test_a_reversal_with_other_legs_is_refused_and_not_remembered(bank: Bank) -> None:
    """TRANSFER_MISMATCH, nothing written: the right reversal can use the same id afterwards."""
    alice, bob, carol = [await bank.open(amount) for amount in (100, 0, 100)]
    wish = transfer(alice, bob, 60)
    await bank.post(wish)
    right = reversal(wish)
    wrong = transfer(
        carol, alice, 60, transfer_id=right.transfer_id, kind=right.kind, reverses=right.reverses
    )

    assert (await bank.post(wrong)).error == "TRANSFER_MISMATCH"
    assert outcome(await bank.post(right)).status is PostingStatus.POSTED


async def test_a_transfer_and_its_reversal_in_one_batch(bank: Bank) -> None:
    """A reversal finds what the same batch has posted before it; a second one does not count."""
    alice, bob = await bank.open(100), await bank.open()
    wish = transfer(alice, bob, 60)

    _, back, again = await bank.post_all([wish, reversal(wish), reversal(wish)])

    assert outcome(back).credit_balance == 100
    assert outcome(again).reason is FailureReason.NOT_REVERSIBLE


async def test_two_writers_race_for_one_reversal(bank: Bank) -> None:
    """Of many reversals at once, through two writers, exactly one moves money."""
    alice, bob = await bank.open(100), await bank.open(1_000)
    wish = transfer(alice, bob, 60)
    await bank.post(wish)

    async with running(PostgresStore(connector(bank.url))) as other:
        results = await asyncio.gather(
            *(
                writer.post([reversal(wish)], CORRELATION)
                for _ in range(10)
                for writer in (bank.writer, other)
            )
        )

    statuses = [outcome(result).status for (result,) in results]
    assert statuses.count(PostingStatus.POSTED) == 1
    assert await bank.balance(alice) == 100
