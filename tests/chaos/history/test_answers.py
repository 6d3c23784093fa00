"""What an answer of the gateway means: the one place where a driver could lie to its checker."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.history.answers import (
    DEFINITE,
    DOCUMENTS,
    Replied,
    Unanswered,
    classify,
    decimal_text,
    variables,
)
from chaos.history.case import Kind
from chaos.history.client import Command, Party
from chaos.history.events import Op, Request, Status

ANA, BIA = Party("user-ana", "account-ana"), Party("user-bia", "account-bia")


def named(status: str, field: str = "transfer", reason: str | None = None) -> Replied:
    node = {"id": "t-1", "status": status, "failureReason": reason}
    return Replied(200, json.dumps({"data": {field: node}}).encode())


def refused(code: str, *, retryable: bool = False, after: float | None = None) -> Replied:
    extensions = {"code": code, "retryable": retryable, "retryAfterSeconds": after}
    errors = [{"message": "no", "path": ["transfer"], "extensions": extensions}]
    return Replied(200, json.dumps({"data": None, "errors": errors}).encode())


@pytest.mark.parametrize("status", ["PENDING", "COMPLETED", "REVERSED"])
def test_a_named_transfer_is_ok(status: str) -> None:
    """A transfer that the gateway names is acknowledged, final or not."""
    outcome = classify(Op.TRANSFER, named(status))

    assert (outcome.kind, outcome.retry) == (Kind.OK, False)
    assert (outcome.answer.transfer, outcome.answer.status) == ("t-1", Status(status))


def test_a_failed_transfer_is_a_refusal_that_names_it() -> None:
    """FAILED moved nothing, and will stay so."""
    outcome = classify(Op.TRANSFER, named("FAILED", reason="INSUFFICIENT_FUNDS"))

    assert (outcome.kind, outcome.retry) == (Kind.FAIL, False)
    assert outcome.answer.transfer == "t-1"
    assert outcome.answer.code == "INSUFFICIENT_FUNDS"


@pytest.mark.parametrize(
    ("reply", "kind", "code", "retry"),
    [
        (Unanswered("timeout"), Kind.INFO, "LOST", True),
        (Unanswered("refused", sent=False), Kind.FAIL, "NOT_SENT", True),
        (refused("OUTCOME_UNKNOWN", retryable=True), Kind.INFO, "OUTCOME_UNKNOWN", True),
        (refused("INTERNAL"), Kind.INFO, "INTERNAL", True),
        (refused("SOMETHING_NEW"), Kind.INFO, "SOMETHING_NEW", True),
        (refused(""), Kind.INFO, "UNCODED", True),
        (refused("RATE_LIMITED", retryable=True), Kind.FAIL, "RATE_LIMITED", True),
        (refused("UNAVAILABLE", retryable=True), Kind.FAIL, "UNAVAILABLE", True),
        (refused("TOKEN_EXPIRED"), Kind.FAIL, "TOKEN_EXPIRED", True),
        (refused("UNAUTHENTICATED"), Kind.FAIL, "UNAUTHENTICATED", True),
        (refused("IDEMPOTENCY_CONFLICT"), Kind.FAIL, "IDEMPOTENCY_CONFLICT", False),
        (refused("INVALID_AMOUNT"), Kind.FAIL, "INVALID_AMOUNT", False),
        (Replied(200, b'{"data": {"transfer": null}}'), Kind.INFO, "NULL", True),
        (Replied(200, b'{"data": null}'), Kind.INFO, "NULL", True),
        (Replied(200, b"{}"), Kind.INFO, "NULL", True),
        (Replied(502, b"<html>Bad Gateway</html>"), Kind.INFO, "HTTP_502", True),
        (Replied(200, b""), Kind.INFO, "HTTP_200", True),
        (Replied(200, b'{"data": {"transfer": {"id": 7}}}'), Kind.INFO, "HTTP_200", True),
        (Replied(200, b'{"data": {"transfer": {"id": "t"}}}'), Kind.INFO, "HTTP_200", True),
        (named("LATER"), Kind.INFO, "HTTP_200", True),
        (named("COMPLETED", field="deposit"), Kind.INFO, "NULL", True),
        (Replied(200, b"\xff"), Kind.INFO, "HTTP_200", True),
    ],
)
def test_without_a_named_transfer_the_code_decides(
    reply: Replied | Unanswered, kind: Kind, code: str, retry: bool
) -> None:
    """Only a promise that nothing happened is a refusal; every doubt is unknown."""
    outcome = classify(Op.TRANSFER, reply)

    assert (outcome.kind, outcome.answer.code, outcome.retry) == (kind, code, retry)


@pytest.mark.parametrize("op", list(DOCUMENTS))
@given(body=st.binary(max_size=80), status=st.integers(100, 599))
def test_any_bytes_are_unknown_and_never_an_exception(op: Op, body: bytes, status: int) -> None:
    """Whatever a broken gateway sends, the run goes on and claims nothing about money."""
    outcome = classify(op, Replied(status, body))

    assert outcome.answer.transfer is None
    assert outcome.kind is Kind.INFO or (op is Op.FIND and outcome.kind is Kind.OK)


def test_the_time_to_wait_is_handed_on() -> None:
    """The platform's own word on when to come back is kept."""
    limited = classify(Op.TRANSFER, refused("RATE_LIMITED", retryable=True, after=1.5))
    unknown = classify(Op.TRANSFER, refused("OUTCOME_UNKNOWN", after=2.0))

    assert (limited.retry_after, unknown.retry_after) == (1.5, 2.0)


