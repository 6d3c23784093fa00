"""Batch functions over the notifications service."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from graphql_api.batching import Ask, Failure, for_owners
from services.notifications import contract

HISTORIES_LIMIT = 100
"""Most users of one call, as the contract says."""


@dataclass(frozen=True, slots=True)
class History:
    """Which page: equal values share a downstream call."""

    first: int
    after: str | None = None


async def histories(
    ask: Ask, history: History, user_ids: Sequence[UUID]
) -> list[contract.NotificationPage | Failure | None]:
    """That page of each user's notifications."""

    async def fetch(ids: list[UUID]) -> list[contract.NotificationPage | None]:
        request = contract.ListNotifications(user_ids=ids, first=history.first, after=history.after)
        return await ask.downstream.notifications.pages(ask.call, request)

    return await for_owners(ask.call, user_ids, fetch)
