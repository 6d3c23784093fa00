"""The mutants: each breaks one promise; the run that shows it, and the checks that must see it."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaos.history.verdict import Verdict
from tests.kill.campaign import Plan, Result, campaign
from tests.mutants.unsafe_commits import make_unsafe


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken platform.

    Attributes:
        breaks: the promise, in a sentence.
        plan: the run; kills only where the fault needs one to show.
        seen_by: numbers of checks of which at least one must be violated.
    """

    name: str
    breaks: str
    plan: Plan
    seen_by: frozenset[int]


MUTANTS: Sequence[Mutant] = (
    Mutant(
        "unsafe-commits",
        "a commit is answered before it is on disk",
        Plan("postgres", operations=600, kills=(0.5,), before=make_unsafe),
        frozenset({5}),
    ),
    Mutant(
        "no-idempotency",
        "the same key makes another transfer",
        Plan(
            None,
            operations=300,
            modules={"transactions": "tests.mutants.transactions_no_idempotency"},
        ),
        frozenset({6}),
    ),
    Mutant(
        "ack-first",
        "a message is acknowledged before it is committed",
        Plan(
            "notifications",
            operations=500,
            modules={"notifications": "tests.mutants.notifications_ack_first"},
        ),
        frozenset({8}),
    ),
    Mutant(
        "split-legs",
        "debit and credit are two transactions",
        Plan(None, operations=400, modules={"ledger": "tests.mutants.ledger_split_legs"}),
        frozenset({1}),
    ),
    Mutant(
        "guess",
        "an unknown outcome is reported as failed",
        Plan(None, operations=300, modules={"transactions": "tests.mutants.transactions_guess"}),
        frozenset({3}),
    ),
)


async def hunt(mutant: Mutant) -> Result:
    """Run the mutant; raises AssertionError when the checks do not see what it breaks."""
    result = await campaign(mutant.plan)
    violated = {
        item.check.number for item in result.report.results if item.verdict is Verdict.VIOLATED
    }
    if not violated & mutant.seen_by:
        raise AssertionError(f"{mutant.name} got away:\n{result.report.text()}")
    return result
