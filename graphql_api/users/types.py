"""A user as they and staff see them."""

from datetime import datetime
from enum import Enum
from uuid import UUID

import msgspec
import strawberry

from graphql_api import degradation
from graphql_api.accounts.types import Account, account_of
from graphql_api.context import Info
from graphql_api.degradation import Freshness
from graphql_api.fields import field
from graphql_api.paging import DEFAULT_PAGE, Connection
from graphql_api.transactions.statements import (
    After,
    CounterpartyId,
    First,
    Since,
    Status,
    Type,
    Until,
    statement_of,
    transactions_of,
)
from graphql_api.transactions.types import Transaction
from graphql_api.users.known import KnownProfile
from resilience import Served
from services.users import contract


@strawberry.enum(description="What a user may do.")
class Role(Enum):
    CUSTOMER = strawberry.enum_value("CUSTOMER", description="Reaches their own data.")
    SUPPORT = strawberry.enum_value(
        "SUPPORT", description="Staff: sees every user's data and can reverse transactions."
    )
    ADMIN = strawberry.enum_value(
        "ADMIN", description="Staff that can also activate and deactivate users."
    )


@strawberry.enum(description="Kind of bank account.")
class AccountType(Enum):
    CHECKING = strawberry.enum_value("CHECKING", description="Conta corrente.")
    SAVINGS = strawberry.enum_value("SAVINGS", description="Conta poupança.")
    SALARY = strawberry.enum_value("SALARY", description="Conta salário.")


@strawberry.type(description="Where other banks send money to.")
class BankingDetails:
    agency: str = strawberry.field(
        description="Four digits, with a check digit where there is one."
    )
    account_number: str = strawberry.field(description="Number and check digit.")
    account_type: AccountType = strawberry.field(description="Kind of account.")


@strawberry.type(description="A user, as they themselves and staff see them.")
class User:
    id: strawberry.ID = strawberry.field(description="Id of the user.")
    email: str = strawberry.field(description="E-mail address; unique regardless of case.")
    name: str = strawberry.field(description="Name, which counterparties see too.")
    address: str | None = strawberry.field(description="Postal address.")
    picture_url: str | None = strawberry.field(description="Address of a picture, https only.")
    banking_details: BankingDetails | None = strawberry.field(
        description="Where other banks send money to; null until told."
    )
    role: Role | None = strawberry.field(
        description=(
            "What the user may do. Roles are never kept: while `freshness` is STALE it is one's own as the "
            "access token proves it, and null for anybody else."
        )
    )
    active: bool = strawberry.field(description="Whether the user can sign in.")
    created_at: datetime = strawberry.field(description="When the user registered.")
    updated_at: datetime = strawberry.field(description="When the profile last changed.")
    freshness: Freshness = strawberry.field(
        description="Whether the profile is current; account and statement say it of themselves."
    )
    user_id: strawberry.Private[UUID]

    @field(
        description="The user's account; null until it has been opened.",
        degrades=degradation.ACCOUNT,
    )
    async def account(self, info: Info) -> Account | None:
        return account_of(info, await info.context.loaders.accounts.load(self.user_id))

    @field(description="The user's statement, newest first.", degrades=degradation.TRANSACTION)
    async def transactions(
        self,
        info: Info,
        first: First = DEFAULT_PAGE,
        after: After = None,
        status: Status = None,
        type_: Type = None,
        since: Since = None,
        until: Until = None,
        counterparty_id: CounterpartyId = None,
    ) -> Connection[Transaction] | None:
        statement = statement_of(
            first=first,
            after=after,
            status=status,
            type_=type_,
            since=since,
            until=until,
            counterparty_id=counterparty_id,
        )
        return await transactions_of(info, self.user_id, statement)

    @classmethod
    def of(cls, row: contract.Profile | KnownProfile, freshness: Freshness) -> "User":
        """The users service's row as clients see it."""
        details = row.banking_details
        return cls(
            id=strawberry.ID(str(row.id)),
            email=row.email,
            name=row.name,
            address=row.address,
            picture_url=row.picture_url,
            banking_details=BankingDetails(
                agency=details.agency,
                account_number=details.account_number,
                account_type=AccountType[details.account_type.name],
            )
            if details
            else None,
            role=Role[row.role.name] if row.role else None,
            active=row.active,
            created_at=row.created_at,
            updated_at=row.updated_at,
            freshness=freshness,
            user_id=row.id,
        )


def user_of(info: Info, served: Served[KnownProfile]) -> User:
    """What the field at `info.path` shows of what was served."""
    freshness = info.context.freshness(info.path, contract.SERVICE, served)
    profile, reader = served.value, info.context.ask.call.user
    if profile.role is None and reader is not None and reader.id == profile.id:
        # A copy has no role; one's own is proved by the token that was verified just now.
        profile = msgspec.structs.replace(profile, role=contract.Role(reader.role))
    return User.of(profile, freshness)
