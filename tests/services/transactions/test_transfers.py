"""Ordering transactions: what is committed, what is answered, and what is refused."""

import asyncio
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from chassis.errors import CodedError
from services.transactions.contract import (
    Create,
    TransactionSettled,
    TransactionStatus,
    TransactionType,
)
from services.transactions.ledger_port import POSTING_SECONDS
from services.transactions.requests import DemoRail
from tests.services.transactions.conftest import Bank, call_of, new_key, order, transfer_to
from tests.services.transactions.scripted_ledger import Fault

COMPLETED, FAILED = TransactionStatus.COMPLETED, TransactionStatus.FAILED
PENDING, REVERSED = TransactionStatus.PENDING, TransactionStatus.REVERSED


async def test_transfer_completes(bank: Bank) -> None:
    """A transfer that the ledger posts is answered COMPLETED, with names, times and its own fields."""
    ana, bruno = bank.person(1_000), bank.person()
    await bank.name(ana, "Ana")
    await bank.name(bruno, "Bruno")
    request = transfer_to(bruno, 250, description="rent", metadata={"a": 1, "b": None, "c": True})

    answer = await bank.create(ana, request)

    done = answer.transaction
    assert not answer.replayed
    assert (done.status, done.type, done.amount, done.currency) == (
        COMPLETED,
        TransactionType.TRANSFER,
        250,
        "BRL",
    )
    assert (done.sender_id, done.receiver_id, done.initiated_by) == (ana, bruno, ana)
    assert (done.sender_name, done.receiver_name) == ("Ana", "Bruno")
    assert (done.description, done.metadata) == ("rent", {"a": 1, "b": None, "c": True})
    assert done.idempotency_key == request.idempotency_key
    assert done.processed_at is not None
    assert done.processed_at >= done.created_at
    assert (done.failure_reason, done.version) == (None, 2)
    assert (bank.ledger.balance(ana), bank.ledger.balance(bruno)) == (750, 250)


async def test_deposit_and_withdrawal(bank: Bank) -> None:
    """A deposit has no sender, a withdrawal no receiver; both move money against the world outside."""
    ana = bank.person()

    deposit = (await bank.create(ana, order(TransactionType.DEPOSIT, 500))).transaction
    withdrawal = (await bank.create(ana, order(TransactionType.WITHDRAWAL, 200))).transaction

    assert (deposit.status, deposit.sender_id, deposit.receiver_id) == (COMPLETED, None, ana)
    assert (withdrawal.status, withdrawal.sender_id, withdrawal.receiver_id) == (
        COMPLETED,
        ana,
        None,
    )
    assert bank.ledger.balance(ana) == 300


@pytest.mark.parametrize("case", ["poor", "unknown receiver"])
async def test_refusal_fails(bank: Bank, case: str) -> None:
    """What the ledger refuses is answered FAILED with the ledger's reason; no money moves."""
    ana = bank.person(10)
    receiver = bank.person() if case == "poor" else uuid4()

    failed = await bank.transfer(ana, receiver, 100 if case == "poor" else 5)

    assert failed.status is FAILED
    assert failed.failure_reason == (
        "INSUFFICIENT_FUNDS" if case == "poor" else "ACCOUNT_NOT_FOUND"
    )
    assert failed.processed_at is not None
    assert bank.ledger.balance(ana) == 10


@pytest.mark.parametrize(
    "fault",
    [Fault.REFUSED, Fault.LOST_BEFORE, Fault.LOST_AFTER, Fault.ITEMS_UNKNOWN, Fault.SURPRISE],
)
async def test_unknown_stays_pending_until_recovered(bank: Bank, fault: Fault) -> None:
    """Without a definite answer a request is told PENDING; recovery finds the truth, once."""
    ana, bruno = bank.person(1_000), bank.person()
    bank.ledger.script.append(fault)

    pending = await bank.transfer(ana, bruno)
    assert pending.status is PENDING
    assert pending.processed_at is None
    assert await bank.events() == []

    await bank.recover()

    assert await bank.statuses() == {pending.id: "COMPLETED"}
    assert bank.ledger.balance(bruno) == 100
    assert bank.ledger.moved[pending.id] == 1
    assert [event.type for event in await bank.events()] == ["transaction.completed"]


async def test_hanging_ledger_is_answered_in_time(bank: Bank) -> None:
    """While the ledger hangs, the request is told PENDING by its own deadline, and not kept longer."""
    ana, bruno = bank.person(1_000), bank.person()
    bank.ledger.gate.clear()
    loop = asyncio.get_running_loop()
    started = loop.time()

    answer = await bank.create(ana, transfer_to(bruno), seconds=1.0)

    assert loop.time() - started < POSTING_SECONDS
    assert answer.transaction.status is PENDING
    assert bank.metric("bank_transfers_answered_pending_total") == 1