def test_finding_nothing_is_an_answer_of_its_own() -> None:
    """Null without an error means "not seen yet"."""
    outcome = classify(Op.FIND, Replied(200, b'{"data": {"transaction": null}}'))

    assert (outcome.kind, outcome.answer.transfer) == (Kind.OK, None)


def test_finding_a_failed_transfer_is_ok() -> None:
    """The question was answered, whatever the answer says of the transfer."""
    outcome = classify(Op.FIND, named("FAILED", field="transaction", reason="ACCOUNT_INACTIVE"))

    assert (outcome.kind, outcome.answer.status) == (Kind.OK, Status.FAILED)


def test_an_error_to_a_question_says_nothing_of_the_transfer() -> None:
    """A query that failed is no refusal of money, whatever its code."""
    assert classify(Op.FIND, refused("FORBIDDEN")).kind is Kind.INFO


def test_an_answer_marked_as_degraded_is_stale() -> None:
    """What the platform serves from elsewhere binds nobody."""
    node = {"id": "t-1", "status": "PENDING"}
    degraded = [{"path": ["transaction"], "service": "transactions"}]
    body = {"data": {"transaction": node}, "extensions": {"degraded": degraded}}

    assert classify(Op.FIND, Replied(200, json.dumps(body).encode())).answer.stale


def test_no_code_of_doubt_counts_as_definite() -> None:
    """The list of definite codes never takes in those that say "perhaps"."""
    assert DEFINITE.isdisjoint({"OUTCOME_UNKNOWN", "INTERNAL", "TRANSFER_MISMATCH", ""})


def test_the_variables_are_what_each_mutation_takes() -> None:
    """Each command becomes the input of its mutation, with the key."""
    request = Request("user-ana", "account-ana", "account-bia", 1250, "BRL", target="t-9")
    money = {"amount": "12.50", "currency": "BRL"}

    def given_for(op: Op, receiver: Party | None = None) -> object:
        return variables(Command(op, ANA, "key-00001", request, receiver))["input"]

    key = {"idempotencyKey": "key-00001"}
    assert given_for(Op.TRANSFER, BIA) == {**key, "amount": money, "receiverId": "user-bia"}
    assert given_for(Op.DEPOSIT) == {**key, "amount": money}
    assert given_for(Op.WITHDRAW) == {**key, "amount": money}
    assert given_for(Op.REVERSE) == {**key, "transactionId": "t-9"}


@given(st.integers(0, 10**15))
def test_decimal_text_is_exact(minor_units: int) -> None:
    """No amount passes through a float."""
    whole, fraction = decimal_text(minor_units, "BRL").split(".")

    assert int(whole) * 100 + int(fraction) == minor_units
    assert len(fraction) == 2
