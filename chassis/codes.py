"""Every error code of the platform, one line each: what happened, and what to do next.

`docs/errors.md` is generated from this table. A code is a promise to clients: never renamed, never
given another meaning. The detail of one occurrence is written for its reader and carries no driver
text, no query, no name and no e-mail.
"""

from dataclasses import dataclass

from chassis.errors import CodedError

_TABLE: dict[str, "Code"] = {}


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of error.

    Attributes:
        name: what clients match on.
        status: the HTTP status between services.
        meaning: what happened.
        advice: what the caller can do about it.
        retryable: whether the same request may succeed later.
    """

    name: str
    status: int
    meaning: str
    advice: str
    retryable: bool = False

    def __post_init__(self) -> None:
        if self.name in _TABLE:
            raise ValueError(f"error code {self.name} is defined twice")
        _TABLE[self.name] = self

    def error(
        self,
        detail: str = "",
        *,
        field: str | None = None,
        retry_after: float | None = None,
        service: str | None = None,
    ) -> CodedError:
        """One occurrence of this code, to be raised.

        Args:
            detail: a sentence for the reader; the meaning when empty.
            field: path of the offending input (`amount`, `transfers[2].amount`).
            retry_after: seconds to wait before trying again.
            service: who failed, when it is not the process that raises.
        """
        return CodedError(
            code=self.name,
            status=self.status,
            title=self.meaning,
            detail=detail or f"{self.meaning}. {self.advice}.",
            retryable=self.retryable,
            field=field,
            retry_after=retry_after,
            service=service,
        )


def all_codes() -> list[Code]:
    """Every code, in the order of this file."""
    return list(_TABLE.values())


def known(name: str) -> Code | None:
    """The code of that name, if the platform has it."""
    return _TABLE.get(name)


# Any process, any operation.
BAD_REQUEST = Code("BAD_REQUEST", 400, "The request is not well-formed", "Send valid JSON in UTF-8")
INVALID_INPUT = Code(
    "INVALID_INPUT",
    422,
    "A field is missing, unknown or wrong",
    "Correct the field that the detail names",
)
PAYLOAD_TOO_LARGE = Code(
    "PAYLOAD_TOO_LARGE", 413, "The body is larger than allowed", "Send a smaller request"
)
UNSUPPORTED_MEDIA_TYPE = Code(
    "UNSUPPORTED_MEDIA_TYPE", 415, "The content type is not accepted", "Send application/json"
)
NOT_ACCEPTABLE = Code(
    "NOT_ACCEPTABLE", 406, "No acceptable answer format", "Accept application/json"
)
NOT_FOUND = Code("NOT_FOUND", 404, "There is nothing at this address", "Check the path")
METHOD_NOT_ALLOWED = Code(
    "METHOD_NOT_ALLOWED",
    405,
    "The method does not fit the address",
    "Use the method that the Allow header names",
)
SERVICE_UNAUTHENTICATED = Code(
    "SERVICE_UNAUTHENTICATED",
    401,
    "The calling service is not known",
    "Send a current service credential as a bearer token",
)
SERVICE_FORBIDDEN = Code(
    "SERVICE_FORBIDDEN",
    403,
    "The calling service may not use this operation",
    "Call it through the service that may",
)
UNAUTHENTICATED = Code(
    "UNAUTHENTICATED",
    401,
    "Nobody is signed in, or the access token is not valid",
    "Sign in and send the access token",
)
TOKEN_EXPIRED = Code(
    "TOKEN_EXPIRED", 401, "The access token has expired", "Refresh it and send the new one"
)
FORBIDDEN = Code(
    "FORBIDDEN",
    403,
    "The signed-in user may not do or see this",
    "Ask somebody whose role allows it",
)
RATE_LIMITED = Code(
    "RATE_LIMITED",
    429,
    "Too many requests",
    "Wait for the time that Retry-After tells",
    retryable=True,
)
OVERLOADED = Code(
    "OVERLOADED",
    503,
    "The service has more work than it can take",
    "Try again later",
    retryable=True,
)
UNAVAILABLE = Code(
    "UNAVAILABLE",
    503,
    "A part that this needs cannot be reached; nothing was done",
    "Try again later",
    retryable=True,
)
CIRCUIT_BREAKER_OPEN = Code(
    "CIRCUIT_BREAKER_OPEN",
    503,
    "A part that this needs has failed too often lately and is given a rest; nothing was done",
    "Try again after the time that is told",
    retryable=True,
)
DEADLINE_EXCEEDED = Code(
    "DEADLINE_EXCEEDED",
    504,
    "The time allowed ran out; nothing was changed",
    "Try again, or allow more time",
    retryable=True,
)
OUTCOME_UNKNOWN = Code(
    "OUTCOME_UNKNOWN",
    503,
    "The request may or may not have been carried out",
    "Send it again with the same idempotency key, or look it up by that key",
    retryable=True,
)
INTERNAL = Code("INTERNAL", 500, "Something went wrong on our side", "Report the correlation id")

# The fault point (`chassis/faults/`), which is there only where `BALUARTE_CHAOS_TOKEN` is set.
CHAOS_TOKEN_INVALID = Code(
    "CHAOS_TOKEN_INVALID",
    401,
    "The chaos token is missing or wrong",
    "Send the token of BALUARTE_CHAOS_TOKEN as a bearer token",
)
FAULT_TYPE_UNKNOWN = Code(
    "FAULT_TYPE_UNKNOWN", 422, "There is no fault of this type", "Choose one that the detail names"
)
FAULT_UNKNOWN = Code(
    "FAULT_UNKNOWN",
    404,
    "No such fault is in place",
    "Look at GET /chaos/faults; it may have ended",
)
TOO_MANY_FAULTS = Code(
    "TOO_MANY_FAULTS", 409, "As many faults as are allowed are in place", "End one first"
)

# GraphQL.
GRAPHQL_PARSE_FAILED = Code(
    "GRAPHQL_PARSE_FAILED", 400, "The GraphQL document has a syntax error", "Correct the document"
)
GRAPHQL_VALIDATION_FAILED = Code(
    "GRAPHQL_VALIDATION_FAILED",
    400,
    "The GraphQL document does not fit the schema",
    "Compare it with /schema.graphql",
)
OPERATION_TOO_LARGE = Code(
    "OPERATION_TOO_LARGE",
    400,
    "The GraphQL operation has too many tokens or asks for too many rows",
    "Split it, or ask for smaller pages",
)
OPERATION_TOO_DEEP = Code(
    "OPERATION_TOO_DEEP", 400, "The selection is nested too deeply", "Ask for fewer levels"
)
TOO_MANY_ALIASES = Code(
    "TOO_MANY_ALIASES", 400, "The operation has too many aliases", "Use fewer aliases"
)
TOO_MANY_MUTATIONS = Code(
    "TOO_MANY_MUTATIONS",
    400,
    "An operation takes at most one credential or money mutation",
    "Send each in a request of its own",
)

# Users.
USER_NOT_FOUND = Code("USER_NOT_FOUND", 404, "There is no such user", "Check the id")
USER_INACTIVE = Code("USER_INACTIVE", 403, "The user has been deactivated", "Ask the bank")
EMAIL_TAKEN = Code(
    "EMAIL_TAKEN", 409, "Another user has this e-mail address", "Sign in, or use another address"
)
BANKING_DETAILS_TAKEN = Code(
    "BANKING_DETAILS_TAKEN",
    409,
    "Another user has this agency and account number",
    "Check the number",
)
INVALID_CREDENTIALS = Code(
    "INVALID_CREDENTIALS", 401, "E-mail and password do not match", "Check both"
)
REFRESH_TOKEN_INVALID = Code(
    "REFRESH_TOKEN_INVALID",
    401,
    "The refresh token is unknown, expired or revoked",
    "Sign in again",
)
REFRESH_TOKEN_REUSED = Code(
    "REFRESH_TOKEN_REUSED",
    401,
    "The refresh token was used before, so its session has been ended",
    "Sign in again",
)
PASSWORD_HASHING_BUSY = Code(
    "PASSWORD_HASHING_BUSY",
    503,
    "Too many passwords are being checked",
    "Try again shortly",
    retryable=True,
)

# Money.
INVALID_AMOUNT = Code(
    "INVALID_AMOUNT",
    422,
    "The amount is not a positive number with at most two decimals",
    "Correct the amount",
)
UNSUPPORTED_CURRENCY = Code("UNSUPPORTED_CURRENCY", 422, "The currency is not kept here", "Use BRL")
SELF_TRANSFER = Code(
    "SELF_TRANSFER", 422, "Sender and receiver are the same", "Choose another receiver"
)
ACCOUNT_NOT_FOUND = Code("ACCOUNT_NOT_FOUND", 404, "There is no such account", "Check the receiver")
ACCOUNT_INACTIVE = Code("ACCOUNT_INACTIVE", 403, "The account has been deactivated", "Ask the bank")
INSUFFICIENT_FUNDS = Code(
    "INSUFFICIENT_FUNDS", 422, "The available balance is too small", "Choose a smaller amount"
)
CURRENCY_MISMATCH = Code(
    "CURRENCY_MISMATCH",
    422,
    "The account is kept in another currency",
    "Use the account's currency",
)
TRANSFER_MISMATCH = Code(
    "TRANSFER_MISMATCH",
    409,
    "This transfer id was posted with other fields",
    "Report the correlation id",
)
TRANSFER_ABANDONED = Code(
    "TRANSFER_ABANDONED",
    409,
    "The transfer was given up before it was carried out; no money moved",
    "Start a new one",
)
IDEMPOTENCY_CONFLICT = Code(
    "IDEMPOTENCY_CONFLICT",
    409,
    "The idempotency key was used with other arguments",
    "Use a new key for a new request",
)
TRANSACTION_NOT_FOUND = Code(
    "TRANSACTION_NOT_FOUND", 404, "There is no such transaction", "Check the id"
)
NOT_REVERSIBLE = Code(
    "NOT_REVERSIBLE",
    409,
    "Only a completed transaction that is not itself a reversal can be reversed",
    "Check its status",
)
DEPOSIT_DISABLED = Code(
    "DEPOSIT_DISABLED",
    403,
    "Deposits and withdrawals by customers are a demonstration rail, which is off here",
    "Use a real rail",
)
DEPOSIT_LIMIT = Code(
    "DEPOSIT_LIMIT",
    422,
    "The amount is above the cap of the demonstration rail",
    "Choose a smaller amount",
)
