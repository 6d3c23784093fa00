"""Batch functions: many keys in, as many outcomes out, one downstream call.

A batch function is `async def accounts(ask, owner_ids) -> list[Account | None | Failure]`: it knows no
GraphQL. A loader gathers the keys of one operation for it, so that the number of downstream calls does
not depend on the number of rows. Loaders live as long as the operation: what one caller was allowed to
load is never handed to another.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from chassis import codes
from chassis.context import Call
from chassis.contract import BATCH_LIMIT
from chassis.errors import CodedError
from graphql_api.downstream.last_good import OWNER, STAFF
from graphql_api.downstream.port import Downstream

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks, until when, and whom: what every batch function is given."""

    call: Call
    downstream: Downstream


@dataclass(frozen=True, slots=True)
class Failure:
    """The outcome of one key that could not be had; the other keys are not affected."""

    error: CodedError


Batch = Callable[[Ask, Sequence[Key]], Awaitable[list[Value | Failure]]]


def loader(ask: Ask, batch: Batch[Key, Value], limit: int = BATCH_LIMIT) -> DataLoader[Key, Value]:
    """A loader for one operation. Its `load` raises the `CodedError` of a key that failed.

    Args:
        limit: most keys of one downstream call; more keys make further calls.
    """

    async def load(keys: list[Key]) -> Sequence[Value | BaseException]:
        outcomes = await batch(ask, keys)
        return [item.error if isinstance(item, Failure) else item for item in outcomes]

    return DataLoader(load_fn=load, max_batch_size=limit)


def may_see(call: Call, owner_id: UUID) -> bool:
    """Whether the caller may reach what belongs to `owner_id`: their own, or anything as staff."""
    return call.user is not None and (call.user.is_staff or call.user.id == owner_id)


def view_of(call: Call, owner_id: UUID) -> str:
    """As whom the caller sees what belongs to `owner_id`."""
    return OWNER if call.user is not None and call.user.id == owner_id else STAFF


async def for_owners(
    call: Call,
    owner_ids: Sequence[UUID],
    fetch: Callable[[list[UUID]], Awaitable[Sequence[Value | CodedError]]],
) -> list[Value | Failure]:
    """What `fetch` tells of each owner, asking only for those whom the caller may reach.

    This is the second lock: the service that owns the rows checks too.
    """
    allowed = [owner for owner in owner_ids if may_see(call, owner)]
    found: dict[UUID, Value | Failure] = {}
    if allowed:
        outcomes = await each(allowed, fetch)
        found = dict(zip(allowed, outcomes, strict=True))
    refused = Failure(codes.FORBIDDEN.error() if call.user else codes.UNAUTHENTICATED.error())
    return [found.get(owner, refused) for owner in owner_ids]


async def each(
    keys: Sequence[Key], fetch: Callable[[list[Key]], Awaitable[Sequence[Value | CodedError]]]
) -> list[Value | Failure]:
    """The outcome of each key; when the call fails, those fail for which nothing stands in."""
    try:
        values = await fetch(list(keys))
    except CodedError as error:
        return [Failure(error)] * len(keys)
    if len(values) != len(keys):
        raise RuntimeError(f"asked for {len(keys)} and got {len(values)}")  # a broken contract
    return [Failure(value) if isinstance(value, CodedError) else value for value in values]
