"""Check 9: after quiescence nothing is PENDING or HELD."""

from chaos.history.case import Case
from chaos.history.events import Status
from chaos.history.verdict import Check, Findings


def run(case: Case, findings: Findings) -> None:
    for row in case.state.transactions:
        findings.saw()
        if row.status is Status.PENDING:
            findings.violated(f"transaction {row.id} (key {row.key}) is still PENDING")
    findings.saw(len(case.state.holds))
    for hold in case.open_holds:
        findings.violated(f"{hold.amount} on account {hold.account} is still held")


CHECK = Check(
    number=9,
    name="settled",
    law="nothing PENDING or HELD after quiescence",
    counts="transactions and holds",
    run=run,
)
