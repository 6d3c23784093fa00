"""Who calls, for whom, until when, and under which correlation id: one value, handed down explicitly.

Only the correlation id also travels in a context variable, because log lines need it everywhere.
"""

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass, replace
from uuid import UUID

from resilience.deadline import Deadline

CORRELATION_ID = re.compile(r"^[A-Za-z0-9-]{8,64}\Z")
TRACEPARENT = re.compile(r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")

STAFF_ROLES = frozenset({"support", "admin"})

_correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """The signed-in user, as the verified access token says."""

    id: UUID
    role: str
    session: UUID | None = None

    @property
    def is_staff(self) -> bool:
        return self.role in STAFF_ROLES

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


@dataclass(frozen=True, slots=True)
class Call:
    """The circumstances of one piece of work.

    Attributes:
        correlation_id: ties requests, events and log lines together.
        deadline: when the caller stops waiting; can only shrink on the way down.
        service: name of the calling service as its credential proves; empty on public operations.
        user: the signed-in user, verified; None when nobody is.
        user_token: the access token, to hand on to the service that owns the data.
        traceparent: W3C trace context of the span that does the work, or of the caller's.
    """

    correlation_id: str
    deadline: Deadline
    service: str = ""
    user: UserIdentity | None = None
    user_token: str | None = None
    traceparent: str | None = None

    @classmethod
    def background(
        cls,
        service: str,
        *,
        correlation_id: str | None = None,
        seconds: float = 10.0,
        traceparent: str | None = None,
    ) -> "Call":
        """The circumstances of a worker's own work, with `seconds` to finish it."""
        return cls(
            correlation_id=correlation_id or new_correlation_id(),
            deadline=Deadline.after(seconds),
            service=service,
            traceparent=traceparent,
        )

    def within(self, seconds: float) -> "Call":
        """This call with at most `seconds` left."""
        return replace(self, deadline=self.deadline.shorten(seconds))


def new_correlation_id() -> str:
    """A fresh id of 128 random bits, in hexadecimal."""
    return secrets.token_hex(16)


def accepted_correlation_id(text: str | None) -> str:
    """`text` if it is well-formed, else a fresh one: a caller's id must not forge log lines."""
    if text and CORRELATION_ID.match(text):
        return text
    return new_correlation_id()


def accepted_traceparent(text: str | None) -> str | None:
    """`text` if it is a well-formed trace context, else nothing."""
    return text if text and TRACEPARENT.match(text) else None


def current_correlation_id() -> str | None:
    """The correlation id of the running task, if it works for one."""
    return _correlation_id.get()


def set_correlation_id(value: str | None) -> None:
    """Bind the id to the running task and those that it starts."""
    _correlation_id.set(value)


def current_trace_id() -> str | None:
    """The trace that the running task works in, 32 hexadecimal digits."""
    traceparent = _traceparent.get()
    return None if traceparent is None else traceparent[3:35]


def set_traceparent(value: str | None) -> None:
    """Bind a trace context to the running task and those that it starts, for its log lines."""
    _traceparent.set(value)


def sampled_trace_id() -> str | None:
    """The trace that the running task works in, 32 hexadecimal digits, if it is kept anywhere."""
    traceparent = _traceparent.get()
    if traceparent is None or not int(traceparent[-2:], 16) & 1:
        return None
    return traceparent[3:35]
