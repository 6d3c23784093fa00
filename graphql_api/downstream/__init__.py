"""The services as the gateway sees them: one typed client each, over a port that tests can fake."""

from graphql_api.downstream.ledger import Ledger
from graphql_api.downstream.notifications import Notifications
from graphql_api.downstream.port import Client, Downstream
from graphql_api.downstream.transactions import Transactions
from graphql_api.downstream.users import Users

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
    *, users: Client, ledger: Client, transactions: Client, notifications: Client
) -> Downstream:
    """The four services, each reached by its own client."""
    return Downstream(
        users=Users(users),
        ledger=Ledger(ledger),
        transactions=Transactions(transactions),
        notifications=Notifications(notifications),
    )
