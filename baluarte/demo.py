"""Demonstration data: a few users with accounts and a little history, for a first look.

Loaded over the services' own API under the name `baluarte`. Every step may be repeated: users are
found by their address and money moves under fixed idempotency keys, so that a load that was cut off
is completed by the next one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import aiohttp
import msgspec

from baluarte.demo_data import PASSWORD, TRANSACTIONS, USERS, DemoTransaction, DemoUser
from baluarte.errors import BaluarteError, invalid
from chassis import codes
from chassis.client import ServiceClient, open_session
from chassis.context import Call
from chassis.contract import Operation
from chassis.credentials import Credentials
from chassis.errors import CodedError
from chassis.settings import SettingsError, read_settings
from services.ledger.contract import DEFAULT_CURRENCY
from services.transactions import contract as transactions
from services.users import contract as users

Req = TypeVar("Req", bound=msgspec.Struct)
Res = TypeVar("Res", bound=msgspec.Struct)

PRINCIPAL = "baluarte"
_SERVICES = (users.SERVICE, transactions.SERVICE)

_STEP_SECONDS = 30.0  # for one step with its repetitions
_CALL_SECONDS = 5.0
_PAUSE = 0.2  # between repetitions, and between looks at a pending transaction


def load_as_told(environ: Mapping[str, str]) -> bool:
    """Load into the services that the environment names; False in production, where nothing is done.

    Raises:
        BaluarteError: SETTING_INVALID, or DEMO_INCOMPLETE when a service refused or did not answer.
    """
    try:
        settings = read_settings(environ, PRINCIPAL, needs_database=False, peers=_SERVICES)
        if settings.in_production:
            return False
        asyncio.run(load(settings.peers, settings.keys_dir))
    except SettingsError as error:
        raise BaluarteError(*(invalid(problem) for problem in error.problems)) from error
    except (CodedError, TimeoutError) as error:
        code = error.code if isinstance(error, CodedError) else "not settled in time"
        raise BaluarteError.of(
            "DEMO_INCOMPLETE",
            f"the demonstration data are not complete ({code})",
            "see that the services are ready, and run it again: it adds what is missing",
        ) from error
    return True


async def load(urls: Mapping[str, Sequence[str]], keys: Path) -> None:
    """Load everything that is not there yet.

    Raises `CodedError` when a service refuses, or does not answer within the bounds.
    """
    credentials = await asyncio.to_thread(Credentials.load, keys, PRINCIPAL)
    async with open_session() as session:
        loader = _Loader(urls, credentials, session)
        ids = {user.key: await loader.user(user) for user in USERS}
        emails = {user.key: user.email for user in USERS}
        tokens: dict[str, str] = {}
        for transaction in TRANSACTIONS:
            if transaction.user not in tokens:
                tokens[transaction.user] = await loader.token(emails[transaction.user])
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
            role=users.Role(user.role),
            banking_details=_banking_details(user.account_number),
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


def _banking_details(number: str | None) -> users.BankingDetails | None:
    if number is None:
        return None
    return users.BankingDetails(
        agency="0001", account_number=number, account_type=users.AccountType.CHECKING
    )


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
