"""Holds: on a real database step by step, and as a state machine against the model, without I/O."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.ledger import holds
from services.ledger.book import Account, Book, HoldStatus
from services.ledger.contract import FailureReason, PostingStatus
from services.ledger.holds import HoldAction, HoldCommand
from tests.services.ledger.conftest import (
    EXTERNAL,
    Bank,
    hold,
    outcome,
    reversal,
    tombstone,
    transfer,
)
from tests.services.ledger.model import Model, ModelAccount
from tests.services.ledger.test_properties import seen

PLACE, CAPTURE, VOID, EXPIRE = HoldAction


async def test_held_money_cannot_be_spent(bank: Bank) -> None:
    """A hold lowers what is available and not the balance; another hold or transfer fails."""
    alice, shop = await bank.open(100), await bank.open()

    placed = await bank.hold(hold(PLACE, alice, shop, 70))

    assert placed.status is HoldStatus.HELD
    assert (await bank.balance(alice), await bank.held(alice)) == (100, 70)
    assert outcome(await bank.post(transfer(alice, shop, 31))).reason is (
        FailureReason.INSUFFICIENT_FUNDS
    )
    refused = await bank.hold(hold(PLACE, alice, shop, 31))
    assert (refused.status, refused.reason) == (None, FailureReason.INSUFFICIENT_FUNDS)
    assert outcome(await bank.post(transfer(alice, shop, 30))).debit_balance == 70


async def test_a_capture_pays_once(bank: Bank) -> None:
    """Capturing posts the transfer; again it answers the same; another amount is a mismatch."""
    alice, shop = await bank.open(100), await bank.open()
    placed = hold(PLACE, alice, shop, 70)
    await bank.hold(placed)
    capture = hold(CAPTURE, alice, shop, 70, transfer_id=placed.transfer_id)

    done = await bank.hold(capture)

    assert done.status is HoldStatus.CAPTURED
    assert done.posted is not None
    assert (done.posted.debit_balance, done.posted.credit_balance) == (30, 70)
    assert await bank.hold(capture) == done
    less = hold(CAPTURE, alice, shop, 69, transfer_id=placed.transfer_id)
    assert (await bank.hold(less)).error == "TRANSFER_MISMATCH"
    assert await bank.held(alice) == 0


async def test_a_part_is_captured_and_the_rest_let_go(bank: Bank) -> None:
    """Capturing 20 of 70 pays 20 and releases all; more than was held is a mismatch."""
    alice, shop = await bank.open(100), await bank.open()
    placed = hold(PLACE, alice, shop, 70)
    await bank.hold(placed)

    more = await bank.hold(hold(CAPTURE, alice, shop, 71, transfer_id=placed.transfer_id))
    part = await bank.hold(hold(CAPTURE, alice, shop, 20, transfer_id=placed.transfer_id))

    assert more.error == "TRANSFER_MISMATCH"
    assert part.posted is not None
    assert part.posted.debit_balance == 80
    assert (await bank.balance(alice), await bank.held(alice)) == (80, 0)


async def test_a_rejected_hold_can_never_be_captured(bank: Bank) -> None:
    """The rejection sticks to the id, also when money comes later."""
    alice, shop = await bank.open(10), await bank.open()
    wish = hold(PLACE, alice, shop, 70)
    rejected = await bank.hold(wish)
    await bank.post(transfer(EXTERNAL, alice, 500))

    again = await bank.hold(wish)
    captured = await bank.hold(hold(CAPTURE, alice, shop, 70, transfer_id=wish.transfer_id))

    assert rejected == again == captured
    assert captured.reason is FailureReason.INSUFFICIENT_FUNDS
    assert await bank.balance(alice) == 510


@pytest.mark.parametrize("end", [VOID, EXPIRE])
async def test_a_hold_that_was_let_go_can_never_be_captured(bank: Bank, end: HoldAction) -> None:
    """After VOID or EXPIRE the money is free, and a late capture changes nothing."""
    alice, shop = await bank.open(100), await bank.open()
    placed = hold(PLACE, alice, shop, 70)
    await bank.hold(placed)
    await bank.sql.execute("UPDATE holds SET expires_at = now() - interval '1 second'")

    ended = await bank.hold(hold(end, alice, shop, 70, transfer_id=placed.transfer_id))
    late = await bank.hold(hold(CAPTURE, alice, shop, 70, transfer_id=placed.transfer_id))

    assert late == ended
    assert (late.posted, late.reason) == (None, FailureReason.TRANSFER_ABANDONED)
    assert (await bank.balance(alice), await bank.held(alice)) == (100, 0)


async def test_nothing_expires_before_its_time_or_by_itself(bank: Bank) -> None:
    """EXPIRE before the time leaves the hold; after it, only being told ends it."""
    alice, shop = await bank.open(100), await bank.open()
    placed = hold(PLACE, alice, shop, 70)
    await bank.hold(placed)

    early = await bank.hold(hold(EXPIRE, alice, shop, 70, transfer_id=placed.transfer_id))
    await bank.sql.execute("UPDATE holds SET expires_at = now() - interval '1 second'")
    late = await bank.hold(hold(CAPTURE, alice, shop, 70, transfer_id=placed.transfer_id))

    assert early.status is HoldStatus.HELD
    assert late.status is HoldStatus.CAPTURED


async def test_a_captured_hold_stays_captured(bank: Bank) -> None:
    """VOID and EXPIRE after the capture tell CAPTURED and move nothing."""
    alice, shop = await bank.open(100), await bank.open()
    placed = hold(PLACE, alice, shop, 70)
    await bank.hold(placed)
    done = await bank.hold(hold(CAPTURE, alice, shop, 70, transfer_id=placed.transfer_id))

    for action in (VOID, EXPIRE, PLACE):
        late = hold(action, alice, shop, 70, transfer_id=placed.transfer_id)
        assert await bank.hold(late) == done


async def test_a_capture_is_paid_though_the_account_was_switched_off(bank: Bank) -> None:
    """The sale has happened: held money is paid from and to an inactive account."""
    alice, shop = await bank.open(100), await bank.open()
    placed = hold(PLACE, alice, shop, 70)
    await bank.hold(placed)
    await bank.sql.execute("UPDATE accounts SET active = false WHERE id = ANY($1)", [alice, shop])

    done = await bank.hold(hold(CAPTURE, alice, shop, 70, transfer_id=placed.transfer_id))

    assert done.status is HoldStatus.CAPTURED


async def test_a_void_refuses_a_hold_that_comes_late(bank: Bank) -> None:
    """VOID of an unknown id: it can never be placed, and stays so."""
    alice, shop = await bank.open(100), await bank.open()
    late = hold(PLACE, alice, shop, 70)

    await bank.hold(hold(VOID, alice, shop, 70, transfer_id=late.transfer_id))
    refused = await bank.hold(late)

    assert (refused.status, refused.reason) == (None, FailureReason.TRANSFER_ABANDONED)


async def test_holds_and_postings_share_their_ids(bank: Bank) -> None:
    """A transfer under a hold's id is a mismatch and vice versa; a tombstone lets an open hold go."""
    alice, shop = await bank.open(100), await bank.open()
    placed, posted = hold(PLACE, alice, shop, 70), transfer(alice, shop, 10)
    await bank.hold(placed)
    await bank.post(posted)
    same_id = transfer(alice, shop, 70, transfer_id=placed.transfer_id)

    clash = await bank.hold(hold(PLACE, alice, shop, 10, transfer_id=posted.transfer_id))

    assert (await bank.post(same_id)).error == "TRANSFER_MISMATCH"
    assert clash.error == "TRANSFER_MISMATCH"
    given_up = outcome(await bank.post(tombstone(same_id)))
    assert given_up.reason is FailureReason.TRANSFER_ABANDONED
    late = await bank.hold(hold(CAPTURE, alice, shop, 70, transfer_id=placed.transfer_id))
    assert late.status is HoldStatus.VOIDED
    assert await bank.held(alice) == 0


