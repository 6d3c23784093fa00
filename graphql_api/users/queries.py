"""Queries about users."""

from typing import Annotated

import strawberry

from chassis import codes
from graphql_api.context import Info
from graphql_api.degradation import LIVE, NULLED, PROFILE
from graphql_api.fields import field
from graphql_api.inputs import parse_id, request_of
from graphql_api.paging import AFTER, DEFAULT_PAGE, FIRST, Connection, connection, page_size
from graphql_api.users.types import User, user_of
from services.users import contract


@strawberry.type
class UserQueries:
    @field(description="The signed-in user.", degrades=PROFILE)
    async def me(self, info: Info) -> User | None:
        served = await info.context.loaders.profiles.load(info.context.require_user().id)
        return user_of(info, served) if served else None

    @field(description="A user by id: oneself, or as staff anybody.", degrades=PROFILE)
    async def user(
        self,
        info: Info,
        id: Annotated[  # noqa: A002 - the name that clients write
            strawberry.ID, strawberry.argument(description="Id of the user.")
        ],
    ) -> User | None:
        info.context.require_user()
        served = await info.context.loaders.profiles.load(parse_id(id, "id"))
        if served is None:
            raise codes.USER_NOT_FOUND.error(field="id")
        return user_of(info, served)

    @field(description="All users, newest first. For staff.", degrades=NULLED)
    async def users(
        self,
        info: Info,
        first: Annotated[int, strawberry.argument(description=FIRST)] = DEFAULT_PAGE,
        after: Annotated[str | None, strawberry.argument(description=AFTER)] = None,
        search: Annotated[
            str | None,
            strawberry.argument(
                description="Part of a name or an e-mail address, 2 to 100 characters."
            ),
        ] = None,
    ) -> Connection[User] | None:
        info.context.require_staff()
        request = request_of(
            contract.ListUsers, {"first": page_size(first), "after": after, "search": search}
        )
        ask = info.context.ask
        page = await ask.downstream.users.page(ask.call, request)
        return connection(page.users, page.next, after, lambda row: User.of(row, LIVE), LIVE)
