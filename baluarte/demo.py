"""Demonstration data: a few users with accounts and a little history, for a first look.

Loaded over the services' own API under the name `baluarte`. Every step may be repeated: users are
found by their address and money moves under fixed idempotency keys, so that a load that was cut off
is completed by the next one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import aiohttp
import msgspec

from chassis import codes
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.contract import Operation
from chassis.credentials import Credentials
from chassis.errors import CodedError
from services.ledger.contract import DEFAULT_CURRENCY
from services.transactions import contract as transactions
from services.users import contract as users

Req = TypeVar("Req", bound=msgspec.Struct)
Res = TypeVar("Res", bound=msgspec.Struct)

PRINCIPAL = "baluarte"
PASSWORD = "baluarte-demo"  # noqa: S105 - printed for everybody, never used in production
_DOMAIN = "baluarte.example"  # a reserved name: no mail can ever go there

_STEP_SECONDS = 30.0  # for one step with its repetitions
_CALL_SECONDS = 5.0
_PAUSE = 0.2  # between repetitions, and between looks at a pending transaction


@dataclass(frozen=True, slots=True)
class DemoUser:
    key: str
    name: str
    role: users.Role
    banking_details: users.BankingDetails | None = None

    @property
    def email(self) -> str:
        return f"{self.key}@{_DOMAIN}"


@dataclass(frozen=True, slots=True)
class DemoTransaction:
    """A deposit to, or a transfer from, `user`; the key also is its idempotency key."""

    key: str
    user: str
    amount: int
    description: str
    receiver: str | None = None


def _account(number: str) -> users.BankingDetails:
    return users.BankingDetails(
        agency="0001", account_number=number, account_type=users.AccountType.CHECKING
    )


USERS = (
    DemoUser("ana", "Ana Lima", users.Role.CUSTOMER, _account("100001-4")),
    DemoUser("bruno", "Bruno Costa", users.Role.CUSTOMER, _account("100002-2")),
    DemoUser("carla", "Carla Souza", users.Role.CUSTOMER, _account("100003-0")),
    DemoUser("support", "Sofia Support", users.Role.SUPPORT),
    DemoUser("admin", "Adriano Admin", users.Role.ADMIN),
)
TRANSACTIONS = (
    DemoTransaction("demo-deposit-ana", "ana", 500_000, "Salary"),
    DemoTransaction("demo-deposit-bruno", "bruno", 120_000, "Savings"),
    DemoTransaction("demo-rent", "ana", 180_000, "Rent", receiver="bruno"),
    DemoTransaction("demo-lunch", "bruno", 4_550, "Lunch", receiver="ana"),
    DemoTransaction("demo-gift", "ana", 25_000, "Birthday gift", receiver="carla"),
)


def invitation(url: str) -> str:
    """How to sign in and what to ask, for a newcomer to paste."""
    ana, admin = USERS[0], USERS[4]
    return f"""\
Sign in as {ana.email} (staff: {admin.email}), password {PASSWORD}. In {url}/graphql:

  mutation {{ login(input: {{email: "{ana.email}", password: "{PASSWORD}"}}) {{ accessToken }} }}

then, with the header  Authorization: Bearer <accessToken>

  {{ me {{ name account {{ balance {{ amount currency }} }} }} }}"""


async def load(urls: Mapping[str, Sequence[str]], keys: Path) -> None:
    """Load everything that is not there yet.

    Raises `CodedError` when a service refuses, or does not answer within the bounds.
    """
    credentials = await asyncio.to_thread(Credentials.load, keys, PRINCIPAL)
    async with open_session() as session:
        loader = _Loader(urls, credentials, session)
        ids = {user.key: await loader.user(user) for user in USERS}
        tokens: dict[str, str] = {}
        for transaction in TRANSACTIONS:
            if transaction.user not in tokens:
                tokens[transaction.user] = await loader.token(f"{transaction.user}@{_DOMAIN}")
            await loader.transaction(transaction, ids, tokens[transaction.user])


class _Loader:
    """The steps, each repeated until it is answered."""

    def __init__(
        self,
        urls: Mapping[str, Sequence[str]],
        credentials: Credentials,
        session: aiohttp.ClientSession,
    ) -> None:
        def client(service: str) -> ServiceClient:
            return ServiceClient(service, urls[service], session=session, credentials=credentials)

        self._users = client(users.SERVICE)
        self._transactions = client(transactions.SERVICE)

    async def user(self, user: DemoUser) -> UUID:
        request = users.SeedUser(
            email=user.email,
            password=PASSWORD,
            name=user.name,
            role=user.role,
            banking_details=user.banking_details,
        )
        answer = await _persist(self._users, users.SEED_USER, request)
        return answer.user.id

    async def token(self, email: str) -> str:
        request = users.Login(email=email, password=PASSWORD)
        session = await _persist(self._users, users.LOGIN, request)
        return session.access_token

    async def transaction(
        self, wanted: DemoTransaction, ids: Mapping[str, UUID], token: str
    ) -> None:
        """Order it, and wait until it is settled: a transfer may spend what a deposit brought."""
        transfer = wanted.receiver is not None
        kind = transactions.TransactionType
        request = transactions.Create(
            idempotency_key=wanted.key,
            type=kind.TRANSFER if transfer else kind.DEPOSIT,
            receiver_id=ids[wanted.receiver] if wanted.receiver else None,
            amount=wanted.amount,
            currency=DEFAULT_CURRENCY,
            description=wanted.description,
        )
        async with asyncio.timeout(_STEP_SECONDS):
            while True:  # the same key asks for the same transaction as it is by then
                answer = await _persist(self._transactions, transactions.CREATE, request, token)
                if answer.transaction.status is not transactions.TransactionStatus.PENDING:
                    return
                await asyncio.sleep(_PAUSE)


async def _persist(
    client: ServiceClient, operation: Operation[Req, Res], request: Req, token: str | None = None
) -> Res:
    """Call until there is a definite answer; every step may be repeated."""
    give_up = asyncio.get_running_loop().time() + _STEP_SECONDS
    while True:
        call = Call.background(PRINCIPAL, seconds=_CALL_SECONDS)
        call = Call(call.correlation_id, call.deadline, call.service, user_token=token)
        try:
            return await client.call(call, operation, request)
        except CodedError as error:
            unknown = error.code == codes.OUTCOME_UNKNOWN.name
            if not (error.retryable or unknown) or asyncio.get_running_loop().time() > give_up:
                raise
            await asyncio.sleep(error.retry_after or _PAUSE)
