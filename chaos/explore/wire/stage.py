"""People and their things: who asks, about what, with what history."""

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from chaos.explore.laboratory import new_correlation
from chaos.explore.operations import Effect, Operation, Person, Scene
from chaos.explore.operations.sessions import DOMAIN, PASSWORD
from chaos.explore.port import PlatformError
from chaos.explore.wire.gateway import Gateway
from chaos.explore.wire.turnstile import Turnstile
from chaos.roster import Staff

REST_SECONDS: Final = 30.0
"""For events to be told to everybody who keeps something of them, and payments to be settled."""

SESSION_SECONDS: Final = 600.0
"""After which people sign in anew: access tokens live for fifteen minutes."""

POLL_SECONDS: Final = 0.05

_CAPITAL: Final = "100.00"
"""What each customer has; explored payments move a hundredth of a unit."""

_SESSION: Final = "accessToken refreshToken user { id email }"
_REGISTER: Final = (
    f"mutation J($input: RegisterInput!) {{ register(input: $input) {{ {_SESSION} }} }}"
)
_LOGIN: Final = f"mutation I($input: LoginInput!) {{ login(input: $input) {{ {_SESSION} }} }}"
_DEPOSIT: Final = "mutation D($input: CashInput!) { deposit(input: $input) { id status } }"
_TRANSFER: Final = "mutation T($input: TransferInput!) { transfer(input: $input) { id status } }"
_PROFILE: Final = "mutation U($input: UpdateProfileInput!) { updateProfile(input: $input) { id } }"
_ACTIVE: Final = "mutation A($input: SetUserActiveInput!) { setUserActive(input: $input) { id } }"
_NEWS: Final = """query N($id: ID!) {
  notifications(userId: $id, first: 50) { edges { node { status transactionId } } }
}"""


