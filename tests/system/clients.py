"""Clients of a running platform, as its users write them: GraphQL for people, JSON between services."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp

from chassis.credentials import Credentials
from tests.kill.platform import Platform
from tests.system.sentinels import Sentinels

__all__ = ["Gateway", "Person", "Reply", "Services", "brl", "new_key"]

SESSION = "accessToken refreshToken user { id }"
REGISTER = f"mutation($input: RegisterInput!) {{ register(input: $input) {{ {SESSION} }} }}"
LOGIN = f"mutation($input: LoginInput!) {{ login(input: $input) {{ {SESSION} }} }}"
REFRESH = f"mutation($input: RefreshTokenInput!) {{ refreshToken(input: $input) {{ {SESSION} }} }}"
LOGOUT = "mutation($input: LogoutInput!) { logout(input: $input) }"
_TRANSACTION = "id status failureReason idempotencyKey"
DEPOSIT = f"mutation($input: CashInput!) {{ deposit(input: $input) {{ {_TRANSACTION} }} }}"
WITHDRAW = f"mutation($input: CashInput!) {{ withdraw(input: $input) {{ {_TRANSACTION} }} }}"
TRANSFER = f"mutation($input: TransferInput!) {{ transfer(input: $input) {{ {_TRANSACTION} }} }}"
REVERSE = f"mutation($input: ReverseInput!) {{ reverse(input: $input) {{ {_TRANSACTION} }} }}"


def new_key() -> str:
    """An idempotency key, as clients should make them."""
    return str(uuid4())


def brl(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "BRL"}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in."""

    id: str
    email: str
    password: str
    token: str
    refresh: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever it is."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def errors(self) -> list[dict[str, Any]]:
        return list(self.json.get("errors", []))

    @property
    def codes(self) -> list[str]:
        """Of all errors, GraphQL's or a problem document's."""
        body = self.json
        if "code" in body:
            return [body["code"]]
        return [error["extensions"]["code"] for error in self.errors]

    def data(self, name: str) -> Any:
        """A root field of an answer without errors."""
        assert not self.errors, self.body
        return self.json["data"][name]


@dataclass(frozen=True, slots=True)
class Gateway:
    """Posts GraphQL, and remembers every token and header that comes back."""

    session: aiohttp.ClientSession
    url: str
    sentinels: Sentinels

    async def send(
        self,
        content: bytes,
        *,
        path: str = "/graphql",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request as it is."""
        given = {"content-type": "application/json", **(headers or {})}
        request = self.session.request(method, f"{self.url}{path}", data=content, headers=given)
        async with request as answer:
            self.sentinels.saw(answer.headers.items())
            return Reply(answer.status, answer.headers, await answer.read())

    async def ask(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        token: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One operation, signed in with `token` if there is one."""
        content = json.dumps({"query": document, "variables": variables or {}}).encode()
        signed = {"authorization": f"Bearer {token}"} if token else {}
        return await self.send(content, headers={**signed, **(headers or {})})

    async def change(self, document: str, person: Person, **given: Any) -> Reply:
        """A mutation by `person` with `given` as its input."""
        return await self.ask(document, {"input": given}, token=person.token)

    async def register(self, **changes: Any) -> Person:
        """A new customer, whose every private detail is a sentinel."""
        given = {
            "email": self.sentinels.email(),
            "password": self.sentinels.text("password"),
            "name": self.sentinels.text("name"),
            "address": self.sentinels.text("address"),
            "pictureUrl": self.sentinels.picture(),
            **changes,
        }
        reply = await self.ask(REGISTER, {"input": given})
        return self.person(reply.data("register"), given["email"], given["password"])

    async def login(self, email: str, password: str) -> Person:
        reply = await self.ask(LOGIN, {"input": {"email": email, "password": password}})
        return self.person(reply.data("login"), email, password)

    def person(self, session: Mapping[str, Any], email: str, password: str) -> Person:
        """Who a `Session` belongs to; its tokens are secret from here on."""
        access, refresh = session["accessToken"], session["refreshToken"]
        self.sentinels.remember(access, refresh)
        return Person(session["user"]["id"], email, password, access, refresh)

    async def deposit(self, person: Person, amount: str) -> dict[str, Any]:
        """Money from outside, settled."""
        given = {"idempotencyKey": new_key(), "amount": brl(amount)}
        done: dict[str, Any] = (await self.change(DEPOSIT, person, **given)).data("deposit")
        assert done["status"] == "COMPLETED", done
        return done

    async def transfer(self, person: Person, to: str, amount: str) -> dict[str, Any]:
        """The transfer as it was answered."""
        given = {"idempotencyKey": new_key(), "receiverId": to, "amount": brl(amount)}
        done: dict[str, Any] = (await self.change(TRANSFER, person, **given)).data("transfer")
        return done


@dataclass(frozen=True, slots=True)
class Services:
    """Calls services directly, as another service would, or as an intruder does."""

    session: aiohttp.ClientSession
    platform: Platform
    sentinels: Sentinels

    def credential(self, caller: str, service: str) -> str:
        """A genuine credential of `caller` for `service`."""
        return Credentials.load(self.platform.state / "keys", caller).token_for(service)

    async def post(
        self,
        service: str,
        path: str,
        body: Any,
        *,
        caller: str = "",
        user: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One operation; without `caller` no credential is sent. `body` is sent as it is when bytes."""
        given = {"content-type": "application/json"}
        if caller:
            given["authorization"] = f"Bearer {self.credential(caller, service)}"
        if user:
            given["user-authorization"] = f"Bearer {user}"
        content = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        url = f"{self.platform.base(service)}{path}"
        request = self.session.post(url, data=content, headers={**given, **(headers or {})})
        async with request as answer:
            self.sentinels.saw(answer.headers.items())
            return Reply(answer.status, answer.headers, await answer.read())

    async def page(self, part: str, path: str) -> str:
        """What a part shows at `path`."""
        async with self.session.get(f"{self.platform.base(part)}{path}") as answer:
            self.sentinels.saw(answer.headers.items())
            return await answer.text()
