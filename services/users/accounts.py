"""Telling the ledger at once what the events will tell it for certain."""

from typing import Any
from uuid import UUID

from chassis import logs
from chassis.client import ServiceClient
from chassis.context import Call
from chassis.contract import Operation
from chassis.errors import CodedError
from services.ledger.contract import OPEN_ACCOUNT, SET_ACCOUNT_ACTIVE, OpenAccount, SetAccountActive

PATIENCE = 1.0
"""Seconds that a user waits for the ledger after their own change is committed."""

RESERVE = 0.1
"""Seconds of the caller's deadline that are kept for the answer: the work is done, they must hear it."""

_log = logs.get("accounts")


class Accounts:
    """Asks the ledger, once and briefly. A failure costs nothing but time: the event does it again.

    Args:
        ledger: None when the ledger is told by events alone.
    """

    def __init__(self, ledger: ServiceClient | None) -> None:
        self._ledger = ledger

    async def open(self, call: Call, user_id: UUID) -> None:
        """Open the account of a user who has just been created."""
        await self._tell(call, OPEN_ACCOUNT, OpenAccount(owner_id=user_id))

    async def set_active(self, call: Call, user_id: UUID, *, active: bool) -> None:
        """Let the account follow the user, ahead of the event."""
        await self._tell(
            call, SET_ACCOUNT_ACTIVE, SetAccountActive(owner_id=user_id, active=active)
        )

    async def _tell(self, call: Call, operation: Operation[Any, Any], request: Any) -> None:
        patience = min(PATIENCE, call.deadline.remaining() - RESERVE)
        if self._ledger is None or patience <= 0:
            return
        try:
            await self._ledger.call(call.within(patience), operation, request)
        except CodedError as error:
            _log.warning(
                "the ledger was not told; the event will do it",
                operation=str(operation),
                code=error.code,
                userId=request.owner_id,
            )
