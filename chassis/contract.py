"""How a service says what it can do: operations as values, with no I/O.

A service's `contract.py` lists its `Operation`s and their msgspec structs. The application factory turns
them into routes, `chassis.openapi` into OpenAPI 3.1, and `chassis.client` into typed calls, so that the
three cannot disagree. Every operation takes one JSON body and gives one; lists go in batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec

from chassis.codes import Code
from resilience.context import Priority

Req = TypeVar("Req", bound=msgspec.Struct)
Res = TypeVar("Res", bound=msgspec.Struct)

BATCH_LIMIT = 500
"""Most items that one batch operation takes: bounds memory and the time a row lock is held."""

MINOR_UNITS_LIMIT = 10**15
"""Largest amount of one posting, minor units: sums of many still fit a signed 64-bit integer."""

Ids = Annotated[list[UUID], msgspec.Meta(max_length=BATCH_LIMIT)]
Amount = Annotated[int, msgspec.Meta(ge=1, le=MINOR_UNITS_LIMIT, description="minor units, > 0")]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z", description="ISO 4217 code")]
IdempotencyKey = Annotated[
    str,
    msgspec.Meta(
        min_length=8,
        max_length=64,
        pattern=r"^[A-Za-z0-9_-]{8,64}\Z",
        description="chosen by the client; the same key and arguments name the same transfer",
    ),
]
PageSize = Annotated[int, msgspec.Meta(ge=1, le=100)]
Cursor = Annotated[str, msgspec.Meta(max_length=200, description="opaque; from an earlier page")]


class Message(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Base of everything that a request or an answer is made of: camelCase, unknown fields refused."""


class Answer(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of answers and of events: unknown fields are ignored, so that a newer service can add some."""


class Nothing(Answer, frozen=True, kw_only=True):
    """An empty answer."""


class UserAccess(Enum):
    """Whether an operation acts for a signed-in user."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Operation(Generic[Req, Res]):
    """One thing that a service does.

    Attributes:
        service: the service that owns it.
        path: its route, starting with a slash; unique in the service.
        callers: names of the services whose credential is accepted; empty means public (no credential).
        user: whether the caller must hand on a user's access token.
        errors: the codes that callers should expect beyond those that any operation can give.
        idempotent: True when sending it twice does what sending it once does; only such an operation
            may be retried.
        reads: True when it changes nothing, so that a lost answer leaves no doubt behind.
        shared: True when who asks the same at the same time may be given one answer. Not for what a
            user may just have changed: an answer that is under way can be older than the change.
        priority: how late it is shed when a service cannot take all calls.
    """

    service: str
    name: str
    path: str
    request: type[Req]
    response: type[Res]
    summary: str
    callers: frozenset[str] = frozenset({"gateway"})
    user: UserAccess = UserAccess.NONE
    errors: tuple[Code, ...] = ()
    idempotent: bool = True
    reads: bool = False
    shared: bool = False
    priority: Priority = Priority.NORMAL
    method: str = "POST"
    tags: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError(f"{self.service}.{self.name}: path {self.path!r} must start with '/'")
        if self.shared and not self.reads:
            raise ValueError(f"{self.service}.{self.name}: only the answer to a read can be shared")
        if self.method not in {"GET", "POST"}:
            raise ValueError(
                f"{self.service}.{self.name}: method is GET or POST, not {self.method!r}"
            )

    def __str__(self) -> str:
        return f"{self.service}.{self.name}"

    def __hash__(self) -> int:
        return hash((self.service, self.name))


Operations = Sequence[Operation[Any, Any]]
