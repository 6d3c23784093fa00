"""What became of a mutation, asked of the platform when it is well again: one question per effect."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from chaos.explore.answer import Answer
from chaos.explore.effects import Claim, Fact, claim
from chaos.explore.laboratory import new_correlation
from chaos.explore.operations import Effect, Operation, Scene
from chaos.explore.operations.sessions import DOMAIN, PASSWORD
from chaos.explore.port import PlatformError
from chaos.explore.wire.gateway import Gateway
from chaos.explore.wire.stage import until
from chaos.explore.wire.turnstile import Turnstile

_BY_KEY: Final = "query K($key: String!) { transaction(idempotencyKey: $key) { id status } }"
_USER: Final = """query U($id: ID!) {
  user(id: $id) { address active bankingDetails { accountNumber } }
}"""
_LOGIN: Final = "mutation I($input: LoginInput!) { login(input: $input) { accessToken } }"
_RENEW: Final = """mutation R($input: RefreshTokenInput!) {
  refreshToken(input: $input) { accessToken }
}"""

_OF_STATUS: Final = {
    "COMPLETED": Fact.HAPPENED,
    "REVERSED": Fact.HAPPENED,
    "FAILED": Fact.ABSENT,  # no money moved
}


class Facts:
    """Looks for effects, through the gateway."""

    def __init__(self, gateway: Gateway, payments: Turnstile) -> None:
        self._gateway = gateway
        self._payments = payments
        self._looks: Mapping[Effect, Callable[[Operation, Scene, Answer], Awaitable[Fact]]] = {
            Effect.MONEY: self._money,
            Effect.REGISTRATION: self._registration,
            Effect.RENEWAL: self._renewal,
            Effect.SIGN_OUT: self._sign_out,
            Effect.ADDRESS: self._address,
            Effect.BANKING_DETAILS: self._banking_details,
            Effect.ACTIVATION: self._activation,
        }

    async def of(self, operation: Operation, scene: Scene, answer: Answer) -> Fact:
        """What became of it."""
        try:
            return await self._looks[operation.effect](operation, scene, answer)
        except PlatformError:
            return Fact.UNCLEAR

    async def _money(self, operation: Operation, scene: Scene, answer: Answer) -> Fact:
        """By its key. What is unknown is sent again first, as the error's message advises."""
        actor = scene.actor(operation.actor)
        token = actor.access if actor else None
        if claim(answer, operation.name) is Claim.UNKNOWN:
            async with self._payments.together():
                await self._found(operation.document, operation.variables(scene), token)

        async def definite() -> Fact | None:
            found = await self._found(_BY_KEY, {"key": scene.key}, token)
            if found is None:
                return Fact.ABSENT
            return _OF_STATUS.get(found["status"])

        try:
            fact: Fact = await until(definite, "a payment is settled")
        except PlatformError:
            return Fact.PENDING
        return fact

    async def _registration(self, _: Operation, scene: Scene, __: Answer) -> Fact:
        """Whether the new customer can sign in."""
        given = {"email": f"{scene.word}@{DOMAIN}", "password": PASSWORD}
        return await self._works(_LOGIN, given, but={"INVALID_CREDENTIALS"})

    async def _renewal(self, _: Operation, scene: Scene, answer: Answer) -> Fact:
        """A session that came must work; without one the old token must still be good for another."""
        session = (answer.body.data or {}).get("refreshToken") if answer.body else None
        token = session["refreshToken"] if session else scene.customer.refresh
        fact = await self._works(_RENEW, {"refreshToken": token}, but=_ENDED)
        if session:
            return fact
        return Fact.ABSENT if fact is Fact.HAPPENED else Fact.LOST

    async def _sign_out(self, _: Operation, scene: Scene, __: Answer) -> Fact:
        """Whether the session is over: its token is refused."""
        fact = await self._works(_RENEW, {"refreshToken": scene.customer.refresh}, but=_ENDED)
        return Fact.ABSENT if fact is Fact.HAPPENED else Fact.HAPPENED

    async def _address(self, _: Operation, scene: Scene, __: Answer) -> Fact:
        user = await self._user(scene, scene.customer.id)
        return _happened(user["address"] == f"Rua {scene.word}")

    async def _banking_details(self, operation: Operation, scene: Scene, _: Answer) -> Fact:
        user = await self._user(scene, scene.customer.id)
        wanted = operation.variables(scene)["input"]["accountNumber"]
        return _happened((user["bankingDetails"] or {}).get("accountNumber") == wanted)

    async def _activation(self, _: Operation, scene: Scene, __: Answer) -> Fact:
        user = await self._user(scene, scene.other.id)
        return _happened(user["active"] is False)

    async def _user(self, scene: Scene, id_: str) -> Any:
        user = await self._found(_USER, {"id": id_}, scene.staff.access)
        if user is None:
            raise PlatformError(f"nobody has the id {id_}")
        return user

    async def _works(self, document: str, given: Mapping[str, str], *, but: set[str]) -> Fact:
        """Whether a mutation about credentials is answered, or refused by one of these codes."""

        async def settled() -> Fact | None:
            answer = await self._ask(document, {"input": given}, None)
            if answer.body and answer.body.data and next(iter(answer.body.data.values())):
                return Fact.HAPPENED
            return Fact.ABSENT if but.intersection(answer.codes) else None

        fact: Fact = await until(settled, "credentials are judged")
        return fact

    async def _found(self, document: str, given: Mapping[str, Any], token: str | None) -> Any:
        """The only field of an answer without errors."""

        async def whole() -> tuple[Any] | None:
            answer = await self._ask(document, given, token)
            if answer.body is None or answer.body.errors or not answer.body.data:
                return None
            return (next(iter(answer.body.data.values())),)

        return (await until(whole, "a question is answered"))[0]

    async def _ask(self, document: str, given: Mapping[str, Any], token: str | None) -> Answer:
        return await self._gateway.ask(document, given, token, new_correlation())


_ENDED: Final = {"REFRESH_TOKEN_INVALID", "REFRESH_TOKEN_REUSED"}


def _happened(seen: bool) -> Fact:
    return Fact.HAPPENED if seen else Fact.ABSENT
