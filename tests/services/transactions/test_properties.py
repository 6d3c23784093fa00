"""Whatever happens in whatever order: every outcome becomes definite, is the ledger's, and is one."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.errors import CodedError
from services.ledger.contract import PostingStatus
from services.transactions.contract import Create, TransactionSettled, TransactionType
from tests.services.transactions.conftest import Bank, order, transfer_to
from tests.services.transactions.scripted_ledger import Fault

PEOPLE = 3
faults = st.sampled_from([*Fault, Fault.NONE, Fault.NONE])
requests = st.integers(0, 5)

actions = st.one_of(
    st.tuples(st.just("create"), requests, faults),
    st.tuples(st.just("together"), requests, faults),
    st.tuples(st.just("reverse"), requests, faults),
    st.tuples(st.just("recover"), st.just(0), faults),
    st.tuples(st.just("day"), st.just(0), st.just(Fault.NONE)),
    st.tuples(st.just("late"), st.just(0), st.just(Fault.NONE)),
)


@dataclass
class Story:
    """One run: a few people, a few requests that are sent again and again, and what was answered."""

    bank: Bank
    people: list[UUID]
    wanted: list[tuple[UUID, Create]]
    named: dict[str, UUID] = field(default_factory=dict)
    reversals: dict[UUID, str] = field(default_factory=dict)

    @classmethod
    def begin(cls, bank: Bank) -> "Story":
        bank.ledger.script.clear()
        people = [bank.person(150) for _ in range(PEOPLE)]
        ana, bruno, carla = people
        wanted = [
            (ana, transfer_to(bruno, 100)),
            (ana, transfer_to(carla, 100)),
            (bruno, transfer_to(carla, 200)),
            (carla, order(TransactionType.DEPOSIT, 50)),
            (bruno, order(TransactionType.WITHDRAWAL, 120)),
            (carla, transfer_to(ana, 30)),
        ]
        return cls(bank, people, wanted)

    async def act(self, name: str, number: int, fault: Fault) -> None:
        if fault is not Fault.NONE:
            self.bank.ledger.script.append(fault)
        match name:
            case "create":
                await self.create(number)
            case "together":
                await asyncio.gather(*(self.create(number) for _ in range(3)), self.create(0))
            case "reverse":
                await self.reverse(number)
            case "recover":
                await self.bank.make_due()
                await self.bank.parts.recovery.once()
            case "day":
                await self.bank.pass_deadlines()
            case "late":
                self.bank.ledger.deliver_late()

    async def create(self, number: int) -> None:
        user, request = self.wanted[number]
        answer = await self.bank.create(user, request)
        named = self.named.setdefault(request.idempotency_key, answer.transaction.id)
        assert named == answer.transaction.id

    async def reverse(self, number: int) -> None:
        id_ = self.named.get(self.wanted[number][1].idempotency_key)
        if id_ is None:
            return
        key = self.reversals.setdefault(id_, f"reverse-{id_}")
        try:
            await self.bank.reverse(id_, idempotency_key=key)
        except CodedError as refused:
            assert refused.code == "NOT_REVERSIBLE"

    async def end(self, late_first: bool) -> None:
        """Peace: no more faults, and the worker gets its time."""
        ledger = self.bank.ledger
        ledger.script.clear()
        if late_first:
            ledger.deliver_late()
        await self.bank.recover()
        ledger.deliver_late()
        await self.bank.recover()

    async def check(self) -> None:
        ids = list(self.people)
        rows = await self.bank.rows(
            "SELECT * FROM transactions WHERE sender_id = ANY(:ids) OR receiver_id = ANY(:ids)",
            ids=ids,
        )
        by_id = {row.id: row for row in rows}
        self._check_truth(rows, by_id)
        await self._check_events(by_id)
        kept = await self.bank.rows(
            "SELECT count(*) AS keys FROM idempotency WHERE transaction_id = ANY(:ids)",
            ids=list(by_id),
        )
        assert kept[0].keys == len(by_id) == len(self.named) + _reversals(rows)

    def _check_truth(self, rows: list[Any], by_id: dict[UUID, Any]) -> None:
        ledger = self.bank.ledger
        for row in rows:
            held = ledger.book[row.id]
            posted = held.status is PostingStatus.POSTED
            assert row.status in (("COMPLETED", "REVERSED") if posted else ("FAILED",))
            assert row.failure_reason == (held.reason.value if held.reason else None)
            assert ledger.moved[row.id] == (1 if posted else 0)
            if row.status == "REVERSED":
                assert by_id[row.reversed_by].status == "COMPLETED"
                assert by_id[row.reversed_by].reverses == row.id
            if row.reverses is not None and posted:
                assert by_id[row.reverses].reversed_by == row.id
        assert all(ledger.balance(person) >= 0 for person in self.people)

    async def _check_events(self, by_id: dict[UUID, Any]) -> None:
        told = Counter[UUID]()
        last: dict[UUID, str] = {}
        for event in await self.bank.events():
            payload = event.read(TransactionSettled)
            if payload.transaction_id in by_id:
                told[payload.transaction_id] += 1
                last[payload.transaction_id] = payload.status.value
        for id_, row in by_id.items():
            assert told[id_] == (2 if row.status == "REVERSED" else 1)
            assert last[id_] == row.status


def _reversals(rows: list[Any]) -> int:
    return sum(row.type == "REVERSAL" for row in rows)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(actions, min_size=3, max_size=14), st.booleans())
async def test_every_interleaving_ends_with_the_ledgers_truth(
    bank: Bank, story: list[tuple[str, int, Fault]], late_first: bool
) -> None:
    """Requests, repeats, lost answers, late arrivals, recoveries and passing days in any order: in the
    end nothing is PENDING, each status is what the ledger holds, each key names one transaction, each
    moved at most once, and each outcome was published once."""
    run = Story.begin(bank)
    for action in story:
        await run.act(*action)
    await run.end(late_first)
    await run.check()
