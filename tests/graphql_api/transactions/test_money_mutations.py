"""Money mutations over GraphQL: what is asked, what is refused, and what is said when nobody knows."""

from typing import Any

import pytest

from chassis import codes
from chassis.errors import CodedError
from services.transactions.contract import Create, TransactionType
from services.users.contract import Role
from tests.graphql_api.driving import Gateway
from tests.graphql_api.fakes import Platform

FIELDS = """{
  id status type amount { amount currency } description failureReason createdAt processedAt
  sender { id name } receiver { id name } metadata idempotencyKey
}"""
TRANSFER = f"mutation M($input: TransferInput!) {{ transfer(input: $input) {FIELDS} }}"
DEPOSIT = f"mutation M($input: CashInput!) {{ deposit(input: $input) {FIELDS} }}"
WITHDRAW = f"mutation M($input: CashInput!) {{ withdraw(input: $input) {FIELDS} }}"
REVERSE = "mutation M($input: ReverseInput!) { reverse(input: $input) { id type } }"


def money(amount: str = "10.00", currency: str = "BRL") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


def transfer(receiver: Any, **changes: Any) -> dict[str, Any]:
    return {
        "input": {
            "idempotencyKey": "transfer-0001",
            "receiverId": str(receiver),
            "amount": money(),
            **changes,
        }
    }


async def test_a_transfer_is_answered_whole(gateway: Gateway, platform: Platform) -> None:
    """All that a receipt needs comes with the mutation, the counterparty's name included."""
    ana, bia = platform.add_user("Ana", balance=100_00), platform.add_user("Bia")
    reply = await gateway.query(
        TRANSFER,
        transfer(bia.id, amount=money("12.5"), description="Lunch", metadata={"table": 7}),
        user=ana,
    )
    assert reply.errors == []
    told = reply.data["transfer"]
    row = platform.rows[-1]
    assert told == {
        "id": str(row.id),
        "status": "COMPLETED",
        "type": "TRANSFER",
        "amount": {"amount": "12.50", "currency": "BRL"},
        "description": "Lunch",
        "failureReason": None,
        "createdAt": row.created_at.isoformat(),
        "processedAt": row.created_at.isoformat(),
        "sender": {"id": str(ana.id), "name": "Ana"},
        "receiver": {"id": str(bia.id), "name": "Bia"},
        "metadata": {"table": 7},
        "idempotencyKey": "transfer-0001",
    }
    assert platform.accounts[bia.id].balance == 12_50


async def test_the_same_key_is_the_same_transfer(gateway: Gateway, platform: Platform) -> None:
    """Sent again with its key, a transfer is answered again and moves nothing."""
    ana, bia = platform.add_user(balance=100_00), platform.add_user()
    first = await gateway.query(TRANSFER, transfer(bia.id), user=ana)
    again = await gateway.query(TRANSFER, transfer(bia.id), user=ana)
    assert again.data == first.data
    assert platform.accounts[ana.id].balance == 90_00


async def test_insufficient_funds_are_a_failed_transaction(
    gateway: Gateway, platform: Platform
) -> None:
    """The transfer that the ledger refused is told as FAILED, with the code of the reason."""
    ana, bia = platform.add_user(balance=1), platform.add_user()
    reply = await gateway.query(TRANSFER, transfer(bia.id), user=ana)
    assert reply.errors == []
    assert reply.data["transfer"]["status"] == "FAILED"
    assert reply.data["transfer"]["failureReason"] == "INSUFFICIENT_FUNDS"


