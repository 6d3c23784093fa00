"""The services as the gateway sees them: one typed client each, over a port that tests can fake."""

from collections.abc import Mapping

from graphql_api.downstream.last_good import LastGood
from graphql_api.downstream.ledger import Ledger
from graphql_api.downstream.notifications import Notifications
from graphql_api.downstream.port import Client, Downstream
from graphql_api.downstream.transactions import Transactions
from graphql_api.downstream.users import Users
from resilience import Pipeline

__all__ = [
    "Client",
    "Downstream",
    "Ledger",
    "Notifications",
    "Transactions",
    "Users",
    "over",
]


def over(
    pipelines: Mapping[str, Pipeline] | None = None,
    /,
    *,
    users: Client,
    ledger: Client,
    transactions: Client,
    notifications: Client,
) -> Downstream:
    """The four services, each reached by its own client.

    Args:
        pipelines: the policies around services whose last good answers may stand in, by name. (The
            clients carry their calls through them; here only the copies are used.)
    """
    around = pipelines or {}
    return Downstream(
        users=Users(users, LastGood(around.get("users"))),
        ledger=Ledger(ledger, LastGood(around.get("ledger"))),
        transactions=Transactions(transactions, LastGood(around.get("transactions"))),
        notifications=Notifications(notifications),
    )
