"""The port that every downstream call goes through: `chassis.client.ServiceClient`, or a fake of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from chassis.context import Call
from chassis.contract import Operation, Req, Res

if TYPE_CHECKING:
    from graphql_api.downstream.ledger import Ledger
    from graphql_api.downstream.notifications import Notifications
    from graphql_api.downstream.transactions import Transactions
    from graphql_api.downstream.users import Users


class Client(Protocol):
    """Carries out one operation of one service.

    Raises `CodedError` only: the service's own code, UNAVAILABLE when nothing was sent, OUTCOME_UNKNOWN
    when the answer to a change was lost, DEADLINE_EXCEEDED when the answer to a read came too late.
    """

    async def call(self, call: Call, operation: Operation[Req, Res], request: Req) -> Res: ...


@dataclass(frozen=True, slots=True)
class Downstream:
    """Every service that the gateway can ask."""

    users: "Users"
    ledger: "Ledger"
    transactions: "Transactions"
    notifications: "Notifications"