async def test_what_is_carried_out_later_is_counted_as_queued(bank: Bank) -> None:
    """A request that is told PENDING is a fallback of the ledger, once; a prompt one is not."""
    ana, bruno, told = bank.person(1_000), bank.person(), []
    transfers = bank.rebuild(queued=lambda: told.append(1)).transfers
    await transfers.create(call_of(ana, seconds=5.0), transfer_to(bruno))
    assert told == []
    bank.ledger.gate.clear()
    order = transfer_to(bruno)

    for _ in range(2):
        await transfers.create(call_of(ana, seconds=0.5), order)

    assert told == [1]
    bank.ledger.gate.set()
    await transfers.drain()


async def test_pending_settles_after_the_request_left(bank: Bank) -> None:
    """What a request leaves behind goes on without it: no recovery is needed for a slow ledger."""
    ana, bruno = bank.person(1_000), bank.person()
    bank.ledger.gate.clear()
    pending = await bank.create(ana, transfer_to(bruno), seconds=1.0)

    bank.ledger.gate.set()
    await bank.parts.transfers.drain()

    assert await bank.statuses() == {pending.transaction.id: "COMPLETED"}


async def test_events_carry_names_and_reason(bank: Bank) -> None:
    """Each outcome is published once, keyed by the transaction, with its version and its names."""
    ana, bruno = bank.person(100), bank.person()
    await bank.name(bruno, "Bruno")
    done = await bank.transfer(ana, bruno, 100)
    failed = await bank.transfer(ana, bruno, 1)

    completed_event, failed_event = await bank.events()

    assert (completed_event.type, completed_event.key) == ("transaction.completed", str(done.id))
    assert (failed_event.type, failed_event.key) == ("transaction.failed", str(failed.id))
    assert completed_event.version == done.version
    assert completed_event.topic == "transaction-events"
    payload = completed_event.read(TransactionSettled)
    assert (payload.sender_name, payload.receiver_name) == (None, "Bruno")
    assert (payload.amount, payload.status, payload.failure_reason) == (100, COMPLETED, None)
    assert failed_event.read(TransactionSettled).failure_reason == "INSUFFICIENT_FUNDS"


async def test_correlation_id_reaches_the_event(bank: Bank) -> None:
    """The event of a transaction carries the correlation id of the request that ordered it."""
    ana, bruno = bank.person(100), bank.person()
    call = call_of(ana)
    bank.ledger.script.append(Fault.LOST_BEFORE)
    await bank.parts.transfers.create(call, transfer_to(bruno, 100))
    await bank.recover()

    (event,) = await bank.events()

    assert event.correlation_id == call.correlation_id


async def test_concurrent_requests_share_round_trips(bank: Bank) -> None:
    """Requests that arrive together are posted in few calls, and each gets its own outcome."""
    ana, bruno = bank.person(32 * 10), bank.person()

    done = await asyncio.gather(*(bank.transfer(ana, bruno, 10) for _ in range(64)))

    assert sum(item.status is COMPLETED for item in done) == 32
    assert sum(item.failure_reason == "INSUFFICIENT_FUNDS" for item in done) == 32
    assert len({item.id for item in done}) == 64
    assert len(bank.ledger.calls) <= 5
    assert bank.ledger.balance(bruno) == 320
    assert len(await bank.events()) == 64


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"amount": 0}, "INVALID_AMOUNT"),
        ({"amount": -5}, "INVALID_AMOUNT"),
        ({"amount": 10**15 + 1}, "INVALID_AMOUNT"),
        ({"currency": "USD"}, "UNSUPPORTED_CURRENCY"),
        ({"receiver_id": None}, "INVALID_INPUT"),
        ({"type": TransactionType.DEPOSIT}, "INVALID_INPUT"),
        ({"type": TransactionType.WITHDRAWAL}, "INVALID_INPUT"),
        ({"type": TransactionType.REVERSAL}, "INVALID_INPUT"),
        ({"type": TransactionType.REVERSAL, "receiver_id": None}, "INVALID_INPUT"),
        (
            {"type": TransactionType.DEPOSIT, "receiver_id": None, "amount": 1_000_001},
            "DEPOSIT_LIMIT",
        ),
    ],
)
async def test_bad_requests_write_nothing(bank: Bank, fields: dict[str, Any], code: str) -> None:
    """A request that breaks a rule is refused with its code, and leaves no row and no key."""
    request = msgspec.structs.replace(transfer_to(bank.person()), **fields)

    with pytest.raises(CodedError) as refused:
        await bank.create(bank.person(10**9), request)

    assert refused.value.code == code
    assert (await bank.count(), await bank.count("idempotency")) == (0, 0)
    assert bank.ledger.calls == []


