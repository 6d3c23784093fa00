"""Mutations that start, renew and end sessions. At most one of them in an operation."""

from typing import Annotated

import strawberry

from graphql_api.context import Info
from graphql_api.degradation import REFUSED
from graphql_api.fields import mutation
from graphql_api.sessions.inputs import LoginInput, LogoutInput, RefreshTokenInput, RegisterInput
from graphql_api.sessions.types import Session


@strawberry.type
class SessionMutations:
    @mutation(description="Register a customer and sign them in.", degrades=REFUSED)
    async def register(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - the name that clients write
            RegisterInput, strawberry.argument(description="Who registers.")
        ],
    ) -> Session | None:
        request = input.request()
        await info.context.admit_credentials(None)
        ask = info.context.ask
        return Session.of(await ask.downstream.users.register(ask.call, request))

    @mutation(
        description=(
            "Sign in. INVALID_CREDENTIALS tells neither whether the address is known nor how long the "
            "check took."
        ),
        degrades=REFUSED,
    )
    async def login(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - the name that clients write
            LoginInput, strawberry.argument(description="The credentials.")
        ],
    ) -> Session | None:
        request = input.request()
        await info.context.admit_credentials(request.email)
        ask = info.context.ask
        return Session.of(await ask.downstream.users.login(ask.call, request))

    @mutation(
        description=(
            "Exchange a refresh token for new tokens. When the answer was lost, the same token may be "
            "sent again within 30 seconds; later use of an old token ends the session."
        ),
        degrades=REFUSED,
    )
    async def refresh_token(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - the name that clients write
            RefreshTokenInput, strawberry.argument(description="The refresh token.")
        ],
    ) -> Session | None:
        ask = info.context.ask
        return Session.of(await ask.downstream.users.refresh(ask.call, input.request()))

    @mutation(
        description="End a session; true also when it had ended before or was never there.",
        degrades=REFUSED,
    )
    async def logout(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - the name that clients write
            LogoutInput, strawberry.argument(description="The refresh token.")
        ],
    ) -> bool | None:
        ask = info.context.ask
        await ask.downstream.users.logout(ask.call, input.request())
        return True