class Stage:
    """Sets scenes up through the gateway, as anybody could.

    Args:
        staff: an administrator.
        names_known: waits until transactions knows what some users are called, which no client can see.
    """

    def __init__(
        self,
        gateway: Gateway,
        payments: Turnstile,
        *,
        staff: Staff,
        names_known: Callable[[tuple[str, ...]], Awaitable[bool]],
    ) -> None:
        self._gateway = gateway
        self._payments = payments
        self._staff = staff
        self._names_known = names_known
        self._numbers = itertools.count(secrets.randbelow(10**5) * 10)
        self._signed_in: Person | None = None
        self._signing_in = asyncio.Lock()

    async def scene(self, operation: Operation) -> Scene:
        """Two new customers, the one with money and a payment to the other, and the staff."""
        customer, other = await self.customer(), await self.customer()
        scene = Scene(customer, other, await self.staff(), transaction="")
        if operation.actor is not operation.actor.NOBODY and operation.effect in _NEED_HISTORY:
            await self.deposit(customer, _CAPITAL)
            scene.transaction = await self.pay(scene)
            await self._at_rest(scene)
        return scene

    async def awake(self, operation: Operation, scene: Scene) -> None:
        """Sign everybody in again who acts, and whose access token may expire soon."""
        # The other acts where names change; elsewhere they may be deactivated.
        others = (scene.other,) if operation.copies else ()
        for person in (scene.staff, scene.customer, *others):
            if self.is_old(person):
                again = await self.sign_in(person.email, person.password)
                person.access, person.refresh = again.access, again.refresh
                person.since = again.since

    async def renew(self, operation: Operation, scene: Scene) -> None:
        """What each run needs anew."""
        await self.awake(operation, scene)
        scene.key = f"explore-{secrets.token_hex(12)}"
        scene.word = f"w{secrets.token_hex(8)}"
        scene.number = next(self._numbers) % 10**6
        if operation.session:
            scene.customer = await self.sign_in(scene.customer.email, scene.customer.password)
        if operation.payment:
            scene.transaction = await self.pay(scene)
        if operation.effect is Effect.ACTIVATION:
            await self.activate(scene, active=True)

    async def change(self, operation: Operation, scene: Scene) -> None:
        """Other profiles and names, and for who asks about money another balance and statement."""
        word = secrets.token_hex(4)
        address = {"address": f"Rua {word}"}
        await self._do(_PROFILE, {"input": address}, scene.customer)
        await self._do(_PROFILE, {"input": {"name": f"Outra {word}"}}, scene.other)
        if operation.name != "notifications":  # whose truth comes with events, in its own time
            await self.deposit(scene.customer, "0.01")

    async def customer(self) -> Person:
        """Somebody new."""

        async def registered() -> Person | None:
            # A new address each time: one whose answer was lost is taken.
            email = f"p{secrets.token_hex(8)}@{DOMAIN}"
            given = {"email": email, "password": PASSWORD, "name": f"Pessoa {secrets.token_hex(3)}"}
            answer = await self._gateway.ask(_REGISTER, {"input": given}, None, new_correlation())
            session = ((answer.body.data if answer.body else None) or {}).get("register")
            return _person(session, PASSWORD) if session else None

        person: Person = await until(registered, "somebody can register")
        return person

    async def sign_in(self, email: str, password: str) -> Person:
        """A new session."""
        given = {"email": email, "password": password}
        return _person(await self._do(_LOGIN, {"input": given}, None), password)

    def is_old(self, person: Person) -> bool:
        """Whether the access token may expire soon."""
        return time.monotonic() - person.since > SESSION_SECONDS

    async def staff(self) -> Person:
        """The administrator, signed in once."""
        async with self._signing_in:
            if self._signed_in is None:
                self._signed_in = await self.sign_in(self._staff.email, self._staff.password)
            return self._signed_in

    async def deposit(self, person: Person, amount: str) -> None:
        """Money from outside, which is there afterwards."""
        given = {"amount": {"amount": amount, "currency": "BRL"}}
        await self._settled(_DEPOSIT, given, person)

    async def pay(self, scene: Scene) -> str:
        """A completed payment of the customer to the other; its id."""
        money = {"amount": "0.50", "currency": "BRL"}
        given = {"amount": money, "receiverId": scene.other.id}
        return await self._settled(_TRANSFER, given, scene.customer)

    async def activate(self, scene: Scene, *, active: bool) -> None:
        """Let the other sign in and move money, or not."""
        given = {"userId": scene.other.id, "active": active}
        await self._do(_ACTIVE, {"input": given}, scene.staff)

    async def _settled(self, document: str, given: Mapping[str, Any], person: Person) -> str:
        variables = {"input": {**given, "idempotencyKey": f"stage-{secrets.token_hex(12)}"}}

        async def settled() -> str | None:
            async with self._payments.together():
                done = await self._do(document, variables, person)
            return str(done["id"]) if done["status"] == "COMPLETED" else None

        id_: str = await until(settled, "a payment is settled")
        return id_

    async def _at_rest(self, scene: Scene) -> None:
        people = (scene.customer.id, scene.other.id)

        async def told() -> bool | None:
            news = await self._do(_NEWS, {"id": scene.customer.id}, scene.staff)
            its = [edge["node"] for edge in news["edges"]]
            about = {it["transactionId"] for it in its}
            delivered = all(it["status"] == "DELIVERED" for it in its)
            return (scene.transaction in about and delivered) or None

        async def known() -> bool | None:
            return await self._names_known(people) or None

        await until(told, "a payment is told to who made it")
        await until(known, "the transactions service knows a new customer's name")

    async def _do(self, document: str, variables: Mapping[str, Any], person: Person | None) -> Any:
        """The only field of an answer, which must be there. Asked again while it may help."""
        access = person.access if person else None
        correlation = new_correlation()

        async def done() -> Any:
            answer = await self._gateway.ask(document, variables, access, correlation)
            data = (answer.body.data if answer.body else None) or {}
            value = next(iter(data.values()), None)
            if value is None:
                told.append(", ".join(answer.codes) or answer.trouble or "null without an error")
            return value

        told: list[str] = []
        first = await done()
        if first is not None:
            return first
        if told[-1] in _REFUSALS:
            raise PlatformError(f"setting the scene: {document.split('(')[0]}: {told[-1]}")
        return await until(done, f"{document.split('(')[0]} works, which says {told[-1]}")


_REFUSALS: Final = frozenset(
    {"FORBIDDEN", "UNAUTHENTICATED", "INVALID_CREDENTIALS", "INVALID_INPUT"}
)
"""Which asking again does not help. Everything that is asked for here may be asked for again."""

_NEED_HISTORY: Final = frozenset({Effect.NOTHING, Effect.MONEY})


def _person(session: Mapping[str, Any], password: str) -> Person:
    user = session["user"]
    return Person(
        str(user["id"]),
        str(user["email"]),
        password,
        str(session["accessToken"]),
        str(session["refreshToken"]),
        time.monotonic(),
    )


async def until(
    look: Callable[[], Awaitable[Any]], what: str, seconds: float = REST_SECONDS
) -> Any:
    """Look until there is something. Raises `PlatformError` after `seconds`."""
    ends = time.monotonic() + seconds
    while (found := await look()) is None:
        if time.monotonic() >= ends:
            raise PlatformError(f"it did not come to pass within {seconds:g} s that {what}")
        await asyncio.sleep(POLL_SECONDS)
    return found
