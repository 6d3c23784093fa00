"""Every proof of the long tier, in the order in which they run."""

from tests.kill.campaign import Plan, campaign
from tests.mutants.catalogue import MUTANTS, Mutant, hunt
from tests.prove import exploration, long_tests, mutation, proxy, scenarios
from tests.prove.ledger_of_proofs import Figures, Proof

OPERATIONS = 1_000
"""Of one run of the matrix; the suite has two runs of 2,000 transfers and more."""

PROCESSES = (
    "gateway",
    "users",
    "ledger",
    "transactions",
    "notifications",
    "postgres",
    "valkey",
    "supervisor",
)
"""The last takes all others with it, as the loss of a machine's session would."""


def _kill(victim: str, *, rabbitmq: bool) -> Proof:
    bus = "rabbitmq" if rabbitmq else "postgres"

    async def run() -> Figures:
        result = await campaign(Plan(victim, rabbitmq=rabbitmq, operations=OPERATIONS))
        result.report.raise_if_invalid()
        return result.figures()

    return Proof(
        f"kill-{victim}-bus-{bus}",
        f"killing {victim} twice under load loses no money (bus on {bus})",
        run,
    )


def _mutant(mutant: Mutant) -> Proof:
    async def run() -> Figures:
        result = await hunt(mutant)
        return {"violated checks": sorted(result.report.violated), **result.figures()}

    return Proof(f"mutant-{mutant.name}", f"it is seen that {mutant.breaks}", run)


PROOFS: tuple[Proof, ...] = (
    *(_kill(victim, rabbitmq=False) for victim in PROCESSES),
    *(_kill(victim, rabbitmq=True) for victim in (*PROCESSES, "rabbitmq")),
    *(_mutant(mutant) for mutant in MUTANTS),
    *long_tests.PROOFS,
    *mutation.PROOFS,
    *proxy.PROOFS,
    *exploration.PROOFS,
    *scenarios.PROOFS,
)
