"""Any commands in any order and any batches: the real ledger answers as the model does, law by law."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ledger.contract import Posting, PostingKind, PostingResult
from services.ledger.holds import HoldAction, HoldCommand, HoldResult
from services.ledger.writer import Result
from tests.services.ledger.conftest import CORRELATION, EXTERNAL, Bank, hold, transfer
from tests.services.ledger.model import Model, ModelAccount, Outcome

IDS = 6
"""Few ids, so that they are often used again, with the same fields or with others."""

PLACES = ("outside", "rich", "poor", "overdrawn", "inactive", "nobody")


@dataclass(frozen=True)
class Step:
    """A command by names instead of ids."""

    id: int
    kind: str
    debit: str
    credit: str
    amount: int
    reverses: int | None = None


# Mostly among three accounts and with three amounts, so that repeated ids often match.
places = st.sampled_from(PLACES + ("rich", "poor", "overdrawn") * 3)
amounts = st.sampled_from([1, 40, 40, 60])


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    made: list[Step] = []
    for _ in range(draw(st.integers(1, 14))):
        if made and draw(st.integers(0, 3)) == 0:
            made.append(_variation(draw, draw(st.sampled_from(made))))
            continue
        debit, credit = draw(places), draw(places)
        if debit != credit:
            kind = draw(st.sampled_from(["TRANSFER"] * 4 + ["TOMBSTONE", "PLACE", "PLACE"]))
            made.append(Step(draw(st.integers(0, IDS - 1)), kind, debit, credit, draw(amounts)))
    return made


def _variation(draw: st.DrawFn, old: Step) -> Step:
    """Something that follows from an earlier step: again, given up, reversed, captured, let go."""
    kind = draw(
        st.sampled_from([old.kind, "TOMBSTONE", "REVERSAL", "CAPTURE", "CAPTURE", "VOID", "EXPIRE"])
    )
    if kind == "REVERSAL" and old.kind != "REVERSAL":
        other = draw(st.integers(0, IDS - 1).filter(lambda number: number != old.id))
        return Step(other, kind, old.credit, old.debit, old.amount, old.id)
    if kind == "CAPTURE":
        return Step(old.id, kind, old.debit, old.credit, draw(st.sampled_from([1, old.amount])))
    if kind == "REVERSAL":
        return old
    return Step(
        old.id, kind, old.debit, old.credit, old.amount, old.reverses if kind == old.kind else None
    )


@dataclass
class World:
    """Fresh accounts and ids in the same database, and a model beside them."""

    accounts: dict[str, UUID]
    ids: list[UUID]
    model: Model

    @classmethod
    async def new(cls, bank: Bank) -> "World":
        names = ("rich", "poor", "overdrawn", "inactive")
        accounts = {name: uuid4() for name in (*names, "nobody")} | {"outside": EXTERNAL}
        await bank.sql.executemany(
            "INSERT INTO accounts (id, owner_id, currency, overdraft) VALUES ($1, $1, 'BRL', $2)",
            [(accounts[name], 50 if name == "overdrawn" else 0) for name in names],
        )
        await bank.post_all([transfer(EXTERNAL, accounts[name], 100) for name in names[::3]])
        await bank.sql.execute(
            "UPDATE accounts SET active = false WHERE id = $1", accounts["inactive"]
        )
        # What earlier examples have left at the one account that they share.
        outside = await bank.balance(EXTERNAL), await bank.held(EXTERNAL)
        model = Model(
            {
                "outside": ModelAccount(*outside, overdraft=None),
                "rich": ModelAccount(100),
                "poor": ModelAccount(),
                "overdrawn": ModelAccount(overdraft=50),
                "inactive": ModelAccount(100, active=False),
            }
        )
        return cls(accounts, [uuid4() for _ in range(IDS)], model)

    def command(self, step: Step) -> Posting | HoldCommand:
        debit, credit = self.accounts[step.debit], self.accounts[step.credit]
        if step.kind in HoldAction.__members__:
            return hold(
                HoldAction(step.kind), debit, credit, step.amount, transfer_id=self.ids[step.id]
            )
        return transfer(
            debit,
            credit,
            step.amount,
            transfer_id=self.ids[step.id],
            kind=PostingKind(step.kind),
            reverses=None if step.reverses is None else self.ids[step.reverses],
        )

    def expected(self, step: Step) -> Any:
        if step.kind in HoldAction.__members__:
            return self.model.hold(step.id, step.kind, step.debit, step.credit, step.amount)
        return self.model.post(
            step.id, step.kind, step.debit, step.credit, step.amount, step.reverses
        )


def seen(result: Result) -> Any:
    """A result in the model's words."""
    if isinstance(result, PostingResult):
        return _seen_posting(result)
    return _seen_hold(result)


