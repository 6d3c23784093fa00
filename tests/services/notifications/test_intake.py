"""Events become notifications, once per event and recipient."""

from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import messages
from services.notifications import store
from services.notifications.intake import Intake
from services.transactions.contract import TransactionSettled, TransactionStatus, TransactionType
from services.users.contract import AccountType, BankingDetailsUpdated, UserRegistered
from tests.services.notifications.conftest import event, rows, take_in


def transfer(sender: UUID, receiver: UUID) -> TransactionSettled:
    return TransactionSettled(
        transaction_id=uuid4(),
        type=TransactionType.TRANSFER,
        status=TransactionStatus.COMPLETED,
        sender_id=sender,
        receiver_id=receiver,
        sender_name=None,
        receiver_name=None,
        amount=1_000,
        currency="BRL",
        failure_reason=None,
        reverses=None,
    )


def test_every_subscribed_type_has_a_handler() -> None:
    """What the topology sends to this group is handled: nothing would be parked for want of a handler."""
    wanted = {
        type_ for groups in messages.TOPOLOGY.values() for type_ in groups.get("notifications", ())
    }
    assert set(Intake(("log",)).handlers()) == wanted


async def test_once_per_event_and_recipient(engine: AsyncEngine) -> None:
    """An event that is handled again adds nothing, neither notifications nor deliveries."""
    ana, bento = uuid4(), uuid4()
    completed = event(transfer(ana, bento), messages.TRANSACTION_COMPLETED)

    await take_in(engine, completed, completed, channels=("log", "webhook"))

    found = await rows(engine, "SELECT id, user_id, status FROM notifications")
    assert {row.user_id for row in found} == {ana, bento}
    assert {row.id for row in found} == {
        store.notification_id(completed.id, user_id) for user_id in (ana, bento)
    }
    assert {row.status for row in found} == {"PENDING"}
    assert len(await rows(engine, "SELECT 1 FROM deliveries")) == 4


async def test_names_are_learnt_and_used(engine: AsyncEngine) -> None:
    """The newest name of a counterparty is shown; an older version that arrives late is ignored."""
    ana, bento = uuid4(), uuid4()

    def named(name: str, version: int, type_: str) -> object:
        return event(UserRegistered(user_id=ana, name=name, active=True), type_, version=version)

    await take_in(
        engine,
        named("Ana", 1, messages.USER_REGISTERED),  # type: ignore[arg-type]
        named("Ana Maria", 3, messages.USER_PROFILE_UPDATED),  # type: ignore[arg-type]
        named("Ana M.", 2, messages.USER_PROFILE_UPDATED),  # type: ignore[arg-type]
        event(transfer(ana, bento), messages.TRANSACTION_COMPLETED),
    )

    bodies = {
        row.user_id: row.body
        for row in await rows(
            engine, "SELECT user_id, body FROM notifications WHERE type = 'transaction.completed'"
        )
    }
    assert bodies[bento] == "You received R$ 10,00 from Ana Maria."
    assert bodies[ana] == "You sent R$ 10,00 to another customer."


async def test_registration_and_banking_details(engine: AsyncEngine) -> None:
    """A new customer is welcomed, and a change of banking details is told as a security notice."""
    ana = uuid4()
    details = BankingDetailsUpdated(
        user_id=ana, agency="1234", account_number="56789-0", account_type=AccountType.SAVINGS
    )
    await take_in(
        engine,
        event(UserRegistered(user_id=ana, name="Ana", active=True), messages.USER_REGISTERED),
        event(details, messages.USER_BANKING_DETAILS_UPDATED, version=2),
    )
    found = await rows(engine, "SELECT type, title FROM notifications ORDER BY created_at")
    assert [tuple(row) for row in found] == [
        ("user.registered", "Welcome to Baluarte"),
        ("user.banking-details.updated", "Your banking details were changed"),
    ]


async def test_hostile_names_are_only_text(engine: AsyncEngine) -> None:
    """SQL in a name is stored as it is and does nothing."""
    ana, bento = uuid4(), uuid4()
    name = "Ana'); DROP TABLE notifications; --"
    await take_in(
        engine,
        event(UserRegistered(user_id=ana, name=name, active=True), messages.USER_REGISTERED),
        event(transfer(ana, bento), messages.TRANSACTION_COMPLETED),
    )
    found = await rows(engine, f"SELECT body FROM notifications WHERE user_id = '{bento}'")
    assert found[0].body == f"You received R$ 10,00 from {name}."