@pytest.mark.parametrize(
    ("document", "kind"),
    [(DEPOSIT, TransactionType.DEPOSIT), (WITHDRAW, TransactionType.WITHDRAWAL)],
)
async def test_cash_has_no_receiver(
    gateway: Gateway, platform: Platform, document: str, kind: TransactionType
) -> None:
    """Deposits and withdrawals name their kind, the amount in centavos and the key, and nobody else."""
    ana = platform.add_user(balance=100_00)
    asked = {"input": {"idempotencyKey": "cash-000001", "amount": money("3.21")}}
    reply = await gateway.query(document, asked, user=ana)
    assert reply.errors == []
    request = platform.transactions.calls[0][1]
    assert request == Create(idempotency_key="cash-000001", type=kind, amount=321, currency="BRL")


@pytest.mark.parametrize(
    "failure",
    [
        codes.OUTCOME_UNKNOWN.error(service="transactions"),
        codes.INTERNAL.error(service="transactions"),
    ],
    ids=lambda failure: failure.code,
)
async def test_an_unknown_outcome_is_said(
    gateway: Gateway, platform: Platform, failure: CodedError
) -> None:
    """When the service's answer is lost, or it failed inside, it is OUTCOME_UNKNOWN, "same key"."""
    ana, bia = platform.add_user(), platform.add_user()
    platform.transactions.failure = failure
    reply = await gateway.query(TRANSFER, transfer(bia.id), user=ana)
    assert reply.data == {"transfer": None}
    (error,) = reply.errors
    assert error["extensions"]["code"] == "OUTCOME_UNKNOWN"
    assert error["extensions"]["retryable"] is True
    assert error["extensions"]["service"] == "transactions"
    assert "same idempotency key" in error["message"]


@pytest.mark.parametrize("code", [codes.UNAVAILABLE, codes.DEADLINE_EXCEEDED, codes.DEPOSIT_LIMIT])
async def test_a_definite_refusal_stays_one(
    gateway: Gateway, platform: Platform, code: codes.Code
) -> None:
    """What the service says was not done is not turned into a doubt."""
    ana, bia = platform.add_user(), platform.add_user()
    platform.transactions.failure = code.error(service="transactions")
    reply = await gateway.query(TRANSFER, transfer(bia.id), user=ana)
    assert reply.codes == [code.name]


async def test_a_transfer_to_oneself_is_refused_at_the_door(
    gateway: Gateway, platform: Platform
) -> None:
    """SELF_TRANSFER needs no service."""
    ana = platform.add_user()
    reply = await gateway.query(TRANSFER, transfer(ana.id), user=ana)
    assert reply.codes == ["SELF_TRANSFER"]
    assert platform.counts()["transactions"] == 0


@pytest.mark.parametrize("document", [TRANSFER, DEPOSIT, WITHDRAW, REVERSE])
async def test_money_needs_a_user(gateway: Gateway, platform: Platform, document: str) -> None:
    """No money mutation reaches the service without a signed-in user."""
    bia = platform.add_user()
    asked: dict[str, Any] = {"idempotencyKey": "nobody-0001", "amount": money()}
    if document is TRANSFER:
        asked["receiverId"] = str(bia.id)
    if document is REVERSE:
        asked = {"idempotencyKey": "nobody-0001", "transactionId": str(bia.id)}
    reply = await gateway.query(document, {"input": asked})
    assert reply.codes == ["UNAUTHENTICATED"]
    assert platform.counts()["transactions"] == 0


@pytest.mark.parametrize("role", list(Role))
async def test_reversal_is_for_staff(gateway: Gateway, platform: Platform, role: Role) -> None:
    """Customers cannot reverse, staff can; the lenient service shows that the gateway's lock holds."""
    actor = platform.add_user("Actor", role=role)
    platform.lenient = True
    row = platform.add_transfer(platform.add_user(), actor)
    reply = await gateway.query(
        REVERSE,
        {"input": {"idempotencyKey": "reverse-0001", "transactionId": str(row.id)}},
        user=actor,
    )
    if role is Role.CUSTOMER:
        assert reply.codes == ["FORBIDDEN"]
        assert platform.counts()["transactions"] == 0
    else:
        assert reply.data["reverse"]["type"] == "REVERSAL"
