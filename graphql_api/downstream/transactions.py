"""The transactions service: money mutations and statements."""

from collections.abc import Sequence
from uuid import UUID

from chassis import codes
from chassis.context import Call
from chassis.contract import Operation, Req
from chassis.errors import CodedError
from graphql_api.downstream.last_good import LastGood
from graphql_api.downstream.port import Client
from services.transactions import contract

UNCERTAIN = frozenset({codes.OUTCOME_UNKNOWN.name, codes.INTERNAL.name})
"""Codes after which money may have moved: a service that failed inside cannot promise that it did not."""


class Transactions:
    """What the gateway asks the transactions service."""

    def __init__(self, client: Client, last_good: LastGood | None = None) -> None:
        self._client = client
        self.last_good = last_good or LastGood()

    async def create(self, call: Call, request: contract.Create) -> contract.Transaction:
        return await self._move_money(call, contract.CREATE, request)

    async def reverse(self, call: Call, request: contract.Reverse) -> contract.Transaction:
        return await self._move_money(call, contract.REVERSE, request)

    async def by_id(self, call: Call, ids: Sequence[UUID]) -> list[contract.Transaction | None]:
        """One entry per id, in that order; None where there is none or the caller may not see it."""
        answer = await self._client.call(
            call, contract.GET_TRANSACTIONS, contract.GetTransactions(ids=list(ids))
        )
        return answer.transactions

    async def by_key(self, call: Call, key: str) -> contract.Transaction | None:
        """The caller's own transaction of that idempotency key; None means "not seen yet"."""
        answer = await self._client.call(
            call, contract.FIND_TRANSACTION, contract.FindTransaction(idempotency_key=key)
        )
        return answer.transaction

    async def pages(
        self, call: Call, request: contract.ListTransactions
    ) -> list[contract.TransactionPage | None]:
        """One page per asked user, in that order."""
        answer = await self._client.call(call, contract.LIST_TRANSACTIONS, request)
        return answer.pages

    async def _move_money(
        self, call: Call, operation: Operation[Req, contract.TransactionAnswer], request: Req
    ) -> contract.Transaction:
        try:
            answer = await self._client.call(call, operation, request)
        except CodedError as error:
            if error.code not in UNCERTAIN:
                raise
            raise codes.OUTCOME_UNKNOWN.error(
                service=contract.SERVICE, retry_after=error.retry_after
            ) from None
        return answer.transaction
