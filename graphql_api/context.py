"""What one operation carries: who asks, whom it can ask, what it has loaded, and what was degraded."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from chassis import codes
from chassis.context import UserIdentity
from chassis.errors import CodedError
from graphql_api.accounts.batches import accounts
from graphql_api.batching import Ask, loader
from graphql_api.degradation import COPY, Degraded, Freshness, age_of
from graphql_api.errors import coded
from graphql_api.notifications.batches import HISTORIES_LIMIT, History, histories
from graphql_api.transactions.batches import STATEMENTS_LIMIT, names, statements, transactions
from graphql_api.transactions.pages import Statement
from graphql_api.users.batches import profiles
from graphql_api.users.known import KnownProfile
from resilience import Served
from services.ledger.contract import Account
from services.notifications.contract import NotificationPage
from services.transactions.contract import Transaction, TransactionPage
from services.users.contract import PublicName

MAX_DEGRADED = 100
"""Most entries of `extensions.degraded`: every row also says it in the data."""

AdmitCredentials = Callable[[str | None], Awaitable[None]]
"""Raises RATE_LIMITED when this client, or this account (by its e-mail), has tried too often."""


class Loaders:
    """The loaders of one operation; statements and histories have one per distinct page."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.accounts: DataLoader[UUID, Served[Account] | None] = loader(ask, accounts)
        self.profiles: DataLoader[UUID, Served[KnownProfile] | None] = loader(ask, profiles)
        self.names: DataLoader[UUID, Served[PublicName] | None] = loader(ask, names)
        self.transactions: DataLoader[UUID, Served[Transaction] | None] = loader(ask, transactions)
        self._statements: dict[Statement, DataLoader[UUID, Served[TransactionPage] | None]] = {}
        self._histories: dict[History, DataLoader[UUID, NotificationPage | None]] = {}

    def statements(self, statement: Statement) -> DataLoader[UUID, Served[TransactionPage] | None]:
        """Loads that page of each user's statement."""
        found = self._statements.get(statement)
        if found is None:

            async def batch(ask: Ask, ids: Any) -> Any:
                return await statements(ask, statement, ids)

            found = self._statements[statement] = loader(self._ask, batch, STATEMENTS_LIMIT)
        return found

    def histories(self, history: History) -> DataLoader[UUID, NotificationPage | None]:
        """Loads that page of each user's notifications."""
        found = self._histories.get(history)
        if found is None:

            async def batch(ask: Ask, ids: Any) -> Any:
                return await histories(ask, history, ids)

            found = self._histories[history] = loader(self._ask, batch, HISTORIES_LIMIT)
        return found


class Context:
    """The context of one operation; nothing in it outlives the operation.

    Args:
        ask: the circumstances and the services.
        rejected_token: why the access token that was sent does not count, if one was sent and does not.
        admit_credentials: the limit on tries of credentials.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        rejected_token: CodedError | None,
        admit_credentials: AdmitCredentials,
    ) -> None:
        self.ask = ask
        self.admit_credentials = admit_credentials
        self.loaders = Loaders(ask)
        self.degraded: list[Degraded] = []
        self._rejected_token = rejected_token

    def require_user(self) -> UserIdentity:
        """The signed-in user.

        Raises:
            CodedError: UNAUTHENTICATED, TOKEN_EXPIRED, or UNAVAILABLE when tokens cannot be verified.
        """
        if self.ask.call.user is None:
            raise self._rejected_token or codes.UNAUTHENTICATED.error()
        return self.ask.call.user

    def require_staff(self) -> UserIdentity:
        """The signed-in user, who must be staff. Raises: CodedError: also FORBIDDEN."""
        user = self.require_user()
        if not user.is_staff:
            raise codes.FORBIDDEN.error("This is for staff.")
        return user

    def require_admin(self) -> UserIdentity:
        """The signed-in user, who must be an admin. Raises: CodedError: also FORBIDDEN."""
        user = self.require_user()
        if not user.is_admin:
            raise codes.FORBIDDEN.error("This is for administrators.")
        return user

    def freshness(self, path: Any, service: str, served: Served[Any]) -> Freshness:
        """What to say beside the value at `path`; a copy is noted for the summary as well."""
        if served.error is not None:
            self.degrade(path, service, served.error, COPY, age_of(served))
        return Freshness.of(served)

    def degrade(
        self,
        path: Any,
        service: str,
        error: Exception,
        served_from: str,
        age_seconds: int | None = None,
    ) -> None:
        """Note that the field at `path` was served from elsewhere because `service` failed."""
        if len(self.degraded) < MAX_DEGRADED:
            keys = tuple(path.as_list())
            reason = (coded(error) or codes.INTERNAL.error()).code
            self.degraded.append(Degraded(keys, service, reason, served_from, age_seconds))


Info = strawberry.Info[Context, None]
