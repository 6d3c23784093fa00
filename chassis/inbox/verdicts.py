"""What a handler can say about a message that it does not handle now, and what its exceptions mean."""

from dataclasses import dataclass

from chassis.database import StatementRejected
from chassis.errors import CodedError
from chassis.messages import UndecodableMessage


class Park(Exception):
    """This message can never be handled as it is: park its key at once.

    Args:
        reason: a short code for staff, without data (`UNKNOWN_ACCOUNT`).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Postpone(Exception):
    """Not the message's fault: try again later, as often as it takes.

    Args:
        reason: a short code for staff, without data (`WEBHOOK_DOWN`).
        after: seconds to wait at least; the usual backoff when 0.
    """

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about a failed message.

    Attributes:
        code: why, for staff and metrics; never the exception's text, which may quote data.
        counts: whether it counts towards parking.
        at_once: whether to park without another try.
        after: seconds to wait at least.
    """

    code: str
    counts: bool = True
    at_once: bool = False
    after: float = 0.0


def judge(error: Exception) -> Verdict:
    """The verdict on what a handler raised.

    Outages are waited out, however long they take, since parking good messages would hand an outage of
    minutes to people. What the message itself may have caused counts, and parks in the end.
    """
    match error:
        case Park():
            return Verdict(error.reason, at_once=True)
        case Postpone():
            return Verdict(error.reason, counts=False, after=error.after)
        case UndecodableMessage():
            return Verdict("UNDECODABLE", at_once=True)
        case StatementRejected():
            return Verdict(f"SQLSTATE_{error.sqlstate or 'NONE'}")
        case CodedError():
            return Verdict(error.code, counts=not error.retryable, after=error.retry_after or 0.0)
        case _:
            return Verdict(type(error).__name__)
