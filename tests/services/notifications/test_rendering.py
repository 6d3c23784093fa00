"""Who is told what of each event."""

from uuid import UUID, uuid4

import pytest

from chassis import messages
from services.notifications import rendering
from services.transactions.contract import TransactionSettled, TransactionStatus, TransactionType
from services.users.contract import AccountType, BankingDetailsUpdated, UserRegistered

ANA, BENTO, TRANSFER = uuid4(), uuid4(), uuid4()


def settled(
    type_: TransactionType = TransactionType.TRANSFER,
    *,
    sender: UUID | None = ANA,
    receiver: UUID | None = BENTO,
    failure: str | None = None,
    names: tuple[str | None, str | None] = ("Ana", "Bento"),
) -> TransactionSettled:
    return TransactionSettled(
        transaction_id=TRANSFER,
        type=type_,
        status=TransactionStatus.COMPLETED,
        sender_id=sender,
        receiver_id=receiver,
        sender_name=names[0],
        receiver_name=names[1],
        amount=123_456,
        currency="BRL",
        failure_reason=failure,
        reverses=None,
    )


def test_transfer_tells_each_side_its_own() -> None:
    """Sender and receiver each get one text, with the other's name and the amount."""
    texts = {
        item.user_id: item.body
        for item in rendering.transaction(messages.TRANSACTION_COMPLETED, settled(), {})
    }
    assert texts == {
        ANA: "You sent R$ 1.234,56 to Bento.",
        BENTO: "You received R$ 1.234,56 from Ana.",
    }


def test_newest_known_name_wins() -> None:
    """A name of the read model comes before the one that the event brought."""
    told = rendering.transaction(
        messages.TRANSACTION_COMPLETED, settled(names=("Ana", None)), {ANA: "Ana Maria"}
    )
    assert [item.body for item in told] == [
        "You sent R$ 1.234,56 to another customer.",
        "You received R$ 1.234,56 from Ana Maria.",
    ]


@pytest.mark.parametrize(
    ("type_", "sender", "receiver", "expected"),
    [
        (TransactionType.DEPOSIT, None, BENTO, {BENTO: "You deposited R$ 1.234,56."}),
        (TransactionType.WITHDRAWAL, ANA, None, {ANA: "You withdrew R$ 1.234,56."}),
        (TransactionType.REVERSAL, BENTO, ANA, {}),
    ],
)
def test_completed_of_one_side(
    type_: TransactionType, sender: UUID | None, receiver: UUID | None, expected: dict[UUID, str]
) -> None:
    """Deposits and withdrawals tell their one side; a reversal is told by the reversed one's event."""
    told = rendering.transaction(
        messages.TRANSACTION_COMPLETED, settled(type_, sender=sender, receiver=receiver), {}
    )
    assert {item.user_id: item.body for item in told} == expected


@pytest.mark.parametrize(
    ("type_", "sender", "receiver", "told_to"),
    [
        (TransactionType.TRANSFER, ANA, BENTO, [ANA]),
        (TransactionType.WITHDRAWAL, ANA, None, [ANA]),
        (TransactionType.DEPOSIT, None, BENTO, [BENTO]),
        (TransactionType.REVERSAL, BENTO, ANA, []),
    ],
)
def test_failure_tells_the_initiator_only(
    type_: TransactionType, sender: UUID | None, receiver: UUID | None, told_to: list[UUID]
) -> None:
    """A failed transaction is told to whoever asked for it and to nobody else."""
    data = settled(type_, sender=sender, receiver=receiver, failure="INSUFFICIENT_FUNDS")
    told = rendering.transaction(messages.TRANSACTION_FAILED, data, {})
    assert [item.user_id for item in told] == told_to
    assert all("the available balance is too small. No money moved." in item.body for item in told)


def test_unknown_failure_reason_is_not_shown() -> None:
    """A code that people cannot read does not reach them."""
    (told,) = rendering.transaction(
        messages.TRANSACTION_FAILED, settled(failure="SOMETHING_NEW"), {}
    )
    assert (
        told.body
        == "Your transfer of R$ 1.234,56 failed: it could not be carried out. No money moved."
    )


def test_reversal_tells_both_sides() -> None:
    """The sender hears that the money is back, the receiver that it is gone."""
    told = rendering.transaction(messages.TRANSACTION_REVERSED, settled(), {})
    assert [(item.user_id, "is back" in item.body) for item in told] == [
        (ANA, True),
        (BENTO, False),
    ]


def test_unknown_type_is_an_error() -> None:
    """A type that tells of no outcome is refused instead of rendered wrongly."""
    with pytest.raises(ValueError, match="no outcome"):
        rendering.transaction("user.registered", settled(), {})


def test_welcome() -> None:
    """A new customer is greeted by name."""
    (told,) = rendering.welcome(UserRegistered(user_id=ANA, name="Ana", active=True))
    assert told.user_id == ANA
    assert told.body.startswith("Welcome, Ana.")


def test_banking_notice_shows_the_ending_only() -> None:
    """The security notice tells enough of the account to recognise it and not the number."""
    (told,) = rendering.banking_details_changed(
        BankingDetailsUpdated(
            user_id=ANA,
            agency="1234",
            account_number="56789012-3",
            account_type=AccountType.CHECKING,
        )
    )
    assert "ending in 12-3" in told.body
    assert "56789012" not in told.body