async def test_a_captured_hold_can_be_reversed(bank: Bank) -> None:
    """What a capture has paid is a transfer like any other."""
    alice, shop = await bank.open(100), await bank.open()
    placed = hold(PLACE, alice, shop, 70)
    await bank.hold(placed)
    await bank.hold(hold(CAPTURE, alice, shop, 70, transfer_id=placed.transfer_id))
    paid = transfer(alice, shop, 70, transfer_id=placed.transfer_id)

    back = outcome(await bank.post(reversal(paid)))

    assert back.status is PostingStatus.POSTED
    assert await bank.balance(alice) == 100


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ({"action": CAPTURE}, "TRANSACTION_NOT_FOUND"),
        ({"action": EXPIRE}, "TRANSACTION_NOT_FOUND"),
        ({"action": PLACE, "expires_in": -1}, "INVALID_INPUT"),
        ({"action": PLACE, "amount": 0}, "INVALID_INPUT"),
        ({"action": PLACE, "credit": EXTERNAL, "debit": EXTERNAL}, "INVALID_INPUT"),
    ],
)
async def test_a_command_that_makes_no_sense_writes_nothing(
    bank: Bank, command: dict[str, Any], error: str
) -> None:
    """A coded error, and the id stays free."""
    alice, shop = await bank.open(100), await bank.open()
    fields: dict[str, Any] = {"debit": alice, "credit": shop, "amount": 1} | command
    before = await bank.count("ledger_transfers")

    result = await bank.hold(hold(**fields))

    assert (result.status, result.error) == (None, error)
    assert (await bank.count("holds"), await bank.count("ledger_transfers")) == (0, before)


