"""GraphQL documents for money operations, and what an answer to one means. No I/O.

`classify` is where a driver can lie to its checker, by calling unknown what was refused (too lenient)
or refused what is unknown (a false alarm).
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chaos.history.case import Kind
from chaos.history.client import Command, Outcome
from chaos.history.events import Answer, Op, Status, clip

DEFINITE: Final = frozenset(
    {
        "ACCOUNT_INACTIVE",
        "ACCOUNT_NOT_FOUND",
        "BAD_REQUEST",
        "CURRENCY_MISMATCH",
        "DEADLINE_EXCEEDED",
        "DEPOSIT_DISABLED",
        "DEPOSIT_LIMIT",
        "FORBIDDEN",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "IDEMPOTENCY_CONFLICT",
        "INSUFFICIENT_FUNDS",
        "INVALID_AMOUNT",
        "INVALID_INPUT",
        "NOT_REVERSIBLE",
        "OVERLOADED",
        "RATE_LIMITED",
        "SELF_TRANSFER",
        "TOKEN_EXPIRED",
        "TOO_MANY_MUTATIONS",
        "TRANSACTION_NOT_FOUND",
        "TRANSFER_ABANDONED",
        "UNAUTHENTICATED",
        "UNAVAILABLE",
        "UNSUPPORTED_CURRENCY",
        "USER_INACTIVE",
        "USER_NOT_FOUND",
    }
)
"""Codes by which the platform promises that this attempt did nothing. Any other code is unknown.

`UNAVAILABLE` and `DEADLINE_EXCEEDED` are among them because the platform documents them so; check 5
holds it to that."""

SIGNED_OUT: Final = frozenset({"TOKEN_EXPIRED", "UNAUTHENTICATED"})
NOT_SENT: Final = "NOT_SENT"
LOST: Final = "LOST"
DECIMALS: Final = {"BRL": 2}
_FIELDS: Final = "{ id status failureReason }"


def _mutation(name: str, input_type: str) -> str:
    return f"mutation M($input: {input_type}!) {{ {name}(input: $input) {_FIELDS} }}"


DOCUMENTS: Final = {
    Op.TRANSFER: _mutation("transfer", "TransferInput"),
    Op.DEPOSIT: _mutation("deposit", "CashInput"),
    Op.WITHDRAW: _mutation("withdraw", "CashInput"),
    Op.REVERSE: _mutation("reverse", "ReverseInput"),
    Op.FIND: f"query Q($key: String!) {{ transaction(idempotencyKey: $key) {_FIELDS} }}",
}
_FIELD: Final = {**{op: str(op) for op in DOCUMENTS}, Op.FIND: "transaction"}


@dataclass(frozen=True, slots=True)
class Replied:
    """The gateway answered: an HTTP status and a body."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer came. `sent` is False only when the connection was refused, so nothing left us."""

    reason: str
    sent: bool = True


Reply = Replied | Unanswered


class _Extensions(msgspec.Struct, frozen=True, rename="camel"):
    code: str = ""
    retryable: bool = False
    retry_after_seconds: float | None = None


class _Error(msgspec.Struct, frozen=True):
    message: str = ""
    extensions: _Extensions = _Extensions()


class _Node(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    status: Status
    failure_reason: str | None = None


class _Summary(msgspec.Struct, frozen=True):
    degraded: list[dict[str, Any]] = []


class Body(msgspec.Struct, frozen=True):
    """A GraphQL answer, as far as it is looked at here."""

    data: dict[str, Any] | None = None
    errors: list[_Error] = []
    extensions: _Summary | None = None


BODY: Final = msgspec.json.Decoder(Body)


def classify(op: Op, reply: Reply) -> Outcome:
    """Decide what one attempt came to.

    Unknown wins every doubt about money: only a transaction that the gateway names, or a code that
    promises that nothing happened, is definite.
    """
    if isinstance(reply, Unanswered):
        kind = Kind.INFO if reply.sent else Kind.FAIL
        code = LOST if reply.sent else NOT_SENT
        return Outcome(kind, Answer(code=code, detail=clip(reply.reason)), retry=True)
    try:
        body = BODY.decode(reply.body)
        found = (body.data or {}).get(_FIELD[op])
        node = None if found is None else msgspec.convert(found, _Node)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        detail = clip(f"no GraphQL answer: {error}")
        return Outcome(Kind.INFO, Answer(code=f"HTTP_{reply.status}", detail=detail), retry=True)
    if node is not None:
        return _named(op, node, stale=bool(body.extensions and body.extensions.degraded))
    if body.errors:
        return _refused(op, body.errors[0])
    if op is Op.FIND:
        return Outcome(Kind.OK, Answer())
    return Outcome(Kind.INFO, Answer(code="NULL", detail="null without an error"), retry=True)


def _named(op: Op, node: _Node, *, stale: bool) -> Outcome:
    answer = Answer(transfer=node.id, status=node.status, code=node.failure_reason, stale=stale)
    refused = node.status is Status.FAILED and op is not Op.FIND
    return Outcome(Kind.FAIL if refused else Kind.OK, answer)


def _refused(op: Op, error: _Error) -> Outcome:
    told = error.extensions
    answer = Answer(code=told.code or "UNCODED", detail=clip(error.message))
    if op is Op.FIND or told.code not in DEFINITE:
        return Outcome(Kind.INFO, answer, retry=True, retry_after=told.retry_after_seconds)
    return Outcome(
        Kind.FAIL,
        answer,
        retry=told.retryable or told.code in SIGNED_OUT,
        retry_after=told.retry_after_seconds,
    )


def variables(command: Command) -> dict[str, Any]:
    """Return the variables of the mutation that carries a command out."""
    request = command.request
    given: dict[str, Any] = {"idempotencyKey": command.key}
    if command.op is Op.REVERSE:
        return {"input": {**given, "transactionId": request.target}}
    amount = decimal_text(request.amount, request.currency)
    given["amount"] = {"amount": amount, "currency": request.currency}
    if command.receiver is not None:
        given["receiverId"] = command.receiver.user
    return {"input": given}


def decimal_text(minor_units: int, currency: str) -> str:
    """Return an amount of minor units as the gateway's decimal text."""
    decimals = DECIMALS[currency]
    whole, fraction = divmod(minor_units, 10**decimals)
    return f"{whole}.{fraction:0{decimals}d}"
