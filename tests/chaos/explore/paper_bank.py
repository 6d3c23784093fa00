"""A platform on paper: a gateway with copies, retries and queued payments, in a hundred lines and no I/O.

It keeps its promises. Each mutant breaks one of them, as a real gateway might, and the judge must see it.
"""

import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from chaos.explore.answer import Answer, read
from chaos.explore.calls import FaultSet, Injected
from chaos.explore.declared import Declared
from chaos.explore.effects import Fact
from chaos.explore.kinds import KINDS
from chaos.explore.operations import Operation, Scene
from chaos.explore.port import Unrest
from chassis.faults.contract import SeenCall
from tests.chaos.explore.people import scene

DECLARED = Declared.of((Path(__file__).parents[3] / "graphql_api" / "schema.graphql").read_text())

MUTANTS = {
    "unmarked copies": "said to be fresh",
    "ancient copies": "are declared",
    "copies without a word in the summary": "does not tell of",
    "hangs": "answered after",
    "errors without a code": "without a code",
    "errors that nobody foresaw": "nobody foresaw",
    "nulls without an error": "null without an error",
    "failed though it happened": "said failed, though it happened",
    "done though it did not": "said done, and it did not happen",
    "accepted and forgotten": "said accepted, and",
    "an answer that is none": "no GraphQL answer",
    "no answer at all": "no answer",
    "FAILED for want of the ledger": "FAILED, and nothing is wrong",
}
"""What is broken, and a part of the sentence that must tell of it."""

ACCOUNT = "/v1/accounts/get"
CREATE = "/v1/transactions/create"
POST = "/v1/postings/post"


class Lost(Exception):
    """A call that came to nothing; says what its caller learned."""


