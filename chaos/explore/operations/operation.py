"""What an operation to explore is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

FRESHNESS = "freshness { state ageSeconds }"
"""Asked for wherever the schema has it: the judge reads the marks in the data."""

AMOUNT = {"amount": "0.01", "currency": "BRL"}
"""What each explored payment moves: the smallest there is, since there are many."""

TRANSACTION = f"""
id type status amount {{ amount currency }} description failureReason
sender {{ id name {FRESHNESS} }}
receiver {{ id name {FRESHNESS} }}
reversesId createdAt {FRESHNESS}
"""
"""Of a transaction, on pages and alone. `reversedById` and `processedAt` move with time."""

ACCOUNT = f"""
id balance {{ amount currency }} held {{ amount currency }} available {{ amount currency }}
balanceAsOf active createdAt {FRESHNESS}
"""

PROFILE = f"""
id email name address pictureUrl bankingDetails {{ agency accountNumber accountType }}
role active createdAt {FRESHNESS}
"""


class Actor(StrEnum):
    """Who asks."""

    NOBODY = "nobody"
    CUSTOMER = "customer"
    STAFF = "staff"


class Effect(StrEnum):
    """What a mutation changes, and so where to look for it afterwards."""

    NOTHING = "nothing"
    """A query, or a sign-in, which leaves nothing that anybody else could see."""
    MONEY = "money"
    REGISTRATION = "registration"
    RENEWAL = "renewal"
    SIGN_OUT = "sign-out"
    ADDRESS = "address"
    BANKING_DETAILS = "banking details"
    ACTIVATION = "activation"


@dataclass(slots=True)
class Person:
    """Somebody with a session. `since`: when it began, on the machine's monotonic clock."""

    id: str
    email: str
    password: str = field(repr=False)
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    since: float = 0.0


@dataclass(slots=True)
class Scene:
    """The people and things that an operation is about, and what is new in each run.

    Attributes:
        customer: who asks, or about whom staff asks; new to the platform.
        other: whom the customer has paid; new as well.
        staff: an administrator of the demonstration data.
        transaction: id of the customer's completed payment to the other.
        key: idempotency key of this run.
        word: text of this run, unlike all others: letters and digits.
        number: of this run, unlike all others; below a million.
    """

    customer: Person
    other: Person
    staff: Person
    transaction: str
    key: str = ""
    word: str = ""
    number: int = 0

    def actor(self, actor: Actor) -> Person | None:
        """The person in that part."""
        return {
            Actor.NOBODY: None,
            Actor.CUSTOMER: self.customer,
            Actor.STAFF: self.staff,
        }[actor]


@dataclass(frozen=True, slots=True)
class Operation:
    """One root field with a document and arguments.

    Attributes:
        name: the root field, which the document asks for alone.
        document: GraphQL.
        actor: who asks.
        variables: of a run, from its scene.
        effect: what a mutation changes.
        copies: whether the gateway keeps copies of what is asked: then it is explored with a copy (by
            somebody who asked before) and without one (by somebody new).
        session: whether each run needs a session of its own, because it ends or renews it.
        payment: whether each run needs a payment of its own, because it takes it back.
    """

    name: str
    document: str
    actor: Actor = Actor.CUSTOMER
    variables: Callable[[Scene], Mapping[str, Any]] = field(default=lambda _: {})
    effect: Effect = Effect.NOTHING
    copies: bool = False
    session: bool = False
    payment: bool = False

    @property
    def reads(self) -> bool:
        """Whether it is a query."""
        return self.document.lstrip().startswith("query")
