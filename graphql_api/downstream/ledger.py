"""The ledger: accounts and their balances. The gateway only reads; money moves through transactions."""

from collections.abc import Sequence
from uuid import UUID

from chassis.context import Call
from graphql_api.downstream.last_good import LastGood
from graphql_api.downstream.port import Client
from services.ledger import contract


class Ledger:
    """What the gateway asks the ledger."""

    def __init__(self, client: Client, last_good: LastGood | None = None) -> None:
        self._client = client
        self.last_good = last_good or LastGood()

    async def accounts(
        self, call: Call, owner_ids: Sequence[UUID]
    ) -> list[contract.Account | None]:
        """One entry per owner, in that order; None where there is none or the caller may not see it."""
        answer = await self._client.call(
            call, contract.GET_ACCOUNTS, contract.GetAccounts(owner_ids=list(owner_ids))
        )
        return answer.accounts
