"""An in-memory platform behind the gateway's port: what the services promise, with no network.

Each request and answer goes through JSON and the contract's types, as over the wire, so a request that a
service would refuse is refused here too. Calls are counted, and a service can be made to fail.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec

from chassis import codes
from chassis.context import Call, UserIdentity
from chassis.contract import Nothing, Operation, UserAccess
from chassis.errors import CodedError
from chassis.paging import decode_cursor, encode_cursor
from graphql_api.downstream import Downstream, over
from resilience import Pipeline
from services.ledger import contract as ledger
from services.notifications import contract as notifications
from services.transactions import contract as transactions
from services.users import contract as users

EPOCH = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)

Handler = Callable[[Call, Any], Any]


@dataclass
class FakeClient:
    """The port to one service: counts what is asked, fails when told to."""

    handlers: dict[str, Handler]
    calls: list[tuple[str, Any]] = field(default_factory=list)
    seen: list[Call] = field(default_factory=list)
    failure: BaseException | None = None
    before: Callable[[], Any] | None = None

    async def call(self, call: Call, operation: Operation[Any, Any], request: Any) -> Any:
        self.calls.append((operation.name, request))
        self.seen.append(call)
        if self.before is not None:
            await self.before()
        if self.failure is not None:
            raise self.failure
        if operation.user is UserAccess.REQUIRED and call.user is None:
            raise codes.UNAUTHENTICATED.error()
        wire = msgspec.json.decode(msgspec.json.encode(request), type=operation.request)
        answer = self.handlers[operation.name](call, wire)
        return msgspec.json.decode(msgspec.json.encode(answer), type=operation.response)

    @property
    def operations(self) -> list[str]:
        return [name for name, _ in self.calls]


class Platform:
    """Users, accounts, transactions and notifications, as plain lists and dicts.

    With `lenient` set, services hand out everything to anybody: what is left is the gateway's own lock.
    """

    def __init__(self) -> None:
        self.lenient = False
        self.profiles: dict[UUID, users.Profile] = {}
        self.passwords: dict[str, str] = {}
        self.accounts: dict[UUID, ledger.Account] = {}
        self.rows: list[transactions.Transaction] = []
        self.keys: dict[tuple[UUID, str], transactions.Transaction] = {}
        self.notes: list[notifications.Notification] = []
        self.ticks = 0
        self.users = FakeClient(
            {
                "register": self._register,
                "login": self._login,
                "refresh": self._refresh,
                "logout": lambda _call, _request: Nothing(),
                "get_users": self._get_users,
                "get_names": self._get_names,
                "list_users": self._list_users,
                "update_profile": self._update_profile,
                "update_banking_details": self._update_banking_details,
                "set_user_active": self._set_active,
            }
        )
        self.ledger = FakeClient({"get_accounts": self._get_accounts})
        self.transactions = FakeClient(
            {
                "create": self._create,
                "reverse": self._reverse,
                "get_transactions": self._get_transactions,
                "find_transaction": self._find,
                "list_transactions": self._list,
            }
        )
        self.notifications = FakeClient({"list_notifications": self._histories})

    @property
    def clients(self) -> tuple[FakeClient, ...]:
        return (self.users, self.ledger, self.transactions, self.notifications)

    @property
    def downstream(self) -> Downstream:
        return self.behind({})

    def behind(self, pipelines: Mapping[str, Pipeline]) -> Downstream:
        """The services, with copies where a pipeline has them."""
        return over(
            pipelines,
            users=self.users,
            ledger=self.ledger,
            transactions=self.transactions,
            notifications=self.notifications,
        )

    def forget_calls(self) -> None:
        for client in self.clients:
            client.calls.clear()
            client.seen.clear()

    def counts(self) -> dict[str, int]:
        """How many calls each service got."""
        names = ("users", "ledger", "transactions", "notifications")
        return {name: len(client.calls) for name, client in zip(names, self.clients, strict=True)}

    # What there is.

    def now(self) -> datetime:
        self.ticks += 1
        return EPOCH + timedelta(seconds=self.ticks)

    def add_user(
        self, name: str = "Ana Souza", *, role: users.Role = users.Role.CUSTOMER, balance: int = 0
    ) -> users.Profile:
        number = len(self.profiles)
        at = self.now()
        profile = users.Profile(
            id=uuid4(),
            email=f"user{number}@example.com",
            name=name,
            address=None,
            picture_url=None,
            banking_details=None,
            role=role,
            active=True,
            version=1,
            created_at=at,
            updated_at=at,
        )
        self.profiles[profile.id] = profile
        self.passwords[profile.email] = "correct horse battery"
        self.accounts[profile.id] = ledger.Account(
            id=ledger.account_id_of(profile.id),
            owner_id=profile.id,
            currency="BRL",
            balance=balance,
            held=0,
            overdraft=0,
            available=balance,
            active=True,
            version=1,
            as_of=at,
            created_at=at,
        )
        return profile

    def add_transfer(
        self, sender: users.Profile, receiver: users.Profile, amount: int = 1_00
    ) -> transactions.Transaction:
        at = self.now()
        row = transactions.Transaction(
            id=uuid4(),
            type=transactions.TransactionType.TRANSFER,
            status=transactions.TransactionStatus.COMPLETED,
            sender_id=sender.id,
            receiver_id=receiver.id,
            sender_name=f"{sender.name} (known)",
            receiver_name=f"{receiver.name} (known)",
            initiated_by=sender.id,
            amount=amount,
            currency="BRL",
            description="rent",
            metadata={"invoice": "42"},
            idempotency_key=f"key-{len(self.rows):08}",
            failure_reason=None,
            reverses=None,
            reversed_by=None,
            created_at=at,
            processed_at=at,
            version=2,
        )
        self.rows.append(row)
        return row

    def add_note(
        self, user: users.Profile, about: transactions.Transaction | None = None
    ) -> notifications.Notification:
        at = self.now()
        note = notifications.Notification(
            id=uuid4(),
            user_id=user.id,
            type="transaction.completed",
            title="Transfer completed",
            body="R$ 1.00 has moved.",
            transaction_id=about.id if about else None,
            status=notifications.NotificationStatus.DELIVERED,
            created_at=at,
            delivered_at=at,
        )
        self.notes.append(note)
        return note

    # What the services do.

    def _may(self, call: Call, owner: UUID | None) -> bool:
        return self.lenient or (
            call.user is not None and (call.user.is_staff or call.user.id == owner)
        )

    def _session(self, profile: users.Profile) -> users.Session:
        return users.Session(
            user=profile,
            access_token=f"{profile.role}:{profile.id}",
            access_expires_in=900,
            refresh_token=f"refresh-{profile.id}",
            refresh_expires_in=604_800,
        )

    def _register(self, _: Call, request: users.Register) -> users.Session:
        if request.email.casefold() in self.passwords:
            raise codes.EMAIL_TAKEN.error()
        profile = self.add_user(request.name)
        del self.passwords[profile.email]
        profile = msgspec.structs.replace(profile, email=request.email)
        self.profiles[profile.id] = profile
        self.passwords[request.email.casefold()] = request.password
        return self._session(profile)

    def _login(self, _: Call, request: users.Login) -> users.Session:
        if self.passwords.get(request.email.casefold()) != request.password:
            raise codes.INVALID_CREDENTIALS.error()
        return self._session(
            next(item for item in self.profiles.values() if item.email == request.email)
        )

    def _refresh(self, _: Call, request: users.Refresh) -> users.Session:
        for profile in self.profiles.values():
            if request.refresh_token == f"refresh-{profile.id}":
                return self._session(profile)
        raise codes.REFRESH_TOKEN_INVALID.error()

    def _get_users(self, call: Call, request: users.GetUsers) -> users.Profiles:
        found = [self.profiles.get(id_) if self._may(call, id_) else None for id_ in request.ids]
        return users.Profiles(users=found)

    def _get_names(self, _: Call, request: users.GetUsers) -> users.Names:
        found = [self.profiles.get(id_) for id_ in request.ids]
        return users.Names(
            names=[
                users.PublicName(id=item.id, name=item.name, version=1) if item else None
                for item in found
            ]
        )

    def _list_users(self, call: Call, request: users.ListUsers) -> users.UserPage:
        if not self._may(call, None):
            raise codes.FORBIDDEN.error()
        rows = [
            item
            for item in self.profiles.values()
            if request.search is None or request.search.casefold() in item.name.casefold()
        ]
        page, following = _page(rows, request.first, request.after)
        return users.UserPage(users=page, next=following)

    def _update_profile(self, call: Call, request: users.UpdateProfile) -> users.ProfileAnswer:
        assert call.user is not None
        given = {
            name: value
            for name in ("name", "email", "address", "picture_url")
            if (value := getattr(request, name)) is not msgspec.UNSET
        }
        profile = msgspec.structs.replace(self.profiles[call.user.id], **given)
        self.profiles[profile.id] = profile
        return users.ProfileAnswer(user=profile)

    def _update_banking_details(
        self, call: Call, request: users.UpdateBankingDetails
    ) -> users.ProfileAnswer:
        assert call.user is not None
        profile = msgspec.structs.replace(
            self.profiles[call.user.id], banking_details=request.banking_details
        )
        self.profiles[profile.id] = profile
        return users.ProfileAnswer(user=profile)

    def _set_active(self, call: Call, request: users.SetUserActive) -> users.ProfileAnswer:
        if not (self.lenient or (call.user is not None and call.user.is_admin)):
            raise codes.FORBIDDEN.error()
        profile = msgspec.structs.replace(self.profiles[request.user_id], active=request.active)
        self.profiles[profile.id] = profile
        return users.ProfileAnswer(user=profile)

    def _get_accounts(self, call: Call, request: ledger.GetAccounts) -> ledger.Accounts:
        return ledger.Accounts(
            accounts=[
                self.accounts.get(id_) if self._may(call, id_) else None
                for id_ in request.owner_ids
            ]
        )

    def _create(self, call: Call, request: transactions.Create) -> transactions.TransactionAnswer:
        assert call.user is not None
        known = self.keys.get((call.user.id, request.idempotency_key))
        if known is not None:
            if known.amount != request.amount:
                raise codes.IDEMPOTENCY_CONFLICT.error()
            return transactions.TransactionAnswer(transaction=known, replayed=True)
        at = self.now()
        me = self.profiles[call.user.id]
        pays = request.type is not transactions.TransactionType.DEPOSIT
        receiver = request.receiver_id
        if request.type is transactions.TransactionType.DEPOSIT:
            receiver = me.id
        funds = not pays or self.accounts[me.id].available >= request.amount
        status = transactions.TransactionStatus
        row = transactions.Transaction(
            id=uuid4(),
            type=request.type,
            status=status.COMPLETED if funds else status.FAILED,
            sender_id=me.id if pays else None,
            receiver_id=receiver,
            sender_name=me.name if pays else None,
            receiver_name=None,
            initiated_by=me.id,
            amount=request.amount,
            currency=request.currency,
            description=request.description,
            metadata=request.metadata,
            idempotency_key=request.idempotency_key,
            failure_reason=None if funds else "INSUFFICIENT_FUNDS",
            reverses=None,
            reversed_by=None,
            created_at=at,
            processed_at=at,
            version=1,
        )
        self.rows.append(row)
        self.keys[(me.id, request.idempotency_key)] = row
        if funds:
            self._move(row)
        return transactions.TransactionAnswer(transaction=row)

    def _move(self, row: transactions.Transaction) -> None:
        for owner, sign in ((row.sender_id, -1), (row.receiver_id, 1)):
            if owner in self.accounts:
                account = self.accounts[owner]
                balance = account.balance + sign * row.amount
                self.accounts[owner] = msgspec.structs.replace(
                    account, balance=balance, available=balance
                )

    def _reverse(self, call: Call, request: transactions.Reverse) -> transactions.TransactionAnswer:
        assert call.user is not None
        original = next((row for row in self.rows if row.id == request.transaction_id), None)
        if original is None:
            raise codes.TRANSACTION_NOT_FOUND.error()
        reversal = msgspec.structs.replace(
            original,
            id=uuid5(original.id, "reversal"),
            type=transactions.TransactionType.REVERSAL,
            sender_id=original.receiver_id,
            receiver_id=original.sender_id,
            reverses=original.id,
            initiated_by=call.user.id,
        )
        return transactions.TransactionAnswer(transaction=reversal)

    def _visible(
        self, call: Call, row: transactions.Transaction | None
    ) -> transactions.Transaction | None:
        if row is None or any(self._may(call, id_) for id_ in (row.sender_id, row.receiver_id)):
            return row
        return None

    def _get_transactions(
        self, call: Call, request: transactions.GetTransactions
    ) -> transactions.Transactions:
        by_id = {row.id: row for row in self.rows}
        return transactions.Transactions(
            transactions=[self._visible(call, by_id.get(id_)) for id_ in request.ids]
        )

    def _find(
        self, call: Call, request: transactions.FindTransaction
    ) -> transactions.FoundTransaction:
        assert call.user is not None
        return transactions.FoundTransaction(
            transaction=self.keys.get((call.user.id, request.idempotency_key))
        )

    def _list(
        self, call: Call, request: transactions.ListTransactions
    ) -> transactions.TransactionPages:
        pages: list[transactions.TransactionPage | None] = []
        for owner in request.user_ids:
            if not self._may(call, owner):
                pages.append(None)
                continue
            rows = [
                row
                for row in self.rows
                if owner in (row.sender_id, row.receiver_id)
                and (request.status is None or row.status is request.status)
                and (request.type is None or row.type is request.type)
                and (request.since is None or row.created_at >= request.since)
                and (request.until is None or row.created_at < request.until)
                and (
                    request.counterparty_id is None
                    or request.counterparty_id in (row.sender_id, row.receiver_id)
                )
            ]
            page, following = _page(rows, request.first, request.after)
            pages.append(transactions.TransactionPage(transactions=page, next=following))
        return transactions.TransactionPages(pages=pages)

    def _histories(
        self, call: Call, request: notifications.ListNotifications
    ) -> notifications.NotificationPages:
        pages: list[notifications.NotificationPage | None] = []
        for owner in request.user_ids:
            if not self._may(call, owner):
                pages.append(None)
                continue
            rows = [note for note in self.notes if note.user_id == owner]
            page, following = _page(rows, request.first, request.after)
            pages.append(notifications.NotificationPage(notifications=page, next=following))
        return notifications.NotificationPages(pages=pages)


def _page(rows: list[Any], first: int, after: str | None) -> tuple[list[Any], str | None]:
    ordered = sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)
    if after is not None:
        at = decode_cursor(after)
        ordered = [row for row in ordered if (row.created_at, row.id) < at]
    page = ordered[:first]
    more = len(ordered) > first
    return page, encode_cursor(page[-1].created_at, page[-1].id) if more else None


class FakeTokens:
    """Stands for `chassis.tokens.AccessTokens`: a token is `role:user id`; `expired` and `forged` fail."""

    def __init__(self) -> None:
        self.failure: CodedError | None = None

    async def warm_up(self) -> None:
        return

    async def verify(self, token: str) -> UserIdentity:
        if self.failure is not None:
            raise self.failure
        if token == "expired":
            raise codes.TOKEN_EXPIRED.error()
        role, _, id_ = token.partition(":")
        try:
            return UserIdentity(id=UUID(id_), role=role)
        except ValueError:
            raise codes.UNAUTHENTICATED.error("The access token is malformed.") from None


def token_of(profile: users.Profile) -> str:
    return f"{profile.role}:{profile.id}"
