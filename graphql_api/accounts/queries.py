"""Queries about accounts."""

from typing import Annotated

import strawberry

from graphql_api.accounts.types import Account, account_of
from graphql_api.context import Info
from graphql_api.degradation import ACCOUNT
from graphql_api.fields import field
from graphql_api.inputs import parse_id


@strawberry.type
class AccountQueries:
    @field(
        description=(
            "The account of the signed-in user, or as staff of any user. Null without an error when it "
            "has not been opened yet, which takes moments after registration."
        ),
        degrades=ACCOUNT,
    )
    async def account(
        self,
        info: Info,
        user_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Whose account; one's own when absent. For staff."),
        ] = None,
    ) -> Account | None:
        user = info.context.require_user()
        owner = user.id if user_id is None else parse_id(user_id, "userId")
        return account_of(info, await info.context.loaders.accounts.load(owner))
