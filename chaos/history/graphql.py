"""The platform behind its GraphQL gateway, as a `Client` of the driver."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec

from chaos.history.answers import (
    BODY,
    DOCUMENTS,
    SIGNED_OUT,
    Replied,
    Reply,
    Unanswered,
    classify,
    variables,
)
from chaos.history.client import Command, Outcome, Parties, Party, Sleep
from chaos.history.events import Op, clip

ENROL_ATTEMPTS: Final = 40
"""Tries at registering, signing in or seeing a new account, half a second apart: 20 s, which outlasts
a service's restart. A rate limit's own pause is longer."""
ENROL_PAUSE: Final = 0.5
MAX_ENROL_PAUSE: Final = 60.0
"""Longest wait that a rate limit can ask for: its window is a minute."""

_REGISTER: Final = (
    "mutation R($input: RegisterInput!) { register(input: $input) { accessToken user { id } } }"
)
_LOGIN: Final = (
    "mutation L($input: LoginInput!) { login(input: $input) { accessToken user { id } } }"
)
_ACCOUNT: Final = "query A { account { id } }"
_STEPS: Final = {
    _REGISTER: "register a customer",
    _LOGIN: "sign in",
    _ACCOUNT: "see a new customer's account",
}


class EnrolError(Exception):
    """The platform did not let the driver in. `pause`: seconds to wait before trying again."""

    def __init__(self, step: str, problem: str, pause: float) -> None:
        self.pause = pause
        super().__init__(f"cannot {step}: {clip(problem)}")


@dataclass(slots=True)
class _Login:
    email: str
    password: str = field(repr=False)
    token: str = field(default="", repr=False)


class GraphQLClient:
    """Sends commands to a gateway, as customers that it registers and as staff that it is told of.

    Args:
        url: the GraphQL endpoint.
        staff: e-mail address and password of a member of staff, for reversals.
        timeout: seconds for one attempt, connecting included.
        connections: most connections at once.
        headers: sent with every request, such as an address for rate limits behind a trusted proxy.
    """

    def __init__(
        self,
        url: str,
        *,
        staff: tuple[str, str] | None = None,
        timeout: float = 5.0,
        connections: int = 128,
        headers: Mapping[str, str] | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._url = url
        self._staff = staff
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._connections = connections
        self._headers = dict(headers or {})
        self._sleep = sleep
        self._logins: dict[str, _Login] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            headers=self._headers,
            connector=aiohttp.TCPConnector(limit=self._connections),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def enrol(self, customers: int) -> Parties:
        """Register customers with an account each, and sign the staff in.

        Raises:
            EnrolError: the platform refused, or did not answer for too long.
        """
        found = [await self._register(number) for number in range(customers)]
        if self._staff is None:
            return Parties(tuple(found))
        login = _Login(*self._staff)
        user = await self._enter(_LOGIN, login, {})
        return Parties(tuple(found), Party(user, account=""))

    async def perform(self, command: Command) -> Outcome:
        """Send one money operation once."""
        user = command.party.user
        reply = await self._send(DOCUMENTS[command.op], variables(command), self._token(user))
        outcome = classify(command.op, reply)
        if outcome.answer.code in SIGNED_OUT:
            await self._sign_in_again(user)
        return outcome

    async def find(self, party: Party, key: str) -> Outcome:
        """Ask what became of a key."""
        reply = await self._send(DOCUMENTS[Op.FIND], {"key": key}, self._token(party.user))
        outcome = classify(Op.FIND, reply)
        if outcome.answer.code in SIGNED_OUT:
            await self._sign_in_again(party.user)
        return outcome

    async def _register(self, number: int) -> Party:
        for attempt in range(ENROL_ATTEMPTS):
            # A new address each time: one whose answer was lost is taken.
            login = _Login(f"history-{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(18))
            try:
                user = await self._enter(_REGISTER, login, {"name": f"History {number}"}, tries=1)
            except EnrolError as error:
                if attempt == ENROL_ATTEMPTS - 1:
                    raise
                await self._sleep(error.pause)
            else:
                return Party(user, await self._account(login))
        raise AssertionError("unreachable")

    async def _enter(
        self, document: str, login: _Login, more: Mapping[str, str], tries: int = ENROL_ATTEMPTS
    ) -> str:
        """Register or sign in; remember the token. Return the user's id."""
        given = {"input": {"email": login.email, "password": login.password, **more}}
        session = await self._ask(document, given, "", tries)
        user: str = session["user"]["id"]
        login.token = session["accessToken"]
        self._logins[user] = login
        return user

    async def _account(self, login: _Login) -> str:
        account = await self._ask(_ACCOUNT, {}, login.token, ENROL_ATTEMPTS)
        return str(account["id"])

    async def _ask(
        self, document: str, given: Mapping[str, Any], token: str, tries: int
    ) -> dict[str, Any]:
        """Return the only field of an answer, asking again while it is null or an error."""
        problem, pause = "nothing was tried", ENROL_PAUSE
        for attempt in range(tries):
            if attempt:
                await self._sleep(pause)
            reply = await self._send(document, given, token)
            if isinstance(reply, Unanswered):
                problem = reply.reason
                continue
            try:
                body = BODY.decode(reply.body)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                problem = f"HTTP {reply.status}: {error}"
                continue
            found = next(iter((body.data or {}).values()), None)
            if found is not None:
                return dict(found)
            problem = "; ".join(f"{e.extensions.code}: {e.message}" for e in body.errors) or "null"
            asked = [e.extensions.retry_after_seconds or 0.0 for e in body.errors]
            pause = min(max([ENROL_PAUSE, *asked]), MAX_ENROL_PAUSE)
        raise EnrolError(_STEPS[document], problem, pause)

    async def _sign_in_again(self, user: str) -> None:
        try:
            await self._enter(_LOGIN, self._logins[user], {}, tries=1)
        except EnrolError:
            return  # the next attempt will be told that it is signed out, and come here again

    def _token(self, user: str) -> str:
        return self._logins[user].token

    async def _send(self, document: str, given: Mapping[str, Any], token: str) -> Reply:
        if self._session is None:
            raise RuntimeError("use the client as `async with GraphQLClient(…) as client`")
        content = msgspec.json.encode({"query": document, "variables": given})
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with self._session.post(self._url, data=content, headers=headers) as response:
                return Replied(response.status, await response.read())
        except aiohttp.ClientConnectorError as error:
            return Unanswered(f"{type(error).__name__}: {error}", sent=False)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Unanswered(f"{type(error).__name__}: {error}")
