"""The account as its owner and staff see it."""

from datetime import datetime

import strawberry

from graphql_api.context import Info
from graphql_api.degradation import Freshness
from graphql_api.money import Money
from resilience import Served
from services.ledger import contract


@strawberry.type(description="An account: one per user, opened at registration.")
class Account:
    id: strawberry.ID = strawberry.field(description="Id of the account.")
    balance: Money = strawberry.field(description="What is in the account.")
    held: Money = strawberry.field(description="The part of the balance that is set aside.")
    overdraft: Money = strawberry.field(description="How far the balance may go below zero.")
    available: Money = strawberry.field(
        description="What can be spent: balance − held + overdraft."
    )
    balance_as_of: datetime = strawberry.field(
        description="The instant at which these amounts were true, by the ledger's clock."
    )
    active: bool = strawberry.field(description="Whether money can move in or out.")
    created_at: datetime = strawberry.field(description="When it was opened.")
    freshness: Freshness = strawberry.field(
        description="Whether this is current; when STALE, `balanceAsOf` still tells of when it is."
    )

    @classmethod
    def of(cls, row: contract.Account, freshness: Freshness) -> "Account":
        """The ledger's row as clients see it."""
        return cls(
            id=strawberry.ID(str(row.id)),
            balance=Money.of(row.balance, row.currency),
            held=Money.of(row.held, row.currency),
            overdraft=Money.of(row.overdraft, row.currency),
            available=Money.of(row.available, row.currency),
            balance_as_of=row.as_of,
            active=row.active,
            created_at=row.created_at,
            freshness=freshness,
        )


def account_of(info: Info, served: Served[contract.Account] | None) -> Account | None:
    """What the field at `info.path` shows of what was served."""
    if served is None:
        return None
    freshness = info.context.freshness(info.path, contract.SERVICE, served)
    return Account.of(served.value, freshness)
