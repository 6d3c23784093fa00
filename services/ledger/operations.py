"""The handlers of the ledger's operations: who may, and then the work."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import codes
from chassis.app import Handler
from chassis.context import Call
from chassis.contract import Operation
from chassis.database import autocommit, transaction
from services.ledger import accounts
from services.ledger.contract import (
    GET_ACCOUNTS,
    OPEN_ACCOUNT,
    POST_TRANSFERS,
    SET_ACCOUNT_ACTIVE,
    AccountAnswer,
    Accounts,
    GetAccounts,
    OpenAccount,
    PostingResults,
    PostTransfers,
    SetAccountActive,
)
from services.ledger.writer import Writer

FRONT: Final = frozenset({"gateway"})
"""Callers that always act for a user: without one they may see nobody's money."""


class Operations:
    """Handlers of every operation of the contract."""

    def __init__(self, engine: AsyncEngine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer

    def handlers(self) -> Mapping[Operation[Any, Any], Handler]:
        return {
            OPEN_ACCOUNT: self.open_account,
            GET_ACCOUNTS: self.get_accounts,
            SET_ACCOUNT_ACTIVE: self.set_account_active,
            POST_TRANSFERS: self.post_transfers,
        }

    async def open_account(self, _: Call, request: OpenAccount) -> AccountAnswer:
        async with transaction(self._engine) as uow:
            account = await accounts.open_account(
                uow.connection, request.owner_id, request.currency
            )
            await uow.commit()
        return AccountAnswer(account=account)

    async def get_accounts(self, call: Call, request: GetAccounts) -> Accounts:
        visible = [owner for owner in request.owner_ids if _may_see(call, owner)]
        async with autocommit(self._engine) as connection:
            found = await accounts.get_accounts(connection, visible) if visible else []
        by_owner = dict(zip(visible, found, strict=True))
        return Accounts(accounts=[by_owner.get(owner) for owner in request.owner_ids])

    async def set_account_active(self, _: Call, request: SetAccountActive) -> AccountAnswer:
        async with transaction(self._engine) as uow:
            account = await accounts.set_active(uow.connection, request.owner_id, request.active)
            if account is None:
                raise codes.ACCOUNT_NOT_FOUND.error("The user has no account.", field="ownerId")
            await uow.commit()
        return AccountAnswer(account=account)

    async def post_transfers(self, call: Call, request: PostTransfers) -> PostingResults:
        return PostingResults(
            results=await self._writer.post(request.postings, call.correlation_id)
        )


def _may_see(call: Call, owner_id: UUID) -> bool:
    """One's own account, any for staff, and any for a service that works on its own behalf."""
    if call.user is None:
        return call.service not in FRONT
    return call.user.id == owner_id or call.user.is_staff
