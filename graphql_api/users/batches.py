"""Batch functions over the users service."""

from collections.abc import Sequence
from uuid import UUID

from chassis.context import Call
from chassis.errors import CodedError
from graphql_api.batching import Ask, Failure, for_owners, may_see, view_of
from graphql_api.degradation import PROFILE
from graphql_api.downstream.last_good import Kept
from graphql_api.users.known import KnownProfile, ProfileCodec
from resilience import Served


def _may_read(call: Call, user_id: UUID, profile: KnownProfile) -> bool:
    return profile.id == user_id and may_see(call, user_id)


KEPT = Kept(
    contract="users.profile.v1",
    codec=ProfileCodec(),
    max_stale_seconds=PROFILE.seconds,
    entity=lambda _, user_id: str(user_id),
    view=view_of,
    may_read=_may_read,
)


async def profiles(ask: Ask, ids: Sequence[UUID]) -> list[Served[KnownProfile] | Failure | None]:
    """The profile of each user whom the caller may see whole; None where there is none."""
    users = ask.downstream.users

    async def fetch(allowed: list[UUID]) -> Sequence[Served[KnownProfile] | CodedError | None]:
        async def ask_users(call: Call) -> list[KnownProfile | None]:
            found = await users.profiles(call, allowed)
            return [None if profile is None else KnownProfile.of(profile) for profile in found]

        return await users.last_good.read(ask.call, KEPT, allowed, ask_users)

    return await for_owners(ask.call, ids, fetch)
