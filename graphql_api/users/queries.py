"""Queries about users."""

from typing import Annotated

import strawberry

from chassis import codes
from graphql_api.context import Info
from graphql_api.fields import field
from graphql_api.inputs import parse_id, request_of
from graphql_api.paging import AFTER, DEFAULT_PAGE, FIRST, Connection, connection, page_size
from graphql_api.users.types import User
from services.users import contract


@strawberry.type
class UserQueries:
    @field(description="The signed-in user.")
    async def me(self, info: Info) -> User | None:
        row = await info.context.loaders.profiles.load(info.context.require_user().id)
        return User.of(row) if row else None

    @field(description="A user by id: oneself, or as staff anybody.")
    async def user(
        self,
        info: Info,
        id: Annotated[  # noqa: A002 - the name that clients write
            strawberry.ID, strawberry.argument(description="Id of the user.")
        ],
    ) -> User | None:
        info.context.require_user()
        row = await info.context.loaders.profiles.load(parse_id(id, "id"))
        if row is None:
            raise codes.USER_NOT_FOUND.error(field="id")
        return User.of(row)

    @field(description="All users, newest first. For staff.")
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
        return connection(page.users, page.next, after, User.of)
