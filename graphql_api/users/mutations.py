"""Mutations of users' profiles."""

from typing import Annotated

import strawberry

from graphql_api.context import Info
from graphql_api.degradation import LIVE, REFUSED
from graphql_api.fields import mutation
from graphql_api.users.inputs import (
    SetUserActiveInput,
    UpdateBankingDetailsInput,
    UpdateProfileInput,
)
from graphql_api.users.types import User


@strawberry.type
class UserMutations:
    @mutation(description="Change one's own profile.", degrades=REFUSED)
    async def update_profile(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - the name that clients write
            UpdateProfileInput, strawberry.argument(description="What to change.")
        ],
    ) -> User | None:
        info.context.require_user()
        ask = info.context.ask
        return User.of(await ask.downstream.users.update_profile(ask.call, input.request()), LIVE)

    @mutation(description="Change one's own banking details.", degrades=REFUSED)
    async def update_banking_details(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - the name that clients write
            UpdateBankingDetailsInput, strawberry.argument(description="The new details, whole.")
        ],
    ) -> User | None:
        info.context.require_user()
        ask = info.context.ask
        row = await ask.downstream.users.update_banking_details(ask.call, input.request())
        return User.of(row, LIVE)

    @mutation(
        description="Activate or deactivate a user, which ends their sessions. For administrators.",
        degrades=REFUSED,
    )
    async def set_user_active(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - the name that clients write
            SetUserActiveInput, strawberry.argument(description="Whom, and which way.")
        ],
    ) -> User | None:
        info.context.require_admin()
        ask = info.context.ask
        return User.of(await ask.downstream.users.set_active(ask.call, input.request()), LIVE)
