"""A signed-in customer with a GraphQL client, who asks and keeps what came back."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp

from scripts.outages.observations import DEADLINE_SECONDS, Observation

AMOUNT = "1.00"
"""What each transfer moves."""

_FRESHNESS = "freshness { state ageSeconds }"
OVERVIEW = f"""query Overview {{
  me {{
    name
    {_FRESHNESS}
    account {{
      balance {{ amount currency }}
      balanceAsOf
      {_FRESHNESS}
    }}
  }}
}}"""
STATEMENT = f"""query Statement {{
  transactions(first: 5) {{
    {_FRESHNESS}
    edges {{ node {{
      id
      type
      status
      amount {{ amount }}
      sender {{ name {_FRESHNESS} }}
      receiver {{ name {_FRESHNESS} }}
    }} }}
  }}
}}"""
TRANSFER = """mutation Pay($input: TransferInput!) {
  transfer(input: $input) { id status failureReason }
}"""
LOOKUP = """query ByKey($key: String!) {
  transaction(idempotencyKey: $key) { id status failureReason }
}"""
_SESSION = "accessToken refreshToken user { id }"
LOGIN = f"mutation SignIn($input: LoginInput!) {{ login(input: $input) {{ {_SESSION} }} }}"
REFRESH = f"mutation Refresh($input: RefreshTokenInput!) {{ refreshToken(input: $input) {{ {_SESSION} }} }}"
_LATE_SECONDS = 30.0  # how long a late answer is waited for, so that its lateness is known


@dataclass(slots=True)
class Customer:
    """`access` and `refresh` are the tokens of the session that lasts; `deadline` is sent along, seconds."""

    session: aiohttp.ClientSession
    url: str
    email: str
    password: str
    pays: str
    """Id of the user whom this one pays."""
    access: str = ""
    refresh: str = ""
    deadline: float = DEADLINE_SECONDS

    async def overview(self) -> Observation:
        """The profile and the balance."""
        return await self._ask("overview", OVERVIEW)

    async def statement(self) -> Observation:
        """The last transactions, with the names of who is on the other side."""
        return await self._ask("statement", STATEMENT)

    async def transfer(self, key: str) -> Observation:
        """Pay under `key`."""
        amount = {"amount": AMOUNT, "currency": "BRL"}
        given = {"idempotencyKey": key, "receiverId": self.pays, "amount": amount}
        return await self._ask("transfer", TRANSFER, {"input": given})

    async def lookup(self, key: str) -> Observation:
        """What became of the transfer under `key`."""
        return await self._ask("lookup", LOOKUP, {"key": key})

    async def login(self) -> Observation:
        """Sign in once more, beside the session that lasts."""
        given = {"email": self.email, "password": self.password}
        return await self._ask("login", LOGIN, {"input": given}, signed=False)

    async def renew(self) -> Observation:
        """Exchange the refresh token; when that fails the session keeps the token that it has."""
        given = {"refreshToken": self.refresh}
        answer = await self._ask("refresh", REFRESH, {"input": given}, signed=False)
        if answer.data:
            self.take(answer)
        return answer

    def take(self, answer: Observation) -> None:
        """Go on with the session that an answer brought."""
        self.access, self.refresh = answer.data["accessToken"], answer.data["refreshToken"]

    async def _ask(
        self,
        question: str,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        signed: bool = True,
    ) -> Observation:
        headers = {"deadline-ms": str(round(self.deadline * 1_000))}
        if signed:
            headers["authorization"] = f"Bearer {self.access}"
        body = {"query": document, "variables": variables or {}}
        began, status, told = time.monotonic(), 0, {}
        late = aiohttp.ClientTimeout(total=_LATE_SECONDS)
        try:
            async with self.session.post(
                f"{self.url}/graphql", json=body, headers=headers, timeout=late
            ) as answer:
                status, told = answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            status = 0
        return _observed(question, status, told, time.monotonic() - began, self.deadline)


def _observed(
    question: str, status: int, told: Mapping[str, Any], seconds: float, deadline: float
) -> Observation:
    data = told.get("data") or {}
    return Observation(
        question,
        status,
        next(iter(data.values()), None),
        tuple(error["extensions"]["code"] for error in told.get("errors", ())),
        tuple(told.get("extensions", {}).get("degraded", ())),
        seconds,
        deadline,
    )


def new_key() -> str:
    """An idempotency key, as clients should make them."""
    return str(uuid4())
