"""The users service: sessions, profiles and names."""

from collections.abc import Sequence
from uuid import UUID

from chassis import codes
from chassis.context import Call
from chassis.contract import Operation, Req, Res
from chassis.errors import CodedError
from graphql_api.downstream.last_good import LastGood
from graphql_api.downstream.port import Client
from services.users import contract


class Users:
    """What the gateway asks the users service."""

    def __init__(self, client: Client, last_good: LastGood | None = None) -> None:
        self._client = client
        self.last_good = last_good or LastGood()

    async def register(self, call: Call, request: contract.Register) -> contract.Session:
        """Register and sign in. An unknown outcome is told apart: there is no key to send it again with."""
        return await self._change(
            call,
            contract.REGISTER,
            request,
            "The registration may have gone through: try to sign in before registering again.",
        )

    async def login(self, call: Call, request: contract.Login) -> contract.Session:
        return await self._change(
            call,
            contract.LOGIN,
            request,
            "The answer was lost: sign in again; nothing is lost by it.",
        )

    async def refresh(self, call: Call, request: contract.Refresh) -> contract.Session:
        return await self._change(
            call,
            contract.REFRESH,
            request,
            "The answer was lost: send the same refresh token again within 30 seconds.",
        )

    async def logout(self, call: Call, request: contract.Logout) -> None:
        await self._change(
            call,
            contract.LOGOUT,
            request,
            "The answer was lost: sign out again; twice does no harm.",
        )

    async def profiles(self, call: Call, ids: Sequence[UUID]) -> list[contract.Profile | None]:
        """One entry per id, in that order; None where there is none or the caller may not see it."""
        answer = await self._client.call(call, contract.GET_USERS, contract.GetUsers(ids=list(ids)))
        return answer.users

    async def names(self, call: Call, ids: Sequence[UUID]) -> list[contract.PublicName | None]:
        """One entry per id, in that order; None where there is none."""
        answer = await self._client.call(call, contract.GET_NAMES, contract.GetUsers(ids=list(ids)))
        return answer.names

    async def page(self, call: Call, request: contract.ListUsers) -> contract.UserPage:
        return await self._client.call(call, contract.LIST_USERS, request)

    async def update_profile(self, call: Call, request: contract.UpdateProfile) -> contract.Profile:
        answer = await self._change(
            call,
            contract.UPDATE_PROFILE,
            request,
            "The change may have been made: send it again, which does no harm.",
        )
        return answer.user

    async def update_banking_details(
        self, call: Call, request: contract.UpdateBankingDetails
    ) -> contract.Profile:
        answer = await self._change(
            call,
            contract.UPDATE_BANKING_DETAILS,
            request,
            "The change may have been made: send it again, which does no harm.",
        )
        return answer.user

    async def set_active(self, call: Call, request: contract.SetUserActive) -> contract.Profile:
        answer = await self._change(
            call,
            contract.SET_USER_ACTIVE,
            request,
            "The change may have been made: send it again, which does no harm.",
        )
        return answer.user

    async def _change(
        self, call: Call, operation: Operation[Req, Res], request: Req, if_lost: str
    ) -> Res:
        """Carry out a change; these have no idempotency key, so a lost answer needs advice of its own."""
        try:
            return await self._client.call(call, operation, request)
        except CodedError as error:
            if error.code != codes.OUTCOME_UNKNOWN.name:
                raise
            raise codes.OUTCOME_UNKNOWN.error(
                if_lost, service=contract.SERVICE, retry_after=error.retry_after
            ) from None
