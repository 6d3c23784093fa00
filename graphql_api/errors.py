"""How errors leave the gateway: coded, masked, never with a foreign message.

`extensions` of every error: `code`, `service` (who failed), `retryable`, `correlationId`, and where known
`retryAfterSeconds` and `field` (path of the offending input).
"""

from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError

from chassis import codes, logs
from chassis.codes import Code
from chassis.errors import CodedError
from chassis.verdicts import refused
from resilience.deadline import DeadlineExceeded
from resilience.errors import Rejected

SERVICE = "gateway"

MAX_MESSAGE = 500
"""Longest message of an error, characters: graphql-core quotes what was sent."""

ErrorBody = dict[str, Any]

_log = logs.get("errors")


class Refused(Exception):
    """The operation was not executed. `errors` are GraphQL's own, all of the kind `code`."""

    def __init__(self, code: Code, errors: Sequence[GraphQLError]) -> None:
        super().__init__(code.name)
        self.code = code
        self.errors = tuple(errors)


def coded(error: BaseException | None) -> CodedError | None:
    """The coded error that `error` stands for, if it stands for one."""
    if isinstance(error, CodedError):
        return error
    if isinstance(error, Rejected):
        return refused(error, error.source)
    if isinstance(error, DeadlineExceeded | TimeoutError):
        return codes.DEADLINE_EXCEEDED.error()
    return None


def masked(correlation_id: str) -> CodedError:
    """What a client is told of an error that is not meant for it."""
    return codes.INTERNAL.error(
        f"{codes.INTERNAL.meaning}. Report the correlation id {correlation_id}."
    )


def body_of(error: CodedError, correlation_id: str) -> ErrorBody:
    """`error` as an entry of `errors`."""
    extensions: dict[str, Any] = {
        "code": error.code,
        "service": error.service or SERVICE,
        "retryable": error.retryable,
        "retryAfterSeconds": error.retry_after,
        "correlationId": correlation_id,
    }
    if error.field is not None:
        extensions["field"] = error.field
    return {"message": error.detail, "extensions": extensions}


def field_error(error: GraphQLError, correlation_id: str) -> ErrorBody:
    """What happened while a field was resolved; anything uncoded is logged and masked."""
    known = coded(error.original_error)
    if known is None:
        _log.error(
            "field failed",
            rootField=str(error.path[0]) if error.path else None,
            exc_info=error.original_error or error,
        )
        known = masked(correlation_id)
    return _located(body_of(known, correlation_id), error)


def refusals(refused: Refused, correlation_id: str) -> list[ErrorBody]:
    """What is wrong with an operation that was not executed."""
    return [
        _located(
            body_of(
                coded(error.original_error) or refused.code.error(error.message[:MAX_MESSAGE]),
                correlation_id,
            ),
            error,
        )
        for error in refused.errors
    ]


def _located(body: ErrorBody, error: GraphQLError) -> ErrorBody:
    if error.locations:
        body["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        body["path"] = list(error.path)
    return body