async def test_transfer_to_oneself(bank: Bank) -> None:
    """A transfer to oneself is refused before anything is written."""
    ana = bank.person(100)

    with pytest.raises(CodedError) as refused:
        await bank.transfer(ana, ana)

    assert refused.value.code == "SELF_TRANSFER"
    assert await bank.count() == 0


async def test_rail_can_be_off(bank: Bank) -> None:
    """With the demonstration rail off, deposits and withdrawals are refused; transfers are not."""
    ana, bruno = bank.person(100), bank.person()
    transfers = bank.rebuild(rail=DemoRail(enabled=False)).transfers

    for type_ in (TransactionType.DEPOSIT, TransactionType.WITHDRAWAL):
        with pytest.raises(CodedError) as refused:
            await transfers.create(call_of(ana), order(type_))
        assert refused.value.code == "DEPOSIT_DISABLED"
    answer = await transfers.create(call_of(ana), transfer_to(bruno))

    assert answer.transaction.status is COMPLETED


async def test_nobody_signed_in(bank: Bank) -> None:
    """Without a user nothing can be ordered."""
    with pytest.raises(CodedError) as refused:
        await bank.parts.transfers.create(call_of(None), transfer_to(bank.person()))

    assert refused.value.code == "UNAUTHENTICATED"


async def test_sql_in_strings_is_text(bank: Bank) -> None:
    """Quotes, comments and statements in texts come back as they went in, and do nothing."""
    ana, bruno = bank.person(100), bank.person()
    nasty = "'); DROP TABLE transactions; -- \" $1 :ids %s {} \\ é 😀"
    await bank.name(bruno, nasty)

    request = transfer_to(bruno, description=nasty, metadata={"note": nasty})
    done = (await bank.create(ana, request)).transaction

    assert (done.description, done.metadata, done.receiver_name) == (nasty, {"note": nasty}, nasty)
    assert await bank.count() == 1


async def test_one_bad_draft_does_not_take_others_along(bank: Bank) -> None:
    """A draft that the database refuses fails alone; those of the same batch are carried out."""
    ana, bruno = bank.person(1_000), bank.person()
    good = [transfer_to(bruno) for _ in range(3)]
    # The wire refuses this text; here it stands for whatever only the database would refuse.
    bad = transfer_to(bruno, description="\x00")

    results = await asyncio.gather(
        *(bank.create(ana, request) for request in [good[0], bad, *good[1:]]),
        return_exceptions=True,
    )

    assert isinstance(results[1], CodedError)
    assert [type(result).__name__ for result in results].count("TransactionAnswer") == 3
    assert await bank.count() == 3


async def test_expired_deadline_does_nothing(bank: Bank) -> None:
    """A request whose time is over before it starts is refused, and nothing is written."""
    ana, bruno = bank.person(100), bank.person()

    with pytest.raises(CodedError) as refused:
        await bank.create(ana, transfer_to(bruno), seconds=0.0)
    await bank.parts.transfers.drain()

    assert refused.value.code == "DEADLINE_EXCEEDED"
    assert await bank.count() == 0


def test_create_is_what_the_gateway_sends() -> None:
    """Unknown fields, wrong types, bad keys and bad amounts do not pass the contract."""
    decode = msgspec.json.Decoder(Create).decode
    good: dict[str, Any] = {
        "idempotencyKey": new_key(),
        "type": "TRANSFER",
        "receiverId": str(uuid4()),
        "amount": 1,
        "currency": "BRL",
    }
    decode(msgspec.json.encode(good))
    for bad in (
        {"amount": 0},
        {"amount": 1.5},
        {"amount": "1"},
        {"currency": "brl"},
        {"idempotencyKey": "short"},
        {"idempotencyKey": "no spaces here"},
        {"receiverId": "x"},
        {"type": "GIFT"},
        {"extra": 1},
        {"metadata": {"a": {"b": 1}}},
        {"metadata": {"a b": 1}},
        {"metadata": {"a": 2**53}},
        {"metadata": {"a": 1.5}},
        {"description": "x" * 141},
        {"description": "\x00"},
    ):
        with pytest.raises(msgspec.ValidationError):
            decode(msgspec.json.encode(good | bad))