@dataclass
class PaperBank:
    """`chaos.explore.port.Platform` for the operations `account` and `deposit`.

    The gateway asks the ledger twice for an account, and transactions twice for a payment; transactions
    asks the ledger once, and lets the payment wait when that does not answer.
    """

    broken: str = ""
    balance: int = 100
    copy: int | None = None
    payments: dict[str, str] = field(default_factory=dict)
    seen: dict[str, list[tuple[str, SeenCall]]] = field(default_factory=dict)
    placed: dict[str, FaultSet] = field(default_factory=dict)
    met: Counter[Injected] = field(default_factory=Counter)
    dead: str = ""
    clock: float = 0.0
    numbers: Any = field(default_factory=itertools.count)
    runs: int = 0

    async def stage(self, operation: Operation) -> Scene:
        self.copy = None
        return scene()

    async def renew(self, operation: Operation, scene: Scene) -> None:
        scene.key = f"key-{next(self.numbers)}"

    async def change(self, operation: Operation, scene: Scene) -> None:
        self.balance += 1

    async def ask(self, operation: Operation, scene: Scene, correlation: str) -> Answer:
        self.runs += 1
        began = self.clock
        asked = {"account": self._account, "deposit": self._deposit}[operation.name]
        told: dict[str, Any] | bytes | None = asked(scene, correlation)
        seconds = self.clock - began
        if told is None:
            return Answer(0, None, seconds, self.clock, "no answer: reset")
        content = told if isinstance(told, bytes) else _json(told)
        return read(200, content, seconds, self.clock)

    async def calls(self, correlation: str) -> Mapping[str, Sequence[SeenCall]]:
        found: dict[str, list[SeenCall]] = {}
        for service, call in self.seen.get(correlation, ()):
            found.setdefault(service, []).append(call)
        return found

    @contextlib.asynccontextmanager
    async def faults(
        self, faults: FaultSet, correlation: str
    ) -> AsyncIterator[Mapping[Injected, int]]:
        met: dict[Injected, int] = {}
        self.placed[correlation] = faults
        self.met.clear()
        yield met
        met.update({fault: self.met[fault] for fault in faults})
        del self.placed[correlation]

    @contextlib.asynccontextmanager
    async def down(self, service: str) -> AsyncIterator[None]:
        self.dead = service
        yield
        self.dead = ""

    async def fact(self, operation: Operation, scene: Scene, answer: Answer) -> Fact:
        state = self.payments.get(scene.key)
        if state == "PENDING" and self.broken != "accepted and forgotten":
            state = self.payments[scene.key] = "COMPLETED"
        return {None: Fact.ABSENT, "PENDING": Fact.PENDING}.get(state, Fact.HAPPENED)

    async def amend(self, met: Mapping[Injected, int]) -> None: ...

    async def unrest(self) -> Unrest:
        return Unrest()

    def _call(self, caller: str, service: str, route: str, correlation: str, work: Any) -> Any:
        """One call, with what faults do to it."""
        self.clock += 0.01
        its = self.seen.setdefault(correlation, [])
        number = 1 + sum(
            (it, call.caller, call.route) == (service, caller, route) for it, call in its
        )
        position, at = len(its), self.clock
        its.append((service, SeenCall(caller=caller, route=route, at=at, seconds=9, status=200)))
        fault = next(
            (
                it
                for it in self.placed.get(correlation, ())
                if (it.call.service, it.call.caller, it.call.route, it.call.nth)
                == (service, caller, route, number)
            ),
            None,
        )
        try:
            if service == self.dead:
                raise Lost("503")
            if fault is None:
                return work()
            self.met[fault] += 1
            kind = KINDS[fault.kind]
            if kind.done:
                work()
            if kind.slow:
                self.clock += 2
            raise Lost(kind.learned)
        finally:
            self.clock += 0.01
            call = SeenCall(caller=caller, route=route, at=at, seconds=self.clock - at, status=200)
            its[position] = (service, call)

    def _twice(self, correlation: str, service: str, route: str, work: Any) -> Any:
        try:
            return self._call("gateway", service, route, correlation, work)
        except Lost:
            return self._call("gateway", service, route, correlation, work)

    def _account(self, scene: Scene, correlation: str) -> Any:
        try:
            balance = self._twice(correlation, "ledger", ACCOUNT, lambda: self.balance)
        except Lost:
            return self._account_without_ledger()
        self.copy = balance
        return {"data": {"account": _account(balance, "FRESH", None)}}

    def _account_without_ledger(self) -> Any:
        if self.broken == "hangs":
            self.clock += 60
        if self.broken == "no answer at all":
            return None
        if self.broken == "an answer that is none":
            return b"<html>Bad Gateway</html>"
        if self.broken == "nulls without an error":
            return {"data": {"account": None}}
        if self.copy is None or "error" in self.broken:
            return {"data": {"account": None}, "errors": [self._error("account", "UNAVAILABLE")]}
        if self.broken == "unmarked copies":
            return {"data": {"account": _account(self.copy, "FRESH", None)}}
        age = 90_000 if self.broken == "ancient copies" else 4
        told = {"data": {"account": _account(self.copy, "STALE", age)}}
        if self.broken == "copies without a word in the summary":
            return told
        entry = {
            "path": ["account"],
            "service": "ledger",
            "reason": "UNAVAILABLE",
            "servedFrom": "copy",
            "ageSeconds": age,
        }
        return told | {"extensions": {"degraded": [entry]}}

    def _deposit(self, scene: Scene, correlation: str) -> Any:
        def create() -> str:
            if scene.key not in self.payments:
                self.payments[scene.key] = "PENDING"

                def post() -> None:
                    self.payments[scene.key] = "COMPLETED"

                with contextlib.suppress(Lost):
                    self._call("transactions", "ledger", POST, correlation, post)
            return self.payments[scene.key]

        try:
            status = self._twice(correlation, "transactions", CREATE, create)
        except Lost:
            happened = scene.key in self.payments
            if self.broken == "done though it did not" and not happened:
                return {"data": {"deposit": _payment("COMPLETED")}}
            sure = self.broken == "failed though it happened" or not self._maybe(correlation)
            code = "UNAVAILABLE" if sure else "OUTCOME_UNKNOWN"
            return {"data": {"deposit": None}, "errors": [self._error("deposit", code)]}
        if status == "PENDING" and self.broken == "FAILED for want of the ledger":
            status = "FAILED"
        return {"data": {"deposit": _payment(status)}}

    def _maybe(self, correlation: str) -> bool:
        """Whether a lost answer may hide a payment: after anything but a refusal."""
        if self.dead:
            return False
        return any(KINDS[it.kind].learned != "503" for it in self.placed.get(correlation, ()))

    def _error(self, root: str, code: str) -> dict[str, Any]:
        if self.broken == "errors that nobody foresaw":
            code = "INTERNAL"
        extensions = {} if self.broken == "errors without a code" else {"code": code}
        return {"message": "it went wrong", "path": [root], "extensions": extensions}


def _json(told: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(told)


def _money(amount: object) -> dict[str, str]:
    return {"amount": f"{amount}", "currency": "BRL"}


def _account(balance: int, state: str, age: int | None) -> dict[str, Any]:
    return {
        "id": "account-1",
        "balance": _money(balance),
        "held": _money(0),
        "available": _money(balance),
        "balanceAsOf": "2026-01-31T12:00:00+00:00",
        "active": True,
        "createdAt": "2026-01-31T11:00:00+00:00",
        "freshness": {"state": state, "ageSeconds": age},
    }


def _payment(status: str) -> dict[str, Any]:
    fresh = {"state": "FRESH", "ageSeconds": None}
    return {
        "id": "transaction-1",
        "type": "DEPOSIT",
        "status": status,
        "amount": _money("0.01"),
        "description": None,
        "failureReason": None,
        "sender": None,
        "receiver": {"id": "id-customer", "name": "Pessoa", "freshness": fresh},
        "reversesId": None,
        "createdAt": "2026-01-31T11:00:00+00:00",
        "freshness": fresh,
    }
