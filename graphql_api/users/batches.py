"""Batch functions over the users service."""

from collections.abc import Sequence
from uuid import UUID

from graphql_api.batching import Ask, Failure, for_owners
from services.users.contract import Profile


async def profiles(ask: Ask, ids: Sequence[UUID]) -> list[Profile | Failure | None]:
    """The profile of each user whom the caller may see whole; None where there is none."""
    return await for_owners(
        ask.call, ids, lambda allowed: ask.downstream.users.profiles(ask.call, allowed)
    )