class HoldMachine(RuleBasedStateMachine):
    """Every step on the pure core and on the model; they must agree, and the laws must hold."""

    NAMES = ("alice", "bob", "shop")

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.ids = [uuid4() for _ in range(5)]
        self.named = {name: uuid4() for name in self.NAMES}
        self.book = Book(
            now=self.now,
            accounts={
                identity: Account(identity, identity, "BRL", 100, 0, 20, True, 0)
                for identity in self.named.values()
            },
        )
        self.model = Model({name: ModelAccount(100, overdraft=20) for name in self.NAMES})

    @rule(
        number=st.integers(0, 4),
        action=st.sampled_from([PLACE, PLACE, CAPTURE, CAPTURE, VOID]),
        debit=st.sampled_from(["alice", "bob"]),
        amount=st.sampled_from([1, 60, 120, 121]),
    )
    def step(self, number: int, action: HoldAction, debit: str, amount: int) -> None:
        command = HoldCommand(
            action=action,
            transfer_id=self.ids[number],
            debit=self.named[debit],
            credit=self.named["shop"],
            amount=amount,
            currency="BRL",
            expires_at=self.now + timedelta(hours=1),
        )
        expected = self.model.hold(number, action.value, debit, "shop", amount)
        assert seen(holds.decide(self.book, command)) == expected

    @invariant()
    def the_laws_hold(self) -> None:
        accounts = self.book.accounts
        assert sum(account.balance for account in accounts.values()) == 300
        open_holds: dict[UUID, int] = dict.fromkeys(accounts, 0)
        for held in self.book.holds.values():
            if held.status is HoldStatus.HELD:
                open_holds[held.account_id] += held.amount
        for identity, account in accounts.items():
            assert account.held == open_holds[identity]
            assert account.balance - account.held >= -20
        for name, identity in self.named.items():
            model = self.model.accounts[name]
            assert (accounts[identity].balance, accounts[identity].held) == (
                model.balance,
                model.held,
            )


TestHoldMachine = HoldMachine.TestCase
TestHoldMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