def _seen_posting(result: PostingResult) -> Outcome | str:
    if (posted := result.posted) is None:
        return "MISMATCH" if result.error == "TRANSFER_MISMATCH" else str(result.error)
    reason = posted.reason.value if posted.reason else None
    return (posted.status.value, reason, posted.debit_balance, posted.credit_balance)


def _seen_hold(result: HoldResult) -> tuple[str, ...]:
    if result.error is not None:
        return ("ERROR", result.error)
    if result.status is None:
        return ("REJECTED", str(result.reason))
    return (result.status.value,)


async def run(bank: Bank, world: World, plan: Sequence[Step], sizes: Sequence[int]) -> list[Any]:
    """Carry the plan out in batches of these sizes, over and over; what was answered."""
    answers: list[Any] = []
    at = turn = 0
    while at < len(plan):
        size = sizes[turn % len(sizes)]
        turn += 1
        commands = [world.command(step) for step in plan[at : at + size]]
        # Postings and holds in one batch, as the queue may join them.
        answers += await bank.writer._submit(commands, CORRELATION)
        at += size
    return [seen(answer) for answer in answers]


_SETTINGS = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(plan=steps(), sizes=st.lists(st.integers(1, 14), min_size=1, max_size=4))
@_SETTINGS
async def test_the_ledger_does_what_the_model_does(
    bank: Bank, plan: list[Step], sizes: list[int]
) -> None:
    """Every answer and every balance is the model's, however the commands fall into batches."""
    world = await World.new(bank)

    answers = await run(bank, world, plan, sizes)

    assert answers == [world.expected(step) for step in plan]
    for name, expected in world.model.accounts.items():
        account = world.accounts[name]
        assert await bank.balance(account) == expected.balance, name
        assert await bank.held(account) == expected.held, name


@given(plan=steps())
@_SETTINGS
async def test_a_batch_is_the_same_as_one_at_a_time(bank: Bank, plan: list[Step]) -> None:
    """The same commands in one batch and one by one give the same outcomes and leave the same money."""
    together, singly = await World.new(bank), await World.new(bank)

    in_batch = await run(bank, together, plan, [len(plan)])
    one_by_one = await run(bank, singly, plan, [1])

    assert [_without_outside(plan[n], a) for n, a in enumerate(in_batch)] == [
        _without_outside(plan[n], a) for n, a in enumerate(one_by_one)
    ]
    for name in ("rich", "poor", "overdrawn", "inactive"):
        assert await bank.balance(together.accounts[name]) == await bank.balance(
            singly.accounts[name]
        )


def _without_outside(step: Step, answer: Any) -> Any:
    """The answer less the balance of `@external`, which both runs share."""
    if not isinstance(answer, tuple) or len(answer) != 4:
        return answer
    status, reason, debit, credit = answer
    return (
        status,
        reason,
        None if step.debit == "outside" else debit,
        None if step.credit == "outside" else credit,
    )


@given(plan=steps())
@_SETTINGS
async def test_asking_again_changes_nothing(bank: Bank, plan: list[Step]) -> None:
    """After any history, postings sent again get what they got, and no row changes."""
    world = await World.new(bank)
    postings = [step for step in plan if step.kind not in HoldAction.__members__]
    first = await run(bank, world, postings, [5])
    rows = await _everything(bank)

    again = await run(bank, world, postings, [3])

    # An id that was refused as a mismatch, or came first with other fields, keeps its answer as well.
    assert again == first
    assert await _everything(bank) == rows


async def _everything(bank: Bank) -> list[Any]:
    return [
        await bank.sql.fetchval(
            f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t"
        )
        for table in ("accounts", "ledger_transfers", "entries", "holds", "outbox")
    ]
