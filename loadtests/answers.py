"""What an answer means to its reader: a `chaos.record.Outcome`, codes, and how old the data are. No I/O.

`chaos.history.answers.classify` says what an answer proves about money; this says what a person was served.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chaos.history.answers import BODY, DOCUMENTS, LOST, NOT_SENT, Body, Reply, Unanswered
from chaos.history.events import Op, Status, clip
from chaos.record import Outcome
from loadtests.documents import Query

UNCODED: Final = "UNCODED"
NULL: Final = "NULL"
MARKED_IN_DATA_ONLY: Final = "MARKED_IN_DATA_ONLY"
MARKED_IN_SUMMARY_ONLY: Final = "MARKED_IN_SUMMARY_ONLY"
"""A copy must be marked in the data *and* in `extensions.degraded`. These say that one was missing."""

OUTCOME_UNKNOWN: Final = "OUTCOME_UNKNOWN"
BROKEN: Final = frozenset({"INTERNAL"})
"""Codes that promise nothing: the platform itself does not know what went wrong."""


@dataclass(frozen=True, slots=True)
class Told:
    """One answer, read.

    Attributes:
        outcome: what the person was served.
        codes: of its errors, in order; for a transaction that failed, its reason.
        stale_age: seconds, of the oldest copy in it; None if there is none, or its age is not known.
        status: HTTP status; 0 for no answer.
        message: of the first error, clipped.
        node: what the queried field held.
        retryable: whether the platform said that the same request may succeed later, or did not answer.
        retry_after: seconds that it asked to wait.
    """

    outcome: Outcome
    codes: tuple[str, ...] = ()
    stale_age: float | None = None
    status: int = 0
    message: str = ""
    node: Any = None
    retryable: bool = False
    retry_after: float | None = None


def read(query: Query, reply: Reply) -> Told:
    """Decide what a person was served by `reply` to `query`."""
    if isinstance(reply, Unanswered):
        code = LOST if reply.sent else NOT_SENT
        return Told(Outcome.FAILED, (code,), message=clip(reply.reason), retryable=True)
    try:
        body = BODY.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = clip(f"no GraphQL answer: {error}")
        code = f"HTTP_{reply.status}"
        return Told(Outcome.FAILED, (code,), None, reply.status, message, retryable=True)
    return _errors(query, body, reply.status) if body.errors else _whole(query, body, reply.status)


def _errors(query: Query, body: Body, status: int) -> Told:
    """Read an answer with errors."""
    node = (body.data or {}).get(query.field)
    coded = (error.extensions.code or UNCODED for error in body.errors)
    codes = tuple(dict.fromkeys(coded))
    asked = [error.extensions.retry_after_seconds for error in body.errors]
    ages, marks = _marks(query, body)
    return Told(
        _outcome(codes, something=any(v is not None for v in (body.data or {}).values())),
        codes + marks,
        max(ages, default=None),
        status,
        clip(body.errors[0].message),
        node,
        retryable=any(error.extensions.retryable for error in body.errors),
        retry_after=max((seconds for seconds in asked if seconds is not None), default=None),
    )


def _outcome(codes: tuple[str, ...], *, something: bool) -> Outcome:
    if UNCODED in codes or BROKEN.intersection(codes):
        return Outcome.FAILED
    if OUTCOME_UNKNOWN in codes:
        return Outcome.UNKNOWN
    return Outcome.PARTIAL if something else Outcome.REFUSED


def _whole(query: Query, body: Body, status: int) -> Told:
    """Read an answer without errors."""
    node = (body.data or {}).get(query.field)
    if node is None and not query.nullable:
        return Told(Outcome.FAILED, (NULL,), None, status, "null without an error", retryable=True)
    ages, marks = _marks(query, body)
    said = node if isinstance(node, Mapping) else {}
    reason = said.get("failureReason")
    codes = ((str(reason),) if reason else ()) + marks
    stale = bool(body.extensions and body.extensions.degraded) or any(True for _ in _stale(node))
    if query.effect and said.get("status") == Status.PENDING:
        outcome = Outcome.QUEUED
    else:
        outcome = Outcome.STALE if stale else Outcome.FRESH
    return Told(outcome, codes, max(ages, default=None), status, node=node)


def _marks(query: Query, body: Body) -> tuple[list[float], tuple[str, ...]]:
    """Ages of the copies in an answer, and which of the two marks is missing."""
    degraded = body.extensions.degraded if body.extensions else []
    in_data = [age for node in (body.data or {}).values() for age in _stale(node)]
    ages = [
        age
        for age in (*in_data, *(entry.get("ageSeconds") for entry in degraded))
        if age is not None
    ]
    marks: tuple[str, ...] = ()
    if query.shows_freshness and bool(degraded) != bool(in_data):
        marks = (MARKED_IN_DATA_ONLY if in_data else MARKED_IN_SUMMARY_ONLY,)
    return [float(age) for age in ages], marks


def _stale(node: Any) -> Iterator[float | None]:
    """The age of every copy below `node` that says of itself that it is one."""
    if isinstance(node, list):
        for item in node:
            yield from _stale(item)
    elif isinstance(node, Mapping):
        freshness = node.get("freshness")
        if isinstance(freshness, Mapping) and freshness.get("state") == "STALE":
            yield freshness.get("ageSeconds")
        for item in node.values():
            yield from _stale(item)


def money_query(op: Op) -> Query:
    """The query that carries out, or looks up, a money operation."""
    return _MONEY[op]


_MONEY: Final = {
    op: Query(
        field="transaction" if op is Op.FIND else str(op),
        document=document,
        effect=op is not Op.FIND,
        nullable=op is Op.FIND,
    )
    for op, document in DOCUMENTS.items()
}
