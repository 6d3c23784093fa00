"""What a call carries from its request: the deadline, the priority and the idempotency key.

They travel in context variables, so that wrapped functions keep their signatures. Tasks inherit
them; a deadline can only be shortened on the way down.
"""

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from resilience.deadline import Deadline

__all__ = [
    "Effect",
    "Priority",
    "call_context",
    "current_deadline",
    "current_idempotency_key",
    "current_priority",
]


class Effect(enum.Enum):
    """What a call does to the dependency, which decides what may be done with the call."""

    #: Repeating it changes nothing: it may be retried, hedged, joined and served from a copy.
    READ = "read"
    #: It changes something: retried only under an idempotency key; never hedged, joined or copied.
    MUTATION = "mutation"


class Priority(enum.IntEnum):
    """How much a call matters when not all can be served; the higher, the later it is shed."""

    #: Nobody waits for it: revalidation, prefetch, exports.
    BACKGROUND = 0
    #: Somebody waits, and can do without: a statement listing, a search.
    LOW = 1
    #: What nobody thought about.
    NORMAL = 2
    #: The product's core: a balance, an account.
    HIGH = 3
    #: Money and the door: a transfer, a login. Never shed; only hard limits stop it.
    CRITICAL = 4


class Limit(Protocol):
    """A point in time: a deadline, or something else that ends then."""

    @property
    def at(self) -> float: ...

    def as_deadline(self) -> Deadline: ...


#: The deadline in force. Inside an attempt it is the attempt itself, of which a `Deadline` is made
#: only if somebody asks: `current_deadline()`.
DEADLINE: ContextVar[Limit | None] = ContextVar("resilience_deadline", default=None)
PRIORITY: ContextVar[Priority] = ContextVar("resilience_priority", default=Priority.NORMAL)
IDEMPOTENCY_KEY: ContextVar[str | None] = ContextVar("resilience_idempotency_key", default=None)


def current_deadline() -> Deadline | None:
    """The deadline of the call that runs here; inside an attempt, the attempt's own."""
    limit = DEADLINE.get()
    return None if limit is None else limit.as_deadline()


def current_priority() -> Priority:
    """The priority of the call that runs here."""
    return PRIORITY.get()


def current_idempotency_key() -> str | None:
    """The key under which the mutation that runs here may be repeated."""
    return IDEMPOTENCY_KEY.get()


@contextmanager
def call_context(
    *,
    deadline: Deadline | None = None,
    priority: Priority | None = None,
    idempotency_key: str | None = None,
) -> Iterator[None]:
    """Set what calls in the block carry. What is not given stays; a deadline can only shorten."""
    tokens = []
    if deadline is not None:
        outer = DEADLINE.get()
        if outer is None or deadline.at < outer.at:
            tokens.append((DEADLINE, DEADLINE.set(deadline)))
    if priority is not None:
        tokens.append((PRIORITY, PRIORITY.set(priority)))  # type: ignore[arg-type]
    if idempotency_key is not None:
        tokens.append((IDEMPOTENCY_KEY, IDEMPOTENCY_KEY.set(idempotency_key)))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)
