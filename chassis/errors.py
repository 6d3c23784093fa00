"""The one exception that crosses our layers: coded, with the decision in it.

Foreign exceptions are translated once, at the boundary where they appear; everything above matches on
`code` and `retryable`. On the wire it is an RFC 9457 problem document.
"""

import msgspec

MAX_DETAIL = 500
"""Longest detail that is sent, characters: an error must not carry a payload."""


class CodedError(Exception):
    """Something went wrong that the caller can act on. Make one with `codes.X.error(…)`.

    Attributes:
        code: stable name, see `chassis.codes`.
        status: HTTP status between services.
        title: the meaning of the code.
        detail: what happened this time, and what to do.
        retryable: whether the same request may succeed later.
        retry_after: seconds to wait, if known.
        field: path of the offending input, if one is to blame.
        service: the service that failed, if another one did.
    """

    def __init__(
        self,
        *,
        code: str,
        status: int,
        title: str,
        detail: str,
        retryable: bool,
        field: str | None = None,
        retry_after: float | None = None,
        service: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.status = status
        self.title = title
        self.detail = detail[:MAX_DETAIL]
        self.retryable = retryable
        self.field = field
        self.retry_after = retry_after
        self.service = service


class Unreached(CodedError):
    """The other side could not be connected to: the request was never sent."""

    @classmethod
    def of(cls, error: CodedError) -> "Unreached":
        """`error`, told as this."""
        return cls(
            code=error.code,
            status=error.status,
            title=error.title,
            detail=error.detail,
            retryable=error.retryable,
            service=error.service,
        )


class Problem(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """An RFC 9457 problem document (`application/problem+json`)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool = False
    retry_after_seconds: float | None = None
    field: str | None = None
    service: str | None = None
    correlation_id: str | None = None


def to_problem(error: CodedError, *, correlation_id: str | None, service: str) -> Problem:
    """The document that tells `error` to the caller of `service`."""
    return Problem(
        type=f"urn:baluarte:error:{error.code.lower().replace('_', '-')}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        retryable=error.retryable,
        retry_after_seconds=error.retry_after,
        field=error.field,
        service=error.service or service,
        correlation_id=correlation_id,
    )


def from_problem(problem: Problem) -> CodedError:
    """The error that a problem document from another service tells of."""
    return CodedError(
        code=problem.code,
        status=problem.status,
        title=problem.title,
        detail=problem.detail,
        retryable=problem.retryable,
        field=problem.field,
        retry_after=problem.retry_after_seconds,
        service=problem.service,
    )
